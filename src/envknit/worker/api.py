"""`envknit.worker()` and what belongs to it."""

from __future__ import annotations

import os

from envknit.errors import WorkerError
from envknit.worker.members import order_for_folder, order_for_pin
from envknit.worker.pool import Worker, pool
from envknit.worker.proxy import Method, ModuleProxy, Proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType
    from typing import Any, NoReturn


class WorkerContext:
    """What `worker()` returns: a context manager that gives the module's proxy; it may be entered many times."""

    def __init__(self, worker: Worker, module: str, timeout: float | None) -> None:
        self.worker = worker
        self._module = module
        self._timeout = timeout

    def __enter__(self) -> ModuleProxy:
        pool.enter(self.worker)
        try:
            self.worker.open(self._module, self._timeout)
        except BaseException:
            pool.leave(self.worker)
            raise
        return self.worker.module(self._module, self._timeout)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pool.leave(self.worker)

    async def __aenter__(self) -> NoReturn:
        raise TypeError("a worker is opened with `with`, not `async with`")

    async def __aexit__(self, *_: object) -> None:
        """Exist, so that `async with` comes to `__aenter__` and its message."""


def worker(
    name: str,
    version: str,
    *,
    timeout: float | None = 30.0,
    install_path: str | os.PathLike[str] | None = None,
    env: str | None = None,
    python: str | None = None,
    module: str | None = None,
) -> WorkerContext:
    """Open a package of any version in a process of its own.

    The process stays for the next block of the same pin; it ends with this program, or when nobody used it for ten
    minutes. Its objects stay in it and are proxies here; numbers, text and containers of them come over by value.

    Args:
        name: the distribution's name, as in the lock.
        version: its version.
        timeout: seconds that each call of this block may take; None: as long as it takes.
        install_path: a folder that holds the package; the lock is not asked then.
        env: the environment of the lock to take it from; None: the active one, else whichever holds it.
        python: another interpreter to run it: `3.10`, or a path.
        module: the module to give, where the distribution has several.

    Raises:
        WorkerError: no such pin is installed; the message lists those that are.
    """
    if install_path is not None:
        order, found = order_for_folder(name, version, os.fspath(install_path), python=python, module=module)
    else:
        order, found = order_for_pin(name, version, environment=env, python=python, module=module)
    return WorkerContext(pool.worker(order), found, timeout)


def workers() -> list[Worker]:
    """Return the workers that run now; each has `order.label`, `pid`, `python`, `idle` and `close()`."""
    return pool.workers()


def configure_workers(*, idle: float | None = None, processes: int | None = None, largest: int | None = None) -> None:
    """Set the pool's limits; what is not given stays.

    Args:
        idle: seconds after which a worker that nobody uses ends (600).
        processes: how many may run at once (8, or one for each processor).
        largest: bytes of the largest value that crosses by value (1 GiB); for workers that start from now on.
    """
    pool.configure(idle=idle, processes=processes, largest=largest)


def fetch(proxy: Any, *, trust: Collection[str] | None = None) -> Any:
    """Bring the object of a proxy over by value, as a copy of its own.

    It is pickled there and made again here, with the classes of this side's packages.

    Args:
        proxy: a proxy; anything else is returned as it is.
        trust: top-level packages whose classes and functions the copy may be made of; None: the package of the
            object's own type, and numpy. The standard library's plain types are always allowed.

    Raises:
        WorkerError: the object cannot be pickled, or needs what is not trusted or not importable here.
    """
    if isinstance(proxy, Method):
        raise WorkerError("a method cannot be fetched", method=repr(proxy))
    if not isinstance(proxy, Proxy):
        return proxy
    from envknit.worker.fetching import load  # noqa: PLC0415 - loads pickle

    timeout, channel, ref = proxy._envknit_timeout, proxy._envknit_channel, proxy._envknit_ref
    package = channel.call(timeout, "package", ref, ())
    data = channel.call(timeout, "pickle", ref, ())
    return load(data, {package, "numpy"} if trust is None else set(trust))
