"""Views of memory that came from the other side, also where it is none."""

from __future__ import annotations

import array
from typing import TYPE_CHECKING

import pytest

from envknit.remote.arrays import shaped

if TYPE_CHECKING:
    from kit.pair import Pair


@pytest.mark.parametrize("shape", [(4,), (2, 2), (0,), (0, 3), (0, 2, 5)])
def test_bytes_get_their_format_and_shape(shape: tuple[int, ...]) -> None:
    size = 8 * (4 if 0 not in shape else 0)

    view = shaped(memoryview(bytes(size)), "d", shape)

    assert (view.format, view.shape, view.itemsize) == ("d", shape, 8)


@pytest.mark.parametrize("shape", [(3, 0), (0, 0), (0, 3, 0)])
def test_an_empty_view_that_python_cannot_make_is_told(shape: tuple[int, ...]) -> None:
    with pytest.raises(BufferError, match="cannot view an empty array"):
        shaped(memoryview(b""), "d", shape)


def test_an_empty_typed_view_of_the_host_arrives_as_one(pair: Pair) -> None:
    arrived = pair.hand(memoryview(array.array("d")))

    assert (arrived.format, arrived.shape) == ("d", (0,))
