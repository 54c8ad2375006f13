"""Functions of the project, run in a worker that has a whole environment: `run_in`, `in_env`, `submit`, `Executor`."""

from __future__ import annotations

import functools
import os
import queue
import sys
import threading
from concurrent.futures import Executor, ThreadPoolExecutor

from envknit.errors import WorkerError
from envknit.remote.functions import told_by_code, told_by_path
from envknit.runtime.activation import active
from envknit.wire.lines import check_timeout
from envknit.worker.orders import order_for_environment
from envknit.worker.pool import Worker, pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any, ParamSpec, TypeVar, overload

    P = ParamSpec("P")
    T = TypeVar("T")
    Function = TypeVar("Function", bound=Callable[..., Any])
    Lock = str | os.PathLike[str] | None


if TYPE_CHECKING:

    @overload
    def run_in(env: str, fn: Callable[..., T], /, *args: object, lock: Lock, **options: object) -> T: ...
    @overload
    def run_in(env: str, fn: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T: ...
    @overload
    def run_in(env: str, fn: str, /, *args: object, lock: Lock = None, **options: object) -> Any: ...


def run_in(env: str, fn: Callable[..., Any] | str, /, *args: Any, lock: Any = None, **options: Any) -> Any:
    """Run a function of the project in a worker that has a whole environment of the lock, and return its result.

    A function at the top level of a module is imported there. Any other (of the script, a notebook, an inner one, a
    lambda) goes by its code, with what it names: modules, importable functions, plain data, other functions of the
    script. There is no deadline; `in_env` takes one.

    Args:
        env: the environment's name.
        fn: the function, or its path as `package.module:name`.
        args: what it is called with; see `worker` for what crosses by value.
        lock: the lock that the environment is of, which need not be in use; None: the one in use that has it. (A
            function that has a `lock` of its own takes it by position.)
        options: keyword arguments of the call.

    Raises:
        LinkError: no lock in use has the environment, or several have one of that name.
        WorkerError: it is no function written in Python, or closes over what stays here.
    """
    return call_function(_worker_of(env, lock), fn, None, args, options)


def in_env(
    env: str, *, timeout: float | None = None, lock: Lock = None, python: str | None = None
) -> Callable[[Function], Function]:
    """Let every call of the decorated function run in a worker that has the environment.

    Args:
        env: the environment's name.
        timeout: seconds that each call may take; None: as long as it takes.
        lock: the lock that the environment is of; see `run_in`.
        python: another interpreter to run it; see `worker`.

    Raises:
        ValueError: the timeout is no time.
    """
    check_timeout(timeout)

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: object, **options: object) -> object:
            if _is_here(env, lock):  # one such function calls another, over there
                return function(*args, **options)
            return call_function(_worker_of(env, lock, python), call, timeout, args, options)

        call.__envknit_function__ = function  # type: ignore[attr-defined] # what the worker runs
        return call  # type: ignore[return-value]

    return decorate


def _is_here(env: str, lock: Lock) -> bool:
    """Tell whether this process is a worker that has the environment."""
    serving, here = sys.modules.get("envknit.worker.serve"), active()
    if serving is None or here is None or here.environment != env:
        return False
    return lock is None or os.path.abspath(lock) == here.lock


if TYPE_CHECKING:

    @overload
    def submit(env: str, fn: Callable[..., T], /, *args: object, lock: Lock, **options: object) -> Future[T]: ...
    @overload
    def submit(env: str, fn: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> Future[T]: ...
    @overload
    def submit(env: str, fn: str, /, *args: object, lock: Lock = None, **options: object) -> Future[Any]: ...


def submit(env: str, fn: Callable[..., Any] | str, /, *args: Any, lock: Any = None, **options: Any) -> Future[Any]:
    """Start a function as `run_in` does, and return a future of its result."""
    return _shared_executor(env, lock).submit(fn, *args, **options)


class EnvironmentExecutor(Executor):
    """A `concurrent.futures.Executor` whose functions run in workers that have an environment of the lock.

    Args:
        env: the environment's name.
        max_workers: how many processes; None: one for each processor.
        timeout: seconds that each call may take; None: as long as it takes.
        lock: the lock that the environment is of; see `run_in`.
        python: another interpreter to run them; see `worker`.

    Raises:
        LinkError: no lock in use has the environment, or several have one of that name.
        ValueError: the timeout is no time, or fewer than one worker is asked for.
    """

    def __init__(
        self,
        env: str,
        max_workers: int | None = None,
        *,
        timeout: float | None = None,
        lock: Lock = None,
        python: str | None = None,
    ) -> None:
        check_timeout(timeout)
        count = os.cpu_count() or 1 if max_workers is None else max_workers
        self._timeout = timeout
        self._workers = [_worker_of(env, lock, python, number) for number in range(count)]
        self._free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=f"envknit-{env}")

    if TYPE_CHECKING:

        @overload
        def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...
        @overload
        def submit(self, fn: str, /, *args: object, **kwargs: object) -> Future[Any]: ...

    def submit(self, fn: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start `fn(*args, **kwargs)` in the next worker that is free."""
        _ = told_by_path(fn) or told_by_code(_undecorated(fn))  # an error of the caller, told to the caller
        return self._threads.submit(self._run, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the base's
        """Take no more calls; the workers stay in the pool for the next one."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)

    def _run(self, fn: Callable[..., Any] | str, args: tuple[object, ...], options: dict[str, object]) -> Any:
        worker = self._free.get()
        try:
            return call_function(worker, fn, self._timeout, args, options)
        finally:
            self._free.put(worker)


_executors: dict[tuple[object, ...], EnvironmentExecutor] = {}
_making = threading.Lock()


def _shared_executor(env: str, lock: Lock) -> EnvironmentExecutor:
    with _making:  # (a fork has none of its parent's threads, so it makes its own)
        key = env, lock, os.getpid()
        if key not in _executors:
            _executors[key] = EnvironmentExecutor(env, lock=lock)
        return _executors[key]


def _worker_of(env: str, lock: Lock, python: str | None = None, number: int = 0) -> Worker:
    return pool.worker(order_for_environment(env, lock=lock, python=python, number=number))


def call_function(
    worker: Worker,
    fn: Callable[..., Any] | str,
    timeout: float | None,
    args: tuple[object, ...],
    options: dict[str, object],
) -> Any:
    """Call a function in a worker, and return its result."""
    path = told_by_path(fn)
    if path is None and worker.order.python != sys.executable:
        raise WorkerError(
            "a function that goes by its code can only be run by the same Python",
            function=repr(fn),
            hint="move it to the top level of a module that the script imports",
        )
    pool.enter(worker)
    try:
        worker.open("", timeout)
        if path is None:
            return worker.call(timeout, "run-code", (told_by_code(_undecorated(fn)), *args), options)
        module, name, root = path
        worker.asked.add(module.partition(".")[0])
        return worker.call(timeout, "run", (root, module, name, *args), options)
    finally:
        pool.leave(worker)


def _undecorated(fn: Any) -> Any:
    return getattr(fn, "__envknit_function__", fn)
