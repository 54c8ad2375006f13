"""What lies in one store entry: its RECORD, and the note that says which artifact it came from.

An entry is an unpacked wheel as it lies in site-packages, and beside it, in its `.data` folder, what belongs under the
prefix: `bin`, `share`, `include`. Its RECORD is truthful: it lists every file with its hash where a virtual environment
would have it (`../../../share/...`), but for itself and `ARTIFACT`, envknit's own note in the dist-info folder:

    artifact click-8.1.7-py3-none-any.whl
    sha256 ae74fb96c20a0277a1d615f1e4d73c8414f5a98db8b799a7931d1582f3390c28
    record <sha256 of RECORD>
    executable tool-1.0.data/bin/tool
    check <crc32 of the lines above>

The full digest is there because a folder's name has only eight of its digits, which can be made to collide.
"""

from __future__ import annotations

import base64
import csv
import os
import zlib
from dataclasses import dataclass, field

from envknit.errors import StoreError
from envknit.regular import read_regular
from envknit.store.disk import walk

NOTE = "ARTIFACT"
_REINSTALL = "run: envknit install"
_PREFIX = "../../../"  # from `lib/python3.X/site-packages`; a wheel's own paths have no `..`


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedFile:
    """One file of an entry: its path with `/`, what it hashes to, and its size in bytes."""

    path: str
    algorithm: str
    digest: bytes
    size: int
    executable: bool = False

    def row(self, dist_info: str) -> tuple[str, str, str]:
        """The file as a row of RECORD."""
        encoded = base64.urlsafe_b64encode(self.digest).rstrip(b"=").decode("ascii")
        data = data_folder(dist_info) + "/"
        path = _PREFIX + self.path.removeprefix(data) if self.path.startswith(data) else self.path
        return path, f"{self.algorithm}={encoded}", str(self.size)


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Which artifact an entry came from, and what its RECORD cannot say."""

    artifact: str
    sha256: str
    record: str
    executables: frozenset[str] = frozenset()

    def render(self) -> bytes:
        """Write the note as bytes."""
        lines = [f"artifact {self.artifact}", f"sha256 {self.sha256}", f"record {self.record}"]
        lines += [f"executable {path}" for path in sorted(self.executables)]
        body = "\n".join([*lines, ""]).encode()
        return body + f"check {zlib.crc32(body):08x}\n".encode()

    @classmethod
    def parse(cls, data: bytes, origin: str) -> Note:
        """Read a note; StoreError where one bit of it differs from what was written."""
        body, _, check = data.rpartition(b"check ")
        fields: dict[str, list[str]] = {"executable": []}
        damage = StoreError("the note of a store entry is damaged", file=origin, hint=_REINSTALL)
        if check != f"{zlib.crc32(body):08x}\n".encode():
            raise damage
        try:
            for line in body.decode().splitlines():
                kind, _, value = line.partition(" ")
                fields.setdefault(kind, []).append(value)
            return cls(
                artifact=fields["artifact"][0],
                sha256=fields["sha256"][0],
                record=fields["record"][0],
                executables=frozenset(fields["executable"]),
            )
        except (ValueError, KeyError) as error:
            raise damage from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One folder of the store (or of the disk, for locks that name folders), as its RECORD describes it.

    `folder` is what a plan calls it: relative to the store with `/`, or absolute. `location` is its absolute path.
    """

    folder: str
    location: str
    dist_info: str = ""
    files: tuple[RecordedFile, ...] = ()
    note: Note | None = field(default=None, repr=False)

    def read_text(self, path: str) -> str:
        """Read a file of the entry as UTF-8; empty where it has none of that name."""
        try:
            with open(os.path.join(self.location, path), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""


def read_note(location: str) -> Note:
    """Read the note of the entry at `location`: one listing and one small read."""
    dist_info = _dist_info(location)
    path = os.path.join(location, dist_info, NOTE)
    try:
        return Note.parse(read_regular(path), path)
    except OSError as error:
        raise StoreError("a store entry has no note", entry=location, hint=_REINSTALL) from error


def read_entry(root: str, folder: str) -> Entry:
    """Read an entry of the store at `root`.

    Cost: two small reads and RECORD; nothing is hashed (`verify` does).

    Raises:
        StoreError: it is not there, or its RECORD or note cannot be read.
    """
    location = os.path.join(root, *folder.split("/"))
    note = read_note(location)
    dist_info = _dist_info(location)
    try:
        with open(os.path.join(location, dist_info, "RECORD"), encoding="utf-8", newline="") as file:
            files = recorded_rows(file.read(), dist_info)
    except (OSError, ValueError) as error:
        raise StoreError("a store entry cannot be read", entry=location, hint=_REINSTALL) from error
    return Entry(folder=folder, location=location, dist_info=dist_info, files=files, note=note)


def read_foreign(location: str) -> Entry:
    """Describe a folder that envknit did not place (`install_path` of a lock), by walking it."""
    files = []
    for parent, folders, names in walk(location):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        inside = os.path.relpath(parent, location).replace(os.sep, "/")
        prefix = "" if inside == "." else inside + "/"
        files += [RecordedFile(path=prefix + name, algorithm="", digest=b"", size=0) for name in sorted(names)]
    try:
        dist_info = _dist_info(location)
    except StoreError:
        dist_info = ""
    return Entry(folder=location, location=location, dist_info=dist_info, files=tuple(files))


def data_folder(dist_info: str) -> str:
    """Name the folder of a wheel, and of its entry, that holds what does not belong into site-packages (PEP 427)."""
    return dist_info.removesuffix(".dist-info") + ".data"


def recorded_rows(text: str, dist_info: str) -> tuple[RecordedFile, ...]:
    """Read an entry's RECORD but for the rows without a hash: its own and the note's.

    Args:
        text: of the RECORD.
        dist_info: the folder in which it lies.

    Raises:
        ValueError: it is damaged.
    """
    try:
        data = data_folder(dist_info) + "/"
        rows = [row for row in csv.reader(text.splitlines()) if row[1]]
        return tuple(recorded_file(path.replace(_PREFIX, data, 1), *facts) for path, *facts in rows)
    except (csv.Error, IndexError, TypeError) as error:
        raise ValueError(f"a damaged RECORD: {error}") from error


def recorded_file(path: str, digest: str, size: str) -> RecordedFile:
    """Read one row of a RECORD; ValueError where the hash is not of a kind that can be relied on (PEP 376, 427)."""
    algorithm, _, value = digest.partition("=")
    if algorithm not in {"sha256", "sha384", "sha512"}:
        raise ValueError(f"{path}: {algorithm or 'no hash'} is not sha256, sha384 or sha512")
    decoded = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    return RecordedFile(path=path, algorithm=algorithm, digest=decoded, size=int(size) if size else -1)


def _dist_info(location: str) -> str:
    try:
        names = [name for name in os.listdir(location) if name.endswith(".dist-info")]
    except OSError as error:
        raise StoreError("the store lost an entry", entry=location, hint=_REINSTALL) from error
    if len(names) != 1:
        raise StoreError("a store entry does not hold one dist-info folder", entry=location, hint=_REINSTALL)
    return names[0]
