"""A session: one new interpreter that answers requests of the host until it is closed, and is destroyed then."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from itertools import count

import _envknit_bootstrap
from envknit.errors import WorkerError
from envknit.interpreter.cpython import SHARES_MEMORY, Interpreter
from envknit.interpreter.parcels import decode, encode
from envknit.plan import home
from envknit.wire.failures import Mirror, RemoteTraceback, rebuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# `start.py` is loaded by its path, with what is frozen into Python: sys.path is still the host's there
_START = (
    "__import__('_frozen_importlib')._load(__import__('_frozen_importlib_external')"
    ".spec_from_file_location('_envknit_start', _envknit_start)).start(globals())"
)
_SERVE = "__import__('sys').modules['envknit.interpreter.inside'].serve(globals())"

_dropped: list[Session] = []  # whose owner was collected before it closed them
_numbers = count()


class Session:
    """One interpreter in this process, entered by one thread at a time; others wait.

    Args:
        gil: by whose rules extension modules are judged, `own` or `shared`; see `cpython.Interpreter` for the GIL.
        name: what messages call it.

    Raises:
        UnsupportedPlatformError: this Python has no sub-interpreters.
        ValueError: `gil` is neither of the two.

    Cost:
        15 to 30 ms. CPython keeps 2 to 3 MB of each interpreter that had a GIL of its own after it is destroyed, 0.1 to
        0.3 MB of others (3.12.1, 3.13.0; later versions give it back): programs that make many keep a pool.
    """

    def __init__(self, gil: str, name: str) -> None:
        close_dropped()
        self.name = name
        self._interpreter: Interpreter | None = Interpreter(gil)
        self.gil = self._interpreter.gil
        self._guard = threading.Lock()  # CPython runs one piece of code at a time in an interpreter, else it raises
        self._mirror = Mirror()
        self._threads: list[str] = []  # daemon threads that still ran when the last request was answered (3.12)
        self._copies = os.path.join(home(), "cache", "interpreters", "copies", f"{os.getpid()}-{next(_numbers)}")
        if gil == "shared":
            _remove_old_copies(os.path.dirname(self._copies))
        folder = os.path.dirname(os.path.abspath(__file__))
        names = {
            "_envknit_start": os.path.join(folder, "start.py"),
            "_envknit_bootstrap": os.path.abspath(_envknit_bootstrap.__file__ or ""),
            "_envknit_package": os.path.dirname(folder),
            "_envknit_mailbox": self._interpreter.mailbox,
            "_envknit_gil": gil,
            "_envknit_private": self._copies,
        }
        self._interpreter.run(_START, names)

    @property
    def closed(self) -> bool:
        """Whether the interpreter has ended."""
        return self._interpreter is None

    def ask(self, operation: str, *args: object) -> Any:
        """Have the interpreter do one thing, on this thread, and return the result; see `inside` for the operations.

        Raises:
            WorkerError: it is closed, or cannot be entered.
            Exception: what was raised inside, with the traceback from there as its cause.
        """
        kind, *answer = self.answer(operation, *args)
        if kind == "value":
            return answer[0]
        trace = answer[3]
        raise self.error(*answer) from (RemoteTraceback(trace) if trace else None)

    def answer(self, *request: object) -> tuple[Any, ...]:
        """As `ask`, but return `("value", result)`, or `("error", ...)` with what `error` takes."""
        with self._guard:
            return self._exchange(self._entered(), request)

    def error(
        self, tree: tuple[Any, ...], args: tuple[Any, ...], text: str, _: str, facts: dict[str, Any]
    ) -> BaseException:
        """Rebuild an exception from inside in this interpreter."""
        module, name = tree[:2]
        if module == "builtins" and name in {"SystemExit", "KeyboardInterrupt", "GeneratorExit"}:
            return WorkerError(f"{name}: {text}" if text else name)  # must not end the host
        return rebuild(self._mirror.stand_in(tree), args, text, facts)

    def close(self) -> None:
        """Wait for the threads inside, run exit handlers, and destroy the interpreter; twice does nothing."""
        with self._guard:
            interpreter, self._interpreter = self._interpreter, None
            if interpreter is None:
                return
            if self._threads:
                _leak(interpreter)
                return
            with suppress(WorkerError):  # it may have broken what we run in it
                self._exchange(interpreter, ("end",))
            with suppress(WorkerError):  # threads of it still run: CPython 3.13 keeps it then
                interpreter.destroy()
        if os.path.isdir(self._copies):
            import shutil

            shutil.rmtree(self._copies, ignore_errors=True)

    def close_later(self) -> None:
        """Close it when the next one is made: the garbage collector may run anywhere, even inside an interpreter."""
        _dropped.append(self)  # (and the finaliser may run in the middle of a call into this very interpreter)

    def forget(self) -> None:
        """After a fork: the child has the main interpreter alone (PyOS_AfterFork_Child deletes the others)."""
        self._interpreter = None
        self._guard = threading.Lock()

    def close_within(self, seconds: float) -> None:
        """Close it if the thread that is in it comes out in time."""
        if self._guard.acquire(timeout=seconds):
            self._guard.release()
            self.close()

    def _entered(self) -> Interpreter:
        if self._interpreter is None:
            raise WorkerError("the interpreter is closed", interpreter=self.name)
        if self._threads:
            raise WorkerError(
                "daemon threads still run in the interpreter, and CPython 3.12 cannot enter it again",
                threads=", ".join(self._threads),
                hint="end them within the call that starts them, or use Python 3.13",
            )
        return self._interpreter

    def _exchange(self, interpreter: Interpreter, request: tuple[object, ...]) -> tuple[Any, ...]:
        text, memory = encode(request)
        names: dict[str, object] = {"_envknit_request": text, "_envknit_memory": len(memory)}
        for index, view in enumerate(memory):
            names[f"_envknit_{index}"] = view if SHARES_MEMORY else view.tobytes()
        interpreter.run(_SERVE, names)
        threads, text, *pieces = interpreter.parcels()
        self._threads = decode(threads, ())
        # A view of the interpreter's memory must not outlive it (3.13.0 crashes), and the result may be kept for ever
        answer: tuple[Any, ...] = decode(text, [bytearray(piece) for piece in pieces])
        return answer


def close_dropped() -> None:
    """Close the sessions whose owners are gone."""
    while _dropped:
        _dropped.pop().close()


def _leak(interpreter: Interpreter) -> None:
    """Keep an interpreter that can neither be entered nor ended until the process has ended.

    CPython 3.12 ends an interpreter with the last reference to its id (Modules/_xxsubinterpretersmodule.c), also when
    modules are cleared at exit, and Py_EndInterpreter aborts the process while threads of it run.
    """
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(interpreter))


def _remove_old_copies(folder: str) -> None:
    """Remove the copies of extension modules whose processes were killed."""
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if not _runs(int(name.partition("-")[0])):
            import shutil

            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's process has that number now
    return True
