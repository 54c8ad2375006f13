"""Memory that two processes see: files without a name, passed as descriptors, so that nothing can be left behind.

A new page of such a file costs more than to send its bytes through a socket: the kernel makes, clears and maps it. A
page that is there already costs the copy alone. So what was lent and came back is kept, and lent again.

Where the kernel has it, such a file is a memfd; elsewhere a temporary file that is unlinked before it is used.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import weakref
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

KEPT = 128 * 1024 * 1024  # bytes of memory that an arena keeps while nobody uses it
_SMALLEST = 64 * 1024  # bytes of a segment
_WRITE_MOST = 1 << 30  # bytes of one write(); Linux takes 2 GiB less a page
_POPULATE = getattr(mmap, "MAP_POPULATE", 0)  # one call maps all pages, instead of a fault for each


class Memory(mmap.mmap):
    """A mapping of lent memory, which keeps its lease alive while anything views it."""

    lease: Lease | None = None


class Segment:
    """One piece of shared memory.

    Args:
        size: its bytes; they cost nothing until they are used.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0  # bytes that have their pages
        self.descriptor = scratch()
        self._memory: mmap.mmap | None = None
        try:
            os.truncate(self.descriptor, size)
            _seal(self.descriptor)
        except BaseException:
            self.close()
            raise

    def fill(self, parts: Iterable[bytes | memoryview], size: int) -> None:
        """Copy bytes in, one part behind the other: `size` bytes in all."""
        # Pages that exist are cheaper to write through a mapping, new ones through pwrite(): the kernel then makes them
        # in one go, without a fault for each
        if self._memory is None and self.used >= size:
            self._memory = map_shared(self.descriptor, self.used, writable=True)
        memory = self._memory if size <= self.used else None
        at = 0
        for part in parts:
            if memory is not None:
                memory[at : at + len(part)] = part
                at += len(part)
                continue
            view = memoryview(part)
            while view:  # a mapping would fault on every page that is new
                written = os.pwrite(self.descriptor, view[:_WRITE_MOST], at)
                view, at = view[written:], at + written
        if memory is None:
            self._memory, self.used = None, size

    def close(self) -> None:
        """Close the descriptor; existing mappings stay valid."""
        descriptor, self.descriptor, self._memory = self.descriptor, -1, None
        if descriptor >= 0:
            os.close(descriptor)


class Lease:
    """A segment in use: it goes back to its arena when nobody holds the lease any more, here or on the other side.

    Args:
        arena: where it goes back to.
        segment: what is lent.
    """

    __slots__ = ("__weakref__", "_arena", "retired", "segment")

    def __init__(self, arena: Arena, segment: Segment) -> None:
        self.segment = segment
        self.retired = False  # somebody unknown to us may see the memory: it is not to be used again
        self._arena = arena

    def open(self, size: int) -> Memory:
        """Map it in this process too; the lease lasts as long as the mapping."""
        memory = map_shared(self.segment.descriptor, size, writable=True)
        memory.lease = self
        return memory

    def retire(self) -> None:
        """Never lend this segment again."""
        self.retired = True

    def __del__(self) -> None:
        self._arena.take_back(self.segment, retired=self.retired)


class Arena:
    """The shared memory that one end of a channel lends to the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[Segment] = []  # the longest unused first
        self._returned: deque[Segment] = deque()
        self._leases: weakref.WeakSet[Lease] = weakref.WeakSet()
        self._closed = False

    def lend(self, parts: Iterable[bytes | memoryview], size: int) -> Lease:
        """Copy bytes into a segment that nobody uses, and lend it.

        Cost:
            One copy; for memory that was not used before, three to four times as much.

        Raises:
            OSError: the process has no descriptor or no memory left.
        """
        wanted = max(_SMALLEST, 1 << (size - 1).bit_length())
        with self._lock:
            self._sort_in()
            found = next((segment for segment in reversed(self._free) if segment.size == wanted), None)
            if found is not None:
                self._free.remove(found)
            lease = Lease(self, found or Segment(wanted))
            self._leases.add(lease)
        lease.segment.fill(parts, size)
        return lease

    def take_back(self, segment: Segment, *, retired: bool) -> None:
        """Keep a segment for the next time, or let it go; the garbage collector may call this at any point."""
        if retired or self._closed:
            segment.close()
            return
        self._returned.append(segment)
        if self._lock.acquire(blocking=False):  # (this very thread may hold it)
            try:
                self._sort_in()
            finally:
                self._lock.release()

    def retire(self) -> None:
        """Never lend again what is lent now: this process is about to fork, and the fork sees it."""
        for lease in list(self._leases):
            lease.retire()

    def close(self) -> None:
        """Close all descriptors; existing mappings stay valid."""
        self._closed = True
        for segment in [*self._free, *self._returned, *(lease.segment for lease in list(self._leases))]:
            segment.close()

    def _sort_in(self) -> None:
        while self._returned:
            self._free.append(self._returned.popleft())
        while sum(segment.used for segment in self._free) > KEPT:
            self._free.pop(0).close()


def map_shared(descriptor: int, size: int, *, writable: bool) -> Memory:
    """Map shared memory, all its pages at once."""
    # MAP_SHARED: both processes see one memory (mmap(2)); the descriptor may be closed afterwards
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    return Memory(descriptor, size, flags=mmap.MAP_SHARED | _POPULATE, prot=protection)


def scratch() -> int:
    """Make a file without a name, of any length; returns its descriptor."""
    create: Any = getattr(os, "memfd_create", None)
    if create is not None:
        descriptor: int = create("envknit", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        return descriptor
    import tempfile

    descriptor, path = tempfile.mkstemp(prefix="envknit-")
    os.unlink(path)
    return descriptor


def _seal(descriptor: int) -> None:
    # A peer that shrank the file would make our next access a SIGBUS
    if hasattr(fcntl, "F_ADD_SEALS") and hasattr(os, "memfd_create"):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
