"""`envknit.worker()` and what belongs to it."""

from __future__ import annotations

import os
import sys
from functools import partial
from itertools import count

from envknit.errors import CExtIncompatibleError, EnvknitError, UnsupportedPlatformError, WorkerError
from envknit.interpreter.choice import INTERPRETER, PROCESS, choose_isolation
from envknit.interpreter.cpython import why_missing
from envknit.remote.proxy import Method, ModuleProxy, Proxy
from envknit.wire.awaiting import off_the_loop
from envknit.wire.lines import check_timeout
from envknit.worker.orders import name_there, order_for_folder, order_for_pin, order_of
from envknit.worker.pool import Worker, pool
from envknit.worker.process import GRACE
from envknit.worker.stand_ins import stand_in
from envknit.worlds.block import Block
from envknit.worlds.target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from threading import Thread
    from types import TracebackType
    from typing import Any

    from envknit.worlds.explain import Origin

TIMEOUT = 30.0  # seconds that a call may take, where nothing else is said


class WorkerContext(Block):
    """What `worker()` returns: a context manager that gives the module's proxy; it may be entered many times.

    `async with` starts and ends the process off the event loop, which goes on meanwhile.

    Args:
        worker: where the module lives.
        module: its name there.
        timeout: seconds that each call may take.
        target: what the host's imports mean inside; those of `worker()` mean what they did.
        opener: as for `Block`.
        follow: whether the process is to have the environment variables and the working folder of this one.
    """

    __slots__ = ("_follow", "_module", "_timeout", "worker")

    def __init__(
        self,
        worker: Worker,
        module: str,
        timeout: float | None,
        *,
        target: Target | None = None,
        opener: str = "",
        follow: bool = False,
    ) -> None:
        super().__init__(target or Target({}, []), opener)
        self.worker = worker
        self._module = module
        self._timeout = timeout
        self._follow = follow

    def __enter__(self) -> ModuleProxy:
        pool.enter(self.worker)
        try:
            module = self.ready()
            if self.names:
                self.open()
        except BaseException:
            pool.leave(self.worker)
            raise
        return module

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.names:
            super().__exit__(kind, error, trace)
        pool.leave(self.worker)

    def _envknit_origin(self) -> Origin:
        return self.worker.origin(self._module)

    def ready(self) -> ModuleProxy:
        """Import the module there; return its proxy."""
        if self._follow:  # first: the package may read them when it is imported
            self.worker.call(self._timeout, "follow", (dict(os.environ), os.getcwd()))
        self.worker.open(self._module, self._timeout)
        return self.worker.module(self._module, self._timeout)

    async def __aenter__(self) -> ModuleProxy:
        if self.names:
            raise TypeError("use() is entered with `with`, not `async with`")
        pool.enter(self.worker)
        opened: list[ModuleProxy] = []

        def open_there() -> ModuleProxy:
            try:
                opened.append(self.ready())
            finally:
                if not opened:
                    pool.leave(self.worker)
            return opened[0]

        def abandon(opening: Thread) -> None:
            opening.join(GRACE)
            while opening.is_alive():  # as at a deadline: nothing else would stop the import
                if self.worker.blocks == 1:
                    self.worker.close()
                opening.join(GRACE)
            if opened:
                pool.leave(self.worker)

        module: ModuleProxy = await off_the_loop(open_there, abandon)
        return module

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await off_the_loop(partial(pool.leave, self.worker))


def worker(
    name: str,
    version: str,
    *,
    timeout: float | None = TIMEOUT,
    install_path: str | os.PathLike[str] | None = None,
    env: str | None = None,
    lock: str | os.PathLike[str] | None = None,
    python: str | None = None,
    module: str | None = None,
    private: bool = False,
    follow: bool = False,
    size: int = 1,
) -> WorkerContext:
    """Open a package of any version in a process of its own.

    The process stays for the next block of the same pin; it ends with this program, or when nobody used it for ten
    minutes. Its objects stay in it and are proxies here; numbers, text and containers of them come over by value.

    Args:
        name: the distribution's name, as in the lock.
        version: its version; `1.16` and `1.16.0` are one.
        timeout: seconds that each call of this block may take; None: as long as it takes.
        install_path: a folder that holds the package; the lock is not asked then.
        env: the environment of the lock to take it from; None: the active one, else whichever holds it.
        lock: the lock to take it from, which need not be in use; None: those in use.
        python: another interpreter to run it: `3.10`, or a path.
        module: the module to give, where the distribution has several.
        private: a process that no other block shares, and that ends with this one.
        follow: give the process this program's environment variables and working folder whenever the block is opened;
            other blocks of the pin share them, unless it is `private`.
        size: how many processes blocks of this pin are given in turn, for calls of several threads at the same time.

    Raises:
        LinkError: no environment of the lock holds it; the error names the versions there are.
        WorkerError: no lock is in use, or it was not installed for that interpreter.
        ValueError: the timeout is no time, or the size less than one.
    """
    check_timeout(timeout)
    if size < 1:
        raise ValueError(f"a worker has one process or more, not {size}")
    if install_path is not None:
        order, found = order_for_folder(name, version, os.fspath(install_path), python=python, module=module)
    else:
        order, found = order_for_pin(name, version, environment=env, lock=lock, python=python, module=module)
    order.private = next(_private) if private else 0
    turn = next(_turns.setdefault(order.key, count())) % size if size > 1 else 0
    if turn:
        order.label += f" ({turn + 1})"
    return WorkerContext(pool.worker(order), found, timeout, follow=follow)


