"""The interpreter modules of CPython behind one seam: 3.12's, 3.13's, and the public one of 3.14 (PEP 734).

    3.12   _xxsubinterpreters, _xxinterpchannels     errors as text; no memory is shared
    3.13   _interpreters, _interpchannels            a memoryview is shared, not copied
    3.14   concurrent.interpreters                   the same, under its public name

Both sides load this module: the host makes interpreters and takes parcels, an interpreter posts them.
"""

from __future__ import annotations

import sys
from importlib import import_module

from envknit.errors import UnsupportedPlatformError, WorkerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

GILS = ("own", "shared")
SHARES_MEMORY = sys.version_info >= (3, 13)
# Before 3.12.4 an interpreter with a GIL of its own owns the keyword tuples of the C functions that it called first
# (Argument Clinic's `kwtuple`, Python/getargs.c), and the main one frees them at exit: "free(): invalid pointer", after
# no more than math.isclose(1, 1, rel_tol=0.1). Those that share the GIL share the allocator, too (gh-119213).
OWNS_GIL = sys.version_info >= (3, 12, 4)
_CONFIGS = {"own": "isolated", "shared": "legacy"}  # PyInterpreterConfig of PEP 684, in Python/pylifecycle.c


def why_missing() -> str:
    """Say why this Python has no sub-interpreters; `""`: it has."""
    if sys.implementation.name != "cpython":
        return f"sub-interpreters need CPython; this is {sys.implementation.name}"
    if sys.version_info < (3, 12):
        return f"sub-interpreters need CPython 3.12 or later (PEP 684); this is {sys.version.split()[0]}"
    try:
        for name in _modules():
            import_module(name)
    except ImportError as error:
        return f"this CPython was built without sub-interpreters: {error}"
    return ""


def _modules() -> tuple[str, ...]:
    if sys.version_info >= (3, 14):
        return ("concurrent.interpreters",)
    if sys.version_info >= (3, 13):
        return ("_interpreters", "_interpchannels")
    return ("_xxsubinterpreters", "_xxinterpchannels")


class Interpreter:
    """A sub-interpreter and the mailbox in which it posts what it has to say.

    Args:
        gil: `own` (`shared` where that ends in a crash: see `OWNS_GIL`) or `shared`; the attribute says which it has.

    Raises:
        UnsupportedPlatformError: this Python has none; the message says why.
        ValueError: `gil` is neither of the two.

    Cost:
        About 10 to 25 ms: the new interpreter runs `site`, with every `.pth` file of the host.
    """

    def __init__(self, gil: str) -> None:
        if gil not in GILS:
            raise ValueError(f"gil must be 'own' or 'shared', not {gil!r}")
        reason = why_missing()
        if reason:
            raise UnsupportedPlatformError(reason, hint="use envknit.worker(): a process of its own")
        self.gil = gil = gil if OWNS_GIL else "shared"
        _load_static_types()
        self._mailbox: Any
        if sys.version_info >= (3, 14):
            self._interpreter, self._mailbox = _create_public(gil)
            self.mailbox: int = self._mailbox.id
            return
        interpreters, self._channels = map(import_module, _modules())
        self._interpreters: Any = interpreters
        if sys.version_info >= (3, 13):
            self._id = interpreters.create(_CONFIGS[gil])
            self._mailbox = self._channels.create(1)  # "remove": a parcel goes with the interpreter that posted it
        else:
            self._id = interpreters.create(isolated=gil == "own")  # a flag, before there were configurations
            self._mailbox = self._channels.create()
        self.mailbox = int(self._mailbox)

    def run(self, code: str, names: dict[str, object]) -> None:
        """Run source in the interpreter's `__main__`, on this thread, after binding names there.

        Raises:
            WorkerError: the source let an exception through, or the interpreter runs already.
        """
        if sys.version_info >= (3, 14):
            self._interpreter.prepare_main(names)
            with _as_worker_errors():
                self._interpreter.exec(code)
        elif sys.version_info >= (3, 13):
            with _as_worker_errors():  # of 3.13 on a failure is returned, and raised by no one
                failure = self._interpreters.exec(self._id, code, names)
            if failure is not None:
                raise WorkerError("the interpreter failed", reason=failure.formatted)
        else:
            with _as_worker_errors():
                self._interpreters.run_string(self._id, code, names)

    def parcels(self) -> Iterator[Any]:
        """Take everything out of the mailbox, in the order in which it was posted."""
        if sys.version_info >= (3, 14):
            while not self._mailbox.empty():
                yield self._mailbox.get_nowait()
            return
        nothing = object()  # recv() has no time limit, and raises for an empty channel unless it is given a default
        while True:
            parcel = self._channels.recv(self._mailbox, nothing)
            if sys.version_info >= (3, 13):
                parcel, _ = parcel  # the second says whether its interpreter is gone
            if parcel is nothing:
                return
            yield parcel

    def destroy(self) -> None:
        """End the interpreter, on this thread; its exit handlers run."""
        with _as_worker_errors():
            if sys.version_info >= (3, 14):
                self._interpreter.close()
            else:
                self._interpreters.destroy(self._id)
                self._channels.destroy(self._mailbox)  # channels belong to the process, and stay otherwise


class _as_worker_errors:  # noqa: N801 - it reads as a statement
    """Translate the errors of these modules, whose types differ between versions of Python, to WorkerError."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is not None and (kind.__module__.startswith(("_xx", "_interp", "concurrent")) or kind is RuntimeError):
            raise WorkerError("the interpreter failed", reason=str(error)) from error


_static: list[Any] = []


def _load_static_types() -> None:
    """Let the host own the types of `_datetime`; it outlives every interpreter.

    They are static in CPython 3.13 and later, and belong to whichever interpreter loads them first: when that one ends
    before another, the process aborts (tried on 3.13.0). The module does not go into the host's `sys.modules`.
    """
    if _static or sys.version_info < (3, 13):
        return
    from importlib.util import find_spec, module_from_spec

    spec = find_spec("_datetime")
    if spec is None or spec.loader is None:
        _static.append(None)  # a Python without it: nothing to own
        return
    _static.append(module_from_spec(spec))
    spec.loader.exec_module(_static[0])


def _create_public(gil: str) -> tuple[Any, Any]:
    public = import_module("concurrent.interpreters")
    if gil == "own":
        return public.create(), public.create_queue()
    low = import_module("_interpreters")  # the public module makes interpreters with a GIL of their own only
    return public.Interpreter(low.create(_CONFIGS[gil], reqrefs=True), _ownsref=True), public.create_queue()


def poster(mailbox: int) -> Callable[[Any], None]:
    """Return, inside an interpreter, the function that posts bytes (or memory, where it is shared) to the host."""
    if sys.version_info >= (3, 14):
        put: Callable[[Any], None] = import_module("concurrent.interpreters").Queue(mailbox).put_nowait
        return put
    if sys.version_info >= (3, 13):
        import_module("_interpreters")  # defines how a memoryview arrives
        send = import_module("_interpchannels").send
        return lambda parcel: send(mailbox, parcel, blocking=False)
    send = import_module("_xxinterpchannels").send
    return lambda parcel: send(mailbox, parcel)
