"""The handshake on a new channel: how the worker is to be set up, and that it is."""

from __future__ import annotations

import marshal
import struct

from envknit.errors import WorkerError
from envknit.wire.frames import PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

# Not a frame: host and worker may run different versions of envknit, and must find that out in the same words
_LENGTH = struct.Struct("<I")


def say(end: socket.socket, **facts: object) -> None:
    """Send facts, with the protocol's version."""
    data = marshal.dumps({**facts, "protocol": PROTOCOL}, 2)
    end.sendall(_LENGTH.pack(len(data)) + data)


def hear(end: socket.socket) -> dict[str, Any]:
    """Receive facts.

    Raises:
        EOFError: the other side is gone.
        WorkerError: it speaks another protocol.
    """
    (length,) = _LENGTH.unpack(_exactly(end, _LENGTH.size))
    facts: dict[str, Any] = marshal.loads(_exactly(end, length))  # noqa: S302 - from our own child
    if facts.get("protocol") != PROTOCOL:
        raise WorkerError("host and worker run different versions of envknit", protocol=facts.get("protocol"))
    return facts


def _exactly(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = end.recv(size - len(data))
        if not part:
            raise EOFError("the other side is gone")
        data += part
    return data