def hold(target: Target, isolation: str, *, opener: str, reason: str = "") -> WorkerContext:
    """Hold for `use()` a pin that cannot be a guest: the host's imports in the block give proxies of it.

    Args:
        target: what `use()` found.
        isolation: `worker`, `interpreter`, or `auto`: an interpreter where a probe shows that it can hold the pin.
        opener: as for `Block`.
        reason: why it is no guest, where that is not what it is made of.

    Raises:
        CExtIncompatibleError: an interpreter was asked for, and the evidence says that it cannot hold the pin.
        WorkerError: it is a whole environment.

    Cost:
        As `choose_isolation`, where there is a choice.
    """
    if target.member is None:
        raise WorkerError("a whole environment cannot be held elsewhere", hint="name a package and its version")
    plan, pin = target.held[0]
    chosen, why = (PROCESS, "it was asked for") if isolation == PROCESS else choose_isolation(plan, pin)
    if isolation == INTERPRETER != chosen:
        raise _no_interpreter(target.member.title, pin.main, why)
    worker = pool.worker(order_of(plan, pin, isolation=chosen))
    worker.why = f"{reason}; {why}" if reason else why
    names = {head: stand_in(head, pin.version, worker, name_there(plan, pin, head), TIMEOUT) for head in target.names}
    module = name_there(plan, pin, pin.main)
    return WorkerContext(worker, module, TIMEOUT, target=Target(names, target.held), opener=opener)


def _no_interpreter(title: str, module: str, why: str) -> EnvknitError:
    hint = "keep it in a process of its own: isolation='worker', or envknit.worker()"
    lacking = why_missing()
    if lacking:
        return UnsupportedPlatformError(lacking, hint=hint)
    return CExtIncompatibleError(f"{title} cannot be held in a sub-interpreter", name=module, why=why, hint=hint)


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
        trust: top-level packages whose classes and functions the copy may be made of; None: those that this program
            opened in the worker. The standard library's plain types and numpy's arrays are always allowed.

    Raises:
        WorkerError: the object cannot be pickled, or needs what is not trusted or not importable here.
    """
    if isinstance(proxy, Method):
        raise WorkerError("a method cannot be fetched", method=repr(proxy))
    if not isinstance(proxy, Proxy):
        return proxy
    from envknit.remote.fetching import load

    caller = proxy._envknit_channel
    if trust is None:
        if caller.peer.source is None:
            raise WorkerError("in a worker, what is fetched from the host needs trust=[...]", object=repr(proxy))
        trust = caller.peer.source.asked - sys.stdlib_module_names
    return load(caller.call(proxy._envknit_timeout, "pickle", proxy._envknit_ref, ()), set(trust))


def send(value: Any, *, to: Any) -> Any:
    """Take an object to a worker by value, as a copy of its own, and return the copy's proxy: the inverse of `fetch`.

    It is pickled here and made again there, with the classes of that side's packages. What lives in another worker goes
    from there.

    Args:
        value: an object that can be pickled, or a proxy of one.
        to: a module or an object of the worker.

    Raises:
        WorkerError: the worker cannot make it.
    """
    if isinstance(to, ModuleProxy):
        worker, timeout = vars(to)["_envknit_source"], vars(to)["_envknit_timeout"]
    elif isinstance(to, Proxy):
        worker, timeout = to._envknit_channel.peer.source, to._envknit_timeout
    else:
        raise WorkerError("an object is sent to a module or an object of a worker", to=repr(to))
    if isinstance(value, Proxy):
        data = value._envknit_channel.call(value._envknit_timeout, "pickle", value._envknit_ref, ())
    else:
        import pickle

        data = pickle.dumps(value, protocol=4)
    try:
        return worker.call(timeout, "unpickle", (data,))
    except (WorkerError, TimeoutError):
        raise
    except Exception as error:
        raise WorkerError(
            "an object that was to be sent cannot be made in the worker",
            worker=worker.label,
            reason=f"{type(error).__name__}: {error}",
            hint="its classes must be importable there too, and take what this version pickles; else send plain data",
        ) from error


_private = count(1)
_turns: dict[tuple[object, ...], Iterator[int]] = {}  # of each order, those whose blocks go to several processes
