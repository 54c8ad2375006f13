"""A ZIP file read strictly: what two readers could understand differently is refused.

A ZIP says everything twice, in its central directory and before each file. Readers differ in which of the two they
believe, so a wheel can show one content to a scanner and another to an installer (CVE-2025-54368). `zipfile` reads the
directory here; this module sees that the rest of the file agrees with it, from the first byte to the last. Section
numbers are those of PKWARE's APPNOTE 6.3.10, which is the specification of the format.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from itertools import combinations, pairwise

from envknit.errors import UnsafeWheelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_MEMBERS = 200_000
_LARGEST_DIRECTORY = 64 << 20  # bytes; a wheel of 30,000 files has 4 MB
_MOST_BYTES = 8 << 30  # unpacked
_ALWAYS_FINE = 64 << 20  # bytes unpacked, whatever the ratio
_MOST_RATIO = 50  # of unpacked to packed bytes, beyond that
_CHUNK = 1 << 20

_END = struct.Struct("<4s4H2IH")  # 4.3.16
_END64 = struct.Struct("<4sQ2H2I4Q")  # 4.3.14
_LOCATOR = struct.Struct("<4sIQI")  # 4.3.15
_LOCAL = struct.Struct("<4s5H3I2H")  # 4.3.7

_HAS_DESCRIPTOR, _UTF8 = 0x08, 0x800
_KNOWN_FLAGS = 0x06 | _HAS_DESCRIPTOR | _UTF8  # 4.4.4; 0x06 says how hard the packer tried
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075  # extra fields that change what other fields say (4.5.3, 4.6.9)
_WIDE = 0xFFFFFFFF  # stands where a number is too large, and the ZIP64 field has it


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """One file or folder of an archive: its record in the directory, and where its bytes begin."""

    info: zipfile.ZipInfo
    offset: int

    @property
    def name(self) -> str:
        """Its path as written; that of a folder ends with `/`."""
        return self.info.orig_filename


def read_archive(fd: int) -> list[ArchivedFile]:
    """Read what an open ZIP file holds, in the order of its central directory.

    Raises:
        UnsafeWheelError: it is not exactly what one program would write and every program would read.

    Cost: the end of the file and its directory, and two small reads a file.
    """
    try:
        length = os.fstat(fd).st_size
        start, count = _directory(fd, length)
        with os.fdopen(fd, "rb", closefd=False) as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            found = archive.start_dir
    except (zipfile.BadZipFile, NotImplementedError, struct.error, UnicodeDecodeError, UserWarning) as error:
        # `zipfile` warns of an empty second name, and warnings can be errors
        raise UnsafeWheelError(f"the archive is damaged: {error}") from error
    if (found, len(infos)) != (start, count):
        raise UnsafeWheelError("the archive's directory has more or fewer records than it says")
    if len({info.orig_filename for info in infos}) != len(infos):
        # Readers take the first or the last of them
        raise UnsafeWheelError("the archive has two members of one name")
    total = sum(info.file_size for info in infos)
    if total > _MOST_BYTES or total > max(_ALWAYS_FINE, _MOST_RATIO * length):
        raise UnsafeWheelError("the archive would unpack to too much", packed_bytes=length, unpacked_bytes=total)
    try:
        return _files(fd, infos, start)
    except struct.error as error:
        raise UnsafeWheelError("the archive is damaged: it ends within a header") from error


def read_file(fd: int, file: ArchivedFile) -> Iterator[bytes]:
    """Read one file in pieces, checking that there is not one byte more or less than the archive says.

    Raises:
        UnsafeWheelError: its bytes are not what the archive says of them.
    """
    crc, left = 0, file.info.file_size
    for piece in _unpacked(fd, file) if file.info.compress_type else _packed(fd, file):
        left -= len(piece)
        if left < 0:
            break
        crc = zlib.crc32(piece, crc)
        yield piece
    if left or crc != file.info.CRC:
        raise UnsafeWheelError("a member's bytes are not those that the archive names", member=file.name)


def _unpacked(fd: int, file: ArchivedFile) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in _packed(fd, file):
            rest = piece
            while rest:
                yield inflate.decompress(rest, _CHUNK)
                rest = inflate.unconsumed_tail
        if not inflate.eof:
            yield inflate.flush()
    except zlib.error as error:
        raise UnsafeWheelError("a member cannot be unpacked", member=file.name) from error
    if not inflate.eof or inflate.unused_data:
        # `zipfile` stops at the first stream's end; other readers go on
        raise UnsafeWheelError("a member's packed bytes are not one whole stream", member=file.name)


def _packed(fd: int, file: ArchivedFile) -> Iterator[bytes]:
    offset, end = file.offset, file.offset + file.info.compress_size
    while offset < end and (piece := os.pread(fd, min(_CHUNK, end - offset), offset)):
        offset += len(piece)
        yield piece


def _directory(fd: int, length: int) -> tuple[int, int]:
    """Return where the central directory starts and how many records it has, as the one end of the file says."""
    tail_start = max(0, length - 0xFFFF - _END.size - _LOCATOR.size - _END64.size)
    tail = os.pread(fd, length - tail_start, tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise UnsafeWheelError("not a ZIP file")
    _, *narrow, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise UnsafeWheelError("bytes follow the end of the archive")
    if any(1 <= byte <= 8 for byte in tail[at + _END.size :]):
        # Readers that look for an end from the front would find one in the comment: every header has such a byte
        raise UnsafeWheelError("the archive's comment could be read as an archive")
    *parts, count, size, start = narrow
    if tail.startswith(b"PK\x06\x07", max(0, at - _LOCATOR.size)):
        at -= _LOCATOR.size + _END64.size
        *parts, count, size, start = wide = _END64.unpack_from(tail, at)[4:] if at >= 0 else narrow
        limits = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, _WIDE, _WIDE)
        if any(value not in pair for value, *pair in zip(narrow, limits, wide, strict=True)):
            # A reader without ZIP64 would see another archive
            raise UnsafeWheelError("the archive's two ends disagree")
        ends = [b"PK\x06\x06", _END64.size - 12, b"PK\x06\x07", 0, tail_start + at]
        found = [*_END64.unpack_from(tail, at)[:2], *_LOCATOR.unpack_from(tail, at + _END64.size)[:3]]
        if at < 0 or found != ends:
            raise UnsafeWheelError("the ZIP64 end of the archive is damaged, or not where it has to be")
    if parts != [0, 0, count]:
        raise UnsafeWheelError("the archive is one of several parts")
    if count > _MOST_MEMBERS or size > _LARGEST_DIRECTORY:
        raise UnsafeWheelError("the archive has too many members", members=count)
    if start + size != tail_start + at:
        # `zipfile` would take it, moved: what stands before is a program or another archive
        raise UnsafeWheelError("the archive does not begin at its first byte, or has bytes between its parts")
    return start, count


def _files(fd: int, infos: list[zipfile.ZipInfo], directory: int) -> list[ArchivedFile]:
    """Compare each record with the header before its file; files follow each other without a gap or an overlap.

    An overlap is a bomb (42.zip's heir, https://www.bamsoftware.com/hacks/zipbomb/), a gap can hold another archive.
    """
    files, spans = [], [(0, 0), (directory, directory)]
    for info in infos:
        _refuse_kind(info)
        if info.header_offset + info.compress_size > directory:
            raise UnsafeWheelError("a member would lie outside of the archive", member=info.orig_filename)
        offset = _data_offset(fd, info)
        end = offset + info.compress_size
        spans.append((info.header_offset, end + _descriptor_length(fd, info, end)))
        files.append(ArchivedFile(info, offset))
    if any(end != start for (_, end), (start, _) in pairwise(sorted(spans))):
        raise UnsafeWheelError("members of the archive overlap, or there are bytes that belong to none")
    return files


def _refuse_kind(info: zipfile.ZipInfo) -> None:
    name, is_folder = info.orig_filename, info.orig_filename.endswith("/")
    if info.flag_bits & ~_KNOWN_FLAGS or info.volume:
        raise UnsafeWheelError("a member is encrypted, or written in a way that wheels are not", member=name)
    if not (name.isascii() or info.flag_bits & _UTF8):
        # Without the flag, names are in the code page of whoever reads them (D.1)
        raise UnsafeWheelError("a member's name is neither ASCII nor marked as UTF-8", member=name)
    if info.compress_type != zipfile.ZIP_DEFLATED and (info.compress_type, info.file_size) != (0, info.compress_size):
        raise UnsafeWheelError("a member is neither stored nor deflated", member=name)
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFDIR if is_folder else stat.S_IFREG}:
        # A link to elsewhere, and then a file through it (CVE-2026-5223)
        raise UnsafeWheelError("a member is neither a file nor a folder", member=name, mode=oct(mode))
    if is_folder and (info.file_size or info.compress_size > 2):  # an empty deflated stream is two bytes
        raise UnsafeWheelError("a folder has content", member=name)


def _data_offset(fd: int, info: zipfile.ZipInfo) -> int:
    """Compare the header before a file with its record of the directory; returns where its bytes begin."""
    name = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "ascii")
    sizes = (info.file_size, info.compress_size)
    _extra_fields(info.extra, info, name, (*sizes, info.header_offset))
    header = os.pread(fd, _LOCAL.size + len(name), info.header_offset)
    magic, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack_from(header)
    extra_at = info.header_offset + _LOCAL.size + name_length
    extra = os.pread(fd, extra_length, extra_at) if extra_length else b""
    # 4.4.4: where sizes were not known when the file was written, they are zero here and follow it
    is_said_later = flags & _HAS_DESCRIPTOR and crc == 0 and {packed, size} <= {0, _WIDE}
    sizes = (0, 0) if is_said_later else sizes
    numbers = _extra_fields(extra, info, name, sizes).get(_ZIP64, b"")
    if (
        (magic, flags, method) != (b"PK\x03\x04", info.flag_bits, info.compress_type)
        or header[_LOCAL.size :] != name
        or len(name) != name_length
        or (crc != info.CRC and not is_said_later)
        or any(narrow not in {_WIDE, number} for narrow, number in zip((size, packed), sizes, strict=True))
        or (_WIDE in {size, packed} and numbers != struct.pack("<2Q", *sizes))
    ):
        raise UnsafeWheelError("a member and the archive's directory disagree", member=info.orig_filename)
    data: int = extra_at + extra_length
    return data


def _extra_fields(data: bytes, info: zipfile.ZipInfo, name: bytes, numbers: tuple[int, ...]) -> dict[int, bytes]:
    """Read extra fields, and refuse those that give a file another name, or other numbers than some readers see."""
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<2H", data, at)
        value = data[at + 4 : at + 4 + length]
        if len(value) != length or (kind in fields and kind in {_ZIP64, _UNICODE_PATH}):
            raise UnsafeWheelError("a member's extra fields are damaged", member=info.orig_filename)
        if kind == _UNICODE_PATH and value[5:] != name:
            raise UnsafeWheelError("a member has two names", member=info.orig_filename)
        fields[kind] = value
        at += 4 + length
    some = (part for many in range(len(numbers) + 1) for part in combinations(numbers, many))
    if _ZIP64 in fields and fields[_ZIP64] not in {struct.pack(f"<{len(part)}Q", *part) for part in some}:
        raise UnsafeWheelError("a member's ZIP64 field has other numbers", member=info.orig_filename)
    return fields


def _descriptor_length(fd: int, info: zipfile.ZipInfo, end: int) -> int:
    """Return the length of the data descriptor after a file (4.3.9), which must say what the directory says."""
    if not info.flag_bits & _HAS_DESCRIPTOR:
        return 0
    data = os.pread(fd, 24, end)
    numbers = (info.CRC, info.compress_size, info.file_size)
    for form in ("<IQQ", "<III") if max(numbers) <= _WIDE else ("<IQQ",):
        for magic in (b"PK\x07\x08", b""):
            said = magic + struct.pack(form, *numbers)
            if data.startswith(said):
                return len(said)
    raise UnsafeWheelError("a member and what follows it disagree", member=info.orig_filename)
