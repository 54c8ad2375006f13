"""Forget the host: of an interpreter that has just started, leave the standard library alone.

Whatever starts (a worker's process, a sub-interpreter) runs `site`, and with it every `.pth` file of the host's
site-packages, envknit's own hook among them. This is the first code that runs there, so it imports nothing of envknit.
"""

import os
import sys
from _frozen_importlib import BuiltinImporter, FrozenImporter
from _frozen_importlib_external import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any


def forget_host(keep: "Collection[str]") -> list[str]:
    """Make the path and the finders what they are without `site`, and drop the modules of packages.

    Args:
        keep: names of modules that stay, wherever they came from.

    Returns:
        The entries of `sys.path` that lay behind the standard library: the host's site-packages.
    """
    library = os.path.dirname(os.__file__)
    archive = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    hook: Any = sys.modules.get("_envknit_bootstrap")
    active = getattr(hook, "active", None)
    if active is not None:
        os.close(active.file)
        active.restore_prefix()
    own = [path for path in sys.path if _is_standard(path, library, archive)]
    behind = sys.path[sys.path.index(own[-1]) + 1 :] if own else []
    sys.path[:] = own
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, PathFinder]
    sys.path_hooks[:] = [hook for hook in sys.path_hooks if _module_of(hook) in {"zipimport", PathFinder.__module__}]
    sys.path_importer_cache.clear()
    for name, module in list(sys.modules.items()):
        if name not in {"__main__", __name__, *keep} and not _is_of_python(module, library):
            del sys.modules[name]
    return behind


def _module_of(hook: object) -> str:
    return str(getattr(hook, "__module__", ""))


def _is_standard(path: str, library: str, archive: str) -> bool:
    if path == library or os.path.basename(path) == archive:
        return True
    return os.path.basename(path) == "lib-dynload" and os.path.basename(os.path.dirname(path)).startswith("python3")


def _is_of_python(module: object, library: str) -> bool:
    names = getattr(module, "__dict__", {})  # (a module's own `__getattr__` is not to run)
    file = names.get("__file__")
    if file is None:  # built in, or a namespace package of the host
        return "__path__" not in names
    inside = file.startswith((os.path.join(library, ""), os.path.join(sys.base_exec_prefix, "")))
    return inside and "site-packages" not in file and "dist-packages" not in file
