"""The first code that runs in a new sub-interpreter: forget the host, then load envknit. Imports nothing of envknit.

A new interpreter runs `site`, and with it every `.pth` file of the host's site-packages, envknit's own hook among them.
"""

import os
import sys
from _frozen_importlib import BuiltinImporter, FrozenImporter, _load  # type: ignore[attr-defined] # not in typeshed
from _frozen_importlib_external import PathFinder, spec_from_file_location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def start(names: "dict[str, Any]") -> None:
    """Make this interpreter one of the standard library alone, able to serve.

    Args:
        names: the namespace of `__main__`; it holds what the host bound there for us.
    """
    bootstrap, package = names.pop("_envknit_bootstrap"), names.pop("_envknit_package")
    facts = [names.pop(f"_envknit_{name}") for name in ("mailbox", "gil", "private")]
    names.pop("__annotations__", None)
    _forget_host()
    _load(spec_from_file_location("_envknit_bootstrap", bootstrap))
    init = os.path.join(package, "__init__.py")
    _load(spec_from_file_location("envknit", init, submodule_search_locations=[package]))
    from envknit.worker.interpreter_inside import begin  # noqa: PLC0415 - it can be found only now

    begin(names, *facts)


def _forget_host() -> None:
    library = os.path.dirname(os.__file__)
    archive = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    hook = sys.modules.get("_envknit_bootstrap")
    active = getattr(hook, "active", None)
    if active is not None:
        os.close(active.file)
    sys.path[:] = [path for path in sys.path if _is_standard(path, library, archive)]
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, PathFinder]
    sys.path_hooks[:] = [hook for hook in sys.path_hooks if _module_of(hook) in {"zipimport", PathFinder.__module__}]
    sys.path_importer_cache.clear()
    for name, module in list(sys.modules.items()):
        if name not in {"__main__", __name__} and not _is_of_python(module, library):
            del sys.modules[name]


def _module_of(hook: object) -> str:
    return str(getattr(hook, "__module__", ""))


def _is_standard(path: str, library: str, archive: str) -> bool:
    if path == library or os.path.basename(path) == archive:
        return True
    return os.path.basename(path) == "lib-dynload" and os.path.basename(os.path.dirname(path)).startswith("python3")


def _is_of_python(module: object, library: str) -> bool:
    file = getattr(module, "__file__", None)
    if file is None:  # built in, or a namespace package of the host
        return not hasattr(module, "__path__")
    inside = file.startswith((os.path.join(library, ""), os.path.join(sys.base_exec_prefix, "")))
    return inside and "site-packages" not in file and "dist-packages" not in file
