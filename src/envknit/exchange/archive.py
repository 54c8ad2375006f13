"""The file that a bundle is: a tar of a lock and the wheels that it names, the same bytes for the same contents.

    bundle.json          what it was made for
    envknit.lock.yaml    the lock
    wheels/<sha256>      the wheels, by digest; their names are in the lock

Only plain files with these names, in this order, are written or read: a tar that says anything else is refused, so
nothing in one can lead out of the folder that it is unpacked into. Integers and modes are those of POSIX ustar.
"""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zlib
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

from envknit.errors import InstallError, UnsupportedPlatformError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import ModuleType

    from typing_extensions import Self

NOTE, LOCK, WHEELS = "bundle.json", "envknit.lock.yaml", "wheels/"
ENDINGS = (".tar", ".tar.gz", ".tar.xz", ".tar.zst")

_BLOCK = 512
_RECORD = 20 * _BLOCK  # tar fills the last one up with zeros
_CHUNK = 1 << 20
_MOST_BYTES = (8 << 30) - 1  # of one file: eleven octal digits
_ALWAYS_FINE = 64 << 20  # bytes unpacked, whatever the ratio
_MOST_RATIO = 50  # of unpacked to packed bytes, beyond that; wheels are packed already
_MAGIC = {b"\x1f\x8b": ".tar.gz", b"\xfd7zXZ\0": ".tar.xz", b"\x28\xb5\x2f\xfd": ".tar.zst"}


class ArchiveWriter:
    """Writes the files of an archive one after the other.

    Args:
        file: where to.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._written = 0

    def add(self, name: str, size: int, pieces: Iterable[bytes]) -> None:
        """Add a file of so many bytes."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o644, 0
        if size > _MOST_BYTES:
            raise InstallError("a file is too large for a bundle", file=name, bytes=size)
        self._write(info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict"))
        for piece in pieces:
            self._write(piece)
        self._write(bytes(-self._written % _BLOCK))

    def finish(self) -> None:
        """Write the end."""
        self._write(bytes(2 * _BLOCK))
        self._write(bytes(-self._written % _RECORD))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._written += len(data)


class ArchiveReader:
    """Reads the files of an archive one after the other; every file has to be read to its end before the next.

    Args:
        file: the plain tar.
        packed: the file that it is unpacked from, whose position tells how much was read of it.
        path: for messages.
    """

    def __init__(self, file: IO[bytes], packed: IO[bytes], path: Path) -> None:
        self._file = file
        self._packed = packed
        self._path = path
        self._read = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[str, int]:
        """Return name and size of the next file."""
        header = self._take(_BLOCK)
        if not header.strip(b"\0"):
            self._end()
            raise StopIteration
        try:
            info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
        except (tarfile.HeaderError, ValueError) as cause:
            raise self.bad(f"a header cannot be read: {cause}") from cause
        if info.type != tarfile.REGTYPE or not 0 <= info.size <= _MOST_BYTES:
            raise self.bad("it holds something else than plain files")
        return info.name, info.size

    def pieces(self, size: int) -> Iterator[bytes]:
        """Read the file whose name and size was returned last."""
        left = size
        while left:
            piece = self._take(min(left, _CHUNK))
            left -= len(piece)
            yield piece
        self._take(-size % _BLOCK)

    def bad(self, reason: str) -> InstallError:
        """Return an error about this archive."""
        return InstallError(f"this is not a whole bundle: {reason}", file=self._path)

    def _take(self, size: int) -> bytes:
        data = self._some(size)
        self._read += size
        if len(data) != size:
            raise self.bad("it ends too early")
        if self._read > max(_ALWAYS_FINE, _MOST_RATIO * self._packed.tell()):
            raise self.bad("it would unpack to too much")
        return data

    def _end(self) -> None:
        rest = self._take(_BLOCK)  # two empty blocks end it, and the record is filled up
        rest += self._take(-self._read % _RECORD)
        if rest.strip(b"\0") or self._some(1):
            raise self.bad("something follows its end")

    def _some(self, most: int) -> bytes:
        try:
            return self._file.read(most)
        except _unpacking_errors() as cause:
            raise self.bad(f"it cannot be unpacked: {cause}") from cause


@contextmanager
def writing(file: IO[bytes], name: str) -> Iterator[ArchiveWriter]:
    """Write an archive into a file, packed as the end of its name says.

    Raises:
        InstallError: the name ends otherwise.
        UnsupportedPlatformError: this Python cannot pack so.
    """
    ending = next((each for each in reversed(ENDINGS) if name.endswith(each)), "")
    if not ending:
        raise InstallError("the name of a bundle says how it is packed", name=name, endings=", ".join(ENDINGS))
    with _packed(file, ending, "wb") as plain:
        writer = ArchiveWriter(plain)
        yield writer
        writer.finish()


@contextmanager
def reading(file: IO[bytes], path: Path) -> Iterator[ArchiveReader]:
    """Read an archive out of a file; how it is packed, its first bytes say.

    Raises:
        UnsupportedPlatformError: this Python cannot unpack it.
    """
    start = file.read(6)
    file.seek(0)
    ending = next((ending for magic, ending in _MAGIC.items() if start.startswith(magic)), ".tar")
    with _packed(file, ending, "rb") as plain:
        yield ArchiveReader(plain, file, path)


@contextmanager
def _packed(file: IO[bytes], ending: str, mode: str) -> Iterator[IO[bytes]]:
    """Open a packed file; the fastest way of packing will do, as wheels are packed already."""
    if ending == ".tar":
        yield file
        return
    opened: Any  # three classes of the standard library and one of a package
    if ending == ".tar.gz":
        opened = gzip.GzipFile(filename="", mode=mode, compresslevel=1, fileobj=file, mtime=0)
    elif ending == ".tar.xz":
        opened = lzma.LZMAFile(file, mode, preset=0 if mode == "wb" else None)  # noqa: SIM115 - closed below
    else:
        zstd = _zstd()
        if zstd is None:
            raise UnsupportedPlatformError(
                "this Python cannot pack or unpack .tar.zst",
                hint="use .tar.gz, or Python 3.14; or, in a clone of envknit: python -m pip install '.[zstd]'",
            )
        opened = zstd.ZstdFile(file, mode)
    with opened as plain:
        yield plain


def _zstd() -> ModuleType | None:
    for name in ("compression.zstd", "backports.zstd"):
        with suppress(ImportError):
            return import_module(name)
    return None


def _unpacking_errors() -> tuple[type[Exception], ...]:
    zstd = _zstd()
    own: list[type[Exception]] = [zstd.ZstdError] if zstd else []
    return (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, *own)
