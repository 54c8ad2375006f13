"""References: which objects of this side the other side holds, and which of theirs we hold proxies of.

Each crossing of a reference is counted by its owner; the holder says, in one message for many, how many crossings a
dropped proxy stood for. So a reference that is on its way while an older proxy of it is dropped stays alive.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque
from functools import partial
from time import monotonic

from envknit.errors import WorkerError
from envknit.wire.buffers import Lease, Memory, map_shared
from envknit.wire.frames import LARGEST, RELEASE, dumps, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    from envknit.wire.line import Line

    T = TypeVar("T")


_PROBE = {0: object()}  # how many references the interpreter itself counts differs between versions of CPython
_ONE = sys.getrefcount(_PROBE[0])  # what getrefcount says of an object that only a dict holds
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made at run time, by a class statement or by an extension module
_BETWEEN_RELEASES = 0.01  # seconds; proxies that are dropped in a row are released together


class Exports:
    """Objects of this side that the other side refers to, kept alive for it.

    Ids are never used twice; 0 is the side itself. A type that can be imported is kept for good: such are few. One that
    was made at run time (`namedtuple()` in a function) is kept as long as an object of it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[int, Any] = {0: None}
        self._counts: dict[int, list[int]] = {}  # of a reference: crossings, and the number of the object's type
        self._ids: dict[int, int] = {}  # id() of an object -> its reference
        self._numbers: dict[type, int] = {}
        self._types: dict[int, type] = {}
        self._instances: dict[int, int] = {}  # of a type made at run time, by its number: objects that are referred to
        self._last = 0
        self._last_type = 0
        self.shared: dict[int, dict[str, object]] = {}  # arrays whose memory both sides have, by reference
        self.on_first: Callable[[], None] | None = None  # called once, when the other side first gets a reference

    def __len__(self) -> int:
        return len(self._counts)

    def grant(self, value: object) -> tuple[int, int]:
        """Count one more crossing of an object; returns its reference and its type's number.

        From now on threads of the other side may call back at any time.
        """
        first, self.on_first = self.on_first, None
        if first is not None:
            first()
        kind = type(value)
        with self._lock:
            ref = self._ids.get(id(value))
            if ref is not None:
                count = self._counts[ref]
                count[0] += 1
                return ref, count[1]
            number = self._numbers.get(kind)
            if number is None:
                number = self._number(kind)
            self._last = ref = self._last + 1
            self._objects[ref] = value
            self._ids[id(value)] = ref
            self._counts[ref] = [1, number]
            if number in self._instances:
                self._instances[number] += 1
        return ref, number

    def _number(self, kind: type) -> int:
        self._last_type = number = self._last_type + 1
        self._numbers[kind] = number
        self._types[number] = kind
        if not is_lasting(kind):
            self._instances[number] = 0
        return number

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
        """Tell whether nothing else in this process refers to an array, or to the memory behind it."""
        if sys.getrefcount(self._objects[ref]) > _ONE:
            return False
        base = getattr(self._objects[ref], "base", None)
        if base is None:
            return True
        del base
        array = self._objects[ref]
        return sys.getrefcount(array.base) <= _ONE and type(array.base) is type(array) and array.base.base is None

    def type_of(self, number: int) -> type:
        """Return the type of a number that `grant` gave, while the other side holds an object of it."""
        return self._types[number]

    def release(self, dropped: Iterable[tuple[int, int]]) -> None:
        """Forget crossings, as (reference, how many); objects that nobody refers to any more are let go.

        A number below zero says that a fork of the other side may still see the memory: see `Imports.retire`.
        """
        gone: list[object] = []  # finalisers must not run under the lock
        with self._lock:
            for ref, count in dropped:
                if ref not in self._counts:
                    continue
                if count < 0 and isinstance(self._objects[ref], Lease):
                    self._objects[ref].retire()
                self._counts[ref][0] -= abs(count)
                if self._counts[ref][0] <= 0:
                    gone += self._drop(ref)
        gone.clear()

    def _drop(self, ref: int) -> tuple[object, ...]:
        _, number = self._counts.pop(ref)
        value = self._objects.pop(ref)
        del self._ids[id(value)]
        self.shared.pop(ref, None)
        if number not in self._instances:
            return (value,)
        self._instances[number] -= 1
        if self._instances[number]:
            return (value,)
        del self._instances[number]
        kind = self._types.pop(number)
        del self._numbers[kind]
        return value, kind

    def replace(self, ref: int, value: object) -> None:
        """Put another object in the place of the one that a reference stands for."""
        with self._lock:
            old = self._objects[ref]
            del self._ids[id(old)]
            self._objects[ref] = value
            self._ids[id(value)] = ref

    def clear(self) -> None:
        """Drop all objects: the other side is gone."""
        with self._lock:
            objects, self._objects = self._objects, {0: None}
            self._counts.clear()
            self._ids.clear()
        objects.clear()


