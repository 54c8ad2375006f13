"""Bodies of frames that a worker sent, looked over before `marshal` reads them.

`marshal` makes room for as many items as a list or tuple says that it has: five bytes of garbage are 16 GB. So a frame
may not promise more items than it has bytes. Large ones are only looked at where they begin: garbage is small, and a
worker that means harm needs no frame for it, since it may do all that its user may.
"""

from __future__ import annotations

import re
import struct
from functools import cache

from envknit.errors import WorkerError
from envknit.wire.frames import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LARGE = 16 * 1024  # bytes; to go through more would take longer than to read it
_ATOMS = frozenset(b"NTFSilgyus.")  # (Python/marshal.c) hold no others
# Where a list or tuple of 4,096 items or more may begin; `marshal` nests 2,000 at most, so smaller ones are 64 MB
_PROMISE = re.compile(rb"[(\[\xa8\xdb](?:..[\x01-\xff][\0-\x7f]|...[\x01-\x7f]|.[\x10-\xff]\0\0)", re.DOTALL)
_SIZE = struct.Struct("<Bi")
_SHORT = 64  # bytes of texts that are passed over in runs
_LONGEST = _SIZE.size + _SHORT


def loads_bounded(body: bytes | memoryview) -> Any:
    """Read a body as `frames.loads` does, but make no room for more items than it has bytes.

    Raises:
        WorkerError: the body is not data that `frames.dumps` made.

    Cost: less than a microsecond for most bodies; at most a millisecond.
    """
    if body and body[0] not in _ATOMS and _PROMISE.search(body, 0, _LARGE):
        _check(body, min(len(body), _LARGE))  # it may be a text or a number that looks like a list
    return loads(body)


def _check(body: bytes | memoryview, end: int) -> None:
    """Go through the items that begin before `end`, and add up what their lists and tuples promise."""
    at = promised = 0
    while (at := _run().match(body, at, end + _LONGEST).end()) < end and at + _SIZE.size <= len(body):  # type: ignore[union-attr] # it may be empty
        kind, size = _SIZE.unpack_from(body, at)
        at += _SIZE.size
        if kind in b"([":
            promised += size
        elif kind in b"us":
            at += size
        elif kind == ord("l"):
            at += 2 * abs(size)
        if kind not in b"([usl" or (size < 0 and kind != ord("l")) or promised > len(body) or at > len(body):
            raise WorkerError("received a damaged frame", at=at)


@cache
def _run() -> re.Pattern[bytes]:
    """Match a run of short items; cost: some milliseconds to compile."""
    texts = (rb"[us]%s.{%d}" % (re.escape(struct.pack("<I", size)), size) for size in range(_SHORT))
    items = [rb"[NTFS.0{]", rb"[<>i].{4}", rb"g.{8}", rb"y.{16}", rb"[(\[].[\0-\x0f]\0\0", *texts]
    return re.compile(rb"(?:%s)*" % rb"|".join(items), re.DOTALL)
