"""`SubInterpreterEnv`: an environment of the lock in an interpreter of its own, in this process (PEP 684, PEP 734)."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from types import FunctionType

from envknit.errors import CExtIncompatibleError, WorkerError
from envknit.interpreter.session import Session, close_dropped
from envknit.remote.functions import told_by_code, told_by_path
from envknit.wire.failures import RemoteTraceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, ParamSpec, TypeVar, overload

    P = ParamSpec("P")
    T = TypeVar("T")

# Seconds that the end of the process waits for a daemon thread to come out; CPython 3.12 aborts if it does not
_LAST_WAIT = 5.0 if sys.version_info < (3, 13) else 0.0

_open: weakref.WeakSet[SubInterpreterEnv] = weakref.WeakSet()


class SubInterpreterEnv:
    """An interpreter of its own in this process: its own `sys.modules`, `sys.path` and, by default, its own GIL.

        with SubInterpreterEnv("ml") as interpreter:
            interpreter.configure_from_lock("envknit.lock.yaml", env_name="ml")
            interpreter.eval_json("import some_lib; result = some_lib.__version__")

    It sees the standard library and, once configured, the packages of one environment; never the host's. One thread at
    a time is in it: others wait. It ends with `close()`, with the `with` block, or with the process.

    Args:
        name: what messages call it.
        gil: `own`, so that it runs beside the host; or `shared`, which more extension modules accept.

    Attributes:
        gil: the GIL that it has: `shared` also on CPython 3.12.0 to 3.12.3, where one of its own ends in a crash.

    Raises:
        UnsupportedPlatformError: this Python has no sub-interpreters; the message says why.

    Cost:
        15 to 30 ms, and memory: see `Session`. `InterpreterPool` keeps its interpreters from call to call.
    """

    def __init__(self, name: str = "", *, gil: str = "own") -> None:
        self.name = name
        self._rules = gil  # by which extension modules are judged
        self.lock = ""
        self.environment = ""
        self._pins = 0  # how many pins the environment has
        self._session = Session(gil, name)
        self.gil = self._session.gil
        _open.add(self)

    def __repr__(self) -> str:
        state = "closed" if self.closed else self.environment or "not configured"
        return f"<SubInterpreterEnv {self.name!r}: {state}, {self.gil} GIL>"

    def __enter__(self) -> SubInterpreterEnv:  # noqa: PYI034 - Self is in typing from 3.11 on
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        session = getattr(self, "_session", None)  # there is none where the constructor raised
        if session is not None and not session.closed:
            session.close_later()
            import warnings

            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._session.closed

    def configure_from_lock(self, lock_path: str | os.PathLike[str], env_name: str = "default") -> int:
        """Let imports inside give what an environment of the lock says.

        Where the lock has no plan yet, a child process compiles one from what the store holds. A second call for the
        same environment does nothing; for another one there must be another interpreter.

        Args:
            lock_path: the lock.
            env_name: the environment.

        Returns:
            How many packages it sees.

        Raises:
            FileNotFoundError: there is no such file.
            LockError: the lock has no environment of that name (a ValueError; it names those there are).
            WorkerError: the interpreter is closed, or has another environment.
        """
        from envknit.worlds.lock_plans import plans_of_lock

        if not isinstance(env_name, str):
            raise TypeError(f"env_name must be a str, not {type(env_name).__name__}")
        lock = os.path.abspath(os.fspath(lock_path))  # the working folder may change between two calls
        if self.lock:
            if (lock, env_name) != (self.lock, self.environment):
                raise WorkerError(
                    "the interpreter has an environment already",
                    lock=self.lock,
                    environment=self.environment,
                    hint="make another SubInterpreterEnv",
                )
            return self._pins
        plan = plans_of_lock(lock, env_name).environment(env_name)
        self._session.ask("configure", lock, plan.path)
        self.lock, self.environment, self._pins = lock, env_name, len(plan.pins)
        return self._pins

    def eval_json(self, code: str) -> Any:
        """Run code inside and return the value of its variable `result`, by way of JSON; `{}` if there is none.

        The code runs as it is: never build it from input that is not trusted.

        Raises:
            WorkerError: the code raised (a RuntimeError, with the traceback inside it; the exception is its cause).
        """
        import json

        return json.loads(self._run("eval", code))

    def run_string(self, code: str) -> None:
        """Run code in the `__main__` inside; what it defines is there for the next call.

        Raises:
            WorkerError: as for `eval_json`.
        """
        self._run("run", code)

    def try_import(self, name: str, raise_on_cext: bool = False) -> bool:  # noqa: FBT001, FBT002 - the documented signature
        """Import a module inside, and tell whether an extension module stood in the way.

        The name is data and never becomes part of code. Nothing is loaded that was not proven to be safe: see
        `docs/explanation/sub-interpreters.md`.

        Args:
            name: the module's full name.
            raise_on_cext: raise instead of returning False.

        Raises:
            CExtIncompatibleError: an extension module refuses this interpreter, and `raise_on_cext` is set.
            ImportError: there is no such module, or its import failed for another reason.
        """
        if not isinstance(name, str):
            raise TypeError(f"a module's name must be a str, not {type(name).__name__}")
        kind, *answer = self._session.answer("import", name)
        if kind == "value":
            return True
        error = self._session.error(*answer)
        # Anything else that an import raises (SyntaxError, ZeroDivisionError) is told as the documented ImportError
        if isinstance(error, CExtIncompatibleError) and not raise_on_cext:
            return False
        if not isinstance(error, ImportError):
            words = f"the import of {name} raised {type(error).__name__}: {error}"
            raise ImportError(words, name=name) from error  # noqa: TRY004 - not about our arguments
        raise error from (RemoteTraceback(answer[3]) if answer[3] else None)

    if TYPE_CHECKING:

        @overload
        def call(self, fn: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T: ...
        @overload
        def call(self, fn: str, /, *args: object, **options: object) -> Any: ...

    def call(self, fn: Callable[..., Any] | str, /, *args: object, **options: object) -> Any:
        """Call a function inside and return its result.

        Plain data, and whatever can be pickled, crosses by value. A `memoryview` among the arguments is not copied
        where interpreters share memory (Python 3.13): both sides then see the same bytes, and the function can fill
        what it is given.

        Args:
            fn: where to find the function inside, as `package.module:name`; or a function of the host, which travels
                as its code: its globals are those of `__main__` inside, and what else it names of modules, importable
                functions, plain data and functions of its own module; it may close over plain data alone.
            args: what it is called with.
            options: keyword arguments of the call.

        Raises:
            Exception: what the function raised: the same type where it is a builtin one, else a WorkerError of that
                name; the traceback from inside is its cause.
        """
        return self._session.ask("call", _target(fn), args, options)

    def close(self) -> None:
        """End it: wait for its threads, run its exit handlers, destroy it. Closing twice does nothing."""
        _open.discard(self)
        self._session.close()

    def _run(self, operation: str, code: str) -> Any:
        if not isinstance(code, str):
            raise TypeError(f"code must be a str, not {type(code).__name__}")
        kind, *answer = self._session.answer(operation, code)
        if kind == "value":
            return answer[0]
        error, trace = self._session.error(*answer), answer[3]
        words = str(error).split("\n", 1)[0]  # the first line: the traceback below says all of it
        told = f"{type(error).__name__}: {words}" if words else type(error).__name__
        raise WorkerError(f"the code raised {told}", interpreter=self.name, traceback="\n" + trace) from error


def _prepare_fork() -> None:
    """Warn of open ones: a forked child of CPython 3.12.1 to 3.15.2 crashes when it finds other interpreters."""
    close_dropped()
    if _open:
        import warnings

        words = f"fork() while {len(_open)} SubInterpreterEnv are open: CPython may not survive that in the child"
        warnings.warn(f"{words}; close them first, or start processes by spawn", RuntimeWarning, stacklevel=2)


def _forget_in_child() -> None:
    # PyOS_AfterFork_Child has deleted all interpreters but the main one (_PyInterpreterState_DeleteExceptMain)
    for environment in _open:
        environment._session.forget()
    _open.clear()


def _target(fn: Callable[..., Any] | str) -> tuple[object, ...]:
    path = None if isinstance(fn, FunctionType) else told_by_path(fn)
    return ("code", *told_by_code(fn)) if path is None else ("path", *path)  # type: ignore[arg-type] # no text


def _end_all() -> None:
    for environment in list(_open):
        environment._session.close_within(_LAST_WAIT)
    close_dropped()


# Before Python ends them itself: Py_FinalizeEx of 3.12 aborts where threads of a sub-interpreter still run
atexit.register(_end_all)
os.register_at_fork(before=_prepare_fork, after_in_child=_forget_in_child)
