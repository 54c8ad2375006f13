"""Whose word about an artifact is believed, and for how long."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from envknit.errors import PackageIndexError
from envknit.index.index import Index, open_index
from envknit.index.metadata import UnusableMetadataError
from kit import LoopbackIndex
from kit.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVIL = b"Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: backdoor\n"


@contextlib.contextmanager
def opened(server: LoopbackIndex, home: Path) -> Iterator[Index]:
    with open_index([server.url], home, home=home / "store") as index:
        yield index


def required(server: LoopbackIndex, home: Path) -> list[str]:
    with opened(server, home) as it:
        return [requirement.name for requirement in it.metadata(it.links("a")[0]).requires_dist]


@pytest.mark.parametrize("pep658", [True, False])
def test_an_index_that_lies_changes_nothing_for_the_projects_of_others(tmp_path: Path, *, pep658: bool) -> None:
    wheel = make_wheel("a", "1.0", requires=["honest"])
    with LoopbackIndex(pep658=True) as liar, LoopbackIndex(pep658=pep658) as honest:
        liar.add("a-1.0-py3-none-any.whl", wheel, metadata=EVIL)
        honest.add("a-1.0-py3-none-any.whl", wheel)

        assert required(liar, tmp_path) == ["backdoor"]
        assert required(honest, tmp_path) == ["honest"]


def test_a_wheel_with_a_hash_that_its_index_invents_changes_nothing_for_others(tmp_path: Path) -> None:
    with LoopbackIndex() as liar, LoopbackIndex() as honest:
        true = honest.publish("a", "1.0", requires=["honest"])
        liar.publish("a", "1.0", requires=["backdoor"]).sha256 = true.sha256

        assert required(liar, tmp_path) == ["backdoor"]
        assert required(honest, tmp_path) == ["honest"]


def test_metadata_of_bytes_that_were_hashed_serves_every_index(tmp_path: Path) -> None:
    data = make_wheel("a", "1.0", requires=["b"])
    with LoopbackIndex(ranges=False) as first, LoopbackIndex() as second:
        for server in (first, second):
            server.add("a-1.0-py3-none-any.whl", data)

        assert required(first, tmp_path) == ["b"]
        assert required(second, tmp_path) == ["b"]
        assert second.count("/files/*") == 0


@pytest.mark.parametrize("options", [{"pep658": True}, {"ranges": True}, {"ranges": False}])
def test_damaged_metadata_in_the_cache_is_asked_for_anew(tmp_path: Path, options: dict[str, bool]) -> None:
    with LoopbackIndex(**options) as server:
        server.publish("a", "1.0", requires=["b"])
        required(server, tmp_path)
        for file in [path for path in (tmp_path / "store/cache").rglob("*") if path.is_file()]:
            file.write_bytes(b"garbage")

        assert required(server, tmp_path) == ["b"]


def test_a_file_without_a_hash_is_looked_at_anew_when_it_was_replaced(tmp_path: Path) -> None:
    with LoopbackIndex(hashes=False, ranges=False) as server:
        file = server.publish("a", "1.0", requires=["old"])
        required(server, tmp_path)
        with opened(server, tmp_path) as it:
            before = it.sha256(it.links("a")[0])
        file.data = make_wheel("a", "1.0", requires=["new"])

        assert required(server, tmp_path) == ["new"]
        with opened(server, tmp_path) as it:
            assert it.sha256(it.links("a")[0]) != before


def test_a_file_without_a_hash_is_downloaded_once_a_process(tmp_path: Path) -> None:
    with LoopbackIndex(hashes=False, ranges=False) as server, opened(server, tmp_path) as it:
        server.publish("a", "1.0")
        (link,) = it.links("a")
        it.metadata(link)
        server.forget()
        it.sha256(link)
        assert server.count("/files/*") == 0


def test_an_sdist_without_a_hash_is_built_once(tmp_path: Path) -> None:
    with LoopbackIndex(hashes=False) as server:
        server.publish_sdist("a", "1.0", requires=["b"], dynamic=True)
        assert required(server, tmp_path) == ["b"]
        began = time.perf_counter()
        assert required(server, tmp_path) == ["b"]
        assert time.perf_counter() - began < 1, "a build takes longer: it makes an environment of its own"


def test_a_damaged_download_is_dropped_and_fetched_anew(tmp_path: Path, index: LoopbackIndex) -> None:
    file = index.publish("a", "1.0")
    with opened(index, tmp_path) as it:
        kept = it.artifacts.fetch(it.links("a")[0])
        kept.write_bytes(b"x")

        assert it.artifacts.cached(file.sha256) is None
        assert it.artifacts.fetch(it.links("a")[0]).read_bytes() == file.data
        assert [path.name for path in kept.parent.iterdir()] == [file.sha256]


def test_a_store_that_cannot_be_written_does_not_stop_a_download(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("in the way", encoding="utf-8")
    with LoopbackIndex(ranges=False) as server, opened(server, tmp_path) as it:
        server.publish("a", "1.0", requires=["b"])
        kept = it.artifacts.fetch(it.links("a")[0])

        assert it.metadata(it.links("a")[0]).requires_dist[0].name == "b"
        assert kept.exists()
    assert not kept.exists()


@pytest.mark.parametrize("version", ["1.0+cu130", "2.0"])
def test_a_file_that_says_another_version_than_its_name_is_told_when_it_is_locked(
    tmp_path: Path, index: LoopbackIndex, version: str
) -> None:
    index.add(f"a-{version}-py3-none-any.whl", make_wheel("a", "1.0", overrides=_moved(version)))
    with opened(index, tmp_path) as it, pytest.raises(UnusableMetadataError, match=r"says that it is a 1\.0"):
        it.metadata(it.links("a")[0])


def _moved(version: str) -> dict[str, bytes | str | None]:
    return {f"a-{version}.dist-info/METADATA": "Name: a\nVersion: 1.0\n", "a-1.0.dist-info/METADATA": None}


@pytest.mark.parametrize("damage", ["deflate", "encrypted", "compression"])
def test_a_wheel_whose_metadata_cannot_be_unpacked_is_passed_over(
    tmp_path: Path, index: LoopbackIndex, damage: str
) -> None:
    data = bytearray(make_wheel("a", "1.0"))
    name = b"a-1.0.dist-info/METADATA"
    at, listed = data.index(name), data.rindex(name) - 46
    if damage == "deflate":
        data[at + len(name) : at + len(name) + 6] = b"\xff" * 6
    else:
        offset, value = (6, 1) if damage == "encrypted" else (8, 99)
        data[at - 30 + offset] = data[listed + offset + 2] = value
    index.add("a-1.0-py3-none-any.whl", bytes(data), metadata=b"")

    with opened(index, tmp_path) as it, pytest.raises(UnusableMetadataError, match="not a wheel"):
        it.metadata(it.links("a")[0])


def test_a_damaged_sdist_is_passed_over(tmp_path: Path, index: LoopbackIndex) -> None:
    index.add("a-1.0.tar.gz", make_sdist("a", "1.0")[:40])
    with opened(index, tmp_path) as it, pytest.raises(UnusableMetadataError, match="cannot be unpacked"):
        it.metadata(it.links("a")[0])


def test_an_index_that_stops_answering_is_told_as_such(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    index.fail("401", "/files/*", times=9)
    with opened(index, tmp_path) as it, pytest.raises(PackageIndexError, match="401"):
        it.metadata(it.links("a")[0])
