"""Sdists that no honest tool makes: each is refused with the reason, soon, and writes nothing elsewhere."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from envknit.errors import UnsafeWheelError
from envknit.index.sdist import static_metadata, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Bounded

pytestmark = [pytest.mark.ends, pytest.mark.timeout(60)]

PKG_INFO = b"Metadata-Version: 2.2\nName: a\nVersion: 1.0\n\n"
OUT = "leads out"
DAMAGED = "cannot be unpacked"


def entry(name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, **more: object) -> bytes:
    """Write one member of a tar: its header, and its data."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    for field, value in more.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + data + bytes(-len(data) % 512)


def pax(**records: str) -> bytes:
    """Write an extended header (POSIX.1-2001) for the member behind it."""
    body = b""
    for key, value in records.items():
        row = f" {key}={value}\n".encode()
        length = next(n for n in range(len(row), len(row) + 9) if n == len(row) + len(str(n)))
        body += str(length).encode() + row
    return entry("pax", body, b"x")


def tar(*members: bytes) -> bytes:
    return gzip.compress(b"".join((entry("a-1.0/PKG-INFO", PKG_INFO), *members, bytes(1024))), 1)


def zipped(name: str, data: bytes = b"x", *, method: int = zipfile.ZIP_DEFLATED, mode: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("a-1.0/PKG-INFO", PKG_INFO)
        info = zipfile.ZipInfo("x")
        info.filename, info.compress_type, info.external_attr = name, method, mode << 16
        archive.writestr(info, data)
    return out.getvalue()


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new)


ZIP = zipped("a-1.0/setup.py")
STORED = zipped("a-1.0/x", b"abc", method=zipfile.ZIP_STORED)
ENCRYPTED = patched(patched(ZIP, b"PK\3\4\x14\0\0\0", b"PK\3\4\x14\0\1\0"), b"\x14\3\x14\0\0\0", b"\x14\3\x14\0\1\0")
NAMES = ["../evil", "a-1.0/../../evil", "/evil", "//evil", "a-1.0/..", "a-1.0\\..\\..\\evil", "C:/evil", "C:evil", ".."]
BAD: dict[str, tuple[str, bytes, str]] = {
    **{f"tar: named {name}": ("a-1.0.tar.gz", tar(entry(name)), OUT) for name in NAMES},
    **{f"zip: named {name}": ("a-1.0.zip", zipped(name), OUT) for name in NAMES},
    "tar: a folder that leads out": ("a-1.0.tar.gz", tar(entry("../evil", b"", tarfile.DIRTYPE)), OUT),
    "tar: a name in an extended header": ("a-1.0.tar.gz", tar(pax(path="../evil") + entry("a-1.0/x")), OUT),
    "tar: NUL in an extended header": ("a-1.0.tar.gz", tar(pax(path="a-1.0/x\0/evil") + entry("a-1.0/x")), OUT),
    "tar: a long name that leads out": (
        "a-1.0.tar.gz", tar(entry("long", b"../" * 90 + b"evil\0", tarfile.GNUTYPE_LONGNAME) + entry("x")), OUT,
    ),
    "tar: a size below zero": ("a-1.0.tar.gz", tar(pax(size="-512") + entry("a-1.0/x")), "below zero"),
    "tar: a size of many digits": ("a-1.0.tar.gz", tar(pax(size="9" * 400) + entry("a-1.0/x")), "unpacks to more"),
    "tar: a size of an exabyte": ("a-1.0.tar.gz", tar(pax(size=str(1 << 60)) + entry("a-1.0/x")), "unpacks to more"),
    "tar: two folders": ("a-1.0.tar.gz", tar(entry("b-1.0/x")), "one folder"),
    "tar: a file beside the folder": ("a-1.0.tar.gz", tar(entry("x")), "one folder"),
    "tar: deeper than anybody goes": ("a-1.0.tar.gz", tar(entry("a-1.0/" + "d/" * 70 + "x")), "deeper"),
    "tar: a file and a folder": ("a-1.0.tar.gz", tar(entry("a-1.0/x"), entry("a-1.0/x/y")), DAMAGED),
    "tar: a folder and a file": ("a-1.0.tar.gz", tar(entry("a-1.0/x/y"), entry("a-1.0/x")), DAMAGED),
    "tar: a long component": ("a-1.0.tar.gz", tar(entry("a-1.0/" + "n" * 300)), DAMAGED),
    "tar: cut": ("a-1.0.tar.gz", tar(entry("a-1.0/x", bytes(range(256)) * 40))[:-300], DAMAGED),
    "tar: a wrong checksum": ("a-1.0.tar.gz", gzip.compress(b"a" * 4096), DAMAGED),
    "tar: not compressed at all": ("a-1.0.tar.gz", b"a-1.0/PKG-INFO", DAMAGED),
    "tar: bzip2 of zeros": ("a-1.0.tar.bz2", bz2.compress(entry("a-1.0/x", bytes(70 << 20))), "unpacks to more"),
    "tar: xz of zeros": (
        "a-1.0.tar.xz", lzma.compress(entry("a-1.0/x", bytes(70 << 20)), preset=0), "unpacks to more",
    ),
    "zip: a link": ("a-1.0.zip", zipped("b/../x", b"/etc", mode=0o120777)[:-1], DAMAGED),
    "zip: encrypted": ("a-1.0.zip", ENCRYPTED, DAMAGED),
    "zip: a method of nobody": ("a-1.0.zip", patched(ZIP, b"\x08\0", b"\x63\0"), DAMAGED),
    "zip: another content than its checksum": ("a-1.0.zip", patched(STORED, b"abc", b"abd"), DAMAGED),
    "zip: no directory": ("a-1.0.zip", ZIP[: ZIP.index(b"PK\1\2")], DAMAGED),
    "zip: a directory of other names": ("a-1.0.zip", ZIP[:60].replace(b"a-1.0", b"b-1.0") + ZIP[60:], DAMAGED),
    "zip: zeros": ("a-1.0.zip", zipped("a-1.0/x", bytes(80 << 20)), "unpacks to more"),
    "zip: two folders": ("a-1.0.zip", zipped("b-1.0/x"), "one folder"),
    "zip: nothing": ("a-1.0.zip", b"PK\5\6" + bytes(18), "one folder"),
}  # fmt: skip


@pytest.mark.parametrize("title", BAD)
def test_a_bad_sdist_is_refused_and_writes_nothing_elsewhere(title: str, tmp_path: Path, bounded: Bounded) -> None:
    filename, data, reason = BAD[title]
    archive, into = tmp_path / filename, tmp_path / "in" / "to"
    archive.write_bytes(data)
    into.mkdir(parents=True)

    with bounded(), pytest.raises(UnsafeWheelError, match=reason):
        (static_metadata(archive, filename), unpack(archive, filename, into))

    assert {archive, into.parent, into} == {*tmp_path.iterdir(), *into.parent.iterdir()}
    assert sum(path.stat().st_size for path in into.rglob("*")) < 80 << 20
