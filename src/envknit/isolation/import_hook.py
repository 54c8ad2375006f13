"""Another door to `use()`, its family and its errors."""

from envknit.errors import CExtensionError, SchemaVersionError
from envknit.runtime.configure import configure_from_lock
from envknit.runtime.defaults import disable, enable, set_default
from envknit.runtime.use import import_version, use

__all__ = [
    "CExtensionError",
    "SchemaVersionError",
    "configure_from_lock",
    "disable",
    "enable",
    "import_version",
    "set_default",
    "use",
]
