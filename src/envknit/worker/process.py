"""One worker process: how it is started, how it is known to be gone, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from time import monotonic

from envknit.errors import WorkerError
from envknit.remote.channel import Channel
from envknit.wire import buffers, handshake
from envknit.wire.failures import Mirror, WorkerGone
from envknit.wire.peer import QUIT, Peer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import Any


START = 60.0  # seconds that a start may take, without the import of the package
GRACE = 1.0  # seconds to run exit handlers in, to end after a socket closed, or to answer another thread


class Order:
    """How to launch a worker.

    Args:
        label: how messages name it: `numpy 1.26.4`.
        python: the interpreter's path.
        lock: path of the lock; the entry on the worker's `sys.path`.
        plan: path of the plan file; `""`: none.
        first: folders that come before everything else on `sys.path`.
        last: folders that come behind everything else.
        isolation: `worker`, a process; or `interpreter`, a sub-interpreter of this one.
        private: a number that no other order has: nobody else gets this worker. 0: all with this order share it.
    """

    __slots__ = ("first", "isolation", "label", "last", "lock", "plan", "private", "python")

    def __init__(
        self,
        label: str,
        *,
        python: str = "",
        lock: str = "",
        plan: str = "",
        first: tuple[str, ...] = (),
        last: tuple[str, ...] = (),
        isolation: str = "worker",
        private: int = 0,
    ) -> None:
        self.label = label
        self.private = private
        self.isolation = isolation
        self.python = python or sys.executable
        self.lock = lock
        self.plan = plan
        self.first = first
        self.last = last

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two orders one worker."""
        return self.label, self.isolation, self.python, self.lock, self.plan, self.first, self.last, self.private


class WorkerProcess(Peer):
    """A running worker, started by `start`."""

    def __init__(
        self,
        order: Order,
        source: Any,
        popen: subprocess.Popen[bytes],
        sockets: tuple[socket.socket, socket.socket, socket.socket],
        last_words: int,
        mirror: Mirror,
        limit: int,
    ) -> None:
        control, self._lifeline, line = sockets
        self.order = order
        self.source = source
        self.pid = popen.pid
        self.started = monotonic()
        self.python = ""
        self.is_overdue = False  # whether a call that was given up may still run there
        self._popen = popen
        self._last_words = last_words
        self._ending = threading.Lock()
        self.channel = Channel(control, is_host=True, limit=limit, peer=self, mirror=mirror)
        self._line = line

    def greet(self) -> None:
        """Tell the worker what it is to be, and wait until it is.

        Raises:
            WorkerError: it did not start; with the last lines that it said.
        """
        order = self.order
        facts = {"lock": order.lock, "plan": order.plan, "first": list(order.first), "last": list(order.last)}
        try:
            self._line.settimeout(START)  # (a frame's deadline is the kernel's; the handshake is none)
            handshake.say(self._line, **facts, limit=self.channel.limit)
            answer = handshake.hear(self._line)
            if "error" in answer:
                raise WorkerError(f"the worker of {order.label} could not start", reason=answer["error"])
        except (EOFError, ConnectionError):
            raise WorkerError(f"the worker of {order.label} could not start", **self._end()) from None
        except TimeoutError:
            self.kill()
            raise WorkerError(f"the worker of {order.label} did not start in {START:g} seconds") from None
        self._line.settimeout(None)
        self.python = answer["python"]
        if threading.current_thread() is threading.main_thread():
            self.channel.lines.adopt(self._line)
        else:
            self._line.close()  # it leads to the worker's main thread, which waits for ours
        listener = threading.Thread(target=self.channel.listen, name="envknit-worker-lines", daemon=True)
        self.channel.exports.on_first = listener.start

    @property
    def alive(self) -> bool:
        """Whether it can be called."""
        # poll() reaps: without it a dead worker would be a zombie until somebody called it
        return not self.channel.closed and self._popen.poll() is None

    def lost_error(self, *, sent: bool) -> WorkerGone:
        """See `Peer`: it takes the exit status and the last words of the process, too, and kills what does not end."""
        facts = self._end()
        when = "during this call" if sent else "between calls"
        self.shut(f"the worker of {self.order.label} died")
        return WorkerGone(
            f"the worker of {self.order.label} died {when}",
            **facts,
            sent=sent,
            hint="its objects are gone with it; the next call through the module starts another",
        )

    def timeout_error(self, seconds: float) -> BaseException:
        """See `Peer`: nothing else would stop the call, so the process is killed, unless others use it."""
        late = f"the worker of {self.order.label} did not answer within {seconds:g} seconds"
        if self.source.blocks > 1 and self._answers():
            self.is_overdue = True
            return TimeoutError(
                f"{late}; others use it, so it goes on until they are done, and timeout= gives it longer"
            )
        self.shut(f"the worker of {self.order.label} was killed: it did not answer within {seconds:g} seconds")
        self.kill()
        return TimeoutError(f"{late} and was killed; the next call starts another, and timeout= gives it longer")

    def _answers(self) -> bool:
        """Tell whether it answers on another thread: not while C code keeps its GIL, nor when it was stopped."""
        answered = threading.Event()

        def ask() -> None:
            with suppress(WorkerError):
                self.channel.call(None, "repr", 0, ())
                answered.set()

        threading.Thread(target=ask, name="envknit-ask", daemon=True).start()
        return answered.wait(GRACE)

    def close(self, reason: str) -> None:
        """Let the worker run its exit handlers, and end it; returns at once, `wait` waits."""
        with suppress(OSError):  # it is gone already
            self.channel.say(QUIT)
        self.shut(reason)

    def wait(self, seconds: float = GRACE) -> None:
        """Wait for the end of a worker that was closed, and kill it when it takes longer."""
        import subprocess

        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """End the process now, and take its exit status: no zombie stays."""
        with self._ending:
            if self._popen.returncode is None:
                self._popen.kill()
                self._popen.wait()
            self._lifeline.close()
            if self._last_words >= 0:
                os.close(self._last_words)
                self._last_words = -1

    def shut(self, reason: str) -> None:
        """Close the channel: every call, waiting or to come, raises a WorkerError that gives the reason."""
        self.channel.close(reason)

    def abandon(self) -> None:
        """Let go of a worker that belongs to the parent of this fork, without ending it."""
        self._lifeline.close()
        self._popen.returncode = 0  # it is not our child: nobody may wait for it or kill it here
        if self._last_words >= 0:
            os.close(self._last_words)
            self._last_words = -1

    def _end(self) -> dict[str, Any]:
        import subprocess

        try:
            status = self._popen.wait(GRACE)
        except subprocess.TimeoutExpired:  # it closed the channel, and lives on
            self._popen.kill()
            status = self._popen.wait()
        facts: dict[str, Any] = {"pid": self.pid, "ended": _status(status)}
        with self._ending:
            said = os.pread(self._last_words, 1 << 20, 0) if self._last_words >= 0 else b""
        lines = said.decode(errors="replace").strip().splitlines()[-12:]
        if lines:
            facts["last_words"] = "\n    " + "\n    ".join(lines)
        self.kill()
        return facts


