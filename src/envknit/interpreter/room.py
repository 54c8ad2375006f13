"""Interpreters that serve one `SubInterpreterEnv` after another."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count

import _envknit_bootstrap
from envknit.errors import WorkerError
from envknit.interpreter.cpython import GILS, SHARES_MEMORY, Interpreter
from envknit.interpreter.values import decode, encode
from envknit.plan import home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_START = (
    "__import__('_frozen_importlib')._load(__import__('_frozen_importlib_external')"
    ".spec_from_file_location('_envknit_start', _envknit_start)).start(globals())"
)
_SERVE = "__import__('sys').modules['envknit.interpreter.inside'].serve(globals())"

_idle: dict[str, list[Room]] = {gil: [] for gil in GILS}
dropped: list[Room] = []  # of those that nobody closed
_numbers = count()


class Room:
    """An interpreter that serves, and may serve another `SubInterpreterEnv` afterwards."""

    def __init__(self, gil: str) -> None:
        self.gil = gil
        self._interpreter = Interpreter(gil)
        self._left: list[str] = []
        self._private = os.path.join(home(), "cache", "interpreters", "copies", f"{os.getpid()}-{next(_numbers)}")
        folder = os.path.dirname(os.path.abspath(__file__))
        names = {
            "_envknit_start": os.path.join(folder, "start.py"),
            "_envknit_bootstrap": os.path.abspath(_envknit_bootstrap.__file__ or ""),
            "_envknit_package": os.path.dirname(folder),
            "_envknit_mailbox": self._interpreter.mailbox,
            "_envknit_gil": gil,
            "_envknit_private": self._private,
        }
        self._interpreter.run(_START, names)

    def ask(self, request: tuple[object, ...]) -> tuple[Any, ...]:
        """Have the interpreter do one thing, on this thread; return what it answered."""
        if self._left:
            raise WorkerError(
                "daemon threads still run in the interpreter, and CPython 3.12 cannot enter it again",
                threads=", ".join(self._left),
                hint="end them within the call that starts them, or use Python 3.13",
            )
        text, memory = encode(request)
        names: dict[str, object] = {"_envknit_request": text, "_envknit_memory": len(memory)}
        for index, view in enumerate(memory):
            names[f"_envknit_{index}"] = view if SHARES_MEMORY else view.tobytes()
        self._interpreter.run(_SERVE, names)
        parcels = self._interpreter.parcels()
        body, pieces, self._left = decode(next(parcels), ())
        # A view of the interpreter's memory must not outlive it, and who asked may keep the result for ever
        answer: tuple[Any, ...] = decode(body, [bytearray(piece) for piece in parcels][:pieces])
        return answer

    def leave(self) -> None:
        """Make it as new for the next one, or end it."""
        if self._left:
            _abandon(self)
            return
        answer: tuple[Any, ...] = ()
        with suppress(WorkerError):  # it may have broken what we run in it
            answer = self.ask(("restore",))
        if answer == ("value", True):
            _idle[self.gil].append(self)
        else:
            self.destroy()

    def destroy(self) -> None:
        """End the interpreter, and remove its private folder."""
        with suppress(WorkerError):  # threads of it still run: CPython keeps it then
            self._interpreter.destroy()
        if os.path.isdir(self._private):
            import shutil  # noqa: PLC0415 - only where something was copied

            shutil.rmtree(self._private, ignore_errors=True)


def take(gil: str) -> Room:
    """Return an interpreter: a used one that was made as new, or a new one."""
    _reap()
    with suppress(IndexError, KeyError):
        return _idle[gil].pop()
    if gil == "shared":
        _sweep()
    return Room(gil)


def _reap() -> None:
    while dropped:
        dropped.pop().leave()


def _abandon(room: Room) -> None:
    """Keep an interpreter that can neither be entered nor ended; CPython 3.12 would end it with its last reference.

    A code object is no container to the garbage collector, so a cycle with one is never freed.
    """
    kept: list[object] = [room]
    kept.append(_abandon.__code__.replace(co_consts=(None, kept)))


def forget() -> None:
    """After a fork only the main interpreter is left."""
    for rooms in _idle.values():
        rooms.clear()
    dropped.clear()


def end_unused() -> None:
    """End every interpreter that nobody holds."""
    _reap()
    for rooms in _idle.values():
        while rooms:
            rooms.pop().destroy()


def _sweep() -> None:
    """Remove the copies of processes that were killed."""
    folder = os.path.join(home(), "cache", "interpreters", "copies")
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if not _runs(int(name.partition("-")[0])):
            import shutil  # noqa: PLC0415 - rarely needed

            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's process has that number now
    return True
