"""Sdists and other source archives: the metadata that they state for good, and their plain files, unpacked.

tarfile's own extraction is not used: its `data` filter can be led out of the folder (CVE-2025-4517), and Pythons before
3.10.12 have none. Its parser of headers is quadratic before gh-121285 (CVE-2024-6232), so headers are bounded.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING

from envknit.errors import UnsafeWheelError
from envknit.index.damage import DAMAGE, is_damage
from envknit.index.metadata import is_static

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

_MOST_BYTES = 4 << 30
_MOST_FOLD = 200  # unpacked bytes for each byte of the archive: real sources shrink to a tenth
_ALWAYS_BYTES = 64 << 20  # whatever the archive's size
_MOST_MEMBERS = 100_000
_DEEPEST = 64
_MOST_HEADER_WORK = 1 << 34  # the sum of the squares of the lengths of extended headers
_MOST_PKG_INFO = 8 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Member:
    """One file or folder of an archive; `open` is None for a folder."""

    parts: tuple[str, ...]
    size: int
    open: Callable[[], IO[bytes] | None] | None
    executable: bool = False


def static_metadata(archive: Path, filename: str) -> bytes | None:
    """Return the PKG-INFO of an sdist where it may be believed without a build (PEP 643), else None.

    Raises:
        UnsafeWheelError: it is damaged, or breaks the limits of `unpack`.
    """
    with _reading(filename), closing(_members(archive, filename)) as members:
        for member in members:
            if len(member.parts) == 2 and member.parts[1] == "PKG-INFO" and member.size <= _MOST_PKG_INFO:
                file = member.open and member.open()
                with file or nullcontext():
                    data = file.read() if file else b""
                return data if is_static(data) else None
    return None


def unpack(archive: Path, filename: str, into: Path) -> Path:
    """Unpack the plain files and folders of a source archive into an empty folder, and nothing of it anywhere else.

    Args:
        archive: the file.
        filename: its name on the index, which says its format.
        into: the folder.

    Returns:
        The one folder that it must hold (PEP 625).

    Raises:
        UnsafeWheelError: it is damaged, too large, holds more than one folder, or leads out of it.
    """
    with _reading(filename), closing(_members(archive, filename)) as members:
        for member in members:
            target = into.joinpath(*member.parts)
            if member.open is None:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            source = member.open()
            with source or nullcontext(), target.open("wb") as file:
                if source is not None:
                    shutil.copyfileobj(source, file)
            target.chmod(0o755 if member.executable else 0o644)
    found = list(into.iterdir())
    if len(found) != 1 or not found[0].is_dir():
        raise UnsafeWheelError(f"{filename} does not hold one folder")
    return found[0]


@contextmanager
def _reading(filename: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        if not is_damage(error):
            raise
        raise UnsafeWheelError(f"{filename} cannot be unpacked: {error}") from error


def _members(archive: Path, filename: str) -> Generator[_Member, None, None]:
    """Give the plain files and folders of an archive, each checked, in its order."""
    most = min(_MOST_BYTES, archive.stat().st_size * _MOST_FOLD + _ALWAYS_BYTES)
    size = 0
    members = _zip_members(archive) if filename.endswith(".zip") else _tar_members(archive)
    with closing(members):  # a generator that is left in the middle would keep its archive open until it is collected
        for count, (name, member_size, opened, executable) in enumerate(members, 1):
            size += member_size
            if member_size < 0:  # a PAX header says so; it would make room for others, and lead back to what was read
                raise UnsafeWheelError(f"a member of {filename} has a size below zero", member=ascii(name[:100]))
            if size > most or count > _MOST_MEMBERS:
                raise UnsafeWheelError(f"{filename} unpacks to more than {most} bytes or {_MOST_MEMBERS} members")
            parts = tuple(part for part in name.split("/") if part not in ("", "."))
            if name.startswith("/") or ".." in parts or any(c in name for c in "\\\0") or ":" in "".join(parts[:1]):
                raise UnsafeWheelError(f"a member of {filename} leads out of its folder", member=ascii(name[:100]))
            if len(parts) > _DEEPEST:
                raise UnsafeWheelError(
                    f"a member of {filename} lies deeper than {_DEEPEST} folders", member=ascii(name[:100])
                )
            if parts:
                yield _Member(parts=parts, size=member_size, open=opened, executable=executable)


# What is neither file nor folder has no name, and counts: it is read to get past it
_Raw = tuple[str, int, "Callable[[], IO[bytes] | None] | None", bool]


def _zip_members(path: Path) -> Generator[_Raw, None, None]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if member.is_dir():
                yield member.filename, 0, None, False
            elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
                yield member.filename, member.file_size, partial(archive.open, member), bool(mode & 0o100)
            else:
                yield "", 0, None, False


def _tar_members(path: Path) -> Generator[_Raw, None, None]:
    with _Archive.open(path, "r:*") as archive:
        for member in archive:
            if member.isdir():
                yield member.name, 0, None, False
            elif member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                yield (
                    member.name,
                    member.size,
                    partial(archive.extractfile, member),
                    bool(member.mode & 0o100),
                )
            else:
                yield "", member.size, None, False


class _Header(tarfile.TarInfo):
    """A header of a tar archive, the extended ones bounded."""

    def _proc_member(self, archive: _Archive) -> tarfile.TarInfo:
        # The method that tarfile names for subclasses to override ("_proc_member() ... can be overridden")
        if self.type not in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE):
            archive.header_work += self.size**2
            if archive.header_work > _MOST_HEADER_WORK:
                raise tarfile.HeaderError("its extended headers are too long")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return] # not in typeshed


class _Archive(tarfile.TarFile):
    tarinfo = _Header
    header_work = 0
