"""`store gc`: remove what no lock installed on this machine needs, and no running process uses.

Kept is what a current view names: of the plans of the bytes that a lock has now, and of the last ones that were
installed from it. What nothing names any more stays for weeks, since it is not always seen who uses it: a lock may lie
on a drive that is not mounted, or on the host of a container, and processes there are not seen either. A process that
is seen (every active one holds its plan open; Linux shows it under `/proc`) keeps what it uses. Installers are kept out
meanwhile, and what was placed within the hour stays in any case.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from _envknit_activation import RUNTIME
from envknit.files.atomic import write_atomically
from envknit.naming import BUNDLE, ENTRIES
from envknit.plan import PLAN_FORMAT, lock_key, read_plan
from envknit.regular import read_regular
from envknit.store.bundle import bundled_entries
from envknit.store.disk import disk_faults
from envknit.store.roots import all_roots
from envknit.store.store import TRASH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envknit.store.store import Store

_HOUR = 3600.0  # seconds
_WEEKS = 28 * 86_400.0  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What `store gc` removed, or would remove.

    Args:
        removed: paths relative to the store, sorted.
        entries: how many of them are entries.
        size: bytes that it frees; a file with several links counts once, when its last one goes.
        roots: locks that are gone, and whose plans go.
        missing: locks that are not there, and the day on which their plans go unless they come back.
        in_use: how many plans are kept only because a process has them open.
        dry_run: whether nothing was removed.
    """

    removed: tuple[str, ...]
    entries: int
    size: int
    roots: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]
    in_use: int
    dry_run: bool


def collect(store: Store, *, dry_run: bool = False, grace: float = _HOUR, patience: float = _WEEKS) -> Collected:
    """Remove what nothing needs.

    Args:
        store: of which.
        dry_run: only find out.
        grace: seconds for which an entry stays after it was placed, whoever needs it.
        patience: seconds for which plans stay that no lock has any more, and for which a cached file stays unused.

    Raises:
        StoreError: an install has been running for a minute, it cannot be known whether one is, or this is no store.

    Cost: one listing of each folder that goes, and of the open files of all processes.
    """
    there = os.path.lexists(store.root)
    if there:
        store.check()
    if dry_run or not there:
        return _Collection(store, grace, patience).report(dry_run=dry_run)
    with store.collecting():
        collection = _Collection(store, grace, patience)
        report = collection.report(dry_run=False)
        collection.remove()
    return report


class _Collection:
    """What is alive, and so what is not."""

    def __init__(self, store: Store, grace: float, patience: float) -> None:
        self.store = store
        self.root = store.root
        self._young = time.time() - grace
        self._forgotten = time.time() - patience
        self._opened = opened_plans(self.root)
        self.roots = dict(all_roots(str(self.root)))
        self.missing, self.dead_roots = self._judge_roots()
        self._named = self._named_plans()
        self.plans: list[str] = []  # folders of plans, and views and trees out of others
        self._kept: set[str] = set()  # the texts of plans that stay, or are in use
        for folder in [
            each for form in self._listed("plans") for abi in self._listed(form) for each in self._listed(abi)
        ]:
            self._sort_plans(folder)
        replaced = set(self._opened.values()) - self._kept
        self._kept |= replaced
        self.in_use = len(replaced)
        alive = self._alive()
        self.entries = [
            entry.folder for entry in store.entries() if entry.folder not in alive and self._is_old(entry.folder)
        ]
        self.runtimes = [
            folder
            for folder in self._listed(ENTRIES)
            if os.path.basename(folder).startswith(RUNTIME) and folder not in alive and self._is_old(folder)
        ]
        self.bundles = [
            folder
            for folder in self._listed(ENTRIES)
            if folder.startswith(BUNDLE) and folder not in alive and not folder.endswith(".entries")
        ]
        self.bytecode = list(self._lost_bytecode())
        self.leftovers = [*self._leftovers(), *self._forgotten_cache()]

    def report(self, *, dry_run: bool) -> Collected:
        """Say what goes, before it goes."""
        removed = sorted({os.path.relpath(path, self.root) for path in self.dead_roots} | set(self._folders()))
        return Collected(
            removed=tuple(removed),
            entries=len(self.entries),
            size=freed(os.path.join(self.root, path) for path in removed),
            roots=tuple(self.roots[path].lock for path in self.dead_roots),
            missing=tuple((self.roots[path].lock, day.isoformat()) for path, day in self.missing.items()),
            in_use=self.in_use,
            dry_run=dry_run,
        )

    def remove(self) -> None:
        """Remove it, plans before what they name: a plan without its entries would be a broken one."""
        with disk_faults(self.root):
            for path in self.dead_roots:
                os.unlink(path)
                shutil.rmtree(path.removesuffix(".root"), ignore_errors=True)
            for folder in self._folders():
                if (self.root / folder).is_dir() and not (self.root / folder).is_symlink():
                    self.store.remove(folder)
                else:
                    (self.root / folder).unlink(missing_ok=True)
            for bundle in self.bundles:
                (self.root / f"{bundle}.entries").unlink(missing_ok=True)
            for path in self._listed("locks"):  # nobody holds one: installers are kept out
                os.unlink(self.root / path)
            self._remove_empty()
            self.store.clean()
            self._note_missing()  # now there is room for it

    def _folders(self) -> list[str]:
        return [*self.plans, *self.entries, *self.runtimes, *self.bundles, *self.bytecode, *self.leftovers]

    def _judge_roots(self) -> tuple[dict[str, date], list[str]]:
        """Find the roots whose lock is not there, with the day on which they go, and those for which it has come."""
        patience = timedelta(seconds=time.time() - self._forgotten)
        days = {
            path: (date.fromisoformat(root.missing) if root.missing else date.today()) + patience  # noqa: DTZ011 - a day
            for path, root in self.roots.items()
            if not os.path.exists(root.lock)
        }
        dead = [path for path, day in days.items() if day <= date.today()]  # noqa: DTZ011 - as above
        return {path: day for path, day in days.items() if path not in dead}, dead

    def _note_missing(self) -> None:
        """Write down since when a lock is not there; one that came back is forgotten to have been away."""
        for path, root in self.roots.items():
            missing = (root.missing or date.today().isoformat()) if path in self.missing else ""  # noqa: DTZ011 - as above
            if missing != root.missing and path not in self.dead_roots:
                root.missing = missing
                write_atomically(Path(path), root.render())

    def _named_plans(self) -> set[str]:
        """Name the folders of plans that some lock may want: those of its present bytes, and its last ones."""
        named: set[str] = set()
        for path, root in self.roots.items():
            if path not in self.dead_roots:
                named.update(root.plans)
                with suppress(OSError):
                    named.update(
                        f"{abi}/{lock_key(read_regular(root.lock), root.lock)}"
                        for abi in self._listed(f"plans/{PLAN_FORMAT}")
                    )
        return named

    def _sort_plans(self, folder: str) -> None:
        """Part the views of one lock that stay from those that go; plans of another format are not ours to judge."""
        if not folder.startswith(f"plans/{PLAN_FORMAT}/"):
            self._kept.update(read_plan(path) for path in (self.root / folder).rglob("plan"))
            return
        links = self._listed(f"{folder}/environments")
        flipped = max((os.lstat(self.root / link).st_mtime for link in links), default=0.0)
        current = {os.path.normpath(f"{os.path.dirname(link)}/{os.readlink(self.root / link)}") for link in links}
        staying, trees = set(), set()
        for view in self._listed(f"{folder}/views"):
            plan = os.path.realpath(self.root / view / "plan")
            named = folder in self._named and view in current
            if named or plan in self._opened or flipped > self._forgotten:
                staying.add(view)
                trees.add(os.path.relpath(os.path.dirname(plan), os.path.realpath(self.root)))
                if named or flipped > self._forgotten:
                    self._keep(plan)
        both = [*self._listed(f"{folder}/views"), *self._listed(f"{folder}/trees")]
        self.plans += [path for path in both if path not in staying | trees] if staying else [folder]

    def _keep(self, plan: str) -> None:
        with suppress(OSError):  # nobody can use it, so it keeps nothing alive
            self._kept.add(read_plan(plan))

    def _alive(self) -> set[str]:
        """Name the folders that plans name; by their look, so that plans of another envknit count as well."""
        fields = {field for text in self._kept for line in text.splitlines() for field in line.split("\t")}
        folders = {field for field in fields if field.startswith(f"{ENTRIES}/")}
        for bundle in [folder for folder in folders if folder.startswith(BUNDLE)]:
            folders.update(bundled_entries(self.store, bundle))
        return folders

    def _is_old(self, folder: str) -> bool:
        return os.lstat(self.root / folder).st_mtime < self._young  # the future is young too: clocks jump

    def _listed(self, folder: str) -> list[str]:
        try:
            return [f"{folder}/{name}" for name in sorted(os.listdir(self.root / folder)) if name[0] != "."]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _lost_bytecode(self) -> Iterator[str]:
        """List bytecode folders whose source is gone, or goes."""
        going = {*self.entries, *self.bundles}
        for tag in self._listed("bytecode"):
            prefix = len(tag) + 1
            for folder in self._listed(f"{tag}/{ENTRIES}"):
                source = folder[prefix:]
                if source in going or not (self.root / source).is_dir():
                    yield folder

    def _leftovers(self) -> Iterator[str]:
        """List what killed processes left: half-deleted folders and half-written files."""
        for parent, folders, names in os.walk(self.root):
            inside = os.path.relpath(parent, self.root)
            depth = 0 if inside == "." else inside.count(os.sep) + 1
            first = inside.split(os.sep)[0]
            yield from (os.path.join(inside, name) for name in folders if name.startswith(TRASH))
            if first in {"plans", "roots"} or inside == ENTRIES:  # a link to a folder counts among the folders
                yield from (os.path.join(inside, name) for name in (*names, *folders) if name.startswith("."))
            if depth >= (5 if first in {"bytecode", "plans"} else 3) or first in {"tmp", "cache"}:
                folders.clear()

    def _forgotten_cache(self) -> Iterator[str]:
        """List what of the cache was not used for weeks; a clone of a repository goes as a whole."""
        for folder in self._listed("cache"):
            units = (
                self._listed(folder)
                if folder == "cache/git"
                else [
                    os.path.relpath(f"{parent}/{name}", self.root)
                    for parent, _, names in os.walk(self.root / folder)
                    for name in names
                ]
            )
            for unit in units:
                with suppress(FileNotFoundError):  # the cache is not locked: another process may be faster
                    found = os.lstat(self.root / unit)
                    unused = max(found.st_mtime, found.st_atime)
                    if unused < self._forgotten or (unit.endswith(".part") and found.st_mtime < self._young):
                        yield unit

    def _remove_empty(self) -> None:
        """Remove folders that held only what went."""
        for top in ("plans", "bytecode"):
            for parent, _, _ in os.walk(self.root / top, topdown=False):
                with suppress(OSError):  # something lives there
                    os.rmdir(parent)


