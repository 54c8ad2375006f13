"""Sdists: what they state, and how they are unpacked."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
import zipfile
from typing import TYPE_CHECKING

import pytest

from envknit.errors import UnsafeWheelError
from envknit.index.sdist import static_metadata, unpack
from kit.wheels import make_sdist

if TYPE_CHECKING:
    from pathlib import Path

PKG_INFO = b"Metadata-Version: 2.2\nName: a\nVersion: 1.0\n\n"


def tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", data: bytes = b"x"
) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made, data if kind == tarfile.REGTYPE else b""


@pytest.fixture(name="out")
def _out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_static_metadata_is_read_without_a_build(tmp_path: Path) -> None:
    path = tmp_path / "a-1.0.tar.gz"
    path.write_bytes(make_sdist("a", "1.0", requires=["b"]))
    assert b"Requires-Dist: b" in (static_metadata(path, path.name) or b"")

    path.write_bytes(make_sdist("a", "1.0", requires=["b"], dynamic=True))
    assert static_metadata(path, path.name) is None


def test_a_zip_is_an_sdist_too(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "a-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a-1.0/PKG-INFO", PKG_INFO)
        archive.writestr("a-1.0/setup.py", "")

    assert static_metadata(path, path.name) is not None
    assert unpack(path, path.name, out) == out / "a-1.0"
    assert (out / "a-1.0/setup.py").is_file()


@pytest.mark.parametrize("filename", ["a-1.0.tar.gz", "a-1.0.zip"])
def test_what_is_no_archive_is_told(tmp_path: Path, out: Path, filename: str) -> None:
    path = tmp_path / filename
    path.write_bytes(b"not an archive")

    for read in (lambda: static_metadata(path, filename), lambda: unpack(path, filename, out)):
        with pytest.raises(UnsafeWheelError, match=r"cannot be unpacked"):
            read()


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\..\\evil", "C:/evil"])
def test_members_that_lead_out_are_refused(tmp_path: Path, out: Path, name: str) -> None:
    path = tmp_path / "a-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, "x")

    with pytest.raises(UnsafeWheelError, match="leads out"):
        unpack(path, path.name, out)
    assert list(out.iterdir()) == []


def test_dots_and_blank_names_of_honest_archives_are_passed_over(tmp_path: Path, out: Path) -> None:
    members = [
        member(".", tarfile.DIRTYPE),
        member("./", tarfile.DIRTYPE),
        member("./a-1.0/", tarfile.DIRTYPE),
        member("./a-1.0/PKG-INFO", data=PKG_INFO),
        member("./a-1.0//a.py"),
    ]
    path = tar(tmp_path / "a-1.0.tar.gz", members)

    assert static_metadata(path, path.name) == PKG_INFO
    assert sorted(file.name for file in unpack(path, path.name, out).iterdir()) == ["PKG-INFO", "a.py"]


def test_links_devices_and_pipes_stay_out_and_nothing_is_written_through_them(tmp_path: Path, out: Path) -> None:
    members = [
        member("a-1.0/link", tarfile.SYMTYPE, "../../.."),
        member("a-1.0/link/evil"),
        member("a-1.0/hard", tarfile.LNKTYPE, "a-1.0/nothing"),
        member("a-1.0/pipe", tarfile.FIFOTYPE),
        member("a-1.0/null", tarfile.CHRTYPE),
    ]
    unpack(tar(tmp_path / "a-1.0.tar.gz", members), "a-1.0.tar.gz", out)

    assert [str(path.relative_to(out)) for path in sorted(out.rglob("*"))] == ["a-1.0", "a-1.0/link", "a-1.0/link/evil"]


def test_executable_files_stay_so_and_nothing_else_of_their_modes_counts(tmp_path: Path, out: Path) -> None:
    run, plain = member("a-1.0/configure"), member("a-1.0/a.py")
    run[0].mode, plain[0].mode = 0o4777, 0o000
    root = unpack(tar(tmp_path / "a-1.0.tar.gz", [run, plain]), "a-1.0.tar.gz", out)

    assert [oct((root / name).stat().st_mode & 0o7777) for name in ("configure", "a.py")] == ["0o755", "0o644"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([member("a/x"), member("b/x")], "one folder"),
        ([member("x")], "one folder"),
        ([], "one folder"),
        ([member("a/" + "x/" * 2_100)], "deeper"),
        ([member("a/zeros", data=bytes(100_000_000))], "unpacks to more"),
    ],
)
def test_other_shapes_and_sizes_are_refused(
    tmp_path: Path, out: Path, members: list[tuple[tarfile.TarInfo, bytes]], reason: str
) -> None:
    with pytest.raises(UnsafeWheelError, match=reason):
        unpack(tar(tmp_path / "a-1.0.tar.gz", members), "a-1.0.tar.gz", out)


def test_a_size_below_zero_makes_no_room(tmp_path: Path, out: Path) -> None:
    less, data = member("a/less")
    less.pax_headers = {"size": "-1000000000"}
    with pytest.raises(UnsafeWheelError, match="below zero"):
        unpack(tar(tmp_path / "a-1.0.tar.gz", [(less, data), member("a/more")]), "a-1.0.tar.gz", out)


def test_too_many_members_are_refused(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envknit.index.sdist._MOST_MEMBERS", 3)
    with pytest.raises(UnsafeWheelError, match="3 members"):
        unpack(tar(tmp_path / "a-1.0.tar.gz", [member(f"a/{n}") for n in range(4)]), "a-1.0.tar.gz", out)


@pytest.mark.parametrize("body", [b"1" * 20_000_000, b"20000000 comment=" + b"1" * 19_999_983])
def test_a_header_that_tarfile_would_read_for_hours_is_refused(tmp_path: Path, out: Path, body: bytes) -> None:
    head = tarfile.TarInfo("x")
    head.type, head.size = b"x", len(body)
    path = tmp_path / "a-1.0.tar.gz"
    path.write_bytes(gzip.compress(head.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % 512 + 1024), 1))

    began = time.perf_counter()
    with pytest.raises(UnsafeWheelError, match="headers are too long"):
        unpack(path, path.name, out)
    assert time.perf_counter() - began < 5


def test_long_names_are_read(tmp_path: Path, out: Path) -> None:
    name = "a-1.0/" + "/".join(["d" * 100] * 5)
    for dialect in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        path = tmp_path / "a-1.0.tar.gz"
        with tarfile.open(path, "w:gz", format=dialect) as archive:
            info, data = member(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        unpack(path, path.name, out)
        assert (out / name).read_bytes() == b"x"


def test_an_encrypted_zip_is_told(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "a-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a-1.0/PKG-INFO", PKG_INFO)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)

    with pytest.raises(UnsafeWheelError, match="cannot be unpacked"):
        unpack(path, path.name, out)


def test_an_archive_is_closed_though_the_error_that_it_caused_is_still_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "a-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a-1.0/PKG-INFO", "Name: a\n")
    path.write_bytes(path.read_bytes().replace(b"Name: a", b"Name: b", 1))  # not what its checksum says

    with pytest.raises(UnsafeWheelError) as told:
        static_metadata(path, path.name)

    opened = {os.path.realpath(entry.path) for entry in os.scandir("/proc/self/fd")}
    assert str(path) not in opened, told.value
