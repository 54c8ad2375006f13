"""The store: unpacked wheels, each an entry that never changes once it is placed.

    packages/site-packages/<name>-<version>-<tags>-<digest>/    an entry: the wheel as it lies in site-packages
    packages/site-packages/bundle=<key>/        entries that must be physical neighbours, as hard links
    plans/2/<abi>/<key of a lock>/              plans and views, beside a copy of the lock that they were made of
    bytecode/<cache tag>/                       compiled modules, by path
    roots/<project>-<key of a lock's path>/     links to the views in use of the locks that were installed here
    cache/ locks/ tmp/                          downloads under way, locks, work under way

Tools that resolve links (coverage, debuggers) know a library by a `site-packages` folder below a `pyvenv.cfg`, so
entries lie in one, each under a name that no import statement can say.

Everything appears by one atomic rename out of `tmp/`, after the file system was told to write it. So a process that is
killed, or a machine that loses power, leaves an entry absent or whole (rename alone tears entries on ext4: measured).
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from envknit.errors import StoreError
from envknit.files.atomic import write_atomically
from envknit.naming import BUNDLE, ENTRIES, canonical_name, parse_store_folder
from envknit.plan import home
from envknit.plans import check_store
from envknit.regular import make_private
from envknit.store.disk import disk_faults, doubt_of, remove_tree, sync_folder, write_out
from envknit.store.entry import read_note
from envknit.store.flock import hold, try_lock
from envknit.store.verify import verify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from envknit.store.verify import Verified

TRASH = ".trash-"  # how the names of folders begin that are being deleted
_WORK = "work-"  # and of those in `tmp/`
_MARK = os.path.join(os.path.dirname(ENTRIES), "pyvenv.cfg")  # written first: what has it is a store
_OWN = {"bytecode", "cache", "environments", "lock", "locks", "packages", "plans", "roots", "tmp"}
_ELSEWHERE = "set ENVKNIT_HOME to a folder of your own"
_LONGEST = 1024  # bytes of its path; Linux takes 4,096 (PATH_MAX), for what lies in packages as well
_ABANDONED = 86_400.0  # seconds after which work is taken for dead where its lock cannot be asked


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEntry:
    """One entry of the store: its folder relative to the store, and the pin that it is."""

    folder: str
    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stats:
    """How much the store holds; bytes of files, each counted once however many links it has."""

    entries: int
    names: int
    files: int
    size: int


class Store:
    """The user's store at one folder.

    Args:
        root: absolute path; `ENVKNIT_HOME` or `~/.envknit` where it is not given.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.root = Path(root or home()).absolute()

    def open(self) -> Store:
        """Create the store where there is none (0700), and refuse what is none, or what others could have written.

        Raises:
            StoreError: it belongs to another user, others may write to it, or it is a folder of other things.
            InstallError: it cannot be created.
        """
        if odd := _oddity(str(self.root)):
            raise StoreError(f"the path of the store {odd}", store=self.root, hint=_ELSEWHERE)
        with disk_faults(self.root):
            self.root.parent.mkdir(parents=True, exist_ok=True)
            self.root.mkdir(mode=0o700, exist_ok=True)
        self.check()
        if not (self.root / _MARK).exists():
            with disk_faults(self.root):
                write_atomically(self.root / _MARK, b"include-system-site-packages = false\n")
        return self

    def check(self) -> None:
        """Refuse a store that is not this user's or root's alone; what may not be trusted may not be filled either.

        So is `/`, or a home folder: what lies in a store is envknit's to remove. A volume's `lost+found` is nobody's.
        """
        check_store(str(self.root))
        with disk_faults(self.root):
            others = set() if (self.root / _MARK).exists() else {*os.listdir(self.root)} - _OWN - {"lost+found"}
        if others:
            holds = ", ".join(sorted(others)[:3])
            raise StoreError("the store is a folder of other things", store=self.root, holds=holds, hint=_ELSEWHERE)

    def path(self, folder: str) -> Path:
        """Return the absolute path of what a plan calls `folder`."""
        return Path(os.path.join(self.root, folder))  # an absolute folder stands for itself

    def entries(self) -> Iterator[StoredEntry]:
        """List all entries, sorted; cost: one folder listing."""
        for folder in _folders(self.root / ENTRIES, links=True):
            parts = parse_store_folder(folder)
            if parts is not None:
                yield StoredEntry(folder=f"{ENTRIES}/{folder}", name=parts[0], version=parts[1])

    def lender(self, folder: str) -> str:
        """Return the store that an entry is linked from; `""` where it is this one's own: see `shared`."""
        location = self.path(folder)
        return os.readlink(location).removesuffix(f"/{folder}") if location.is_symlink() else ""

    def has(self, folder: str, sha256: str) -> bool:
        """Tell whether an entry is there, and was made from the artifact of this digest.

        Raises:
            StoreError: it was made from another artifact with the same first eight digits.
        """
        location = self.root / folder
        if not location.is_dir() or (self.lender(folder) and doubt_of(os.path.realpath(location))):
            return False
        found = read_note(str(location)).sha256
        if found != sha256:
            raise StoreError(
                "an entry of the store was made from another artifact",
                entry=location,
                expected_sha256=sha256,
                found_sha256=found,
                hint="remove the entry, and run: envknit install",
            )
        return True

    def built(self, name: str, version: str, sha256: str) -> dict[str, str]:
        """List the entries of a pin that were made from the artifact of this digest: tags to folder, sorted.

        Args:
            name: of the pin.
            version: of the pin; `""`: whichever it was built as.
            sha256: the digest.
        """
        wanted = canonical_name(name), sha256[:8]
        found = {folder: parse_store_folder(folder) for folder in _folders(self.root / ENTRIES, links=True)}
        return {
            parts[2]: f"{ENTRIES}/{folder}"
            for folder, parts in found.items()
            if parts is not None and (parts[0], parts[3]) == wanted and version in ("", parts[1])
        }

    def place(self, ready: Sequence[tuple[Path, str]]) -> list[str]:
        """Move finished folders to their places, all after one write-out of the file system.

        Args:
            ready: pairs of a folder in `tmp/` and the place it shall have, relative to the store.

        Returns:
            The places of those that were placed; those that another process placed meanwhile are dropped.
        """
        if not ready:
            return []
        placed = []
        parents = set()
        with disk_faults(self.root):
            write_out(self.root)
            for source, folder in ready:
                target = self.root / folder
                make_private(target.parent)
                if target.is_symlink():
                    target.unlink()  # to a store that is gone, or whose entry is damaged
                parents.add(target.parent)
                if _move(source, target):
                    placed.append(folder)
            for parent in parents:
                sync_folder(parent)
        return placed

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Make a private folder on the store's file system that goes away afterwards, or with the next install."""
        tmp = self.root / "tmp"
        with disk_faults(tmp):
            make_private(tmp)
            folder, fd = _claimed_folder(tmp)
        try:
            yield folder
        finally:
            os.close(fd)
            with suppress(OSError):  # what cannot be removed now, the next install removes
                remove_tree(folder)

    def clean(self) -> int:
        """Remove what dead processes left in `tmp/`; returns how many folders that were."""
        removed = 0
        for name in _folders(self.root / "tmp"):
            folder = self.root / "tmp" / name
            if name.startswith(_WORK) and _is_abandoned(folder):
                remove_tree(folder)
                removed += 1
        return removed

    @contextmanager
    def installing(self) -> Iterator[None]:
        """Keep `store gc` away while something is being installed."""
        with hold(str(self.root / "lock"), exclusive=False):
            yield

    @contextmanager
    def collecting(self, *, timeout: float = 60.0) -> Iterator[None]:
        """Keep installers away while something is removed.

        Raises:
            StoreError: the file system cannot lock, so it cannot be known that nobody installs.
        """
        with hold(str(self.root / "lock"), exclusive=True, timeout=timeout) as locked:
            if not locked:
                raise StoreError("the store cannot be locked, so nothing is removed from it", store=self.root)
            yield

    @contextmanager
    def claiming(self, digests: Iterable[str]) -> Iterator[None]:
        """Be the one process that downloads and places these artifacts; others wait, and then find them placed."""
        from contextlib import ExitStack  # needed only where something is missing

        locks = self.root / "locks"
        with disk_faults(locks):
            make_private(locks)
        with ExitStack() as stack:
            for digest in sorted(set(digests)):  # one order for all: two processes never wait for each other
                stack.enter_context(hold(str(locks / digest), exclusive=True, timeout=3600.0))
            yield

    def verify(self) -> Verified:
        """Compare all entries and bundles with what was placed; see `verify.verify`."""
        return verify(self.root, self.folders())

    def folders(self) -> list[str]:
        """List all entries and bundles, as plans call them."""
        found = (f"{ENTRIES}/{name}" for name in _folders(self.root / ENTRIES))
        return [*(entry.folder for entry in self.entries()), *(each for each in found if each.startswith(BUNDLE))]

    def remove(self, folder: str) -> None:
        """Take a folder out of the store in one step, then delete it; never follows a link."""
        location = self.root / folder
        trash = location.with_name(f"{TRASH}{location.name}")  # in the same folder: a full disk has room for no other
        with disk_faults(location):
            remove_tree(trash)
            try:
                location.rename(trash)
            except FileNotFoundError:
                return
            remove_tree(trash)

    def stats(self) -> Stats:
        """Count what the store holds; cost: one `stat` a file."""
        entries = list(self.entries())
        seen: dict[tuple[int, int], int] = {}
        for parent, _, names in os.walk(self.root):
            for name in names:
                found = os.lstat(os.path.join(parent, name))
                seen[found.st_dev, found.st_ino] = found.st_size
        distributions = {entry.name for entry in entries}
        return Stats(entries=len(entries), names=len(distributions), files=len(seen), size=sum(seen.values()))


