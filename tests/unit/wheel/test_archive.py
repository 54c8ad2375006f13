"""ZIP files that are unusual and sound, and some that only look so."""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from envknit.errors import UnsafeWheelError
from envknit.wheel.archive import read_archive, read_file

if TYPE_CHECKING:
    from pathlib import Path

LARGE = random.Random(7).randbytes(3_000_000) + bytes(3_000_000)


class Pipe(io.RawIOBase):
    """A file that cannot seek, so that `zipfile` writes sizes behind the data."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += bytes(data)
        return len(data)


def contents(folder: Path, data: bytes) -> dict[str, bytes]:
    (folder / "x.zip").write_bytes(data)
    fd = os.open(folder / "x.zip", os.O_RDONLY)
    try:
        return {member.name: b"".join(read_file(fd, member)) for member in read_archive(fd)}
    finally:
        os.close(fd)


def extra(field: bytes, *, name: str = "a.py") -> bytes:
    """Make an archive of one member with an extra field."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        member = zipfile.ZipInfo(name)
        member.extra = field
        archive.writestr(member, b"x = 1\n")
    return out.getvalue()


def unicode_path(name: bytes) -> bytes:
    """Make an extra field that gives a member another name (Info-ZIP's 0x7075)."""
    return struct.pack("<HHBI", 0x7075, 5 + len(name), 1, 0) + name


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_large_members_are_read_in_pieces(tmp_path: Path, method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("large", LARGE)
        archive.writestr("small", b"x")
        archive.writestr("empty", b"")

    assert {"large": LARGE, "small": b"x", "empty": b""} == contents(tmp_path, out.getvalue())


@pytest.mark.parametrize("is_wide", [False, True])
def test_sizes_behind_the_data_are_read_where_they_agree(tmp_path: Path, is_wide: bool) -> None:  # noqa: FBT001 - a table
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        with archive.open("a.py", "w", force_zip64=is_wide) as member:
            member.write(b"x = 1\n")
        archive.writestr("b.py", b"y = 2\n")

    assert {"a.py": b"x = 1\n", "b.py": b"y = 2\n"} == contents(tmp_path, pipe.data)
    at = pipe.data.index(b"PK\x07\x08")
    with pytest.raises(UnsafeWheelError, match="what follows it"):
        contents(tmp_path, pipe.data[: at + 4] + b"\0\0\0\0" + pipe.data[at + 8 :])


def test_sizes_in_a_zip64_field_are_read(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("a.py", "w", force_zip64=True) as member:
        member.write(b"x = 1\n")

    assert {"a.py": b"x = 1\n"} == contents(tmp_path, out.getvalue())


def zip64_end(data: bytes) -> bytes:
    """Give an archive the end that many or large members need."""
    at = data.rindex(b"PK\x05\x06")
    _, _, _, here, count, size, start, _ = struct.unpack_from("<4s4H2IH", data, at)
    end = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, here, count, size, start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
    narrow = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:at] + end + locator + narrow


def test_a_zip64_end_is_read(tmp_path: Path) -> None:
    assert {"a.py": b"x = 1\n"} == contents(tmp_path, zip64_end(extra(b"")))


def test_a_zip64_end_that_disagrees_or_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    data = zip64_end(extra(b""))
    at = data.rindex(b"PK\x05\x06")
    with pytest.raises(UnsafeWheelError, match="two ends disagree"):
        contents(tmp_path, data[: at + 10] + struct.pack("<H", 7) + data[at + 12 :])
    locator = data.rindex(b"PK\x06\x07")
    with pytest.raises(UnsafeWheelError, match="not where it has to be"):
        contents(tmp_path, data[: locator + 8] + struct.pack("<Q", 0) + data[locator + 16 :])
    with pytest.raises(UnsafeWheelError, match="end of the archive is damaged"):
        contents(tmp_path, data.replace(b"PK\x06\x06", b"PK\x06\x00"))


def test_a_second_name_must_be_the_first(tmp_path: Path) -> None:
    assert {"a.py": b"x = 1\n"} == contents(tmp_path, extra(unicode_path(b"a.py")))
    with pytest.raises(UnsafeWheelError, match="two names"):
        contents(tmp_path, extra(unicode_path(b"evil.py")))


def test_extra_fields_that_are_cut_off_or_doubled_are_refused(tmp_path: Path) -> None:
    for field in (struct.pack("<HH", 0x9999, 50) + b"short", unicode_path(b"a.py") * 2):
        with pytest.raises(UnsafeWheelError, match=r"xtra field"):
            contents(tmp_path, extra(field))


def test_a_name_that_is_neither_ascii_nor_marked_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeWheelError, match="neither ASCII"):
        contents(tmp_path, extra(b"", name="abcd.py").replace(b"abcd.py", b"\xffbcd.py"))


def test_any_byte_of_an_archive_that_changes_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    data = extra(b"")
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        try:
            found = contents(tmp_path, changed)
        except UnsafeWheelError:
            continue
        assert [b"x = 1\n"] == list(found.values())


def test_packed_bytes_that_are_not_one_stream_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.py", b"x" * 1000)
    data = out.getvalue()
    start = 30 + len("a.py")
    with pytest.raises(UnsafeWheelError, match=r"cannot be unpacked|one whole stream|not those"):
        contents(tmp_path, data[:start] + b"\xff\xff" + data[start + 2 :])
