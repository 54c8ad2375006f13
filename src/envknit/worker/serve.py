"""The worker's side: become what the host asked for, then answer its calls until it is gone.

The main thread serves the line of the host's main thread, since signals, GUIs and some libraries want that one; each
other line has a thread of its own, and one more listens to the control socket.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from importlib import import_module
from queue import SimpleQueue

from envknit.remote import modules, output
from envknit.remote.channel import Channel
from envknit.wire import handshake
from envknit.wire.peer import INTERRUPT, NEW_MAIN_LINE, QUIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from envknit.wire.line import Line


environment = ""  # the name of the environment that this worker has; only a worker loads this module


def serve(control: int, lifeline: int, line: int, last_words: int, stderr: int, *, site_packages: list[str]) -> None:
    """Serve on inherited descriptors.

    Args:
        control: the control socket.
        lifeline: a socket on which nothing is ever sent: it closes when the host dies, however it dies.
        line: the line of the host's main thread.
        last_words: the file that takes what is said on stderr until the start is over, and at a crash.
        stderr: the host's own stderr.
        site_packages: what a plan puts the lock in the place of, or behind it (`system_site_packages: true`).
    """
    _die_with_host(lifeline)
    for descriptor in (control, lifeline, line, last_words, stderr):
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional only
    main_line = socket.socket(fileno=line)
    config = handshake.hear(main_line)
    channel = Channel(socket.socket(fileno=control), is_host=False, limit=config["limit"])
    worker = _Worker(channel, last_words, stderr)
    try:
        _activate(config, site_packages)
    except Exception as error:  # noqa: BLE001 - the host raises it
        handshake.say(main_line, error=f"{type(error).__name__}: {error}")
        sys.exit(1)
    handshake.say(main_line, python=sys.version)
    worker.run(channel.lines.adopt(main_line))


def _activate(config: dict[str, Any], site_packages: list[str]) -> None:
    global environment  # noqa: PLW0603 - what this process is
    sys.path[:0] = config["first"]
    if config["plan"]:
        from envknit.runtime.activation import activate

        sys.path += site_packages
        environment = activate(config["lock"], config["plan"]).environment
    sys.path += config["last"]


def _die_with_host(lifeline: int) -> None:
    # The kernel sends SIGKILL when the socket's other end closes, even while an extension module holds the GIL.
    # PR_SET_PDEATHSIG would fire too when only the host's thread that started us ends.
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


class _Worker:
    def __init__(self, channel: Channel, last_words: int, stderr: int) -> None:
        self._channel = channel
        self._last_words = last_words
        self._stderr = stderr
        self._error_stream: output.ForwardedStream | None = None
        self._main_lines: SimpleQueue[Line | None] = SimpleQueue()
        self._serving: Line | None = None
        self._interrupted = False
        self._quitting = False
        channel.operations.update({**modules.OPERATIONS, "import": self._import, "follow": _follow})

    def run(self, line: Line) -> None:
        signal.signal(signal.SIGINT, self._on_interrupt)
        if sys.stdout is not None:
            output.ForwardedStream("stdout", self._channel)  # `sys` holds it
        if sys.stderr is not None:
            self._error_stream = output.ForwardedStream("stderr", None)  # the start's last words go into the file
        threading.Thread(target=self._listen, name="envknit-control", daemon=True).start()
        self._main_lines.put(line)
        while self._serve_next():
            pass
        with suppress(OSError):  # the host is gone
            self._channel.control.shutdown(socket.SHUT_RDWR)  # wakes the thread that listens
        self._channel.control.close()

    def _serve_next(self) -> bool:
        try:
            self._serving = self._main_lines.get()
            if self._serving is None:
                return False
            self._channel.lines.forget()
            self._channel.serve(self._serving)
        except KeyboardInterrupt:
            return True  # the call that it was for is over
        finally:
            self._serving = None
        return True

    def _listen(self) -> None:
        self._channel.listen(self._on_message)
        if not self._quitting:
            os._exit(1)  # the host is gone

    def _on_message(self, message: bytes, line: Line | None) -> None:
        if message == NEW_MAIN_LINE:
            self._main_lines.put(line)
        elif message == INTERRUPT and self._serving is not None:
            self._interrupted = True
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        elif message == QUIT:
            self._quitting = True
            self._main_lines.put(None)

    def _on_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        # Ctrl-C on the terminal reaches us too, but whether a call is interrupted is the host's to say. (SIG_IGN
        # would be inherited by what our packages start.)
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt

    def _import(self, _: None, name: str, level: int | None = None) -> None:
        if level is not None:
            output.forward_logs(self._channel, level)
        if name:
            import_module(name)
        # The start is over: stderr is the host's from now on, and the file waits for a crash. Lines of several threads
        # may come here at once: whoever takes the descriptor settles it
        stderr, self._stderr = self._stderr, -1
        if stderr >= 0:
            self._settle(stderr)

    def _settle(self, stderr: int) -> None:
        import faulthandler

        sys.stderr.flush()
        said = os.pread(self._last_words, 1 << 20, 0)
        os.ftruncate(self._last_words, 0)
        os.dup2(stderr, 2)
        os.close(stderr)
        if self._error_stream is not None:
            self._error_stream.channel = self._channel
        if said:
            sys.stderr.write(said.decode(errors="replace"))
        os.lseek(self._last_words, 0, os.SEEK_SET)
        quiet = {"c_stack": False} if sys.version_info >= (3, 14) else {}  # addresses would push the last_words out
        faulthandler.enable(self._last_words, all_threads=False, **quiet)


def _follow(_: None, environ: dict[str, str], folder: str) -> None:
    """Take over the host's environment variables and its working folder."""
    for name in {*os.environ} - {*environ, "ENVKNIT_ACTIVE"}:
        del os.environ[name]
    os.environ.update({name: value for name, value in environ.items() if name != "ENVKNIT_ACTIVE"})
    os.chdir(folder)
