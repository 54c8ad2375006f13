"""Unpack a wheel that passed the gate into a folder that becomes a store entry: read-only, with a truthful RECORD."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import stat
from dataclasses import dataclass

from envknit.store.disk import seal
from envknit.store.entry import NOTE, Entry, Note, RecordedFile
from envknit.wheel.archive import read_file
from envknit.wheel.gate import check_wheel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from installer.records import RecordEntry

    from envknit.wheel.gate import CheckedFile, CheckedWheel

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS = frozenset({"sha384", "sha512"})  # than sha256, that a RECORD can be compared by


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpacked:
    """What a wheel became.

    Args:
        dist_info: its dist-info folder.
        files: what its RECORD says now, in the order of that.
        note: which artifact it came from.
        doubts: what was left out or does not fit, one sentence each.
    """

    dist_info: str
    files: tuple[RecordedFile, ...]
    note: Note
    doubts: tuple[str, ...]

    def entry(self, root: str, folder: str) -> Entry:
        """Return the entry that it is once it is placed, as `read_entry` would read it."""
        location = f"{root}/{folder}"
        return Entry(folder=folder, location=location, dist_info=self.dist_info, files=self.files, note=self.note)


def unpack_wheel(
    path: Path, into: Path, *, wheel: str, name: str, version: str, sha256: str, origin: bytes = b""
) -> Unpacked:
    """Unpack a wheel into a new folder as it will lie in the store.

    Args:
        path: the wheel, its digest checked by the caller.
        into: does not exist yet.
        wheel: its file name.
        name: what the lock says it is.
        version: what the lock says it is.
        sha256: digest of the artifact that the lock names: the wheel itself, or the sdist that it was built from.
        origin: what `direct_url.json` says (PEP 610); empty for what an index has.

    Raises:
        UnsafeWheelError: it breaks a rule.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        checked = check_wheel(fd, wheel=wheel, name=name, version=version)
        into.mkdir(mode=0o755)
        entry = _NewEntry(str(into))
        for file in checked.files:
            entry.add(fd, file, checked.record.get(file.file.name))
    finally:
        os.close(fd)
    files, note = entry.finish(checked, wheel, sha256, origin)
    seal(into)
    doubts = (*checked.notes, *_doubts(entry.unfitting or list(checked.absent)))
    return Unpacked(dist_info=checked.dist_info, files=files, note=note, doubts=doubts)


class _NewEntry:
    """A folder that becomes a store entry."""

    def __init__(self, root: str) -> None:
        self.unfitting: list[str] = []  # files that the wheel's RECORD has no row of, or another one
        self._root = root
        self._known = {""}  # folders that exist
        self._exact: dict[int, bool] = {}  # whether a new file has the mode that it was opened with, whatever the umask
        self._written: list[RecordedFile] = []

    def add(self, fd: int, checked: CheckedFile, row: RecordEntry | None) -> None:
        """Unpack one file of the wheel that is open as `fd`, and compare it with its row of RECORD."""
        other = row.hash_.name if row and row.hash_ else ""
        digests = {"sha256": hashlib.sha256()}
        if other in _OTHERS:
            digests[other] = hashlib.new(other)
        mode = 0o555 if checked.is_executable else 0o444
        size = self._write(checked.place, read_file(fd, checked.file), mode, digests.values())
        file = RecordedFile(
            path=checked.place,
            algorithm="sha256",
            digest=digests["sha256"].digest(),
            size=size,
            executable=checked.is_executable,
        )
        self._written.append(file)
        fitting = base64.urlsafe_b64encode(digests[other].digest()).rstrip(b"=").decode() if other in digests else None
        if not row or not row.hash_ or row.hash_.value != fitting or row.size not in {None, size}:
            self.unfitting.append(checked.file.name)

    def finish(
        self, checked: CheckedWheel, wheel: str, sha256: str, origin: bytes
    ) -> tuple[tuple[RecordedFile, ...], Note]:
        """Write what an installer writes, RECORD, and the note, which says what RECORD hashes to; returns both."""
        for name, data in {"INSTALLER": b"envknit\n", "direct_url.json": origin}.items():
            path = f"{checked.dist_info}/{name}"
            if data:
                self._write(path, [data], 0o444)
                digest = hashlib.sha256(data).digest()
                self._written.append(RecordedFile(path=path, algorithm="sha256", digest=digest, size=len(data)))
        rows = {file.row(checked.dist_info): file for file in self._written}
        own = [(f"{checked.dist_info}/{text}", "", "") for text in ("RECORD", NOTE)]
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(sorted([*own, *rows]))
        record = text.getvalue().encode()
        self._write(f"{checked.dist_info}/RECORD", [record], 0o444)
        note = Note(
            artifact=wheel,
            sha256=sha256,
            record=hashlib.sha256(record).hexdigest(),
            executables=frozenset(file.path for file in self._written if file.executable),
        )
        self._write(f"{checked.dist_info}/{NOTE}", [note.render()], 0o444)
        return tuple(rows[row] for row in sorted(rows)), note

    def _write(self, place: str, pieces: Iterable[bytes], mode: int, digests: Iterable[hashlib._Hash] = ()) -> int:
        folder = place.rpartition("/")[0]
        if folder not in self._known:
            os.makedirs(f"{self._root}/{folder}", mode=0o755, exist_ok=True)
            self._known.add(folder)
        size = 0
        fd = os.open(f"{self._root}/{place}", _NEW_FILE, mode)
        try:
            for piece in pieces:
                for digest in digests:
                    digest.update(piece)
                size += len(piece)
                rest = memoryview(piece)
                while rest:  # a system call may take a part of it
                    rest = rest[os.write(fd, rest) :]
            if mode not in self._exact:
                self._exact[mode] = stat.S_IMODE(os.fstat(fd).st_mode) == mode
            if not self._exact[mode]:
                os.fchmod(fd, mode)
        finally:
            os.close(fd)
        return size


def _doubts(unfitting: list[str]) -> list[str]:
    """Say where the wheel's RECORD is wrong.

    No reason to refuse it: what was locked is the whole file, and pip and uv install careless builds as well.
    """
    if not unfitting:
        return []
    installed = "what the lock's sha256 stands for was installed, with a RECORD that fits"
    return [f"its RECORD does not fit {len(unfitting)} files, such as {min(unfitting)}; {installed}"]
