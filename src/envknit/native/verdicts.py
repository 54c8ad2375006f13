"""What probes in child processes found, remembered in the store for this very version of Python."""

from __future__ import annotations

import os
import sys

from envknit.plan import ABI, key
from envknit.regular import make_private


class Verdict:
    """Whether an extension module may be loaded in one way, and why not."""

    __slots__ = ("loads", "why")

    def __init__(self, why: str = "") -> None:
        self.loads = not why
        self.why = why


def record_file(store: str, path: str, kind: str) -> str:
    """Name the file that remembers the verdict on an extension file, or on another name for what was tried.

    The kind says what in: an interpreter with its `own` GIL or a `shared` one, or this one, as a `guest`. Files of the
    store never change; of others, size and time of change are part of the name.
    """
    # All three numbers: which modules load has changed between releases of one minor version (3.12.4, gh-119213)
    folder = os.path.join(store, "cache", "interpreters", f"{ABI}-{'.'.join(map(str, sys.version_info[:3]))}-{kind}")
    if path.startswith(os.path.join(store, "")):
        return os.path.join(folder, path[len(store) + 1 :])
    found = os.stat(path)
    return os.path.join(folder, "outside", key(f"{path}\0{found.st_size}\0{found.st_mtime_ns}".encode()))


def remembered(store: str, path: str, kind: str) -> Verdict | None:
    """Return the verdict of an earlier probe."""
    try:
        with open(record_file(store, path, kind), encoding="utf-8") as file:
            return Verdict(file.read())
    except FileNotFoundError:
        return None


def remember(store: str, path: str, kind: str, verdict: Verdict) -> None:
    """Keep a verdict for later processes; a store that cannot be written costs them a probe each."""
    target = record_file(store, path, kind)
    draft = f"{target}.{os.getpid()}"  # renamed when it is whole: other processes read it meanwhile
    try:
        make_private(os.path.dirname(target))
        with open(draft, "w", encoding="utf-8") as file:
            file.write(verdict.why)
        os.replace(draft, target)
    except OSError:  # as the docstring says
        pass
