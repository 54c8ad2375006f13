"""Files that are replaced in one step: a reader sees the old bytes or the new, never a part."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def place(path: Path, data: bytes) -> None:
    """Replace a person's file, keeping its mode and following a symbolic link; on disk before it returns."""
    path = path.resolve()
    temporary = _write_beside(path, data, 0o666, durable=True)
    try:
        if path.exists():
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def place_private(path: Path, data: bytes) -> None:
    """Replace a file of a cache, readable by its owner alone; missing folders are made."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_beside(path, data, 0o600, durable=False).replace(path)


def _write_beside(path: Path, data: bytes, mode: int, *, durable: bool) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
