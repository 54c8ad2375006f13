"""Exceptions that cross: the standard library's as what they were, others as a `WorkerError` of that name and bases.

A package's exception class has no meaning in a process without the package, but its name has, and so have its bases
that are Python's: `LinAlgError(ValueError)` arrives as a class `LinAlgError(WorkerError, ValueError)`, the same one
each time, and `np.linalg.LinAlgError` read through the proxy is that class: `except` clauses work either way.
"""

from __future__ import annotations

import builtins
import sys
from contextlib import suppress
from importlib import import_module

import envknit.errors
from envknit.errors import EnvknitError, WorkerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any


class WorkerGone(WorkerError):  # noqa: N818 - a WorkerError whose name says what happened
    """The worker is gone; `sent` tells whether it may have executed the call."""

    sent: bool


class RemoteTraceback(Exception):  # noqa: N818 - it is the cause of an error, as in concurrent.futures
    """The traceback of the other side, as text; the `__cause__` of the exception that crossed."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


class RemoteError(WorkerError):
    """An exception whose class only the other side has; the base of the classes that stand for such.

    `remote` is a proxy of the exception itself: attributes that this object lacks are asked from there.
    """

    remote: Any = None
    text = ""

    def __init__(self, *args: object) -> None:
        super().__init__(str(args[0]) if args else "")
        self.args = args

    def __str__(self) -> str:
        return self.text or (str(self.args[0]) if len(self.args) == 1 else str(self.args or ""))

    def __getattr__(self, name: str) -> object:
        remote = self.__dict__.get("remote")
        if remote is None or name.startswith("__"):  # (copy and pickle look for dunders before there is a `__dict__`)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(remote, name)

    def __reduce__(self) -> tuple[Any, ...]:
        # Elsewhere neither the class nor the remote object exists; what it said does
        return WorkerError, (f"{type(self).__module__}.{type(self).__qualname__}: {self}",)


def class_tree(kind: type) -> tuple[object, ...]:
    """Describe an exception class: module, name, and the same of its bases down to the builtin ones."""
    bases = tuple(class_tree(base) for base in kind.__bases__ if issubclass(base, BaseException))
    name = kind.__qualname__
    if kind.__module__ == "builtins":
        return ("builtins", name)
    return (kind.__module__, name, *bases)


class Mirror:
    """The exception classes of one worker, as classes of this side; kept over restarts of the worker."""

    def __init__(self) -> None:
        self._classes: dict[tuple[object, ...], type] = {}

    def stand_in(self, tree: tuple[Any, ...]) -> type:
        """Return the class that stands for the described one."""
        module, name, *bases = tree
        if module == "builtins":
            found: type = getattr(builtins, name, RuntimeError)  # an older Python may lack a new one
            return found
        own: type | None = vars(envknit.errors).get(name) if module == envknit.errors.__name__ else None
        if own is not None:
            return own
        kind = self._classes.get(tree)
        if kind is None:
            kind = _of_standard_library(module, name)
            if kind is None:
                kind = _make(module, name, tuple(dict.fromkeys(self.stand_in(base) for base in bases)))
            self._classes[tree] = kind
        return kind


def _of_standard_library(module: str, name: str) -> type | None:
    """Find an exception class that both sides have, since both have a standard library; an older one may lack it."""
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return None
    try:
        found: object = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _make(module: str, name: str, parents: tuple[type, ...]) -> type:
    # BaseException and Exception are above RemoteError already; to name them again would break the order of bases
    parents = tuple(p for p in parents if not issubclass(RemoteError, p))
    if not any(issubclass(parent, RemoteError) for parent in parents):
        parents = (RemoteError, *parents)
    body = {"__module__": module, "__qualname__": name, "__doc__": f"Stands for {module}.{name} of a worker."}
    try:
        return type(name.rpartition(".")[2], parents, body)
    except TypeError:  # two builtin bases whose layouts do not fit together: the first tells enough
        return type(name.rpartition(".")[2], (RemoteError,), body)


def text_of(error: BaseException, own_frames: int = 1) -> str:
    """Return the traceback below our own frames as text; empty where the first call into C raised it."""
    trace: TracebackType | None = error.__traceback__
    for _ in range(own_frames):  # the frames that called what failed are ours, and say nothing to the reader
        trace = trace.tb_next if trace is not None else None
    if trace is None and error.__cause__ is None:
        return ""
    try:
        import traceback

        return "".join(traceback.format_exception(type(error), error, trace))
    except Exception as failure:  # noqa: BLE001 - a package's own __str__ may fail, or no descriptor be left
        return f"(the traceback could not be shown: {failure!r})\n"


def extra_facts(error: BaseException) -> dict[str, object]:
    """Return what exceptions keep outside `args`: our own, builtin ones, and the notes of all (PEP 678)."""
    facts = _own_facts(error)
    notes = error.__dict__.get("__notes__")
    if isinstance(notes, list):
        facts["__notes__"] = [str(note) for note in notes]
    return facts


def _own_facts(error: BaseException) -> dict[str, object]:
    if isinstance(error, EnvknitError):
        return {"hint": error.hint, "facts": {name: str(fact) for name, fact in error.facts.items()}}
    if isinstance(error, ImportError):
        return {"name": error.name, "path": error.path}
    if isinstance(error, (AttributeError, NameError)):
        return {"name": getattr(error, "name", None)}
    if type(error).__module__.partition(".")[0] in sys.stdlib_module_names:
        return {name: fact for name, fact in vars(error).items() if name != "__notes__"}
    return {}


def arguments(error: BaseException) -> tuple[object, ...]:
    """Return what to call the class with to get an equal exception."""
    if isinstance(error, OSError) and error.filename is not None and len(error.args) == 2:
        return (*error.args, error.filename)
    return error.args


def rebuild(kind: Any, args: tuple[object, ...], text: str, facts: dict[str, Any]) -> BaseException:
    """Make an exception of this side.

    Args:
        kind: a builtin class, one of ours, or a stand-in.
        args: what it was made of.
        text: what `str()` of the original gave.
        facts: attributes besides.
    """
    error: BaseException
    try:
        if kind.__module__ == envknit.errors.__name__:
            error = kind(*args, hint=facts.pop("hint"), **facts.pop("facts"))
        elif kind.__module__ == "builtins" or issubclass(kind, RemoteError):
            error = kind(*args)
        else:  # json.JSONDecodeError and its like take other arguments than they keep in `args`
            error = kind.__new__(kind, *args)
            error.args = args
    except Exception:  # noqa: BLE001 - a class of another Python may take other arguments
        error = WorkerError(f"{kind.__name__}: {text}")
    if isinstance(error, RemoteError):
        error.text = text
    for name, fact in facts.items():
        with suppress(AttributeError, TypeError):  # read-only in this Python
            setattr(error, name, fact)
    return error
