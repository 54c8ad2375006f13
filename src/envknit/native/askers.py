"""Which guest's C code asks for a module: read from the C stack.

Python code tells its world by the builtins it runs with. C code has none: `PyImport_ImportModule("numpy")` looks the
name up in `sys.modules` for whoever calls it. But its machine code lies in a file of its own, so the return addresses
on the C stack say which extension module called into Python (`backtrace` of glibc), and the dynamic linker says which
file holds an address (`dladdr`). Glibc alone has the first, so this is for Linux.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    class World(Protocol):
        """What a guest's code sees: a member."""

        def route(self, head: str) -> str | None:
            """Return the name in `sys.modules` of what it means by a top-level name."""

        def real_name(self, name: str) -> str:
            """Return the name in `sys.modules` of what it means by a dotted name; UnlockedError."""


DEPTH = 64  # between a frame of C code and Python's function that it called are a dozen
_PYTHON, _EVAL, _PASSING, _FOREIGN = "python", "eval", "passing", "foreign"  # what an address can be, but for a world

# Who wants to know calls `asking(here := askers.frames(), askers.backtrace(here, askers.DEPTH))`: in its own frame,
# since a Python call is one evaluation loop more on the C stack before 3.11, and with a frame evaluator (PEP 523)
frames: Callable[[], Any]
backtrace: Callable[[Any, int], int]

_libraries: dict[str, World] = {}  # extension file -> the guest that loaded it
_places: dict[int, object] = {}  # return address -> what it is; a library is never unloaded (no dlclose in CPython)
_own_files: set[str] = set()  # what holds the interpreter
_look_up: list[Callable[[int], tuple[str, str]]] = []  # address -> file, symbol


def note(path: str, world: World) -> None:
    """Note whose an extension file is, before it is loaded."""
    _libraries[path] = world


def asking(stack: Sequence[int], depth: int) -> World | None:
    """Return the guest whose C code called a function; None: Python code did, or C code of no guest.

    Args:
        stack: return addresses, taken in that function, the innermost first.
        depth: how many there are.

    Cost: with taking them, some 10 microseconds.
    """
    loops = 0
    for address in stack[:depth]:
        place = _places.get(address)
        if place is None:
            place = _places[address] = _identify(*_look_up[0](address))
        if place is _EVAL:
            loops += 1
            if loops == 2:
                return None
        elif loops == 1 and place is not _PYTHON and place is not _PASSING:
            return place if place is not _FOREIGN else None  # type: ignore[return-value] # then it is a world
    return None


def _identify(file: str, symbol: str) -> object:
    if symbol == "_PyEval_EvalFrameDefault":  # exported by every build: PEP 523
        return _EVAL
    if file in _own_files:
        return _PYTHON
    if file in _libraries:
        return _libraries[file]
    # A library that an extension module needs (`numpy.libs/libopenblas.so`, libstdc++) speaks for who called it
    name = os.path.basename(file)
    return _PASSING if name.startswith("lib") or not name.endswith(".so") else _FOREIGN


def why_missing() -> str:
    """Say why this Python cannot tell who asks, "" where it can; the first call tries it out.

    Cost: a few milliseconds at first.
    """
    with _trying:
        if not _answers:
            _answers.append(_prepare())
    return _answers[0]


_answers: list[str] = []
_trying = allocate_lock()


def _prepare() -> str:
    if sys.platform != "linux":
        return f"native guests are for Linux so far, and this is {sys.platform}"
    if not getattr(sys, "_is_gil_enabled", lambda: True)() or "t" in getattr(sys, "abiflags", ""):
        return "native guests need the GIL: this Python is free-threaded"
    try:
        import ctypes
    except ImportError:
        return "this Python has no ctypes, which native guests need"
    library: Any = ctypes.PyDLL(None)  # PyDLL keeps the GIL: nothing else runs while it is found out who asks
    if not hasattr(library, "backtrace"):
        return "the C library has no backtrace(), as glibc has: native guests do not work on musl"
    _bind(ctypes, library)
    return "" if _tells_apart(ctypes) else "the C stack of this Python does not show who calls it"


def _bind(ctypes: Any, library: Any) -> None:
    class Info(ctypes.Structure):  # type: ignore[misc] # ctypes is loaded only here
        _fields_ = (  # `Dl_info` of dlfcn.h
            ("file", ctypes.c_char_p),
            ("base", ctypes.c_void_p),
            ("symbol", ctypes.c_char_p),
            ("address", ctypes.c_void_p),
        )

    global frames, backtrace
    library.backtrace.argtypes = ctypes.c_void_p, ctypes.c_int
    frames, backtrace = ctypes.c_void_p * DEPTH, library.backtrace
    library.dladdr.argtypes = ctypes.c_void_p, ctypes.c_void_p

    def look_up(address: int) -> tuple[str, str]:
        info = Info()
        library.dladdr(address - 1, ctypes.byref(info))  # the call itself: it can be the last instruction of a function
        return os.fsdecode(info.file or b""), (info.symbol or b"").decode(errors="replace")

    _look_up.append(look_up)
    for exported in ("PyImport_Import", "_PyEval_EvalFrameDefault"):
        _own_files.add(look_up(ctypes.cast(getattr(ctypes.pythonapi, exported), ctypes.c_void_p).value + 1)[0])


def _tells_apart(ctypes: Any) -> bool:
    """Try whether a look-up by Python code and one by C code are told apart."""
    seen: list[World | None] = []

    class Asked(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            seen.append(asking(here := frames(), backtrace(here, DEPTH)))
            return False

    import _ctypes

    table, stand_in, name = {Asked("x"): None}, _StandIn(), "x"
    note(_ctypes.__file__ if hasattr(_ctypes, "__file__") else sys.executable, stand_in)
    look_up = ctypes.pythonapi.PyDict_Contains
    look_up.argtypes = ctypes.py_object, ctypes.py_object
    look_up(table, name)
    name in table  # noqa: B015 - the look-up is what matters
    _libraries.clear()
    _places.clear()
    return list(dict.fromkeys(seen)) == [stand_in, None]  # a search can come by one slot twice (perturbation)


class _StandIn:
    def route(self, head: str) -> str | None:
        return head

    def real_name(self, name: str) -> str:
        return name
