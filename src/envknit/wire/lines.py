"""The lines of one end of a channel: which there are, and on which of them the calling thread may send a call."""

from __future__ import annotations

import socket
import threading
import weakref
from contextlib import suppress

from envknit.wire.line import Line
from envknit.wire.peer import NEW_LINE, NEW_MAIN_LINE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def check_timeout(seconds: object) -> None:
    """Raise a ValueError for what is no time that a call may take: neither None nor seconds above zero."""
    if seconds is None or (isinstance(seconds, (int, float)) and 0 < seconds <= threading.TIMEOUT_MAX):
        return
    raise ValueError(f"timeout is seconds above zero, or None for as long as it takes; not {seconds!r}")


class _Free(list):  # type: ignore[type-arg]
    __slots__ = ("__weakref__",)
    __hash__ = object.__hash__  # type: ignore[assignment]  # (two of them are never the same)


class _Thread(threading.local):
    """The state that each thread has of its own."""

    def __init__(self, all_free: weakref.WeakSet[_Free]) -> None:
        self.free = _Free()  # lines on which it may send a call now
        all_free.add(self.free)
        self.depth = 0  # calls that it is answering, each out of the one before
        self.prints_there = False  # whether the call that it is answering came from where sys.stdout is replaced


class Lines:
    """Opens lines, finds the calling thread's own, and closes them all.

    Args:
        say: sends a message over the control socket.
        is_host: whether this is the host's end.
        limit: bytes of the largest value that crosses by value.
    """

    def __init__(self, say: Callable[[bytes, Sequence[int]], None], *, is_host: bool, limit: int) -> None:
        self._say = say
        self._is_host = is_host
        self._limit = limit
        self._all: weakref.WeakSet[Line] = weakref.WeakSet()
        self._all_free: weakref.WeakSet[_Free] = weakref.WeakSet()
        self._main: Line | None = None  # with the main threads of both sides at its ends
        self.thread = _Thread(self._all_free)

    def add(self, end: socket.socket) -> Line:
        """Take a connected socket that the other side opened as a line."""
        line = Line(end, self._limit)
        self._all.add(line)
        return line

    def adopt(self, end: socket.socket) -> Line:
        """Take a connected socket as the line between the main threads, one of which calls this."""
        line = self._main = self.add(end)
        self.thread.free.append(line)
        return line

    def open(self) -> Line:
        """Open a line for the calling thread.

        Raises:
            OSError: the other side is gone.
        """
        # Signals, GUIs and some libraries want the main thread. A second line of it (for a call out of a signal
        # handler, say) gets a thread like any other, since the other main thread waits for the first
        main = self._is_host and self._main is None and threading.current_thread() is threading.main_thread()
        ours, theirs = socket.socketpair()
        try:
            self._say(NEW_MAIN_LINE if main else NEW_LINE, [theirs.fileno()])
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        line = self.add(ours)
        if main:
            self._main = line
        return line

    def give_up(self, line: Line) -> bool:
        """Close a line whose call was not answered, so that no late answer meets another call; tell if it was main."""
        line.close()
        if line is not self._main:
            return False
        self._main = None
        return True

    def forget(self) -> None:
        """Let the calling thread open a new line for its next call: an interrupt left it anywhere."""
        self.thread.free.clear()
        self.thread.depth = 0

    def close(self, *, wake: bool) -> None:
        """Close them all; `wake` ends what threads wait for on them."""
        for line in list(self._all):
            if wake:  # close() would leave a thread that is in recvmsg() there for ever
                line.hang_up()
            else:
                line.close()
        for free in list(self._all_free):
            while free:
                with suppress(IndexError):  # its thread took the line in this moment, and will see its end
                    free.pop().close()
        self.thread = _Thread(self._all_free)
