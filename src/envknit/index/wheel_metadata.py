"""METADATA out of a wheel; of one on a server, the end of the zip file and one member are fetched by ranges."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from envknit.files.filenames import parse_version
from envknit.index.damage import DAMAGE, is_damage
from envknit.index.metadata import UnusableMetadataError
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from envknit.http.session import Session
    from envknit.index.links import Link

_TAIL = 16 << 10  # wheels end with `.dist-info` and the directory; for nine of ten this is enough
_STEP = 32 << 10
_MOST_METADATA = 8 << 20
_MOST_DIRECTORY = 16 << 20  # bytes that may be fetched of one wheel; the longest real directories have 4 MB


def metadata_by_ranges(session: Session, link: Link) -> bytes | None:
    """Read the METADATA of a wheel on an index; None where its server knows no ranges.

    Raises:
        UnusableMetadataError: the file is no wheel.
        PackageIndexError: the index does not answer.

    Cost: one request for most wheels, two or three for the rest.
    """
    tail = session.last_bytes(link.url, _TAIL)
    if tail is None:
        return None
    end, size = tail
    try:
        return metadata_in_wheel(_RangeFile(session, link.url, end, size), link.filename)
    except _NoRangesError:
        return None


def metadata_in_wheel(file: io.RawIOBase | io.BufferedIOBase, filename: str) -> bytes:
    """Read the METADATA of a wheel.

    Args:
        file: the wheel, seekable.
        filename: its name, which says what the `.dist-info` folder must be called.

    Raises:
        UnusableMetadataError: the file is no wheel.
    """
    name, _, version = filename.partition("-")
    version = version.partition("-")[0]
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                folder, _, rest = member.filename.partition("/")
                stem = folder.removesuffix(".dist-info")
                if rest != "METADATA" or stem == folder or member.file_size > _MOST_METADATA:
                    continue
                found, _, found_version = stem.rpartition("-")
                if canonical_name(found) == canonical_name(name) and _same_version(found_version, version):
                    return archive.read(member)
    except DAMAGE as cause:
        if not is_damage(cause):
            raise
        raise UnusableMetadataError(f"{filename} is not a wheel: {cause}") from cause
    raise UnusableMetadataError(f"{filename} holds no metadata of its own")


def _same_version(one: str, other: str) -> bool:
    return one == other or parse_version(one.replace("_", "-")) == parse_version(other.replace("_", "-"))


class _NoRangesError(Exception):
    """The server gave the end of the file, but not its middle."""


class _RangeFile(io.RawIOBase):
    """A file on a server, of which the end is here and the rest is fetched when it is read."""

    def __init__(self, session: Session, url: str, end: bytes, size: int) -> None:
        self._session = session
        self._url = url
        self._size = size
        self._pieces = [(size - len(end), end)]
        self._at = 0
        self._left = _MOST_DIRECTORY

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes | None:
        if size > _MOST_DIRECTORY:  # `RawIOBase.read` makes room for all of it first
            raise zipfile.BadZipFile(f"its directory is larger than {_MOST_DIRECTORY} bytes")
        return super().read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        data = self._bytes(self._at, min(self._at + len(view), self._size))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _bytes(self, first: int, end: int) -> bytes:
        if end <= first:
            return b""
        for start, piece in self._pieces:
            if start <= first and end <= start + len(piece):
                return piece[first - start : end - start]
        stop = max(end, min(first + _STEP, self._size))
        self._left -= stop - first
        if self._left < 0:
            raise zipfile.BadZipFile(f"its directory is larger than {_MOST_DIRECTORY} bytes")
        data = self._session.bytes_between(self._url, first, stop)
        if data is None:
            raise _NoRangesError
        self._pieces.append((first, data))
        return data[: end - first]
