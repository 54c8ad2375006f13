"""Unpack a wheel that passed the gate, with `installer`: a source of checked members, and a destination."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from dataclasses import replace
from typing import cast

import installer
from installer.destinations import WheelDestination
from installer.records import RecordEntry
from installer.sources import WheelSource

from envknit.errors import UnsafeWheelError
from envknit.store.disk import make_read_only
from envknit.store.entry import NOTE, Note, RecordedFile
from envknit.wheel.archive import read_member
from envknit.wheel.gate import check_wheel, scheme_folders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from installer.scripts import ScriptSection
    from installer.utils import Scheme

    from envknit.wheel.gate import CheckedFile, CheckedWheel

_CHUNK = 1 << 20
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ALGORITHMS = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


def unpack_wheel(path: Path, into: Path, *, wheel: str, name: str, version: str, sha256: str) -> tuple[str, ...]:
    """Unpack a wheel into a new folder as it will lie in the store: read-only, with a truthful RECORD and a note.

    Args:
        path: the wheel, its digest checked by the caller.
        into: does not exist yet.
        wheel: its file name.
        name: what the lock says it is.
        version: what the lock says it is.
        sha256: digest of the artifact that the lock names: the wheel itself, or the sdist that it was built from.

    Returns:
        What was left out, one sentence each.

    Raises:
        UnsafeWheelError: it breaks a rule, or a file is not what its RECORD says.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        checked = check_wheel(fd, wheel=wheel, name=name, version=version)
        into.mkdir(mode=0o755)
        destination = _Entry(into, checked, Note(artifact=wheel, sha256=sha256, record=""), name)
        installer.install(_Source(fd, checked, wheel), destination, {"INSTALLER": b"envknit\n"})
    finally:
        os.close(fd)
    make_read_only(into)
    return checked.notes


class _Source(WheelSource):
    """The members of a checked wheel. Entry points are not shown: console scripts are made per interpreter."""

    def __init__(self, fd: int, checked: CheckedWheel, wheel: str) -> None:
        distribution, version = wheel.split("-")[:2]
        super().__init__(distribution, version)
        self._fd = fd
        self._checked = checked

    @property
    def dist_info_dir(self) -> str:
        return self._checked.dist_info

    @property
    def data_dir(self) -> str:
        return self._checked.data_folder

    @property
    def dist_info_filenames(self) -> list[str]:
        return [text for text in self._checked.texts if text != "entry_points.txt"]

    def read_dist_info(self, filename: str) -> str:
        return self._checked.texts[filename]

    def get_contents(self) -> Iterator[tuple[tuple[str, str, str], BinaryIO, bool]]:
        for file in self._checked.files:
            stream = _Stream(read_member(self._fd, file.member))
            yield (file.member.name, "", ""), cast("BinaryIO", stream), file.member.is_executable


class _Stream(io.RawIOBase):
    """One member, whose reads give its pieces as they come."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return b"".join(self._pieces) if size < 0 else next(self._pieces, b"")


class _Entry(WheelDestination):
    """A folder that becomes a store entry: each file is compared with RECORD while it is written."""

    def __init__(self, root: Path, checked: CheckedWheel, note: Note, name: str) -> None:
        self._root = str(root)
        self._checked = checked
        self._note = note
        self._expected: dict[str, CheckedFile] = {file.place: file for file in checked.files}
        self._places = scheme_folders(name)
        self._known = {""}
        self._written: list[RecordedFile] = []

    def write_script(self, name: str, module: str, attr: str, section: ScriptSection) -> RecordEntry:
        raise NotImplementedError("the source shows no entry points")

    def write_file(
        self,
        scheme: Scheme,
        path: str | os.PathLike[str],
        stream: BinaryIO,
        is_executable: bool,  # noqa: FBT001 - installer's
    ) -> RecordEntry:
        place = self._places[scheme] + os.fspath(path)
        expected = self._expected.get(place)
        recorded = expected.recorded if expected else None
        digest = _ALGORITHMS[recorded.algorithm if recorded else "sha256"]()
        mode = 0o555 if is_executable or scheme == "scripts" else 0o444
        size = self._write(place, iter(lambda: stream.read(_CHUNK), b""), mode, digest)
        if recorded and digest.digest() != recorded.digest:
            raise UnsafeWheelError(
                "a file is not what the wheel's RECORD says", wheel=self._note.artifact, member=place
            )
        self._written.append(
            RecordedFile(path=place, algorithm=digest.name, digest=digest.digest(), size=size, executable=mode == 0o555)
        )
        return RecordEntry(place, None, None)

    def finalize_installation(
        self,
        scheme: Scheme,  # noqa: ARG002 - as below
        record_file_path: str,
        records: Iterable[tuple[Scheme, RecordEntry]],  # noqa: ARG002 - installer's
    ) -> None:
        """Write RECORD and the note, which says what RECORD hashes to."""
        note_path = f"{self._checked.dist_info}/{NOTE}"
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        rows = [file.row for file in self._written]
        writer.writerows(sorted([*rows, (record_file_path, "", ""), (note_path, "", "")]))
        record = text.getvalue().encode()
        self._write(record_file_path, [record], 0o444)
        executables = frozenset(file.path for file in self._written if file.executable)
        note = replace(
            self._note,
            record=hashlib.sha256(record).hexdigest(),
            data=_data_names(self._checked),
            executables=executables,
        )
        self._write(note_path, [note.render()], 0o444)

    def _write(self, place: str, pieces: Iterable[bytes], mode: int, digest: hashlib._Hash | None = None) -> int:
        folder = place.rpartition("/")[0]
        if folder not in self._known:
            os.makedirs(f"{self._root}/{folder}", mode=0o755, exist_ok=True)
            self._known.add(folder)
        fd = os.open(f"{self._root}/{place}", _NEW_FILE, 0o600)
        try:
            size = 0
            for piece in pieces:
                if digest is not None:
                    digest.update(piece)
                _write_all(fd, piece)
                size += len(piece)
            os.fchmod(fd, mode)
            return size
        finally:
            os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])


def _data_names(checked: CheckedWheel) -> frozenset[str]:
    """Name what lies at the root of the entry only because of `.data`: it is no import name."""
    importable = {f"{checked.data_folder}/{scheme}/" for scheme in ("purelib", "platlib")}
    data: set[str] = set()
    other: set[str] = set()
    for file in checked.files:
        path = file.member.name
        outside = path.startswith(f"{checked.data_folder}/") and not path.startswith(tuple(importable))
        (data if outside else other).add(file.place.partition("/")[0])
    return frozenset(data - other)
