"""A line: one socket between one thread of the host and the thread of the worker that serves it.

Each host thread has a line of its own. So calls of different threads overlap without locks and without handing replies
from thread to thread, and what is bound to a thread (decimal contexts, numpy.errstate, SQLite connections) stays with
the host's thread. A call costs one write and one read on each side.
"""

from __future__ import annotations

import array
import os
import socket
import struct

from envknit.wire.frames import HEADER, MOST_DESCRIPTORS, frame, header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK = 64 * 1024
_RIGHTS = socket.CMSG_SPACE(MOST_DESCRIPTORS * 4)


class Lost(Exception):  # noqa: N818 - a fact for the channel, which makes an error of it
    """The other end is gone; `sent` tells whether the request may have been executed."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__(sent)
        self.sent = sent


class Line:
    """One end of a line.

    Args:
        end: a connected stream socket of AF_UNIX, blocking.
        limit: bytes of the largest body.
    """

    __slots__ = ("__weakref__", "_descriptors", "_limit", "_rest", "end", "pinned", "serial", "timeout")

    def __init__(self, end: socket.socket, limit: int) -> None:
        self.end = end
        # Proxies in the last answer: a release of them must not overtake it. When the next call comes, it was read
        self.pinned: Sequence[object] = ()
        self.serial = 0  # id of the last request sent from this end
        self._limit = limit
        self._rest = b""
        self._descriptors: list[int] = []
        self.timeout: float | None = None

    def wait_at_most(self, seconds: float | None) -> None:
        """Let reads and writes fail with BlockingIOError after so long; None: never.

        The kernel keeps the time (SO_RCVTIMEO): Python's own socket timeouts cost a poll() before each read.
        """
        if seconds == self.timeout:
            return
        whole = max(seconds, 0.000001) if seconds is not None else 0.0  # all zero means for ever
        value = struct.pack("@ll", int(whole), int(whole % 1 * 1e6))
        self.end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self.end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
        self.timeout = seconds

    def send(self, kind: int, ident: int, body: bytes, descriptors: Sequence[int] = (), before: bytes = b"") -> None:
        """Write a frame, after the whole frames in `before`; the descriptors go with it, and stay ours, too.

        Raises:
            Lost: the other end is gone, and will not have seen the whole frame.
            BlockingIOError: the deadline passed.
        """
        try:
            if not descriptors:
                self.end.sendall(before + frame(kind, ident, body))
                return
            data = before + frame(kind, ident, body, len(descriptors))
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
            written = self.end.sendmsg([data], rights)
            if written < len(data):  # a signal or the deadline may have cut it short
                self.end.sendall(memoryview(data)[written:])
        except BlockingIOError:
            raise
        except OSError as error:
            raise Lost(sent=False) from error

    def post(self, data: bytes) -> bool:
        """Write a small frame if that takes no waiting."""
        try:
            return self.end.send(data, socket.MSG_DONTWAIT) == len(data)
        except OSError:
            return False

    def receive(self) -> tuple[int, int, bytes | memoryview, Sequence[int]]:
        """Read the next frame: kind, request id, body, and the descriptors that came with it, now the caller's.

        Raises:
            Lost: the other end is gone.
            BlockingIOError: the deadline passed.
            WorkerError: what came is not a frame.
        """
        data = self._rest or self._read(_CHUNK)
        while len(data) < HEADER.size:
            data += self._read(_CHUNK)
        length, kind, expected, ident = header(data, self._limit)
        end = HEADER.size + length
        body: bytes | memoryview
        if len(data) == end:
            self._rest = b""
            body = data[HEADER.size :]
        elif len(data) > end:
            self._rest = data[end:]
            body = data[HEADER.size : end]
        else:
            self._rest = b""
            body = memoryview(bytearray(length))
            self._fill(body, data[HEADER.size :])
        if not expected:
            return kind, ident, body, ()
        descriptors, self._descriptors = self._descriptors[:expected], self._descriptors[expected:]
        return kind, ident, body, descriptors

    def hang_up(self) -> None:
        """Shut the socket down, so that threads that wait at either end see the end of file."""
        try:
            self.end.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was closed already

    def close(self) -> None:
        """Close this end; the other end reads its end of file."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
        self.end.close()

    def __del__(self) -> None:
        self.close()  # a thread that ended takes its lines with it

    def _read(self, size: int) -> bytes:
        try:
            # A descriptor is attached to a byte: only recvmsg() gets it, a plain read of that byte drops it (unix(7))
            data, messages, _, _ = self.end.recvmsg(size, _RIGHTS)
        except BlockingIOError:
            raise
        except OSError as error:
            raise Lost(sent=True) from error
        for _, _, rights in messages:
            arrived = array.array("i")  # the kernel may have cut the message where descriptors ran out: whole ints only
            arrived.frombytes(rights[: len(rights) - len(rights) % arrived.itemsize])
            self._descriptors += arrived
        if not data:
            raise Lost(sent=True)
        return data

    def _fill(self, view: memoryview, have: bytes) -> None:
        view[: len(have)] = have
        at = len(have)
        while at < len(view):
            try:
                count = self.end.recv_into(view[at:])
            except BlockingIOError:
                raise
            except OSError as error:
                raise Lost(sent=True) from error
            if not count:
                raise Lost(sent=True)
            at += count
