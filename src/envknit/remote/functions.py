"""How a function of the host is told to another process or interpreter: by its import path, or by its code.

By code goes what no import can find: functions of a script or a notebook, inner ones, lambdas. With the code goes what
it names of its globals: modules and importable functions by their names, plain data by value, other functions of the
same script by code; whatever else it names it has to be handed.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import FunctionType, ModuleType

from envknit.errors import WorkerError
from envknit.functions import find_inside, names_of, parse_path
from envknit.remote.values import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any


def told_by_path(fn: Callable[..., Any] | str) -> tuple[str, str, str] | None:
    """Return a function's module, its name there, and the folder that the module is imported from (`""`: any).

    None: no import finds it.

    Raises:
        WorkerError: it is text, and no path of a function.
    """
    if isinstance(fn, str):
        path = parse_path(fn)
        if path is None:
            raise WorkerError("a function is named as package.module:name", function=fn)
        return *path, ""
    module, name = getattr(fn, "__module__", None) or "", getattr(fn, "__qualname__", "")
    where = sys.modules.get(module)
    if find_inside(where, name) is not fn or not name:
        return None
    if module == "__main__":
        spec = getattr(where, "__spec__", None)  # `python -m package.module` has an import path, a script has not
        if spec is None:
            return None
        module = spec.name
    return module, name, _root(where, module)


def told_by_code(fn: Callable[..., Any]) -> tuple[Any, ...]:
    """Return a function's code, and what it names, as plain data.

    Raises:
        WorkerError: it has no code, or closes over what cannot leave this process.
    """
    if not isinstance(fn, FunctionType):
        raise WorkerError(
            "only what an import finds, and functions written in Python, can be called elsewhere",
            function=repr(fn),
            hint="hand its object over as an argument of a function",
        )
    names: dict[str, tuple[Any, ...]] = {}
    pending = [fn.__code__]
    while pending:
        for name in names_of(pending.pop()):
            if name in names or name not in fn.__globals__:
                continue
            told = _told(fn.__globals__[name], fn.__globals__)
            if told is not None:
                names[name] = told
            if told is not None and told[0] == "code":
                pending.append(fn.__globals__[name].__code__)
    return (*_code(fn), names)


def function_of(told: tuple[Any, ...], space: dict[str, Any], given: set[str]) -> Callable[..., Any]:
    """Make a function of what `told_by_code` said.

    Args:
        told: that.
        space: what are to be its globals; names that it has there already stay what they are.
        given: the names in there that came with earlier functions; they are replaced.
    """
    *code, names = told
    for name, (kind, *rest) in names.items():
        if name not in space or name in given:
            given.add(name)
            space[name] = _made(kind, rest, space)
    return _function(code, space)


def found_by_path(module: str, name: str, root: str) -> Any:
    """Import what `told_by_path` named."""
    if root and root not in sys.path:
        sys.path.insert(0, root)
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _told(thing: Any, space: dict[str, Any]) -> tuple[Any, ...] | None:
    if isinstance(thing, ModuleType):
        return "module", thing.__name__
    if isinstance(thing, FunctionType) and thing.__globals__ is space:
        return "code", *_code(thing)
    if callable(thing):
        path = told_by_path(thing)
        return None if path is None else ("path", *path)
    return ("value", thing) if is_plain(thing) else None


def _made(kind: str, rest: list[Any], space: dict[str, Any]) -> Any:
    if kind == "module":
        return import_module(rest[0])
    if kind == "path":
        return found_by_path(*rest)
    return _function(rest, space) if kind == "code" else rest[0]


def _code(fn: FunctionType) -> tuple[Any, ...]:
    import marshal  # code objects are what it was made for, and both ends are one version of Python

    closed_over = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True))
    for name, cell in closed_over.items():
        if not is_plain(cell.cell_contents):
            raise WorkerError(
                f"{fn.__qualname__} closes over {name}, which is more than plain data and stays here",
                hint="hand it over as an argument",
            )
    cells = tuple(cell.cell_contents for cell in closed_over.values())
    return marshal.dumps(fn.__code__), fn.__name__, fn.__defaults__, fn.__kwdefaults__, cells


def _function(told: list[Any], space: dict[str, Any]) -> FunctionType:
    import marshal
    from types import CellType

    text, name, defaults, keyword_defaults, cells = told
    code: CodeType = marshal.loads(text)  # noqa: S302 - written by `_code` of this very program
    made = FunctionType(code, space, name, defaults, tuple(map(CellType, cells)))
    made.__kwdefaults__ = keyword_defaults
    return made


def _root(where: object, module: str) -> str:
    file = getattr(where, "__file__", None)
    if not isinstance(file, str):
        return ""
    parts = module.count(".") + (os.path.basename(file) == "__init__.py")
    folder = os.path.dirname(os.path.abspath(file))
    for _ in range(parts):
        folder = os.path.dirname(folder)
    return folder
