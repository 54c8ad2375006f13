"""Get the artifacts of pins into the store: from the cache or the index, checked against the lock, unpacked, placed."""

from __future__ import annotations

import threading
from concurrent.futures import as_completed, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice

from envknit.errors import InstallError, PackageIndexError
from envknit.files.filenames import version_in
from envknit.http.threads import Threads
from envknit.install.agreement import refuse_other
from envknit.install.target import this_target
from envknit.naming import store_folder
from envknit.reporter import count
from envknit.store.disk import disk_faults
from envknit.store.entry import read_entry
from envknit.store.shared import shared_stores, take
from envknit.wheel.unpack import unpack_wheel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from typing import TypeVar

    from envknit.files.model import Artifact
    from envknit.index.index import Index, Link
    from envknit.install.choose import ChosenPin
    from envknit.install.sources import Sources
    from envknit.install.target import Target
    from envknit.reporter import Reporter
    from envknit.store.entry import Entry
    from envknit.store.store import Store
    from envknit.view.bytecode import Compiler

    _T = TypeVar("_T")
    Work = Callable[["_Want", Path | None, Path], _T]

_DOWNLOADS = 16  # at a time: most files are small, and each waits for its index
_UNPACKING = 2  # at a time; inflating and hashing release the GIL, writing is the disk's
_PATIENCE = 5.0  # seconds that a failed install waits for wheels that are being unpacked
_BATCH = 100  # artifacts that are claimed and placed together: bounds open files, and what an interruption costs


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class _Want:
    """One artifact that the store has to have."""

    sha256: str
    name: str
    version: str
    artifact: Artifact
    source: str = ""

    @property
    def is_listed(self) -> bool:
        """Whether an index has it."""
        return not self.source or self.source.startswith("index+")


