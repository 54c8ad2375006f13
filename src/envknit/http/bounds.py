"""Answers that end: bounds on bytes and time, kept where they come off the socket.

A bound on the decoded body would not do: headers come before it, redirects have bodies that nobody reads, and gzip can
go on for ever without giving a byte.
"""

from __future__ import annotations

import http.client
import io
import threading
import time
from typing import TYPE_CHECKING

import urllib3

if TYPE_CHECKING:
    import socket

    from typing_extensions import Buffer

READ = 30.0  # seconds without a byte
_DEADLINE = 120.0  # seconds for an answer that is held in memory, from the request to its last byte
_SLOWEST, _WINDOW = 1024, 30.0  # bytes a second, over so many seconds
_MOST_HEADER_BYTES = 1 << 20
_BUFFER = 1 << 16


class EndedError(Exception):
    """An answer that broke a bound, and would again; no OSError, which urllib3 takes for a lost connection."""


class AgainError(Exception):
    """Something that may go better next time; `response` may say when."""

    def __init__(self, reason: str, response: urllib3.BaseHTTPResponse | None = None) -> None:
        super().__init__(reason)
        self.response = response


_bounds = threading.local()  # what the request of this thread may bring; urllib3 hands nothing on to its connections


def limit(most: int | None) -> None:
    """Say how many bytes the next answer to this thread may have, and thus that it has a deadline; None: a file."""
    _bounds.most = most


class _Wire(io.RawIOBase):
    """The bytes of one answer as they come off the socket, headers included; too many or too slow ones end it."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._most = _bounds.most
        self._began = self._window = time.monotonic()
        self._total = self._counted = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        left = READ if self._most is None else self._began + _DEADLINE - time.monotonic()
        try:
            if left < READ:
                self._sock.settimeout(max(left, 0.001))  # 0 would mean: do not wait at all
            count = self._raw.readinto(buffer) or 0
        except TimeoutError:
            if left >= READ:
                raise AgainError(f"nothing came for {READ:.0f} s") from None
            left = 0.0
        if left <= 0:
            raise EndedError(f"the answer takes longer than {_DEADLINE:.0f} s")
        self._total += count
        if self._most is not None and self._total > self._most + _MOST_HEADER_BYTES:
            raise EndedError(f"the answer is larger than {self._most} bytes")
        self._keep_pace(count)
        return count

    def _keep_pace(self, count: int) -> None:
        self._counted += count
        elapsed = time.monotonic() - self._window
        if count and elapsed >= _WINDOW:
            if self._counted < _SLOWEST * elapsed:
                raise AgainError(f"slower than {_SLOWEST} bytes a second")
            self._window, self._counted = time.monotonic(), 0

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp = io.BufferedReader(_Wire(self.fp.detach(), sock), _BUFFER)  # as `makefile` makes it


class _Connection(urllib3.connection.HTTPConnection):
    response_class = _Response


class _TLSConnection(urllib3.connection.HTTPSConnection):
    response_class = _Response


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def bounded(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """Have a manager of connections keep to the bounds."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager
