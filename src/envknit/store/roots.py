"""Which locks were installed into this store: what `store gc` must keep.

    roots/<project>-<key of the lock's path>.root             a record of its installs
    roots/<project>-<key of the lock's path>/<environment>    link to the view in use: a path that stays

A record has fields separated by tabs, the last install of each lock's bytes first:

    lock    /home/ada/app/envknit.lock.yaml
    missing 2026-11-27                                  since when `store gc` does not find it
    plans   2026-11-20    plans/2/cpython-312-x86_64-linux-gnu/0123456789abcdef0123456789abcdef
    ...
"""

from __future__ import annotations

import os

from envknit.plan import root_folder
from envknit.regular import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUFFIX = ".root"
_REMEMBERED = 10  # installs, for each Python: going back to a branch of last week works offline


class Root:
    """One lock that was installed here.

    Args:
        lock: absolute path of the lock file.
        plans: (folder of plans relative to the store, day of the install as `YYYY-MM-DD`), the newest first.
        missing: the day on which the lock was first found missing; `""`: it is there.
    """

    __slots__ = ("lock", "missing", "plans")

    def __init__(self, lock: str, plans: Iterable[tuple[str, str]] = (), missing: str = "") -> None:
        self.lock = lock
        self.missing = missing
        self.plans = dict(plans)

    def holds(self, folder: str) -> bool:
        """Tell whether these plans are the last that were installed from this lock for their ABI."""
        abi = os.path.dirname(folder)
        return next((plans for plans in self.plans if os.path.dirname(plans) == abi), "") == folder

    def add(self, folder: str, day: str) -> None:
        """Note an install, and forget the oldest ones."""
        self.missing = ""
        self.plans.pop(folder, None)
        self.plans = {folder: day, **self.plans}
        same_abi = [plans for plans in self.plans if os.path.dirname(plans) == os.path.dirname(folder)]
        for plans in same_abi[_REMEMBERED:]:
            del self.plans[plans]

    def render(self) -> bytes:
        """Write the root as bytes."""
        missing = [f"missing\t{self.missing}"] if self.missing else []
        rows = [f"lock\t{self.lock}", *missing, *(f"plans\t{day}\t{folder}" for folder, day in self.plans.items())]
        return "".join(f"{row}\n" for row in rows).encode("utf-8", "surrogateescape")


def root_path(store: str, lock: str) -> str:
    """Name the file that registers the lock at this path."""
    return root_folder(store, lock) + _SUFFIX


def view_link(store: str, lock: str, environment: str) -> str:
    """Name the link that always leads to the view in use of an environment: what editors and kernels can be told."""
    return os.path.join(root_folder(store, lock), environment)


def root_of(store: str, lock: str) -> Root | None:
    """Return the root of the lock at this path; None where it was never installed."""
    root = read_root(root_path(store, lock))
    return root if root is not None and root.lock == lock else None


def read_root(path: str) -> Root | None:
    """Read a root; None where there is none or it is not one."""
    try:
        rows = [line.split("\t") for line in read_regular(path).decode(errors="surrogateescape").split("\n")]
        (lock,) = (row[1] for row in rows if row[0] == "lock")
        missing = next((row[1] for row in rows if row[0] == "missing"), "")
        return Root(lock, [(row[2], row[1]) for row in rows if row[0] == "plans"], missing)
    except (OSError, IndexError, ValueError):
        return None


def all_roots(store: str) -> Iterator[tuple[str, Root]]:
    """List the files in `roots/` and what they register, sorted by file name."""
    folder = os.path.join(store, "roots")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        root = read_root(os.path.join(folder, name)) if name.endswith(_SUFFIX) else None
        if root is not None:
            yield os.path.join(folder, name), root
