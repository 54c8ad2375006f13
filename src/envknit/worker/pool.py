"""The pool: which workers this process has, started on first use, kept for the next, ended with the process."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from time import monotonic

from envknit.errors import WorkerError
from envknit.remote.output import host_level
from envknit.remote.proxy import ModuleProxy
from envknit.wire.failures import Mirror, WorkerGone
from envknit.wire.frames import LARGEST
from envknit.worker.process import Order, WorkerProcess, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from envknit.worker.in_interpreter import InterpreterWorker
    from envknit.worlds.explain import Origin


class Worker:
    """A worker of the pool: at most one process at a time, started by the first call.

    Args:
        order: what the process is to be.
        pool: the pool that it is part of.
    """

    def __init__(self, order: Order, pool: Pool) -> None:
        self.order = order
        self.label = f"the {order.isolation} of {order.label}"
        self.why = "it was asked for"  # the reason why it lives there, for `envknit.explain`
        self.asked: set[str] = set()  # top-level packages that the host opened here: `fetch` trusts these
        self.used = monotonic()
        self.blocks = 0
        self._pool = pool
        self._process: WorkerProcess | InterpreterWorker | None = None
        self._starting = threading.Lock()  # threads that call a worker at once start one process
        self._mirror = Mirror()
        self._modules: dict[tuple[str, float | None], ModuleProxy] = {}
        self._kept: weakref.WeakSet[ModuleProxy] = weakref.WeakSet()

    def __repr__(self) -> str:
        state = f"process {self.pid}" if self.alive else "no process"
        return f"<{self.label}, {state}>"

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        process = self._process
        return process is not None and process.alive

    @property
    def is_overdue(self) -> bool:
        """Whether a call that was given up may still run there."""
        process = self._process
        return process is not None and process.is_overdue

    @property
    def pid(self) -> int | None:
        """The process's id; None where none runs. An interpreter's is that of this process."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    @property
    def python(self) -> str:
        """The version of the interpreter that runs there; `""` where none runs."""
        process = self._process
        return process.python if process is not None else ""

    @property
    def idle(self) -> bool:
        """Whether nobody is in a block of it or holds an object of it."""
        process = self._process
        return self.blocks == 0 and (process is None or not len(process.channel.imports))

    def call(
        self,
        timeout: float | None,
        operation: str,
        args: tuple[object, ...],
        options: dict[str, object] | None = None,
    ) -> Any:
        """Call an operation of the worker itself; a process that died meanwhile is replaced first."""
        try:
            return self.process().channel.call(timeout, operation, 0, args, options)
        except WorkerGone as error:
            if error.sent:
                raise
        return self.process().channel.call(timeout, operation, 0, args, options)

    def attribute(self, module: str, name: str, timeout: float | None) -> Any:
        """Return an attribute of a module of the worker."""
        return self.call(timeout, "attribute", (module, name))

    def module(self, name: str, timeout: float | None) -> ModuleProxy:
        """Return the proxy of a module: the same one for the same timeout."""
        key = name, timeout
        return self._modules.get(key) or self._modules.setdefault(key, ModuleProxy(self, name, timeout))

    def origin(self, module: str) -> Origin:
        """Say where a module of the worker came from; see `envknit.explain`."""
        from envknit.worker.orders import origin

        return origin(self.order, module, self.why)

    def keep(self, module: ModuleProxy, name: str, value: object) -> None:
        """Cache a function or class in a module's proxy until this process ends."""
        module.__dict__[name] = value
        self._kept.add(module)

    def process(self) -> WorkerProcess | InterpreterWorker:
        """Return the running process, and start one where there is none.

        Raises:
            WorkerError: it does not start.
        """
        process = self._process  # read once: another thread may close it meanwhile
        if process is not None and not process.channel.closed:
            return process
        with self._starting:
            process = self._process
            if process is None or process.channel.closed:
                self._forget()
                self._pool.make_room(self)
                process = self._process = self._start()
        return process

    def _start(self) -> WorkerProcess | InterpreterWorker:
        if self.order.isolation == "worker":
            return start(self.order, self, self._mirror, self._pool.largest)
        from envknit.worker.in_interpreter import InterpreterWorker

        return InterpreterWorker(self.order, self, self._mirror, self._pool.largest)

    def open(self, module: str, timeout: float | None) -> None:
        """Import a module there; `""`: none. A process that died since it was last called is replaced first."""
        process = self._process
        if process is not None and not process.alive:
            process.lost_error(sent=False)
        arguments = module, host_level()
        try:
            self.call(timeout, "import", arguments)
        except WorkerGone:
            if process is None:  # it was started for this import, which then ended it
                raise
            self.call(timeout, "import", arguments)  # it was dying while we asked; nothing of the caller's was begun
        self.asked.add(module.partition(".")[0])

    def close(self) -> None:
        """End the process, if one runs: exit handlers run, and after a second it is killed."""
        process = self._begin_close()
        if process is not None:
            process.wait()

    def _begin_close(self) -> WorkerProcess | InterpreterWorker | None:
        process, self._process = self._process, None
        if process is not None:
            self._forget()
            process.close(f"{self.label} was closed")
        return process

    def _abandon(self) -> None:
        process, self._process = self._process, None
        self._starting = threading.Lock()  # a thread that the fork does not have may have held the old one
        self._forget()
        self.blocks = 0
        if process is not None:
            process.abandon()

    def _forget(self) -> None:
        for module in list(self._kept):
            for name in [name for name in module.__dict__ if not name.startswith("_envknit_")]:
                module.__dict__.pop(name, None)
        self._kept = weakref.WeakSet()