class Fetcher:
    """Downloads, checks and unpacks what the store lacks.

    Args:
        store: where to.
        open_index: opens the index; called at most once, and not at all where nothing is missing.
        reporter: hears of progress.
        sources: knows the places that are no index.
        compiler: compiles what is placed, while the rest is downloaded; None: nobody does.
        target: the interpreter that it is for; None: the one that runs this.
    """

    def __init__(
        self,
        store: Store,
        open_index: Callable[[Reporter], Index],
        reporter: Reporter,
        sources: Sources,
        compiler: Compiler | None = None,
        target: Target | None = None,
    ) -> None:
        self._target = target or this_target()
        self._sources = sources
        self.store = store
        self._compiler = compiler
        self.placed = 0
        self.downloaded = 0
        self._unpacked: dict[str, Entry] = {}
        self._open_index = open_index
        self._index: Index | None = None
        self._reporter = reporter
        self._mutex = threading.Lock()
        self._stop = threading.Event()

    def fetch(
        self, pins: Iterable[ChosenPin], *, offline: bool, overridden: Collection[str] = ()
    ) -> dict[tuple[str, str], str]:
        """Make sure that the store has an entry of each pin's artifact.

        Args:
            pins: those without an artifact are passed over.
            offline: whether only the cache may be asked for what the store lacks.
            overridden: names whose requirements in wheels do not count.

        Returns:
            The folder of each pin's entry, by name and version.

        Raises:
            InstallError: an artifact could not be had, must not be placed, or is not what was locked.
        """
        wants = [(_want(pin), pin) for pin in pins if pin.artifact is not None]
        folders = {}
        missing = []
        for want in sorted({want for want, _ in wants}):
            folder = self._find(want)
            if folder is None:
                missing.append(want)
            else:
                folders[want.name, want.version] = folder
        if missing:
            taken, missing = self._take(missing)
            folders |= taken
        if offline:
            self._refuse_downloads(missing)
        try:
            for batch in _batches(missing, _BATCH):
                with self.store.claiming(want.sha256 for want in batch):
                    self._fetch_batch(batch)
                folders |= {(want.name, want.version): self._placed(want) for want in batch}
        finally:
            self.close()
        for want, pin in wants:
            if not self._sources.is_folder(want.source):  # the person works on it: `install` says that the lock is old
                refuse_other(pin, self.store.path(folders[want.name, want.version]), overridden, self._target)
        return folders

    def wheels(self, pins: Iterable[ChosenPin], workspace: Path) -> dict[str, tuple[Path, str]]:
        """Get the wheels of pins as files, whatever the store holds; `close` when they were used.

        Args:
            pins: each with an artifact.
            workspace: an existing folder for what is built.

        Returns:
            Path and file name of the wheel of each artifact, by the artifact's sha256.

        Raises:
            InstallError: one could not be had.
        """

        def keep(want: _Want, artifact: Path | None, folder: Path) -> tuple[str, tuple[Path, str]]:
            found = self._wheel(want, artifact, folder)
            self._reporter.step(f"{want.name} {want.version}")
            return want.sha256, found

        wants = sorted({_want(pin) for pin in pins})
        self._reporter.stage(f"Fetching {count(len(wants), 'package')}", steps=len(wants))
        return dict(self._in_parallel(keep, wants, workspace))

    def close(self) -> None:
        """Let go of the index, where one was opened."""
        if self._index is not None:
            self._index.close()

    def entry(self, folder: str) -> Entry:
        """Read an entry that `fetch` named; of one that was unpacked just now, it is known what it holds."""
        return self._unpacked.get(folder) or read_entry(str(self.store.root), folder)

    def _placed(self, want: _Want) -> str:
        folder = self._find(want)
        if folder is None:
            raise InstallError(
                f"the wheel that {want.artifact.name} was built into is not for {self._target}", name=want.name
            )
        return folder

    def _take(self, wants: Sequence[_Want]) -> tuple[dict[tuple[str, str], str], list[_Want]]:
        """Link what stores of others have; returns those entries, and what is missing still."""
        others, doubts = shared_stores(self.store)
        folders: dict[tuple[str, str], str] = {}
        missing = []
        for batch in _batches(wants, _BATCH) if others else ():
            with disk_faults(self.store.root), self.store.claiming(want.sha256 for want in batch):
                for want in batch:
                    folder = self._find(want)
                    if folder is None and not self._sources.is_folder(want.source):
                        folder, said = take(self.store, others, partial(self._find, want))
                        doubts += said
                    if folder is None:
                        missing.append(want)
                    else:
                        folders[want.name, want.version] = folder
        for doubt in doubts:
            self._reporter.warn(doubt)
        return folders, missing if others else [*wants]

    def _find(self, want: _Want, store: Store | None = None) -> str | None:
        """Return the entry of an artifact; that of an sdist is whichever wheel was built of it for the interpreter."""
        store = store or self.store
        if want.artifact.is_wheel:
            folder = store_folder(want.name, want.version, want.artifact.name, want.sha256)
            return folder if store.has(folder, want.sha256) else None
        version = "" if self._sources.is_folder(want.source) else want.version
        built, target = store.built(want.name, version, want.sha256), self._target
        fitting = sorted((target.rank(tags), folder) for tags, folder in built.items() if target.accepts(tags))
        return next((folder for _, folder in fitting if store.has(folder, want.sha256)), None)

    def _refuse_downloads(self, missing: Sequence[_Want]) -> None:
        absent = [
            f"{want.name} {want.version}"
            for want in missing
            if not (self._sources.is_built(want.source) or self._opened().artifacts.cached(want.sha256))
        ]
        if absent:
            raise InstallError(
                f"{len(absent)} of the packages are neither in the store nor in the cache",
                missing=", ".join(absent),
                hint="run: envknit install, without --offline",
            )

    def _fetch_batch(self, batch: Sequence[_Want]) -> None:
        missing = [want for want in batch if self._find(want) is None]
        if not missing:
            return
        artifacts = self._opened().artifacts
        self._reporter.stage(f"Installing {count(len(missing), 'package')}", steps=len(missing))
        with self.store.workspace() as workspace:
            ready = self._in_parallel(self._unpack, missing, workspace)
            compiled = self._compiler.finish() if self._compiler else []
            for want in missing:
                artifacts.forget(want.sha256)  # it is unpacked: its bytes need not reach the disk with the rest
            places = {place for _, place in ready}
            self.placed += len(places.intersection(self.store.place([*ready, *compiled])))

    def _in_parallel(self, work: Work[_T], wants: Sequence[_Want], workspace: Path) -> list[_T]:
        """Download some while others are worked on, the largest first: what begins last shall not take longest."""
        downloads, unpacking = Threads(_DOWNLOADS, "envknit-download"), Threads(_UNPACKING, "envknit-unpack")
        soon: dict[Future[Path | None], _Want] = {}
        done: list[Future[_T]] = []
        try:
            for want in sorted(wants, key=lambda want: -(want.artifact.size or 0)):
                soon[downloads.submit(self._download, want)] = want
            for one in as_completed(soon):
                want = soon[one]
                done.append(unpacking.submit(work, want, one.result(), workspace / want.sha256))
            return [one.result() for one in as_completed(done)]
        except BaseException:
            self._stop.set()  # downloads under way see it with their next bytes
            unpacking.close()
            wait(done, timeout=_PATIENCE)  # what is still being written cannot be removed
            raise
        finally:
            downloads.close()
            unpacking.close()

    def _wheel(self, want: _Want, artifact: Path | None, workspace: Path) -> tuple[Path, str]:
        """Return path and name of the wheel that an artifact is, or is built into; makes the workspace."""
        if self._stop.is_set():
            raise InstallError("stopped")
        workspace.mkdir(mode=0o700)
        if artifact is not None and want.artifact.is_wheel:
            return artifact, want.artifact.name
        self._reporter.stage(f"Building {want.name} {want.version}")
        built = self._sources.wheel(want.source, artifact, want.artifact.name, self._opened(), workspace)
        return built, built.name

    def _unpack(self, want: _Want, artifact: Path | None, workspace: Path) -> tuple[Path, str]:
        """Return an unpacked folder in the workspace, and the place it shall have."""
        with disk_faults(self.store.root):
            path, wheel = self._wheel(want, artifact, workspace)
            version = want.version
            if self._sources.is_folder(want.source):  # what the folder says now; the lock may be older
                version = str(version_in(wheel, want.name) or version)
            folder = store_folder(want.name, version, wheel, want.sha256)
            unpacked = unpack_wheel(
                path,
                workspace / "entry",
                wheel=wheel,
                name=want.name,
                version=version,
                sha256=want.sha256,
                origin=self._sources.origin(want.source),
            )
            if self._compiler is not None:
                self._compiler.add(workspace / "entry", folder, workspace / "bytecode")
        self._unpacked[folder] = unpacked.entry(str(self.store.root), folder)
        for doubt in unpacked.doubts:
            self._reporter.warn(f"{want.name} {want.version}: {doubt}")
        self._reporter.step(f"{want.name} {want.version}")
        return workspace / "entry", folder

    def _download(self, want: _Want) -> Path | None:
        """Return the artifact in the cache, its digest checked, downloaded where it is not there; None: it is built."""
        if self._sources.is_built(want.source):
            return None
        index = self._opened()
        if found := index.artifacts.cached(want.sha256):
            return found
        link = self._sources.link(want.source, want.name, want.sha256) or _link(index, want)
        label = want.artifact.name
        self._reporter.begin(label, want.artifact.size)

        def progress(amount: int) -> None:
            if self._stop.is_set():
                raise InstallError("stopped")
            self._reporter.advance(label, amount)
            with self._mutex:
                self.downloaded += amount

        with disk_faults(self.store.root):
            path = index.artifacts.fetch(link, sha256=want.sha256, size=want.artifact.size, progress=progress)
        self._reporter.finish(label)
        return path

    def _opened(self) -> Index:
        with self._mutex:
            if self._index is None:
                self._index = self._open_index(self._reporter)
            return self._index


def _link(index: Index, want: _Want) -> Link:
    if not want.source and (found := index.find(want.name, want.sha256)):
        return found
    links = (link for link in index.links(want.name) if link.source == want.source)
    offered = [link for link in links if link.filename == want.artifact.name]
    same = [link for link in offered if link.sha256 in {None, "", want.sha256}]
    if same:
        return same[0]
    if offered:
        raise InstallError(
            f"the index offers {want.artifact.name} with other bytes than the lock names",
            locked_sha256=want.sha256,
            offered_sha256=offered[0].sha256,
            hint="the file was replaced, or the index is not the one that was locked from",
        )
    raise PackageIndexError(
        f"the index does not offer {want.artifact.name}",
        hint=f"it may have been removed; run: envknit lock --update {want.name}",
    )


def _want(pin: ChosenPin) -> _Want:
    assert pin.artifact is not None  # noqa: S101 - the caller looked
    return _Want(
        sha256=pin.artifact.sha256,
        name=pin.pin.name,
        version=pin.pin.version,
        artifact=pin.artifact,
        source=pin.pin.source,
    )


def _batches(wants: Sequence[_Want], most: int) -> Iterator[list[_Want]]:
    rest = iter(wants)
    while batch := list(islice(rest, most)):
        yield batch
