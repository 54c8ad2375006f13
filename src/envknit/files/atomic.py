"""Files that are replaced in one step: a reader sees the old bytes or the new, never a part (virtualenv issue 2969)."""

from __future__ import annotations

import os
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from envknit.regular import make_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_PART = ".part"  # how the names of files end that are being written
_ABANDONED = 3600.0  # seconds after which such a file is left over from a process that was killed


@contextmanager
def placing(path: Path) -> Iterator[BinaryIO]:
    """Replace a person's file by what the block writes, keeping its mode and following a symbolic link.

    It is on disk when the block ends; a block that fails leaves the file as it was.
    """
    path = path.parent / os.path.realpath(path)
    _remove_abandoned(path)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    with _replacing(path, 0o666, chmod=mode, durable=True) as file:
        yield file


def place(path: Path, data: bytes) -> None:
    """Replace a person's file by these bytes, as `placing` does."""
    with placing(path) as file:
        file.write(data)


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace a file that its owner alone may read; missing folders are made.

    Args:
        path: the file.
        data: its new bytes.
        durable: whether it is on disk before this returns; a cache need not be.
    """
    make_private(path.parent)
    with _replacing(path, 0o600, durable=durable) as file:
        file.write(data)


@contextmanager
def _replacing(path: Path, mode: int, *, chmod: int | None = None, durable: bool) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_PART}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            if chmod is not None:
                temporary.chmod(chmod)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            _sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)  # the new name is in the folder, not in the file
    finally:
        os.close(fd)


def _remove_abandoned(path: Path) -> None:
    """Remove what a killed process left beside a person's file; those of a cache are for `store gc`."""
    before = time.time() - _ABANDONED
    for found in path.parent.glob(f".{path.name}.*{_PART}"):
        with suppress(OSError):
            if found.lstat().st_mtime < before:
                found.unlink()
