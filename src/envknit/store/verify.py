"""Compare what lies in the store with what was placed there, file by file.

An entry's note vouches for its RECORD, and RECORD for every other file; bytecode is compared with what its source
compiles to. What is found is told as it is; `install.repair` mends it.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import stat
import warnings
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from _envknit_finder import bytecode_tag, whole_bytecode
from envknit.errors import StoreError
from envknit.naming import BUNDLE
from envknit.store.disk import distrust, doubt_of
from envknit.store.entry import NOTE, Note, RecordedFile, recorded_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CHUNK = 1 << 20
_CACHES = (".pyc", ".nbc", ".nbi")  # of Python and pytest, of numba: what they keep in a `__pycache__` beside a source


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Finding:
    """One thing that is not as it was placed.

    Args:
        folder: the entry or bundle, or another folder of the store.
        path: the file in it; `""`: the folder itself.
        kind: `missing`, `changed`, `extra`, `type` (a link or folder where a file was), `mode`, `unreadable`, `others`
            (they may write to it) or `owner` (it is somebody else's).
        executable: whether a file with another mode was placed as one that can be run.
    """

    folder: str
    path: str
    kind: str
    executable: bool = field(default=False, compare=False)

    @property
    def place(self) -> str:
        """Its path, relative to the store."""
        return f"{self.folder}/{self.path}" if self.path else self.folder

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What `verify` found.

    Args:
        folders: how many were compared.
        files: how many files they should have.
        findings: the damage, sorted; empty where all is whole.
        notes: what is no damage but should be known, one sentence each.
    """

    folders: int
    files: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def hint(self) -> str:
        """How to repair what was found; empty where nothing is to be repaired."""
        return "run: envknit verify --repair" if self.findings else ""

    @property
    def damaged(self) -> tuple[str, ...]:
        """The folders with findings, sorted."""
        return tuple(sorted({finding.folder for finding in self.findings}))


def verify(root: str | os.PathLike[str], folders: Iterable[str], others: Iterable[str] = ()) -> Verified:
    """Compare entries and bundles of the store at `root` with what was placed, and their bytecode with its source.

    Args:
        root: the store.
        folders: as plans call them; an absolute one was not placed by envknit, and is only noted.
        others: further folders of the store that nobody else may write to, nor to those above them.

    Cost: every file is read and hashed, in two threads; every module that has bytecode for this Python is compiled.
    """
    root = str(root)
    wanted = sorted(set(folders))
    own = [folder for folder in wanted if not os.path.isabs(folder)]
    notes = [f"{folder} was not placed by envknit, and is not verified" for folder in wanted if folder not in own]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda folder: _Inspection(root, folder), own))
    findings = [finding for inspection in done for finding in inspection.findings]
    findings += open_to_others(root, [*own, *others])
    findings += [finding for folder in own for finding in _changed_bytecode(root, folder)]
    return Verified(
        folders=len(own),
        files=sum(inspection.files for inspection in done),
        findings=tuple(sorted(findings)),
        notes=tuple(notes),
    )


def compare(root: str, folder: str) -> list[Finding]:
    """Compare one entry or bundle of the store at `root` with what was placed; cost: every file is read and hashed."""
    return _Inspection(root, folder).findings


def open_to_others(root: str, folders: Iterable[str]) -> Iterator[Finding]:
    """Find folders on the way to these that somebody else could exchange, or fill."""
    ways = {"."}
    for folder in folders:
        while folder not in ways:
            ways.add(folder)
            folder = os.path.dirname(folder) or "."  # noqa: PLW2901 - upwards
    for way in sorted(ways):
        with suppress(FileNotFoundError):
            if kind := distrust(os.path.join(root, way)):
                yield Finding(folder=way, path="", kind=kind)


def _changed_bytecode(root: str, folder: str) -> Iterator[Finding]:
    """Find bytecode of an entry, for this Python, that is not what its source compiles to.

    Two compilations of one source need not be the same bytes (marshal writes references by count, bpo-34033): code
    objects are compared.
    """
    for level in range(3):
        cache = f"bytecode/{bytecode_tag(level)}/{folder}"
        for parent, folders, names in os.walk(os.path.join(root, cache)):
            folders.sort()
            for name in sorted(names):
                path = os.path.relpath(os.path.join(parent, name), os.path.join(root, cache))
                source = os.path.join(root, folder, path[:-1])
                if name.endswith(".pyc") and os.path.isfile(source):
                    with suppress(OSError):
                        file = os.path.join(parent, name)
                        if os.path.isfile(file) and _is_bytecode_of(file, source, level):
                            continue
                    yield Finding(folder=cache, path=path, kind="changed")


def _is_bytecode_of(path: str, source: str, level: int) -> bool:
    with open(path, "rb") as file, open(source, "rb") as text:
        body = whole_bytecode(file.read())
        if body is None:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                code = compile(text.read(), source, "exec", dont_inherit=True, optimize=level)
            except (SyntaxError, ValueError):
                return False
    try:
        return bool(marshal.loads(body) == code)  # noqa: S302 - the hash is that of what was written
    except (EOFError, TypeError, ValueError):
        return False


