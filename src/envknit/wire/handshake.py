"""The first words on a new channel, in both directions: what the worker is to be, and that it has become it."""

from __future__ import annotations

import marshal
import struct

from envknit.errors import WorkerError
from envknit.wire.frames import PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

_LENGTH = struct.Struct("<I")


def say(end: socket.socket, **words: object) -> None:
    """Send words, with the protocol's version."""
    data = marshal.dumps({**words, "protocol": PROTOCOL}, 2)
    end.sendall(_LENGTH.pack(len(data)) + data)


def hear(end: socket.socket) -> dict[str, Any]:
    """Receive words.

    Raises:
        EOFError: the other side is gone.
        WorkerError: it speaks another protocol.
    """
    (length,) = _LENGTH.unpack(_exactly(end, _LENGTH.size))
    words: dict[str, Any] = marshal.loads(_exactly(end, length))  # noqa: S302 - from our own child
    if words.get("protocol") != PROTOCOL:
        raise WorkerError("host and worker run different versions of envknit", protocol=words.get("protocol"))
    return words


def _exactly(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = end.recv(size - len(data))
        if not part:
            raise EOFError("the other side is gone")
        data += part
    return data
