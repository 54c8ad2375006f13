"""References: which objects of this side the other side holds, and which of theirs we hold proxies of.

Each crossing of a reference is counted by its owner; the holder says, in one message for many, how many crossings a
dropped proxy stood for. So a reference that is on its way while an older proxy of it is dropped stays alive.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque

from envknit.errors import WorkerError
from envknit.wire.buffers import Lease, Memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    T = TypeVar("T")


_PROBE = {0: object()}
_ONE = sys.getrefcount(_PROBE[0])  # what getrefcount says of an object that only a dict holds


class Exports:
    """Objects of this side that the other side refers to, kept alive for it.

    Ids are never used twice; 0 is the side itself. Types are kept for good: they are few.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[int, Any] = {0: None}
        self._counts: dict[int, int] = {}
        self._ids: dict[int, int] = {}  # id() of an object -> its reference
        self._types: dict[type, int] = {}
        self._type_list: list[type] = []
        self._last = 0
        self.shared: dict[int, dict[str, object]] = {}  # arrays whose memory both sides have, by reference

    def __len__(self) -> int:
        return len(self._counts)

    def grant(self, value: object) -> tuple[int, int]:
        """Count one more crossing of an object; returns its reference and its type's id."""
        kind = type(value)
        with self._lock:
            ref = self._ids.get(id(value))
            if ref is None:
                self._last = ref = self._last + 1
                self._objects[ref] = value
                self._ids[id(value)] = ref
                self._counts[ref] = 0
            self._counts[ref] += 1
            number = self._types.get(kind)
            if number is None:
                number = self._types[kind] = len(self._type_list)
                self._type_list.append(kind)
        return ref, number

    def get(self, ref: int) -> Any:
        """Return the object of a reference.

        Raises:
            WorkerError: the other side was never given it, or has released it.
        """
        try:
            return self._objects[ref]
        except KeyError:
            raise WorkerError("a reference to an object that is gone came through the channel", ref=ref) from None

    def is_alone(self, ref: int) -> bool:
        """Tell whether nothing in this process but the reference holds an array, nor memory that it is a view of."""
        if sys.getrefcount(self._objects[ref]) > _ONE:
            return False
        base = getattr(self._objects[ref], "base", None)
        if base is None:
            return True
        del base
        array = self._objects[ref]
        return sys.getrefcount(array.base) <= _ONE and type(array.base) is type(array) and array.base.base is None

    def type_of(self, number: int) -> type:
        """Return the type of an id that `grant` gave."""
        return self._type_list[number]

    def release(self, dropped: Iterable[tuple[int, int]]) -> None:
        """Forget crossings, as (reference, how many); objects that nobody refers to any more are let go.

        A number below zero says that a fork of the other side may still see the memory: see `Imports.retire`.
        """
        gone = []  # finalisers must not run under the lock
        with self._lock:
            for ref, count in dropped:
                if ref not in self._counts:
                    continue
                if count < 0 and isinstance(self._objects[ref], Lease):
                    self._objects[ref].retire()
                self._counts[ref] -= abs(count)
                if self._counts[ref] <= 0:
                    value = self._objects.pop(ref)
                    self.shared.pop(ref, None)
                    del self._counts[ref], self._ids[id(value)]
                    gone.append(value)
                    del value
        del gone

    def replace(self, ref: int, value: object) -> None:
        """Let a reference mean another object from now on."""
        with self._lock:
            old = self._objects[ref]
            del self._ids[id(old)]
            self._objects[ref] = value
            self._ids[id(value)] = ref

    def clear(self) -> None:
        """Let everything go: the other side is gone."""
        with self._lock:
            objects, self._objects = self._objects, {0: None}
            self._counts.clear()
            self._ids.clear()
        objects.clear()


class _Held(weakref.ref):  # type: ignore[type-arg]
    __slots__ = ("count", "is_memory", "ref")

    ref: int
    count: int
    is_memory: bool


class Imports:
    """Our proxies of the other side's objects, and our mappings of its memory: as long as somebody holds them.

    Args:
        on_drop: called when one was dropped, by whatever thread and at whatever point Python collected it.
    """

    def __init__(self, on_drop: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, _Held] = {}
        self._on_drop = on_drop
        self.views: dict[int, object] = {}  # memory shared with the other side, by reference
        self.dropped: deque[tuple[int, int]] = deque()
        self.mapped = 0  # pieces of memory; near enough, where threads are at it

    def __len__(self) -> int:
        return len(self._held)

    def deliver(self, ref: int, make: Callable[[], T]) -> T:
        """Count one more crossing of a reference, and return what stands for it here: a proxy or a mapping."""
        with self._lock:
            held = self._held.get(ref)
            thing: T | None = held() if held is not None else None
            if held is None or thing is None:
                thing = make()
                held = self._held[ref] = _Held(thing, self._drop)
                held.ref = ref
                held.count = 0
                held.is_memory = isinstance(thing, Memory)
                self.mapped += held.is_memory
            held.count += 1
        return thing

    def retire(self) -> None:
        """Say of the memory that is mapped now, when it is given back, that a fork of this process may see it."""
        for held in list(self._held.values()):
            if held.is_memory:
                held.count = -abs(held.count)

    def take_dropped(self) -> list[tuple[int, int]]:
        """Return what was dropped since the last time, as (reference, how many crossings)."""
        found: list[tuple[int, int]] = []
        # The garbage collector may have brought us here from within `deliver` of this very thread
        if not self._lock.acquire(blocking=False):
            return found
        try:
            while self.dropped:
                ref, count = self.dropped.popleft()
                found.append((ref, count))
                held = self._held.get(ref)
                if held is not None and held() is None:  # (it may have come again meanwhile)
                    del self._held[ref]
                    self.views.pop(ref, None)
        finally:
            self._lock.release()
        return found

    def _drop(self, held: _Held) -> None:
        # Runs inside the garbage collector: it must not take the lock, which this very thread may hold
        self.mapped -= held.is_memory
        self.dropped.append((held.ref, held.count))
        self._on_drop()
