"""What crosses between interpreters, without any: text and memory apart, and together again."""

from __future__ import annotations

import array
import pickle

import pytest

from envknit.interpreter.parcels import decode, encode

LARGE = 100_000


def again(value: object) -> object:
    text, memory = encode(value)
    return decode(text, memory)


@pytest.mark.parametrize("value", [None, 1 << 80, "ä", b"ab", (1, [2, {3: {4}}]), {"k": 1.5}, ...])
def test_plain_data_needs_no_pickle(value: object) -> None:
    text, memory = encode(value)

    assert text[:1] == b"m"
    assert not memory
    assert value == decode(text, memory)


@pytest.mark.parametrize("value", [b"x" * LARGE, bytearray(LARGE), [b"y" * LARGE, bytearray(3), {1: b"z" * LARGE}]])
def test_large_buffers_travel_beside_the_text(value: object) -> None:
    text, memory = encode(value)

    assert len(text) < 1000
    assert sum(view.nbytes for view in memory) >= LARGE
    assert value == again(value)


def test_a_memoryview_arrives_as_the_memory_that_was_given() -> None:
    data = bytearray(b"abc")
    view = again(memoryview(data))
    data[0] = 65

    assert isinstance(view, memoryview)
    assert bytes(view) == b"Abc"


def test_a_view_that_came_flat_gets_its_form_back() -> None:
    text, memory = encode(memoryview(array.array("i", [1, 2, 3])))

    assert decode(text, [memory[0].tobytes()]).tolist() == [1, 2, 3]


def test_memory_of_pickled_objects_and_of_values_keep_apart() -> None:
    out_of_band = pickle.PickleBuffer(b"inner")
    text, memory = encode([b"v" * LARGE, out_of_band, memoryview(b"w")])
    value = decode(text, memory)

    assert value[0] == b"v" * LARGE
    assert (bytes(value[1]), bytes(value[2])) == (b"inner", b"w")


def test_a_call_keeps_no_memory() -> None:
    data = bytearray(LARGE)
    text, memory = encode([memoryview(data)])
    value = decode(text, memory)
    del value
    memory.clear()

    data.append(1)


def test_what_contains_itself_crosses() -> None:
    value: list[object] = []
    value.append(value)
    found = again(value)

    assert isinstance(found, list)
    assert found[0] is found
