"""Which pins must lie in one physical folder, as site-packages would have them.

Two reasons, both found in entries as they are: a regular package to which several pins contribute (the import system
looks in the one folder that has its `__init__`), and a shared library that finds others by a path relative to itself
(`$ORIGIN/../../nvidia/cublas/lib` in torch).
"""

from __future__ import annotations

import os
import posixpath
from collections import defaultdict

from envknit.wheel.contents import is_old_namespace
from envknit.wheel.elf import library_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envknit.store.entry import Entry


def groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Group the entries that must be neighbours; entries that stand alone are in no group.

    Cost: every path once, and five small reads a shared library.
    """
    owner = list(range(len(entries)))

    def root(at: int) -> int:
        while owner[at] != at:
            at = owner[at]
        return at

    for at, other in [*_shared_packages(entries), *_linked_libraries(entries)]:
        low, high = sorted((root(at), root(other)))
        owner[high] = low
    found: dict[int, list[Entry]] = defaultdict(list)
    for at, entry in enumerate(entries):
        found[root(at)].append(entry)
    return [group for group in found.values() if len(group) > 1]


def shared_packages(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """List the top-level regular packages that several entries ship, but for namespaces of the old kind."""
    ships: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        for file in entry.files:
            package, _, rest = file.path.partition("/")
            if rest == "__init__.py":
                ships[package].append(entry)
    return [
        (package, found)
        for package, found in sorted(ships.items())
        if len(found) > 1 and not all(is_old_namespace(entry, package) for entry in found)
    ]


def overwritten(entries: Sequence[Entry]) -> list[tuple[Entry, Entry, list[str]]]:
    """List pairs of entries that ship files of one path with different bytes; the first one's are used."""
    first: dict[str, tuple[int, bytes]] = {}
    pairs: dict[tuple[int, int], list[str]] = defaultdict(list)
    for at, entry in enumerate(entries):
        for file in entry.files:
            other, digest = first.setdefault(file.path, (at, file.digest))
            if other != at and digest != file.digest:
                pairs[other, at].append(file.path)
    return [(entries[one], entries[other], paths) for (one, other), paths in sorted(pairs.items())]


def _shared_packages(entries: Sequence[Entry]) -> Iterable[tuple[int, int]]:
    """Pair the entries that contribute to one folder with an `__init__`."""
    holders: dict[str, list[int]] = defaultdict(list)
    regular: set[str] = set()
    for at, entry in enumerate(entries):
        folders: set[str] = set()
        for file in entry.files:
            folder, _, name = file.path.rpartition("/")
            if name.startswith("__init__."):
                regular.add(folder)
            while folder and folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        for folder in folders:
            holders[folder].append(at)
    for folder in sorted(regular):
        first, *others = holders[folder]
        for other in others:
            yield first, other


def _linked_libraries(entries: Sequence[Entry]) -> Iterable[tuple[int, int]]:
    """Pair an entry with those that hold shared libraries where its own ones look."""
    libraries: dict[str, set[int]] = defaultdict(set)
    for at, entry in enumerate(entries):
        for file in entry.files:
            folder, _, name = file.path.rpartition("/")
            if _is_library(name):
                libraries[folder].add(at)
    for at, entry in enumerate(entries):
        for folder in sorted(_searched(entry)):
            for other in sorted(libraries.get(folder, ())):
                if other != at:
                    yield at, other


def _searched(entry: Entry) -> set[str]:
    """Collect the folders in which libraries of an entry look for others, as paths in site-packages."""
    found: set[str] = set()
    for file in entry.files:
        folder, _, name = file.path.rpartition("/")
        if not _is_library(name):
            continue
        with open(os.path.join(entry.location, file.path), "rb") as library:
            for path in library_paths(library):
                relative = path.replace("${ORIGIN}", "$ORIGIN")
                if relative.startswith("$ORIGIN/"):
                    found.add(posixpath.normpath(posixpath.join(folder, relative[len("$ORIGIN/") :])))
    return found


def _is_library(name: str) -> bool:
    return name.endswith(".so") or ".so." in name