def _oddity(path: str) -> str:
    """Say why no store can have this path; nothing where it can."""
    if not {"\t", "\n", os.pathsep}.isdisjoint(path):
        # A plan holds paths in lines, and PATH holds them between colons (`python -m venv` refuses those too)
        return "has a colon, tab or line break"
    if any("\udc80" <= letter <= "\udcff" for letter in path):  # how PEP 383 reads bytes that are no text
        return "is no UTF-8, as what shells read has to be"
    return "is too long to hold anything" if len(os.fsencode(path)) > _LONGEST else ""


def _move(source: Path, target: Path) -> bool:
    mode = stat.S_IMODE(source.stat().st_mode)
    source.chmod(0o755)  # a folder can be moved only while it may be written: its `..` changes
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        return False  # another process was faster, with the same bytes
    target.chmod(mode)
    return True


def _claimed_folder(tmp: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_WORK, dir=tmp))
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # cleaned away between two calls, by a process that took it for abandoned
        if try_lock(fd) is not False and folder.exists():
            return folder, fd
        os.close(fd)


def _is_abandoned(folder: Path) -> bool:
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        locked = try_lock(fd)
        if locked is None:
            import time  # only where locks do not work

            return os.fstat(fd).st_mtime < time.time() - _ABANDONED
        return locked
    finally:
        os.close(fd)


def _folders(path: Path, *, links: bool = False) -> list[str]:
    with disk_faults(path):
        try:
            with os.scandir(path) as found:
                names = [
                    item.name for item in found if item.is_dir(follow_symlinks=False) or (links and item.is_symlink())
                ]
        except FileNotFoundError:
            return []
    return sorted(name for name in names if not name.startswith("."))