class _Inspection:
    """One folder, compared."""

    def __init__(self, root: str, folder: str) -> None:
        self.folder = folder
        self.findings: list[Finding] = []
        self.files = 0
        self._location = os.path.join(root, folder)
        if kind := self._is_none():
            self._find("", kind)
            return
        try:
            self._inspect()
        except OSError as error:  # a disk that fails, or rights that are gone
            self._find(os.path.relpath(error.filename or self._location, self._location), "unreadable")

    def _is_none(self) -> str:
        """Say of what kind the finding is where there is no folder; a link may lead to one of its name elsewhere."""
        if os.path.islink(self._location):
            place = os.readlink(self._location)
            if not os.path.isabs(place) or not place.endswith(f"/{self.folder}"):
                return "type"
            if os.path.exists(place) and doubt_of(place):
                return "others"
            self._location = place
        return "" if os.path.isdir(self._location) else "type" if os.path.lexists(self._location) else "missing"

    def _inspect(self) -> None:
        self._check("", os.lstat(self._location), {0o555})
        expected, executables = self._expected()
        self.files = len(expected)
        seen = set()
        for path, found in self._walk(""):
            seen.add(path)
            self._compare(path, found, expected, executables)
        for path in expected.keys() - seen:
            self._find(path, "missing")

    def _find(self, path: str, kind: str, *, executable: bool = False) -> None:
        self.findings.append(Finding(folder=self.folder, path=path, kind=kind, executable=executable))

    def _expected(self) -> tuple[dict[str, list[RecordedFile]], set[str] | None]:
        """Read what every dist-info folder says; in a bundle, a path may be that of several pins."""
        expected: dict[str, list[RecordedFile]] = defaultdict(list)
        executables: set[str] | None = set()
        infos = [name for name in sorted(os.listdir(self._location)) if name.endswith(".dist-info")]
        if not infos:
            self._find("*.dist-info", "missing")
        for info in infos:
            note = self._note(f"{info}/{NOTE}")
            record = self._read(f"{info}/RECORD")
            expected[f"{info}/{NOTE}"] = expected[f"{info}/RECORD"] = []
            if note is None or executables is None:
                executables = None  # a damaged note cannot say
            else:
                executables |= note.executables
                if record is not None and hashlib.sha256(record).hexdigest() != note.record:
                    self._find(f"{info}/RECORD", "changed")
            try:
                rows = recorded_rows((record or b"").decode(), info)
            except ValueError:
                continue  # it is changed, and told so above
            for row in rows:
                expected[row.path].append(row)
        return expected, executables

    def _note(self, path: str) -> Note | None:
        data = self._read(path)
        try:
            note = Note.parse(data, path) if data is not None else None
        except StoreError:
            note = None
            self._find(path, "changed")
        own = not self.folder.startswith(BUNDLE)
        if note is not None and own and not self.folder.endswith(f"-{note.sha256[:8]}"):
            self._find(path, "changed")
        return note

    def _read(self, path: str) -> bytes | None:
        file = os.path.join(self._location, path)
        try:
            if not stat.S_ISREG(os.lstat(file).st_mode):
                return None
            with open(file, "rb") as opened:
                return opened.read()
        except OSError:
            return None

    def _walk(self, inside: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        with os.scandir(os.path.join(self._location, inside)) as found:
            items = sorted(found, key=lambda item: item.name)
        for item in items:
            path = f"{inside}/{item.name}" if inside else item.name
            if not item.is_dir(follow_symlinks=False):
                yield path, item
                continue
            if item.name != "__pycache__":
                self._check(path, item.stat(follow_symlinks=False), {0o555})
            elif not os.access(item.path, os.R_OK):
                continue  # in a store of root's: nor does Python read it
            yield from self._walk(path)

    def _compare(
        self, path: str, found: os.DirEntry[str], expected: dict[str, list[RecordedFile]], executables: set[str] | None
    ) -> None:
        status = found.stat(follow_symlinks=False)
        mode = status.st_mode
        if path not in expected:
            if "__pycache__" not in path.split("/") or not path.endswith(_CACHES) or not stat.S_ISREG(mode):
                self._find(path, "extra")
        elif not stat.S_ISREG(mode):
            self._find(path, "type")
        else:
            rows = expected[path]
            if rows and not any(self._is(path, row) for row in rows):
                self._find(path, "changed")
            allowed = {0o444, 0o555} if executables is None else {0o555 if path in executables else 0o444}
            self._check(path, status, allowed, executable=path in (executables or ()))

    def _check(self, path: str, found: os.stat_result, modes: set[int], *, executable: bool = False) -> None:
        if found.st_uid not in {os.geteuid(), 0}:
            self._find(path, "owner")
        if stat.S_IMODE(found.st_mode) not in modes:
            self._find(path, "mode", executable=executable)

    def _is(self, path: str, row: RecordedFile) -> bool:
        """Hash what was opened, not what was looked at: it may have been exchanged in between."""
        try:
            fd = os.open(os.path.join(self._location, path), os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            if os.fstat(fd).st_size != row.size:
                return False
            digest = hashlib.new(row.algorithm)
            while chunk := os.read(fd, _CHUNK):
                digest.update(chunk)
        finally:
            os.close(fd)
        return digest.digest() == row.digest
