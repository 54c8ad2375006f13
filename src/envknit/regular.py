"""What both halves of envknit ask of the disk: to read regular files only, and to make folders that are private.

Locks, projects and plans come with a clone or an archive: somebody else may have put anything in their place.
"""

from __future__ import annotations

import errno
import os

from _envknit_plans import LARGEST_LOCK, open_regular


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """Read a whole regular file of at most 32 MiB.

    Raises:
        OSError: there is none, it may not be read, or it is something that could block or never end.
    """
    try:
        opened = open_regular(os.fspath(path))
    except ValueError as error:  # one file can name another with a NUL in it
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error
    with os.fdopen(opened, "rb") as file:
        return file.read(LARGEST_LOCK + 1)


def make_private(folder: str | os.PathLike[str]) -> None:
    """Make a folder and those above it that are missing, each 0700 whatever the umask is.

    `os.makedirs` and `Path.mkdir` give their mode to the last folder only: under umask 002, which many distributions
    have, those between would let the group exchange what lies in them.
    """
    missing = [] if os.path.isdir(folder) else [os.fspath(folder)]
    tried = set()  # `/proc` says of each new folder that what is above it is missing
    while missing:
        try:
            os.mkdir(missing[-1], 0o700)
        except FileNotFoundError:
            if (parent := os.path.dirname(missing[-1])) == missing[-1] or missing[-1] in tried:
                raise
            tried.add(missing[-1])
            missing.append(parent)
            continue
        except FileExistsError:
            if not os.path.isdir(missing[-1]):
                raise
        missing.pop()