class Pool:
    """All workers of this process.

    Args:
        idle: seconds after which a worker that nobody uses is ended.
        processes: how many may run at once; more than that end the one that was idle longest.
        largest: bytes of the largest value that crosses by value.
    """

    def __init__(self, *, idle: float = 600.0, processes: int = 0, largest: int = LARGEST) -> None:
        self.idle = idle
        self.processes = processes or max(8, os.cpu_count() or 1)
        self.largest = largest
        self._workers: dict[tuple[object, ...], Worker] = {}
        self._changed = threading.Condition()
        self._keeper: threading.Thread | None = None
        atexit.register(self.close)  # so that exit handlers of workers run; the lifeline ends them in any case
        os.register_at_fork(after_in_child=self._after_fork)

    def configure(self, *, idle: float | None = None, processes: int | None = None, largest: int | None = None) -> None:
        """Change the limits that are given."""
        with self._changed:
            self.idle = self.idle if idle is None else idle
            self.processes = self.processes if processes is None else processes
            self.largest = self.largest if largest is None else largest
            self._changed.notify_all()

    def worker(self, order: Order) -> Worker:
        """Return the worker of an order; its process is started by the first call."""
        with self._changed:
            worker = self._workers.get(order.key)
            if worker is None:
                worker = self._workers[order.key] = Worker(order, self)
        return worker

    def enter(self, worker: Worker) -> None:
        """Count one more block in which a worker is used."""
        with self._changed:
            self._workers.setdefault(worker.order.key, worker)
            worker.blocks += 1

    def leave(self, worker: Worker) -> None:
        """Count one block less; the last one starts the worker's idle time, or ends it."""
        with self._changed:
            worker.blocks -= 1
            worker.used = monotonic()
            ends = not worker.blocks and (worker.order.private or worker.is_overdue)
            if worker.order.private and ends:
                del self._workers[worker.order.key]
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="envknit-workers", daemon=True)
                self._keeper.start()
        if ends:
            worker.close()

    def workers(self) -> list[Worker]:
        """Return the workers whose process runs, by their labels."""
        with self._changed:
            return sorted((w for w in self._workers.values() if w.alive), key=lambda w: w.order.label)

    def make_room(self, newcomer: Worker) -> None:
        """End the worker that was idle longest, if the newcomer would be one too many.

        Raises:
            WorkerError: all of them are in use.
        """
        running = [worker for worker in self.workers() if worker is not newcomer]
        if len(running) < self.processes:
            return
        idle = [worker for worker in running if worker.idle]
        if not idle:
            raise WorkerError(
                f"{len(running)} workers are in use, which is the limit",
                workers=", ".join(worker.order.label for worker in running),
                hint="leave a block, drop the objects of a worker, or raise envknit.configure_workers(processes=...)",
            )
        min(idle, key=lambda worker: worker.used).close()

    def close(self) -> None:
        """End all workers, at the same time."""
        with self._changed:
            workers = list(self._workers.values())
        closing = [worker._begin_close() for worker in workers]
        deadline = monotonic() + 1.0
        for process in closing:
            if process is not None:
                process.wait(max(0.0, deadline - monotonic()))

    def _keep(self) -> None:
        while True:
            with self._changed:
                running = [worker for worker in self._workers.values() if worker.alive]
                if not running:
                    self._keeper = None
                    return
                self._changed.wait(min(max(self.idle / 4, 0.05), 60.0))
                now = monotonic()
                over = [w for w in running if w.idle and now - w.used > self.idle]
            for worker in over:
                worker.close()

    def _after_fork(self) -> None:
        self._changed = threading.Condition()
        self._keeper = None
        for worker in self._workers.values():
            worker._abandon()


pool = Pool()
