"""Files that a person named: URLs and paths."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from envknit.errors import PackageIndexError
from envknit.index.index import open_index
from envknit.index.links import link_to
from envknit.index.metadata import UnusableMetadataError
from kit import LoopbackIndex, make_sdist
from kit.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envknit.index.index import Index


@pytest.fixture(name="it")
def _it(tmp_path: Path) -> Iterator[Index]:
    (tmp_path / "wheels").mkdir()
    with open_index(["wheels"], tmp_path, home=tmp_path / "store") as index:
        yield index


def test_a_wheel_of_this_machine_is_read_and_hashed(tmp_path: Path, it: Index) -> None:
    path = tmp_path / "a-1.0-py3-none-any.whl"
    path.write_bytes(make_wheel("a", "1.0", requires=["b"]))
    link = link_to(path, name="a")

    assert [requirement.name for requirement in it.metadata(link).requires_dist] == ["b"]
    assert it.sha256(link) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert it.artifacts.fetch(link).read_bytes() == path.read_bytes()


def test_a_url_with_its_hash_is_fetched_and_checked(index: LoopbackIndex, it: Index) -> None:
    file = index.publish("a", "1.0", requires=["b"])
    url = f"{index.host}/files/{file.name}"

    assert it.metadata(link_to(f"{url}#sha256={file.sha256}", name="a", sha256=file.sha256)).version == "1.0"
    assert it.artifacts.fetch(link_to(url, name="a", sha256=file.sha256)).read_bytes() == file.data
    with pytest.raises(PackageIndexError, match="not the file it should be"):
        it.artifacts.fetch(link_to(url, name="a", sha256="0" * 64))


def test_an_archive_may_be_called_anything_but_must_be_of_the_project(index: LoopbackIndex, it: Index) -> None:
    index.add("main.tar.gz", make_sdist("a", "1.0", requires=["b"]))
    url = f"{index.host}/files/main.tar.gz"

    assert it.metadata(link_to(url, name="a")).version == "1.0"
    with pytest.raises(UnusableMetadataError, match=r"says that it is a 1\.0"):
        it.metadata(link_to(f"{url}?again", name="other"))


@pytest.mark.parametrize(
    "place",
    [
        "https://index.example/a.exe",
        "ftp://index.example/a-1.0-py3-none-any.whl",
        "https://[/a.zip",
        "https://h:x/a.zip",
        "/tmp",
    ],
)
def test_what_is_no_file_of_a_package_is_told(place: str) -> None:
    with pytest.raises(PackageIndexError, match="not the URL or path"):
        link_to(place, name="a")


def test_a_file_that_is_not_there_is_told(tmp_path: Path, it: Index) -> None:
    with pytest.raises(PackageIndexError, match="not there"):
        it.metadata(link_to(tmp_path / "a-1.0-py3-none-any.whl", name="a"))


def test_a_bound_package_comes_from_its_own_index_alone(tmp_path: Path, index: LoopbackIndex) -> None:
    with LoopbackIndex() as own:
        for server, version in ((index, "2.0"), (own, "1.0+cpu")):
            server.publish("torch", version)
            server.publish("other", version)
        with open_index([index.url], tmp_path, home=tmp_path / "store", bound={"torch": [f"index+{own.url}"]}) as it:
            assert [str(link.version) for link in it.links("torch")] == ["1.0+cpu"]
            assert [str(link.version) for link in it.links("other")] == ["2.0"]
            assert it.unasked("torch") == []


def test_a_bound_package_may_come_from_a_folder(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "2.0")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/a-1.0-py3-none-any.whl").write_bytes(make_wheel("a", "1.0"))
    with open_index([index.url], tmp_path, home=tmp_path / "store", bound={"a": ["index+own"]}) as it:
        assert [str(link.version) for link in it.links("a")] == ["1.0"]


def test_variables_in_the_url_of_an_index_are_replaced(
    tmp_path: Path, index: LoopbackIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.publish("a", "1.0")
    monkeypatch.setenv("INDEX_HOST", index.host.removeprefix("http://"))

    with open_index(["http://${INDEX_HOST}/simple"], tmp_path, home=tmp_path / "store") as it:
        assert len(it.links("a")) == 1
    with pytest.raises(PackageIndexError, match="not set") as caught:
        open_index(["https://user:${NO_SUCH_THING}@index.example/simple"], tmp_path, home=tmp_path / "store")
    assert caught.value.facts["variable"] == "NO_SUCH_THING"


@pytest.mark.parametrize(
    "url", ["http://user:s3cr3t/x@127.0.0.1:9/simple/", "http://user:s3cr3t@[bad/simple/", "http://a:s3cr3t@b:c/"]
)
def test_a_malformed_index_is_told_without_its_login(tmp_path: Path, url: str) -> None:
    with pytest.raises(PackageIndexError, match="malformed") as caught:
        open_index([url], tmp_path, home=tmp_path / "store")
    assert "s3cr3t" not in str(caught.value)


def test_an_index_without_its_scheme_is_told_without_its_login(tmp_path: Path) -> None:
    with (
        open_index(["user:s3cr3t@127.0.0.1/simple/"], tmp_path, home=tmp_path / "store") as it,
        pytest.raises(PackageIndexError, match="not there") as caught,
    ):
        it.links("a")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "PIP_FIND_LINKS"])
def test_a_malformed_index_of_pip_is_told_alike(tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://user:s3cr3t/x@127.0.0.1/simple")
    with pytest.raises(PackageIndexError, match="malformed") as caught:
        open_index([], tmp_path, home=tmp_path / "store")
    assert "s3cr3t" not in str(caught.value)
