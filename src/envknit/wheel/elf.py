"""Where a shared library looks for others: RPATH and RUNPATH of an ELF file, and nothing else of it."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_MAGIC = b"\x7fELF"
_LOAD, _DYNAMIC = 1, 2  # kinds of program headers
_STRTAB, _RPATH, _RUNPATH = 5, 15, 29  # kinds of dynamic entries
_MOST_HEADERS = 4096
_LARGEST_SECTION = 1 << 20  # bytes of the dynamic section; real ones have some hundred
_LONGEST_PATH = 1 << 16


def library_paths(file: BinaryIO) -> list[str]:
    """Return the folders that an ELF file names in RPATH and RUNPATH, in order; empty for anything else.

    Garbage is no fault here: what the loader could not read has no paths.

    Args:
        file: open for reading at its start, seekable.

    Cost: five small reads.
    """
    try:
        return _library_paths(file)
    except (struct.error, OSError, OverflowError, ValueError):  # OSError: an offset that no file can have
        return []


def _library_paths(file: BinaryIO) -> list[str]:
    head = file.read(64)
    if len(head) < 64 or head[:4] != _MAGIC or head[4] not in {1, 2} or head[5] not in {1, 2}:
        return []
    wide = head[4] == 2
    order = "<" if head[5] == 1 else ">"
    start, size, count = _program_headers(head, order, wide=wide)
    file.seek(start)
    table = file.read(size * min(count, _MOST_HEADERS))
    headers = [_header(table, at, order, wide=wide) for at in range(0, len(table) - size + 1, size)]
    dynamic = next(((offset, length) for kind, offset, _, length in headers if kind == _DYNAMIC), None)
    if dynamic is None:
        return []
    file.seek(dynamic[0])
    section = file.read(min(dynamic[1], _LARGEST_SECTION))
    form = order + ("QQ" if wide else "II")
    step = struct.calcsize(form)
    entries = [struct.unpack_from(form, section, at) for at in range(0, len(section) - step + 1, step)]
    strings = next((value for kind, value in entries if kind == _STRTAB), None)
    if strings is None:
        return []
    base = _file_offset(strings, headers)
    found = [_string(file, base + value) for kind, value in entries if kind in {_RPATH, _RUNPATH}]
    return [path for paths in found for path in paths.split(":") if path]


def _program_headers(head: bytes, order: str, *, wide: bool) -> tuple[int, int, int]:
    """Return offset, size and number of the program headers."""
    (start,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
    size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    if size < (56 if wide else 32):
        raise ValueError("program headers too small")
    return start, size, count


def _header(table: bytes, at: int, order: str, *, wide: bool) -> tuple[int, int, int, int]:
    """Return kind, file offset, address and length in the file of one program header."""
    if wide:
        kind, _, offset, address, _, length = struct.unpack_from(order + "IIQQQQ", table, at)
    else:
        kind, offset, address, _, length = struct.unpack_from(order + "IIIII", table, at)
    return kind, offset, address, length


def _file_offset(address: int, headers: list[tuple[int, int, int, int]]) -> int:
    for kind, offset, start, length in headers:
        if kind == _LOAD and start <= address < start + length:
            return address - start + offset
    raise ValueError("the string table is not in the file")


def _string(file: BinaryIO, offset: int) -> str:
    file.seek(offset)
    text, end, _ = file.read(_LONGEST_PATH).partition(b"\0")
    if not end:
        raise ValueError("a string without an end")
    return text.decode()
