"""`InterpreterPool`: a `concurrent.futures` executor whose functions run in sub-interpreters of one environment."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Executor, ThreadPoolExecutor

from envknit.errors import WorkerError
from envknit.worker.subinterpreter import SubInterpreterEnv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any


class InterpreterPool(Executor):
    """Run functions in interpreters that have an environment of a lock, each on a thread of its own.

    With a GIL of their own they run at the same time, pure Python too. On every Python it stands on
    `SubInterpreterEnv`, so what holds there (values, errors, the guard before extension modules) holds here.

    Args:
        env: the environment's name; or a configured `SubInterpreterEnv`, to have more of its kind.
        workers: how many interpreters; None: one for each processor. Each is made when it is first needed.
        lock: the lock; None: the one that is active in this program.
        gil: as for `SubInterpreterEnv`.

    Raises:
        UnsupportedPlatformError: this Python has no sub-interpreters.
        WorkerError: no lock is given and none is active.
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
        self._lock = os.fspath(lock or (like.lock if like else _active_lock()))
        self._env = like.environment if like else str(env)
        self._gil = like.gil if like else gil
        self._mine = threading.local()
        self._made: list[SubInterpreterEnv] = [self._make()]  # errors of the caller are told to the caller
        self._spare = list(self._made)
        self._threads = ThreadPoolExecutor(
            workers or os.cpu_count() or 1, thread_name_prefix=f"envknit-{self._env}", initializer=self._move_in
        )

    def submit(self, fn: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start `fn(*args, **kwargs)` in the next interpreter that is free; see `SubInterpreterEnv.call`."""
        return self._threads.submit(self._run, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the base's
        """Take no more calls; where `wait` is set, wait for those that run and close the interpreters."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            while self._made:
                self._made.pop().close()

    def _make(self) -> SubInterpreterEnv:
        made = SubInterpreterEnv(self._env, gil=self._gil)
        try:
            made.configure_from_lock(self._lock, self._env)
        except BaseException:
            made.close()
            raise
        return made

    def _move_in(self) -> None:
        try:
            self._mine.interpreter = self._spare.pop()
        except IndexError:
            self._mine.interpreter = self._make()
            self._made.append(self._mine.interpreter)

    def _run(self, fn: Callable[..., Any] | str, args: tuple[object, ...], options: dict[str, object]) -> Any:
        interpreter: SubInterpreterEnv = self._mine.interpreter
        return interpreter.call(fn, *args, **options)


def _active_lock() -> str:
    from envknit.runtime.active import active  # noqa: PLC0415 - only where no lock is given

    activation = active()
    if activation is None:
        raise WorkerError("no lock is active in this program", hint="name one: InterpreterPool(env, lock=PATH)")
    return activation.lock
