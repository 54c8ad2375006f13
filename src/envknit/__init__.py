"""One shared store of packages, a lock file per project, and plain `python app.py`.

Each public name is loaded when it is first used; importing this package loads nothing else.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envknit.errors import CExtensionError, EnvknitError, LinkError, SchemaVersionError
    from envknit.runtime.configure import configure_from_lock
    from envknit.runtime.defaults import disable, enable, set_default
    from envknit.runtime.explain import explain, explain_isinstance
    from envknit.runtime.threads import ContextExecutor, ContextThread, context_wrap
    from envknit.runtime.use import import_version, use

_NAMES = {
    "CExtensionError": "envknit.errors",
    "ContextExecutor": "envknit.runtime.threads",
    "ContextThread": "envknit.runtime.threads",
    "EnvknitError": "envknit.errors",
    "LinkError": "envknit.errors",
    "SchemaVersionError": "envknit.errors",
    "configure_from_lock": "envknit.runtime.configure",
    "context_wrap": "envknit.runtime.threads",
    "disable": "envknit.runtime.defaults",
    "enable": "envknit.runtime.defaults",
    "explain": "envknit.runtime.explain",
    "explain_isinstance": "envknit.runtime.explain",
    "import_version": "envknit.runtime.use",
    "set_default": "envknit.runtime.defaults",
    "use": "envknit.runtime.use",
}

__all__ = [
    "CExtensionError",
    "ContextExecutor",
    "ContextThread",
    "EnvknitError",
    "LinkError",
    "SchemaVersionError",
    "__version__",
    "configure_from_lock",
    "context_wrap",
    "disable",
    "enable",
    "explain",
    "explain_isinstance",
    "import_version",
    "set_default",
    "use",
]


def __getattr__(name: str) -> object:
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(module, fromlist=(name,)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
