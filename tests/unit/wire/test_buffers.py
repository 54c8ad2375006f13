"""Shared memory: lent, given back, lent again; and never while anybody may see it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

from envknit.wire import buffers
from envknit.wire.buffers import Arena, map_shared
from kit.machine import lent_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 200_000


@pytest.fixture(name="arena")
def _arena() -> Iterator[Arena]:
    arena = Arena()
    yield arena
    arena.close()


def lend(arena: Arena, byte: bytes = b"a", size: int = SIZE) -> buffers.Lease:
    return arena.lend([byte * (size - 1), memoryview(byte)], size)


def test_what_was_lent_is_there_for_whoever_maps_it(arena: Arena) -> None:
    lease = lend(arena)
    memory = map_shared(lease.segment.descriptor, SIZE, writable=False)
    assert memory[:] == b"a" * SIZE
    with pytest.raises(TypeError, match=r"read-?only"):
        memory[0] = 1


def test_a_segment_is_lent_again_once_it_is_back(arena: Arena) -> None:
    first = lend(arena).segment
    for byte in b"bcd":
        lease = lend(arena, bytes([byte]))
        assert lease.segment is first
        memory = map_shared(first.descriptor, SIZE, writable=False)
        assert memory[:] == bytes([byte]) * SIZE
        del lease


def test_a_segment_that_is_lent_is_not_lent_twice(arena: Arena) -> None:
    one, two = lend(arena), lend(arena)
    assert one.segment is not two.segment


def test_larger_and_smaller_values_fill_the_same_segment(arena: Arena) -> None:
    segment = None
    for size in (150_000, 140_000, 250_000, 131_073, 262_144):
        lease = lend(arena, b"z", size)
        assert segment in {None, lease.segment}
        segment = lease.segment
        assert map_shared(segment.descriptor, size, writable=True)[:] == b"z" * size
        del lease


def test_a_lease_lasts_as_long_as_anything_views_its_mapping(arena: Arena) -> None:
    lease = lend(arena)
    segment = lease.segment
    view: Any = memoryview(lease.open(SIZE))[10:20]
    del lease
    gc.collect()
    assert lend(arena).segment is not segment
    assert bytes(view) == b"a" * 10
    del view
    gc.collect()
    assert lend(arena).segment is segment


def test_no_more_is_kept_than_was_said(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "KEPT", 2 * SIZE)
    before = lent_descriptors()
    leases = [lend(arena) for _ in range(5)]
    leases.clear()
    assert lent_descriptors() - before == 2


def test_retired_memory_is_never_lent_again(arena: Arena) -> None:
    lease = lend(arena)
    segment = lease.segment
    arena.retire()
    del lease
    assert segment.descriptor == -1
    assert lend(arena).segment is not segment


def test_a_closed_arena_holds_no_descriptor_whoever_still_views(arena: Arena) -> None:
    before = lent_descriptors()
    lease, free = lend(arena), lend(arena)
    memory = map_shared(lease.segment.descriptor, SIZE, writable=True)
    del free
    arena.close()
    assert memory[:3] == b"aaa"
    del lease, memory
    assert lent_descriptors() == before
