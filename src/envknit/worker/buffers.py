"""Memory that two processes see: files without a name, passed as descriptors, so that nothing can be left behind.

Values do not go this way: a new page of a file costs more than to send its bytes through a socket. Where the kernel has
it, that is a memfd; elsewhere a temporary file that is unlinked before it is used.
"""

from __future__ import annotations

import fcntl
import mmap
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WRITE_MOST = 1 << 30  # bytes of one write(); Linux takes 2 GiB less a page


def put(data: bytes | bytearray | memoryview) -> int:
    """Copy bytes into new shared memory that nobody can change any more; returns its descriptor.

    Cost: one copy, by write() (a mapping would fault on every page).
    """
    descriptor = _create()
    try:
        view = memoryview(data).cast("B")
        while view:
            view = view[os.write(descriptor, view[:_WRITE_MOST]) :]
        _seal(descriptor, writable=False)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def allocate(size: int) -> tuple[int, mmap.mmap]:
    """Make shared memory of `size` bytes that both sides may write; returns its descriptor and a mapping."""
    descriptor = _create()
    try:
        os.truncate(descriptor, size)
        _seal(descriptor, writable=True)
        return descriptor, mmap.mmap(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise


def scratch() -> int:
    """Make a file without a name, of any length; returns its descriptor."""
    return _create()


def open_shared(descriptor: int, size: int, *, writable: bool) -> mmap.mmap:
    """Map shared memory as it is, and close the descriptor."""
    try:
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
    finally:
        os.close(descriptor)


def _create() -> int:
    create: Any = getattr(os, "memfd_create", None)
    if create is not None:
        descriptor: int = create("envknit", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        return descriptor
    import tempfile  # noqa: PLC0415 - only where there is no memfd

    descriptor, path = tempfile.mkstemp(prefix="envknit-")
    os.unlink(path)
    return descriptor


def _seal(descriptor: int, *, writable: bool) -> None:
    # A peer that shrank the file would make our next access a SIGBUS
    if hasattr(fcntl, "F_ADD_SEALS") and hasattr(os, "memfd_create"):
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals if writable else seals | fcntl.F_SEAL_WRITE)