def _status(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"


def start(order: Order, source: Any, mirror: Mirror, limit: int) -> WorkerProcess:
    """Start a worker and wait until it is ready.

    It gets the host's stdin and stdout as they are, and its stderr once the start is over; the channel has
    descriptors of its own, which nobody else can reach: no named socket, no port (CVE-2022-42919).

    Raises:
        WorkerError: it did not start.
    """
    import subprocess

    import _envknit_bootstrap

    # Three pairs: the control socket, the lifeline, and the line of the main threads
    ours, theirs = zip(*(socket.socketpair() for _ in range(3)), strict=True)
    last_words = buffers.scratch()
    stderr = _host_stderr()
    descriptors = [*(end.fileno() for end in theirs), last_words, stderr]
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folders = [os.path.dirname(package), os.path.dirname(os.path.abspath(_envknit_bootstrap.__file__))]
    script = os.path.join(package, "worker", "child.py")
    command = [order.python, *_flags(order.python), script, ",".join(map(str, descriptors)), *folders]
    try:
        # pass_fds makes these inheritable in the child alone; close_fds keeps everything else of the host out of it
        popen = subprocess.Popen(command, pass_fds=descriptors, stderr=last_words, env=_environ(order.python))
    except OSError as error:
        for end in ours:
            end.close()
        os.close(last_words)
        raise WorkerError(
            f"the worker of {order.label} could not start", python=order.python, reason=str(error)
        ) from error
    finally:
        for end in theirs:
            end.close()
        os.close(stderr)
    worker = WorkerProcess(order, source, popen, ours, last_words, mirror, limit)
    try:
        worker.greet()
    except BaseException:
        worker.shut("the worker could not start")
        worker.kill()
        raise
    return worker


def _flags(python: str) -> list[str]:
    """Return our own flags: `-W error`, `-X dev` and their like hold for the worker, and for what it starts, too."""
    import subprocess

    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [flag for flag in flags if python == sys.executable or flag != "-P"]  # Python 3.10 has no -P


def _environ(python: str) -> dict[str, str]:
    environ = dict(os.environ)
    environ.pop("ENVKNIT_ACTIVE", None)  # the worker's own plan decides what its children see
    if python != sys.executable:
        environ.pop("PYTHONHOME", None)  # where this interpreter's library is
    return environ


def _host_stderr() -> int:
    try:
        return os.dup(2)
    except OSError:  # a host without stderr
        return os.open(os.devnull, os.O_WRONLY)
