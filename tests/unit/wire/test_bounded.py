"""What a worker sends is read as it is meant, and garbage takes no memory."""

from __future__ import annotations

import math
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envknit.errors import WorkerError
from envknit.wire.bounded import loads_bounded
from envknit.wire.frames import LARGEST, dumps

if TYPE_CHECKING:
    from typing import Any

pytestmark = pytest.mark.ends

LIKE_A_LIST = "(([[\xff\xff\xff\x7f" * 9  # in a text, where it promises nothing
ATOMS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
    | st.text() | st.binary() | st.sampled_from([LIKE_A_LIST, LIKE_A_LIST.encode(), "x" * 300, ...])
)  # fmt: skip
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner) | st.frozensets(ATOMS)
    ),
    max_leaves=40,
)


@settings(deadline=None)
@given(VALUES, st.sampled_from([1, 3, 5000]))
def test_what_was_sent_is_read(value: Any, times: int) -> None:
    for sent in (value, [value] * times, (LIKE_A_LIST, [value] * times)):
        assert sent == loads_bounded(dumps(sent, LARGEST))


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"[\x02\0\0\0",
        b"(\x02\0\0\0u\x03\0\0\0abc",
        b"{u\x01\0\0\0a",
        b"[\x01\0\0\0" * 900,
        b")\x02",
        b"\xfbi\0\0\0\0",
    ],
)
@pytest.mark.parametrize("count", [0x7FFFFFFF, 0x01000000, 0x00100000, 0x00010000])
@pytest.mark.parametrize("kind", [b"(", b"[", b"\xa8", b"\xdb"])
def test_a_forged_count_takes_no_memory(start: bytes, count: int, kind: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(WorkerError, match="damaged frame"):
            loads_bounded(start + kind + count.to_bytes(4, "little"))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_many_forged_counts_together_are_bounded_too() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(WorkerError, match="damaged frame"):
            loads_bounded(b"(\xff\xff\0\0" * 14_000)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_what_only_looks_like_a_list_is_no_list() -> None:
    values = [math.pi * number for number in range(20_000)]
    assert values == loads_bounded(dumps(values, LARGEST))