def is_lasting(kind: type) -> bool:
    """Tell whether a type is one of C's own, or can be found by its module and name."""
    if not kind.__flags__ & _HEAP_TYPE:
        return True
    found: Any = sys.modules.get(str(kind.__module__))
    for part in kind.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(part)  # (a module's own `__getattr__` is not to run)
    return found is kind


class _Held(weakref.ref):  # type: ignore[type-arg]
    __slots__ = ("count", "is_memory", "ref")

    ref: int
    count: int
    is_memory: bool


class Token:
    """Held by all proxies of one reference that cannot be weakly referenced themselves: it goes with the last."""

    __slots__ = ("__weakref__",)


class Imports:
    """Our proxies of the other side's objects, and our mappings of its memory: as long as somebody holds them.

    Args:
        free_line: returns the line on which the calling thread may send now, if it has one; a proxy may be dropped by
            whatever thread, and at whatever point Python collected it.
    """

    def __init__(self, free_line: Callable[[], Line | None]) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, _Held] = {}
        self._free_line = free_line
        self._released = 0.0
        self.views: dict[int, object] = {}  # memory shared with the other side, by reference
        self.origins: dict[int, tuple[Any, str]] = {}  # functions of modules: their reference to module and name
        self.namedtuples: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # likenesses of theirs
        self.dropped: deque[tuple[int, int]] = deque()
        self.mapped = 0  # pieces of memory; near enough, where threads are at it

    def __len__(self) -> int:
        """Count the objects of the other side that somebody here holds, but for functions that modules keep."""
        return sum(held() is not None for held in list(self._held.values())) - len(self.origins)

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

    def borrow(self, ref: int, descriptor: int, size: int, *, writable: bool = True, most: int = 0) -> Any:
        """Map memory that the other side lends; when nothing here views it any more, it is given back.

        Args:
            ref: the reference of the lease.
            descriptor: of the memory; it stays the caller's.
            size: in bytes.
            writable: whether it may be written to here.
            most: how many pieces may be mapped at once; what comes beyond them is copied. 0: any number.
        """
        try:
            memory = self.deliver(ref, partial(map_shared, descriptor, size, writable=writable))
        except (OSError, ValueError):  # no address space is left, say
            self.decline(ref)
            raise
        return bytearray(memory) if most and self.mapped > most else memory

    def decline(self, ref: int) -> None:
        """Give memory back that could not be taken."""
        self.deliver(ref, set)  # something that nobody holds

    def retire(self) -> None:
        """Mark the memory that is mapped now as seen by a fork: it is not to be lent again."""
        for held in list(self._held.values()):
            if held.is_memory:
                held.count = -abs(held.count)

    def releases(self) -> bytes:
        """Return a frame that says what was dropped since the last time; empty where nothing was."""
        self._released = monotonic()
        dropped = self._take_dropped()
        return frame(RELEASE, 0, dumps(dropped, LARGEST)) if dropped else b""

    def _take_dropped(self) -> list[tuple[int, int]]:
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
                    self.origins.pop(ref, None)
        finally:
            self._lock.release()
        return found

    def _drop(self, held: _Held) -> None:
        # Runs inside the garbage collector: it must not take the lock, which this very thread may hold
        self.mapped -= held.is_memory
        self.dropped.append((held.ref, held.count))
        # First: where the program ends, the channel is closed, and then this module's globals are None
        line = self._free_line()
        if line is None or (now := monotonic()) - self._released < _BETWEEN_RELEASES:
            return  # they go with the next call
        self._released = now
        dropped = self._take_dropped()
        if dropped and not line.post(frame(RELEASE, 0, dumps(dropped, LARGEST))):
            self.dropped.extend(dropped)
