"""What a whole `lock` found settled, kept in the cache: the next one answers before the command line is loaded.

Whether a lock is settled follows from bytes: its own, those of the files that say what the project is, envknit's and
Python's. A record holds them all beside what `lock` then says, and counts where they are what they were.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from _envknit_bootstrap import LOCK_NAME
from envknit.plan import home, key, runtime_folder
from envknit.regular import read_regular
from envknit.view.runtime import runtime_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECTS = ("envknit.yaml", "pyproject.toml", "setup.cfg", "setup.py")
WISH = ".python-version"


def recall() -> str | None:
    """Return what `lock` says in the working folder, where nothing changed since it was found settled; else None."""
    try:
        path = _path()
        if any(map(_is_of_others, (path, os.path.dirname(path)))):
            return None
        said, _, facts = read_regular(path).partition(b"\0")
        current = _facts(read_regular(LOCK_NAME), project_facts())
    except OSError:
        return None
    return said.decode() if facts == current else None


def remember(lock: bytes, project: bytes, said: str) -> None:
    """Keep what `lock` says of a lock that is settled; a cache that cannot be written stays without it.

    Args:
        lock: the bytes of the lock of the working folder.
        project: the facts of the project, from before it was read; nothing is kept where they are others now.
        said: the text.
    """
    from pathlib import Path  # `recall` needs none

    from envknit.files.atomic import write_atomically
    from envknit.index.cache import is_own

    with suppress(OSError):
        path = Path(_path())
        if project == project_facts() and is_own(path.parent):
            write_atomically(path, b"\0".join((said.encode(), _facts(lock, project))), durable=False)


def project_facts() -> bytes:
    """Return all that decides which project the working folder has, and what it asks for.

    Raises:
        OSError: a file cannot be read, or a `.python-version` may ask for another interpreter.
    """
    return b"".join(_project_facts())


def _project_facts() -> Iterator[bytes]:
    for folder in here_and_above():  # a workspace may lie above
        if os.path.lexists(os.path.join(folder, WISH)):
            raise FileExistsError(WISH)
        for name in PROJECTS:
            path = os.path.join(folder, name)
            yield _part(read_regular(path) if os.path.lexists(path) else b"-")


def here_and_above() -> Iterator[str]:
    """Give the working folder and those above it; raises OSError where it was deleted."""
    folder = os.getcwd()
    yield folder
    while (parent := os.path.dirname(folder)) != folder:
        yield parent
        folder = parent


def _facts(lock: bytes, project: bytes) -> bytes:
    tool = (runtime_entry(), os.stat(runtime_folder()).st_mtime_ns, sys.executable, sys.version, os.getcwd())
    return b"".join(map(_part, (repr(tool).encode(errors="surrogateescape"), lock, project)))


def _part(data: bytes) -> bytes:
    return b"%d:%b" % (len(data), data)


def _path() -> str:
    return os.path.join(home(), "cache", "settled", key(os.fsencode(os.getcwd())))


def _is_of_others(path: str) -> bool:
    found = os.stat(path)
    return found.st_uid not in {os.geteuid(), 0} or bool(found.st_mode & 0o022)
