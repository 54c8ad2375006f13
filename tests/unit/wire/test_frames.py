"""Bodies and headers, without any socket."""

from __future__ import annotations

import marshal

import pytest

from envknit.errors import WorkerError
from envknit.wire.frames import CALL, HEADER, LARGEST, RETURN, dumps, frame, header, loads


def test_a_frame_is_a_header_and_a_body() -> None:
    data = frame(RETURN, 7, b"body", 2)
    assert header(data, LARGEST) == (4, RETURN, 2, 7)
    assert data[HEADER.size :] == b"body"


@pytest.mark.parametrize(
    "data",
    [
        HEADER.pack(2**32 - 1, CALL, 0, 1),  # longer than any frame may be (T60)
        HEADER.pack(LARGEST + 1, CALL, 0, 1),
        HEADER.pack(1, 0, 0, 1),
        HEADER.pack(1, 99, 0, 1),
        HEADER.pack(1, CALL, 255, 1),
        b"\xff" * HEADER.size,
    ],
)
def test_a_header_that_nobody_can_have_sent_is_refused(data: bytes) -> None:
    with pytest.raises(WorkerError, match="not a frame"):
        header(data, LARGEST)


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"i\x01", b"(\x02\x00\x00\x00N", b"\xfe\xfe", marshal.dumps("x" * 99)[:50]]
)
def test_a_damaged_body_is_a_worker_error(data: bytes) -> None:
    with pytest.raises(WorkerError, match="damaged frame"):
        loads(data)


def test_a_body_over_the_limit_is_refused_where_it_is_made() -> None:
    with pytest.raises(WorkerError, match="over the limit") as caught:
        dumps(b"x" * 100, 50)
    assert (caught.value.limit, caught.value.bytes > 100) == (50, True)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(RecursionError, match="contains itself"):
        dumps(value, LARGEST)
