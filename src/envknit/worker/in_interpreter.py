"""A worker that is no process: a sub-interpreter of this one that serves a channel, each line on a thread of its own.

It has what a process has but for two things: nothing can end a call that does not end by itself, and a crash takes the
host with it. So only what was proven in a probe is held this way: see `choice`.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
import threading
import weakref
from contextlib import suppress
from time import monotonic

from envknit.interpreter.session import Session
from envknit.remote.channel import Channel
from envknit.wire.failures import WorkerGone
from envknit.wire.peer import Peer
from envknit.worker.process import GRACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from envknit.wire.failures import Mirror
    from envknit.worker.process import Order

LAST_WAIT = 5.0  # seconds that the end of the program waits for calls that still run

_running: weakref.WeakSet[InterpreterWorker] = weakref.WeakSet()


class InterpreterWorker(Peer):
    """A running interpreter that serves; what the pool asks of a `WorkerProcess`, it can ask of this.

    Args:
        order: what it is to be.
        source: of module proxies.
        mirror: where the other side's exception classes are kept.
        limit: bytes of the largest value that crosses by value.

    Raises:
        UnsupportedPlatformError: this Python has no sub-interpreters.
        WorkerError: it could not start.
    """

    def __init__(self, order: Order, source: Any, mirror: Mirror, limit: int) -> None:
        self.order = order
        self.source = source
        self.pid = os.getpid()
        self.python = sys.version
        self.is_overdue = False
        self._session = Session("own", order.label)
        try:
            self._session.ask("configure", order.lock, order.plan, order.first)
            ours, theirs = socket.socketpair()
        except BaseException:
            self._session.close()
            raise
        self.channel = Channel(ours, is_host=True, limit=limit, peer=self, mirror=mirror)
        listener = threading.Thread(target=self.channel.listen, name="envknit-worker-lines", daemon=True)
        self.channel.exports.on_first = listener.start
        self._thread = threading.Thread(
            target=self._serve, args=(theirs.detach(), limit), name=source.label, daemon=True
        )
        self._thread.start()
        _running.add(self)

    @property
    def alive(self) -> bool:
        """Whether it can be called."""
        return not self.channel.closed and self._thread.is_alive()

    @property
    def is_busy(self) -> bool:
        """Whether something runs in it, be it a call that nobody waits for any more."""
        return self._thread.is_alive()

    def lost_error(self, *, sent: bool) -> WorkerGone:
        """See `Peer`."""
        self.shut(f"{self.source.label} ended")
        return WorkerGone(
            f"{self.source.label} ended {'during this call' if sent else 'between calls'}",
            sent=sent,
            hint="its objects are gone with it; the next call through the module makes another",
        )

    def timeout_error(self, seconds: float) -> BaseException:
        """See `Peer`: it is left alone, since nothing can end a call in this process."""
        if self.source.blocks > 1:
            self.is_overdue = True
        else:
            self.shut(f"{self.source.label} was left: it did not answer within {seconds:g} seconds")
        return TimeoutError(
            f"{self.source.label} did not answer within {seconds:g} seconds; it ends when its call does"
            "; the next call makes another, and a worker in a process of its own can be killed"
        )

    def close(self, reason: str) -> None:
        """Let it end; returns at once, `wait` waits."""
        self.shut(reason)

    def wait(self, seconds: float = GRACE) -> None:
        """Wait for its end, but not longer than this."""
        self._thread.join(seconds)

    def shut(self, reason: str) -> None:
        """Close the channel: every call, waiting or to come, raises a WorkerError that gives the reason."""
        self.channel.close(reason)

    def abandon(self) -> None:
        """Do nothing: a forked child has no interpreters but the main one."""

    def _serve(self, descriptor: int, limit: int) -> None:
        try:
            self._session.ask("serve", descriptor, limit)
        finally:
            self.shut(f"{self.source.label} ended")
            self._session.close()


def _end_all() -> None:
    """End them before `subinterpreter` does, which would wait for their calls.

    CPython 3.12 and 3.13 abort or hang where they are to end while threads of an interpreter run, and 3.15 waits for
    them; and nothing tells here which exit status the process was to end with.
    """
    running = list(_running)
    for worker in running:
        worker.close("this program ends")
    deadline = monotonic() + LAST_WAIT
    for worker in running:
        worker.wait(max(0.0, deadline - monotonic()))
    stuck = [worker.source.label for worker in running if worker.is_busy]
    if stuck:
        with suppress(Exception):  # whatever stands for them
            sys.stdout.flush()
            sys.stderr.write(f"envknit: a call in {stuck[0]} does not end; the process ends without it\n")
            sys.stderr.flush()
        os._exit(1)


def _before_fork() -> None:
    """Close the interpreters that nobody uses before a fork; the next call makes them again."""
    idle = [worker for worker in _running if worker.alive and worker.source.idle]
    for worker in idle:
        worker.close("this process forked")
    for worker in idle:
        worker.wait()


atexit.register(_end_all)
os.register_at_fork(before=_before_fork)
