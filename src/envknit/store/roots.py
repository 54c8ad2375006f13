"""Which locks were installed into this store: what `store gc` must keep.

One small file per lock path in `roots/`, fields separated by tabs:

    lock    /home/ada/app/envknit.lock.yaml
    date    2026-11-20
    plan    plans/cpython-312-x86_64-linux-gnu/0123456789abcdef/default.plan
    ...
"""

from __future__ import annotations

import os

from envknit.plan import key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Root:
    """One lock that was installed here.

    Args:
        lock: absolute path of the lock file.
        plans: plan files made of its present bytes, relative to the store.
        date: day of the last change, `YYYY-MM-DD`.
    """

    __slots__ = ("date", "lock", "plans")

    def __init__(self, lock: str, plans: Iterable[str], date: str = "") -> None:
        self.lock = lock
        self.plans = tuple(sorted(set(plans)))
        self.date = date

    @property
    def alive(self) -> bool:
        """Whether the lock is still where it was."""
        return os.path.exists(self.lock)

    def render(self) -> bytes:
        """Write the root as bytes."""
        rows = [f"lock\t{self.lock}", f"date\t{self.date}", *(f"plan\t{plan}" for plan in self.plans)]
        return "".join(f"{row}\n" for row in rows).encode("utf-8", "surrogateescape")


def root_path(store: str, lock: str) -> str:
    """Name the file that registers the lock at this path."""
    return os.path.join(store, "roots", key(os.fsencode(lock)))


def read_root(path: str) -> Root | None:
    """Read a root; None where there is none or it is not one."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            rows = [line.rstrip("\n").split("\t", 1) for line in file]
        facts = {row[0]: row[1] for row in rows}
        return Root(facts["lock"], [row[1] for row in rows if row[0] == "plan"], facts["date"])
    except (OSError, IndexError, KeyError):
        return None


def all_roots(store: str) -> Iterator[tuple[str, Root]]:
    """List the files in `roots/` and what they register, sorted by file name."""
    folder = os.path.join(store, "roots")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        root = read_root(os.path.join(folder, name))
        if root is not None:
            yield os.path.join(folder, name), root
