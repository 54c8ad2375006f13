"""Sdists: what they state, and how they are unpacked and built."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from envknit.index.metadata import UnusableMetadataError
from envknit.index.sdist import build_environment, static_metadata, unpack_sdist
from kit.wheels import make_sdist

if TYPE_CHECKING:
    from pathlib import Path


def tar(path: Path, members: list[tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, 1 if kind == tarfile.REGTYPE else 0
    return made


def test_static_metadata_is_read_without_a_build(tmp_path: Path) -> None:
    path = tmp_path / "a-1.0.tar.gz"
    path.write_bytes(make_sdist("a", "1.0", requires=["b"]))
    assert b"Requires-Dist: b" in (static_metadata(path, path.name) or b"")

    path.write_bytes(make_sdist("a", "1.0", requires=["b"], dynamic=True))
    assert static_metadata(path, path.name) is None


def test_a_zip_is_an_sdist_too(tmp_path: Path) -> None:
    path = tmp_path / "a-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a-1.0/PKG-INFO", "Metadata-Version: 2.2\nName: a\nVersion: 1.0\n\n")
        archive.writestr("a-1.0/setup.py", "")

    assert static_metadata(path, path.name) is not None
    unpack_sdist(path, path.name, tmp_path / "out")
    assert (tmp_path / "out/a-1.0/setup.py").is_file()


@pytest.mark.parametrize("filename", ["a-1.0.tar.gz", "a-1.0.zip"])
def test_what_is_no_archive_is_told(tmp_path: Path, filename: str) -> None:
    path = tmp_path / filename
    path.write_bytes(b"not an archive")

    with pytest.raises(UnusableMetadataError, match=r"not an sdist"):
        static_metadata(path, filename)
    with pytest.raises(UnusableMetadataError, match=r"cannot be unpacked"):
        unpack_sdist(path, filename, tmp_path)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\..\\evil", "C:/evil"])
def test_members_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    path = tar(tmp_path / "a-1.0.tar.gz", [member("a-1.0/PKG-INFO"), member(name)])
    (tmp_path / "out").mkdir()

    with pytest.raises(UnusableMetadataError, match="leads out"):
        unpack_sdist(path, path.name, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_link_never_leads_a_member_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    members = [member("a-1.0/link", tarfile.SYMTYPE, "../../.."), member("a-1.0/link/evil")]
    path = tar(tmp_path / "a-1.0.tar.gz", members)

    with pytest.raises(UnusableMetadataError):
        unpack_sdist(path, path.name, out)
    assert not (tmp_path.parent / "evil").exists()


def test_a_build_looks_where_the_project_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVKNIT_LOCK", "/x")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    made = build_environment(("https://a.example", "https://b.example"), ("/wheels",))

    assert "ENVKNIT_LOCK" not in made
    assert "PIP_NO_INDEX" not in made
    assert (made["ENVKNIT"], made["PIP_INDEX_URL"], made["PIP_EXTRA_INDEX_URL"], made["PIP_FIND_LINKS"]) == (
        "0", "https://a.example", "https://b.example", "/wheels",
    )  # fmt: skip
    assert build_environment((), ())["PIP_NO_INDEX"] == "1"