def opened_plans(root: Path) -> dict[str, str]:
    """Return every plan of this store that a process which can be seen has open, with its text."""
    plans = os.path.join(os.path.realpath(root), "plans", "")
    found = {}
    for link in _open_files() if os.path.exists("/proc/self/fd") else ():
        with suppress(OSError, UnicodeDecodeError):  # it was closed, or is another user's
            path = os.readlink(link)
            if path.startswith(plans):
                found[path] = read_plan(link)
    return found


def freed(paths: Iterable[str]) -> int:
    """Count the bytes that go with these files and folders: those of files whose every link is among them."""
    links: Counter[tuple[int, int]] = Counter()
    found: dict[tuple[int, int], os.stat_result] = {}
    for path in paths:
        names = [os.path.join(parent, name) for parent, _, names in os.walk(path) for name in names]
        for name in names if os.path.isdir(path) and not os.path.islink(path) else [path]:
            try:
                status = os.lstat(name)
            except FileNotFoundError:
                continue
            links[status.st_dev, status.st_ino] += 1
            found[status.st_dev, status.st_ino] = status
    return sum(status.st_size for inode, status in found.items() if links[inode] >= status.st_nlink)


def _open_files() -> Iterator[str]:
    for process in os.listdir("/proc"):
        if process.isdigit():
            try:
                yield from (f"/proc/{process}/fd/{fd}" for fd in os.listdir(f"/proc/{process}/fd"))
            except OSError:
                continue  # it ended, or is another user's
