"""What a host asks of the modules on the other side: a worker offers these operations besides those of `operations`."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location

from envknit.remote.functions import found_by_path, function_of
from envknit.remote.operations import is_offered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def attribute(_: None, module: str, name: str) -> object:
    """Return an attribute of a module; a submodule is imported for it.

    Raises:
        AttributeError: it has none of that name; or it is a dunder that means something in this process alone.
    """
    owner = import_module(module)  # (not sys.modules: another thread may be in the middle of the import)
    try:
        value = getattr(owner, name)
    except AttributeError:
        # As `import package.name` would; a program in one process has often had that done by somebody else
        if not hasattr(owner, "__path__") or name.startswith("__"):
            raise
        full = f"{module}.{name}"
        try:
            return import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:  # it is there, and lacks something itself
                raise
        raise
    if name.startswith("__") and name.endswith("__") and not is_offered(name):
        raise AttributeError(f"module {module!r} offers no {name!r} to another process")
    return value


def run(_: None, root: str, module: str, name: str, /, *args: object, **options: object) -> object:
    """Call a function of a module.

    Args:
        root: the folder from which the host imported the module; `""`: any.
        module: its full name.
        name: the function's path in it.
        args: what it is called with.
        options: keyword arguments of the call.
    """
    function = found_by_path(module, name, root)
    # `in_env` left its own function in the module; here is the environment that it is to run in
    return getattr(function, "__envknit_function__", function)(*args, **options)


def run_code(_: None, told: tuple[Any, ...], /, *args: object, **options: object) -> object:
    """Call a function that goes by its code; see `functions`."""
    return function_of(told, {"__name__": "__main__"}, set())(*args, **options)


def load(_: None, path: str) -> str:
    """Execute a file, or a package's folder, as a module, once; return its name.

    Raises:
        ImportError: it is no module of Python.
    """
    file = os.path.join(path, "__init__.py") if os.path.isdir(path) else path
    stem = name = os.path.basename(path).partition(".")[0]
    number = 1
    while name in sys.modules:
        if getattr(sys.modules[name], "__file__", None) == file:
            return name
        number += 1
        name = f"{stem}_{number}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not os.path.isfile(file):
        raise ImportError(f"no module of Python is at {path}", name=stem, path=path)
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return name


OPERATIONS: dict[str, Callable[..., object]] = {
    "attribute": attribute,
    "module-set": lambda _, module, name, value: setattr(import_module(module), name, value),
    "module-delete": lambda _, module, name: delattr(import_module(module), name),
    "load": load,
    "run": run,
    "run-code": run_code,
    "module-dir": lambda _, module: dir(import_module(module)),
}
