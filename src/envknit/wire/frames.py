"""What goes over a line: frames, in both directions, as bytes; no input or output here.

A frame is a header (length of the body, kind, number of file descriptors that come with it, request id) and a body,
which is always `marshal` data of version 2 (known to every CPython, and a fifth of the time of pickle). A line carries
one call at a time, so a reply's id is a check and not a lookup: whoever gives up on a reply (deadline, Ctrl-C) abandons
the line with it, and no late reply can meet another call.
"""

from __future__ import annotations

import marshal
import struct

from envknit.errors import WorkerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 3
MARSHAL = 2  # without back references: those of version 3 (FLAG_REF, Python/marshal.c) cost a hash for each object
LARGEST = 1 << 30  # bytes of one frame's body, unless the pool is told another limit
MOST_DESCRIPTORS = 64  # of one frame; Linux takes 253 in one message

CALL, CALL_RICH, RETURN, RETURN_RICH, RAISE, RELEASE = range(1, 7)
_KINDS = frozenset([CALL, CALL_RICH, RETURN, RETURN_RICH, RAISE, RELEASE])

PRINTS_HERE = (
    0x80  # a bit of the kind of a call: sys.stdout or sys.stderr of the caller is not what the process began with
)

HEADER = struct.Struct("<IBBI")  # length, kind, descriptors, id: 10 bytes, the same on every machine


def frame(kind: int, ident: int, body: bytes, descriptors: int = 0) -> bytes:
    """Put a header before a body."""
    return HEADER.pack(len(body), kind, descriptors, ident) + body


def dumps(tree: Any, limit: int) -> bytes:
    """Turn plain data into a body.

    Raises:
        WorkerError: the body is larger than `limit` bytes.
        RecursionError: the data contains itself, or nests too deeply.
    """
    try:
        body = marshal.dumps(tree, MARSHAL)
    except ValueError as error:
        raise RecursionError("the value contains itself or nests too deeply to be sent") from error
    if len(body) > limit:
        raise limit_error(len(body), limit)
    return body


def limit_error(size: int, limit: int) -> WorkerError:
    """Return the error for a value that is too large to cross by value."""
    return WorkerError(
        "the value is over the limit of what crosses by value",
        bytes=size,
        limit=limit,
        hint="keep it where it is and work on its proxy, or raise envknit.configure_workers(largest=...)",
    )


def loads(body: bytes | memoryview) -> Any:
    """Read a body.

    Raises:
        WorkerError: the body is not data that `dumps` made.
    """
    try:
        return marshal.loads(body)  # noqa: S302 - the peer is our own child; code objects in it are never run
    except (EOFError, ValueError, TypeError) as error:
        raise WorkerError("received a damaged frame", error=repr(error)) from error


def header(data: bytes | memoryview, limit: int) -> tuple[int, int, int, int]:
    """Read a header: length of the body, kind, number of descriptors, request id.

    Raises:
        WorkerError: no such frame can have been sent.
    """
    length, kind, descriptors, ident = HEADER.unpack_from(data)
    if length > limit or kind & ~PRINTS_HERE not in _KINDS or descriptors > MOST_DESCRIPTORS:
        raise WorkerError("received bytes that are not a frame", length=length, kind=kind, descriptors=descriptors)
    return length, kind, descriptors, ident
