"""Functions of the project, run in a worker that has a whole environment: `run_in`, `in_env`, `submit`, `Executor`."""

from __future__ import annotations

import functools
import os
import queue
import sys
import threading
from concurrent.futures import Executor, ThreadPoolExecutor

from envknit.errors import WorkerError
from envknit.runtime.activation import active
from envknit.wire.lines import check_timeout
from envknit.worker.orders import order_for_environment
from envknit.worker.pool import Worker, pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])
    Lock = str | os.PathLike[str] | None


def run_in(env: str, fn: Callable[..., Any] | str, /, *args: object, lock: Lock = None, **options: object) -> Any:
    """Run a function of the project in a worker that has a whole environment of the lock, and return its result.

    The function is named by its import path and imported there; its module is not run here for that. There is no
    deadline; `in_env` takes one.

    Args:
        env: the environment's name.
        fn: a function at the top level of a module (or of a class in it), or its path as `package.module:name`.
        args: what it is called with; see `worker` for what crosses by value.
        lock: the lock that the environment is of, which need not be in use; None: the one in use that has it. (A
            function that has a `lock` of its own takes it by position.)
        options: keyword arguments of the call.

    Raises:
        LinkError: no lock in use has the environment, or several have one of that name.
        WorkerError: the function has no import path.
    """
    return _call(_worker_of(env, lock), fn, None, args, options)


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
            return _call(_worker_of(env, lock, python), call, timeout, args, options)

        call.__envknit_function__ = function  # type: ignore[attr-defined] # what the worker runs
        return call  # type: ignore[return-value]

    return decorate


def _is_here(env: str, lock: Lock) -> bool:
    """Tell whether this process is a worker that has the environment."""
    serving, here = sys.modules.get("envknit.worker.serve"), active()
    if serving is None or here is None or here.environment != env:
        return False
    return lock is None or os.path.abspath(lock) == here.lock


def submit(
    env: str, fn: Callable[..., Any] | str, /, *args: object, lock: Lock = None, **options: object
) -> Future[Any]:
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

    def submit(self, fn: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start `fn(*args, **kwargs)` in the next worker that is free."""
        _path(fn)  # an error of the caller, told to the caller
        return self._threads.submit(self._run, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the base's
        """Take no more calls; the workers stay in the pool for the next one."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)

    def _run(self, fn: Callable[..., Any] | str, args: tuple[object, ...], options: dict[str, object]) -> Any:
        worker = self._free.get()
        try:
            return _call(worker, fn, self._timeout, args, options)
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


def _call(
    worker: Worker,
    fn: Callable[..., Any] | str,
    timeout: float | None,
    args: tuple[object, ...],
    options: dict[str, object],
) -> Any:
    module, name, root = _path(fn)
    pool.enter(worker)
    try:
        worker.open("", timeout)
        worker.asked.add(module.partition(".")[0])
        return worker.call(timeout, "run", (root, module, name, *args), options)
    finally:
        pool.leave(worker)


def _path(fn: Callable[..., Any] | str) -> tuple[str, str, str]:
    """Return a function's module, its name there, and the folder that the module is imported from (`""`: any)."""
    if isinstance(fn, str):
        module, colon, name = fn.partition(":")
        if not (colon and module and name):
            raise WorkerError("a function is named as package.module:name", function=fn)
        return module, name, ""
    module, name = getattr(fn, "__module__", None) or "", getattr(fn, "__qualname__", "")
    where = sys.modules.get(module)
    if module == "__main__":
        spec = getattr(where, "__spec__", None)  # `python -m package.module` has an import path, a script has not
        if spec is None:
            raise WorkerError(
                f"{name} is a function of the script itself, which a worker does not run",
                hint="move it into a module of the project that the script imports",
            )
        module = spec.name
    found: object = where
    for part in name.split("."):
        found = getattr(found, part, None)
    if "<" in name or found is not fn:
        raise WorkerError(
            f"{module}.{name} cannot be found by its import path, as a lambda or an inner function cannot",
            hint="use a function at the top level of a module; hand over what it closes over as arguments",
        )
    return module, name, _root(where, module)


def _root(where: object, module: str) -> str:
    file = getattr(where, "__file__", None)
    if not isinstance(file, str):
        return ""
    parts = module.count(".") + (os.path.basename(file) == "__init__.py")
    folder = os.path.dirname(os.path.abspath(file))
    for _ in range(parts):
        folder = os.path.dirname(folder)
    return folder
