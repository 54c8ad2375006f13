"""Read files that somebody else may have put there: locks, projects and plans come with a clone or an archive."""

from __future__ import annotations

import os

from _envknit_bootstrap import LARGEST_LOCK, open_regular


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """Read a whole regular file of at most 32 MiB.

    Raises:
        OSError: there is none, it may not be read, or it is something that could block or never end.
    """
    with os.fdopen(open_regular(os.fspath(path)), "rb") as file:
        return file.read(LARGEST_LOCK + 1)
