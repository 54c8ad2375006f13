"""`InterpreterPool`: a `concurrent.futures` executor whose functions run in sub-interpreters of one environment."""

from __future__ import annotations

import os
import sys
import threading

from envknit.errors import WorkerError
from envknit.interpreter.subinterpreter import SubInterpreterEnv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any, ParamSpec, TypeVar, overload

    P = ParamSpec("P")
    T = TypeVar("T")


class _Interpreters:
    """The interpreters of a pool, for its threads; no reference to the pool, or it would never be collected."""

    def __init__(self, environment: str, lock: str, gil: str) -> None:
        self._environment = environment
        self._lock = lock
        self._gil = gil
        self._mine = threading.local()  # one interpreter for each thread: CPython 3.12 binds `threading` to it
        self._made: list[SubInterpreterEnv] = [self._make()]  # errors of the caller are told to the caller
        self._spare = list(self._made)  # pop() and append() of a list are atomic under a GIL

    def take(self) -> SubInterpreterEnv:
        """Return one that no other thread has."""
        try:
            return self._spare.pop()
        except IndexError:
            made = self._make()
            self._made.append(made)
            return made

    def move_in(self) -> None:
        """Give the calling thread its interpreter."""
        self._mine.interpreter = self.take()

    def call(self, fn: Callable[..., Any] | str, args: tuple[object, ...], options: dict[str, object]) -> Any:
        """Call a function in the interpreter of this thread."""
        interpreter: SubInterpreterEnv = self._mine.interpreter
        return interpreter.call(fn, *args, **options)

    def close(self) -> None:
        """Close those that still are open."""
        while self._made:
            self._made.pop().close()

    def _make(self) -> SubInterpreterEnv:
        made = SubInterpreterEnv(self._environment, gil=self._gil)
        try:
            made.configure_from_lock(self._lock, self._environment)
        except BaseException:
            made.close()
            raise
        return made


if sys.version_info >= (3, 14):
    from concurrent.futures import InterpreterPoolExecutor

    class _Context:
        """A task context of InterpreterPoolExecutor that uses our interpreters instead of new ones."""

        def __init__(self, interpreters: _Interpreters) -> None:
            self._interpreters = interpreters

        def initialize(self) -> None:
            self._interpreter = self._interpreters.take()

        def run(self, task: tuple[Any, tuple[Any, ...], dict[str, Any]]) -> Any:
            fn, args, options = task
            return self._interpreter.call(fn, *args, **options)

        def finalize(self) -> None:
            self._interpreter.close()  # on the thread that used it

    class _Executor(InterpreterPoolExecutor):
        def __init__(self, interpreters: _Interpreters, workers: int, name: str) -> None:
            super().__init__(workers, name, initargs=(interpreters,))

        # The seam that InterpreterPoolExecutor and ThreadPoolExecutor of 3.14 share (concurrent/futures/thread.py)
        @classmethod
        def prepare_context(cls, _: None, initargs: tuple[_Interpreters]) -> tuple[Callable[..., Any], ...]:
            return (lambda: _Context(*initargs)), (lambda fn, args, options: (fn, args, options))

else:
    from concurrent.futures import ThreadPoolExecutor

    class _Executor(ThreadPoolExecutor):
        def __init__(self, interpreters: _Interpreters, workers: int, name: str) -> None:
            super().__init__(workers, name, initializer=interpreters.move_in)
            self._interpreters = interpreters

        def submit(self, fn: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> Future[Any]:
            return super().submit(self._interpreters.call, fn, args, kwargs)


class InterpreterPool(_Executor):
    """Run functions in interpreters that have an environment of a lock, each on a thread of its own.

    With a GIL of their own they run at the same time, pure Python too. `submit` and `map` take what
    `SubInterpreterEnv.call` takes; what holds there (values, errors, the guard before extension modules) holds here.
    From Python 3.14 on it is a `concurrent.futures.InterpreterPoolExecutor`, before a `ThreadPoolExecutor`.

    Args:
        env: the environment's name; or a configured `SubInterpreterEnv`, to have more of its kind.
        workers: how many interpreters; None: one for each processor. Each is made when it is first needed.
        lock: the lock; None: the one that is active in this program.
        gil: as for `SubInterpreterEnv`.

    Raises:
        UnsupportedPlatformError: this Python has no sub-interpreters.
        WorkerError: no lock is given and none is active.
        ValueError: fewer than one worker is asked for.
    """

    def __init__(
        self,
        env: str | SubInterpreterEnv = "default",
        workers: int | None = None,
        *,
        lock: str | os.PathLike[str] | None = None,
        gil: str = "own",
    ) -> None:
        like = env if isinstance(env, SubInterpreterEnv) else None
        environment = like.environment if like else str(env)
        path = os.fspath(lock or (like.lock if like else _active_lock()))
        self._all = _Interpreters(environment, path, like._rules if like else gil)
        try:
            super().__init__(self._all, os.cpu_count() or 1 if workers is None else workers, f"envknit-{environment}")
        except BaseException:
            self._all.close()
            raise

    if TYPE_CHECKING:

        @overload  # type: ignore[override] # the base's takes anything, and this one says what
        def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...
        @overload
        def submit(self, fn: str, /, *args: object, **kwargs: object) -> Future[Any]: ...

    def submit(self, fn: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start a function in the next interpreter that is free; see `SubInterpreterEnv.call`."""
        started: Future[Any] = super().submit(fn, *args, **kwargs)
        return started

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the base's
        """Take no more calls; where `wait` is set, wait for those that run and close the interpreters."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            self._all.close()


def _active_lock() -> str:
    from envknit.runtime.activation import active

    activation = active()
    if activation is None:
        raise WorkerError("no lock is active in this program", hint="name one: InterpreterPool(env, lock=PATH)")
    return activation.lock
