"""Advisory locks between the processes that share a store; they die with their holder, killed or not.

Nothing in the store is *correct* because of them: entries are placed by rename. They make sure that one process
downloads what many want, and that nothing is collected while it is being installed. Where the file system cannot
lock (some network file systems), installing goes on without, and only `store gc` refuses.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager, suppress

from envknit.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_UNABLE = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, 524})  # 524: ENOTSUPP of some kernels
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def try_lock(fd: int, *, exclusive: bool = True) -> bool | None:
    """Lock an open file or folder without waiting: True: held, False: another has it, None: not possible here."""
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _UNABLE:
            return None
        raise StoreError(f"the store cannot be locked: {error.strerror}") from error
    return True


@contextmanager
def hold(path: str, *, exclusive: bool, timeout: float = 600.0) -> Iterator[bool]:
    """Hold the lock file at `path`, waiting for others; yields whether there is a lock at all.

    Args:
        path: the lock file; it is created, and its folder must exist.
        exclusive: alone, or together with other shared holders.
        timeout: seconds to wait before giving up.

    Raises:
        StoreError: another process still held it after `timeout`.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise StoreError(f"the store cannot be locked: {error.strerror}", path=path) from error
        yield False  # where no lock file can be made, nothing can be placed or removed either
        return
    try:
        yield _wait(fd, path, exclusive=exclusive, timeout=timeout)
    finally:
        os.close(fd)


def _wait(fd: int, path: str, *, exclusive: bool, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    pause = 0.005
    while (held := try_lock(fd, exclusive=exclusive)) is False:
        if time.monotonic() > deadline:
            raise StoreError(
                f"another envknit has been working in this store for {timeout:.0f} seconds",
                lock=path,
                holder=_holder(fd),
                hint="wait for it, or end it, and run this again",
            )
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
    if held and exclusive:
        with suppress(OSError):  # on a full disk it cannot be told who holds it, and nothing else is lost
            os.truncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return held is True


def _holder(fd: int) -> str:
    pid = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
    return f"process {pid}" if pid.isdigit() else "not known"
