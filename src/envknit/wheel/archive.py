"""The frame of a ZIP file, read strictly: what two readers could understand differently is refused.

A ZIP says everything twice, in its central directory and before each file. Readers differ in which they believe, what
they skip, and where they start looking, so a wheel can show one content to a scanner and another to an installer
(CVE-2025-54368). Here both must agree, and the members must cover the file from its first byte to its last.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from dataclasses import dataclass, replace
from itertools import pairwise

from envknit.errors import UnsafeWheelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STORED, DEFLATED = 0, 8

_MOST_MEMBERS = 200_000
_MOST_BYTES = 8 << 30  # unpacked
_ALWAYS_FINE = 64 << 20  # bytes unpacked, whatever the ratio
_MOST_RATIO = 50  # of unpacked to packed bytes, beyond that

_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")

_HAS_DESCRIPTOR = 0x08
_UTF8 = 0x800
_KNOWN_FLAGS = 0x06 | _HAS_DESCRIPTOR | _UTF8  # 0x06: how hard the packer tried
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075  # extra fields that change what other fields say
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One member of an archive.

    Args:
        name: its path, as written.
        method: STORED or DEFLATED.
        crc: CRC-32 of its bytes.
        packed: bytes in the archive.
        size: bytes unpacked.
        offset: where its bytes begin.
        mode: Unix mode, 0 where there is none.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return self.name.endswith("/")

    @property
    def is_executable(self) -> bool:
        """Whether this is a file that may be run."""
        return bool(self.mode & 0o111)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Central:
    """One record of the central directory."""

    flags: int
    raw_name: bytes
    header: int
    member: Member


def read_archive(fd: int) -> list[Member]:
    """Read the members of an open ZIP file, in the order of the central directory.

    Raises:
        UnsafeWheelError: the frame is not exactly what one reader would write and every reader would read.

    Cost: the end of the file in one read, and one small read a member.
    """
    try:
        length = os.fstat(fd).st_size
        start, size, count = _find_directory(fd, length)
        records = list(_directory(os.pread(fd, size, start), count))
        _refuse_bombs([record.member for record in records], length)
        return _members(fd, records, start)
    except (struct.error, UnicodeDecodeError) as error:
        raise UnsafeWheelError("the archive is damaged") from error


def read_member(fd: int, member: Member) -> Iterator[bytes]:
    """Read one member in pieces, checking that there is not one byte more or less than it says.

    Raises:
        UnsafeWheelError: its bytes are not what the archive says of them.
    """
    crc = 0
    left = member.size
    for chunk in _unpacked(fd, member):
        left -= len(chunk)
        if left < 0:
            break
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if left or crc != member.crc:
        raise UnsafeWheelError("a member's bytes are not those that the archive names", member=member.name)


def _unpacked(fd: int, member: Member) -> Iterator[bytes]:
    if member.method == STORED:
        yield from _packed(fd, member)
        return
    inflate = zlib.decompressobj(-15)
    try:
        if member.size <= _CHUNK and member.packed <= _CHUNK:
            yield inflate.decompress(os.pread(fd, member.packed, member.offset), member.size + 1)
        else:
            for piece in _packed(fd, member):
                rest = piece
                while rest:
                    yield inflate.decompress(rest, _CHUNK)
                    rest = inflate.unconsumed_tail
        if not inflate.eof:
            yield inflate.flush()
    except zlib.error as error:
        raise UnsafeWheelError("a member cannot be unpacked", member=member.name) from error
    if not inflate.eof or inflate.unused_data:
        raise UnsafeWheelError("a member's packed bytes are not one whole stream", member=member.name)


def _packed(fd: int, member: Member) -> Iterator[bytes]:
    offset, end = member.offset, member.offset + member.packed
    while offset < end:
        piece = os.pread(fd, min(_CHUNK, end - offset), offset)
        if not piece:
            return
        offset += len(piece)
        yield piece


def _find_directory(fd: int, length: int) -> tuple[int, int, int]:
    """Return where the central directory starts, its size in bytes, and how many records it has."""
    tail_start = max(0, length - 65_557 - _LOCATOR.size - _END64.size)
    tail = os.pread(fd, length - tail_start, tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise UnsafeWheelError("not a ZIP file")
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise UnsafeWheelError("bytes follow the end of the archive")
    if any(1 <= byte <= 8 for byte in tail[at + _END.size :]):
        raise UnsafeWheelError("the archive's comment could be read as an archive")
    end = tail_start + at
    locator = at - _LOCATOR.size
    if locator >= 0 and tail.startswith(b"PK\x06\x07", locator):
        end, wide = _wide_end(tail, tail_start, locator)
        narrow = (disk, first_disk, here, count, size, start)
        full = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
        if any(value not in {most, other} for value, most, other in zip(narrow, full, wide, strict=True)):
            raise UnsafeWheelError("the archive's two ends disagree")
        disk, first_disk, here, count, size, start = wide
    if disk or first_disk or here != count:
        raise UnsafeWheelError("the archive is one of several parts")
    if count > _MOST_MEMBERS:
        raise UnsafeWheelError("the archive has too many members", members=count)
    if start + size != end:
        raise UnsafeWheelError("the archive does not begin at its first byte, or has bytes between its parts")
    return start, size, count


def _wide_end(tail: bytes, tail_start: int, locator: int) -> tuple[int, tuple[int, ...]]:
    """Read the ZIP64 end, which must lie right before its locator."""
    _, disk, offset, disks = _LOCATOR.unpack_from(tail, locator)
    at = locator - _END64.size
    if at < 0 or disk or disks > 1 or offset != tail_start + at:
        raise UnsafeWheelError("the ZIP64 end of the archive is not where it has to be")
    magic, length, _, _, disk, first_disk, here, count, size, start = _END64.unpack_from(tail, at)
    if magic != b"PK\x06\x06" or length != _END64.size - 12:
        raise UnsafeWheelError("the ZIP64 end of the archive is damaged")
    return offset, (disk, first_disk, here, count, size, start)


def _directory(data: bytes, count: int) -> Iterator[_Central]:
    at = 0
    for _ in range(count):
        (magic, _, _, flags, method, _, _, crc, packed, size, name_length, extra_length, comment_length, disk, _,
         attributes, header) = _CENTRAL.unpack_from(data, at)  # fmt: skip
        name_at = at + _CENTRAL.size
        extra_at = name_at + name_length
        at = extra_at + extra_length + comment_length
        if magic != b"PK\x01\x02" or disk or at > len(data):
            raise UnsafeWheelError("the archive's directory is damaged")
        raw_name = data[name_at:extra_at]
        name = raw_name.decode("utf-8" if flags & _UTF8 else "ascii")
        extra = _extra_fields(data[extra_at : extra_at + extra_length], name)
        size, packed, header = _wide(extra.get(_ZIP64, b""), name, size, packed, header)
        if _UNICODE_PATH in extra and extra[_UNICODE_PATH][5:] != raw_name:
            raise UnsafeWheelError("a member has two names", member=name)
        if flags & ~_KNOWN_FLAGS:
            raise UnsafeWheelError("a member is encrypted, or written in a way that wheels are not", member=name)
        if method not in {STORED, DEFLATED} or (method == STORED and packed != size):
            raise UnsafeWheelError("a member is neither stored nor deflated", member=name)
        member = Member(name=name, method=method, crc=crc, packed=packed, size=size, offset=0, mode=attributes >> 16)
        _refuse_kind(member)
        yield _Central(flags=flags, raw_name=raw_name, header=header, member=member)
    if at != len(data):
        raise UnsafeWheelError("the archive's directory has more records than it says")


def _refuse_kind(member: Member) -> None:
    kind = stat.S_IFMT(member.mode)
    if kind not in {0, stat.S_IFDIR if member.is_folder else stat.S_IFREG}:
        raise UnsafeWheelError("a member is neither a file nor a folder", member=member.name, mode=oct(member.mode))
    if member.is_folder and (member.size or member.packed > 2):  # an empty deflated stream is two bytes
        raise UnsafeWheelError("a folder has content", member=member.name)


def _refuse_bombs(members: list[Member], length: int) -> None:
    total = sum(member.size for member in members)
    if total > _MOST_BYTES or total > max(_ALWAYS_FINE, _MOST_RATIO * length):
        raise UnsafeWheelError("the archive would unpack to too much", packed_bytes=length, unpacked_bytes=total)
    names = {member.name for member in members}
    if len(names) != len(members):
        raise UnsafeWheelError("the archive has two members of one name")


def _extra_fields(data: bytes, name: str) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<2H", data, at)
        value = data[at + 4 : at + 4 + length]
        if len(value) != length or (kind in fields and kind in {_ZIP64, _UNICODE_PATH}):
            raise UnsafeWheelError("a member's extra fields are damaged", member=name)
        fields[kind] = value
        at += 4 + length
    return fields


def _wide(extra: bytes, name: str, *values: int) -> list[int]:
    """Replace the values that did not fit into 32 bits by those of the ZIP64 extra field, in its order."""
    missing = sum(value == 0xFFFFFFFF for value in values)
    if len(extra) < 8 * missing:
        raise UnsafeWheelError("a member's ZIP64 field is too short", member=name)
    wide = iter(struct.unpack_from(f"<{missing}Q", extra))
    return [next(wide) if value == 0xFFFFFFFF else value for value in values]


def _members(fd: int, records: list[_Central], directory: int) -> list[Member]:
    """Read the header before each member, and see that members follow each other without a gap or an overlap."""
    spans = []
    members = []
    for record in records:
        offset = _local_offset(fd, record)
        end = offset + record.member.packed
        spans.append((record.header, end + _descriptor_length(fd, record, end)))
        members.append(replace(record.member, offset=offset))
    edges = [(0, 0), *sorted(spans), (directory, directory)]
    if any(end != start for (_, end), (start, _) in pairwise(edges)):
        raise UnsafeWheelError("members of the archive overlap, or there are bytes that belong to none")
    return members


def _local_offset(fd: int, record: _Central) -> int:
    """Compare the header before a member with the directory; returns where its bytes begin."""
    member = record.member
    header = os.pread(fd, _LOCAL.size + len(record.raw_name) + 64, record.header)
    magic, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack_from(header)
    raw_name = header[_LOCAL.size : _LOCAL.size + name_length]
    if magic != b"PK\x03\x04" or (flags, method, raw_name) != (record.flags, member.method, record.raw_name):
        raise UnsafeWheelError("a member and the archive's directory disagree", member=member.name)
    offset: int = record.header + _LOCAL.size + name_length + extra_length
    extra = _extra_fields(os.pread(fd, extra_length, record.header + _LOCAL.size + name_length), member.name)
    if _UNICODE_PATH in extra and extra[_UNICODE_PATH][5:] != raw_name:
        raise UnsafeWheelError("a member has two names", member=member.name)
    size, packed = _wide(extra.get(_ZIP64, b""), member.name, size, packed)
    named = (crc, size, packed)
    if named != (member.crc, member.size, member.packed) and not (flags & _HAS_DESCRIPTOR and not any(named)):
        raise UnsafeWheelError("a member and the archive's directory disagree", member=member.name)
    return offset


def _descriptor_length(fd: int, record: _Central, end: int) -> int:
    """Return the length of the data descriptor after a member, which must say what the directory says."""
    if not record.flags & _HAS_DESCRIPTOR:
        return 0
    data = os.pread(fd, 24, end)
    member = record.member
    for form in (struct.Struct("<4sIQQ"), struct.Struct("<4sIII"), struct.Struct("<IQQ"), struct.Struct("<III")):
        magic = (b"PK\x07\x08",) if form.format.startswith("<4s") else ()
        expected = (*magic, member.crc, member.packed, member.size)
        if len(data) >= form.size and form.unpack_from(data) == expected:
            return form.size
    raise UnsafeWheelError("a member and what follows it disagree", member=member.name)
