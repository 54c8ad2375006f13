"""Indexes over HTTP, from files and from the cache."""

from __future__ import annotations

import contextlib
import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from envknit.errors import PackageIndexError
from envknit.http import bounds
from envknit.index.index import Index, open_index
from envknit.index.metadata import UnusableMetadataError
from kit import LoopbackIndex
from kit.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("time.sleep", lambda _: None)  # waiting is not what is tested


@contextlib.contextmanager
def opened(*indexes: LoopbackIndex | str, home: Path, **options: Any) -> Iterator[Index]:
    urls = [index if isinstance(index, str) else index.url for index in indexes]
    with open_index(urls, home, home=home / "store", **options) as index:
        yield index


def names(index: Index, project: str) -> list[str]:
    return sorted(link.filename for link in index.links(project))


@pytest.mark.parametrize("options", [{}, {"json": True}, {"json": True, "pep658": True}, {"pep658": True}])
def test_links_and_metadata_come_in_every_dialect(tmp_path: Path, options: dict[str, bool]) -> None:
    with LoopbackIndex(**options) as server, opened(server, home=tmp_path) as index:
        server.publish("a", "1.0", requires=["b>=2"], requires_python=">=3.8")
        (link,) = index.links("a")

        assert link.requires_python == ">=3.8"
        assert [str(requirement) for requirement in index.metadata(link).requires_dist] == ["b>=2"]
        assert server.count("*.metadata") == (1 if options.get("pep658") else 0)


def test_metadata_of_a_large_wheel_is_read_by_ranges(tmp_path: Path, index: LoopbackIndex) -> None:
    big = {f"a/{n}.bin": hashlib.sha256(bytes([n])).digest() * 20_000 for n in range(2)}
    index.publish("a", "1.0", {**big, **{f"a/m{n}.py": "" for n in range(2_000)}}, requires=["b"])
    with opened(index, home=tmp_path) as it:
        metadata = it.metadata(it.links("a")[0])

    assert [requirement.name for requirement in metadata.requires_dist] == ["b"]
    asked = [request.headers["Range"] for request in index.asked if request.path.startswith("/files/")]
    assert 2 <= len(asked) <= 4


def test_metadata_is_asked_for_once_for_good(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    for _ in range(2):
        with opened(index, home=tmp_path) as it:
            it.metadata(it.links("a")[0])

    assert index.count("/files/*") == 1


def test_without_ranges_the_wheel_is_fetched_and_kept_for_the_installation(tmp_path: Path) -> None:
    with LoopbackIndex(ranges=False) as server, opened(server, home=tmp_path) as index:
        file = server.publish("a", "1.0", requires=["b"])

        assert index.metadata(index.links("a")[0]).requires_dist[0].name == "b"
        assert (tmp_path / "store/cache/artifacts" / file.sha256).read_bytes() == file.data


def test_metadata_whose_hash_is_not_what_the_page_says_is_refused(tmp_path: Path) -> None:
    with LoopbackIndex(pep658=True) as server, opened(server, home=tmp_path) as index:
        file = server.publish("a", "1.0")
        (link,) = index.links("a")
        file.metadata = b"Name: a\nVersion: 1.0\nRequires-Dist: evil\n\n"

        with pytest.raises(PackageIndexError, match="hash that the index states"):
            index.metadata(link)


def test_a_file_that_is_no_wheel_or_another_project_has_no_metadata(tmp_path: Path, index: LoopbackIndex) -> None:
    index.add("a-1.0-py3-none-any.whl", b"not a zip file" * 10)
    index.add("b-1.0-py3-none-any.whl", make_wheel("c", "1.0"))
    with opened(index, home=tmp_path) as it:
        for name in ("a", "b"):
            with pytest.raises(UnusableMetadataError):
                it.metadata(it.links(name)[0])


@pytest.mark.parametrize("dynamic", [False, True])
def test_an_sdist_tells_its_requirements_or_is_built_for_them(
    tmp_path: Path, index: LoopbackIndex, *, dynamic: bool
) -> None:
    index.publish_sdist("a", "1.0", requires=["b>=1"], dynamic=dynamic)
    with opened(index, home=tmp_path) as it:
        metadata = it.metadata(it.links("a")[0])

    assert [str(requirement) for requirement in metadata.requires_dist] == ["b>=1"]


def test_a_backend_that_fails_is_quoted(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish_sdist("a", "1.0", dynamic=True, backend="raise SystemExit('no compiler here')")
    with opened(index, home=tmp_path) as it, pytest.raises(UnusableMetadataError, match="no compiler here"):
        it.metadata(it.links("a")[0])


def test_the_first_index_that_has_a_name_owns_it(tmp_path: Path, index: LoopbackIndex) -> None:
    with LoopbackIndex() as second:
        index.publish("a", "1.0")
        second.publish("a", "9.0")
        second.publish("b", "1.0")
        with opened(index, second, home=tmp_path) as it:
            assert names(it, "a") == ["a-1.0-py3-none-any.whl"]
            assert names(it, "b") == ["b-1.0-py3-none-any.whl"]
            assert names(it, "c") == []


@pytest.mark.parametrize("status", ["401", "500"])
def test_an_index_that_refuses_does_not_hand_a_name_to_the_next(
    tmp_path: Path, index: LoopbackIndex, status: str
) -> None:
    with LoopbackIndex() as second:
        second.publish("a", "9.0")
        index.fail(status, "/simple/a/", times=10)
        with opened(index, second, home=tmp_path) as it, pytest.raises(PackageIndexError, match=status):
            it.links("a")


def test_passing_faults_are_tried_again(tmp_path: Path, index: LoopbackIndex) -> None:
    file = index.publish("a", "1.0")
    index.fail("503", "/simple/a/", times=2)
    index.fail("drop", "/simple/a/")
    index.fail("429", "/simple/a/")
    index.fail("truncated", "/files/*")
    with opened(index, home=tmp_path) as it:
        (link,) = it.links("a")
        assert it.artifacts.fetch(link, sha256=file.sha256).read_bytes() == file.data

    assert index.count("/simple/a/") == 5


def test_a_fault_that_stays_is_an_error_after_five_tries(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    index.fail("truncated", "/files/*", times=99)
    with opened(index, home=tmp_path) as it:
        (link,) = it.links("a")
        with pytest.raises(PackageIndexError, match="no answer after 5 tries"):
            it.artifacts.fetch(link)

    assert index.count("/files/*") == 5


def test_other_bytes_than_expected_are_refused_and_not_asked_for_again(tmp_path: Path, index: LoopbackIndex) -> None:
    file = index.publish("a", "1.0")
    with opened(index, home=tmp_path) as it:
        (link,) = it.links("a")
        index.fail("corrupt", "/files/*")
        with pytest.raises(PackageIndexError, match="not the file it should be") as caught:
            it.artifacts.fetch(link, sha256=file.sha256)
        index.fail("html200", "/files/*")
        with pytest.raises(PackageIndexError, match="login page"):
            it.artifacts.fetch(link, sha256=file.sha256)

    assert caught.value.facts["expected_sha256"] == file.sha256
    assert index.count("/files/*") == 2


def test_a_file_larger_than_it_may_be_is_refused(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    with opened(index, home=tmp_path) as it, pytest.raises(PackageIndexError, match="larger than 10 bytes"):
        it.artifacts.fetch(it.links("a")[0], size=10)


def test_progress_counts_every_byte_once(tmp_path: Path, index: LoopbackIndex) -> None:
    file = index.publish("a", "1.0")
    index.fail("truncated", "/files/*")
    amounts: list[int] = []
    with opened(index, home=tmp_path) as it:
        it.artifacts.fetch(it.links("a")[0], progress=amounts.append)

    assert sum(amounts) == len(file.data)


def test_a_body_that_drips_is_given_up(tmp_path: Path, index: LoopbackIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_WINDOW", 0.0)
    monkeypatch.setattr(bounds, "_SLOWEST", 1 << 50)
    index.publish("a", "1.0", {"a.bin": random.Random(0).randbytes(300_000)})
    with opened(index, home=tmp_path) as it, pytest.raises(PackageIndexError, match="bytes a second"):
        it.artifacts.fetch(it.links("a")[0])


def test_pages_are_revalidated_where_the_index_knows_them(tmp_path: Path) -> None:
    with LoopbackIndex(etag=True) as server:
        server.publish("a", "1.0")
        for _ in range(2):
            with opened(server, home=tmp_path) as it:
                assert names(it, "a") == ["a-1.0-py3-none-any.whl"]
        server.publish("a", "2.0")
        with opened(server, home=tmp_path) as it:
            assert len(it.links("a")) == 2

        assert ["If-None-Match" in request.headers for request in server.asked] == [False, True, True]


def test_offline_uses_what_was_asked_before_and_asks_nobody(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    with opened(index, home=tmp_path) as it:
        it.metadata(it.links("a")[0])
        assert it.links("absent") == ()
    index.forget()

    with opened(index, home=tmp_path, offline=True) as it:
        assert it.metadata(it.links("a")[0]).name == "a"
        assert it.links("absent") == ()
        with pytest.raises(PackageIndexError, match="offline"):
            it.links("never")
        with pytest.raises(PackageIndexError, match="offline"):
            it.artifacts.fetch(it.links("a")[0])
    assert index.asked == []


def test_credentials_come_from_the_url_and_are_not_kept(tmp_path: Path) -> None:
    with LoopbackIndex(credentials="ada:s3cret") as server:
        file = server.publish("a", "1.0")
        with opened(server, home=tmp_path) as it:
            assert it.artifacts.fetch(it.links("a")[0]).read_bytes() == file.data
        kept = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
        assert b"s3cret" not in kept


def test_credentials_come_from_the_netrc(tmp_path: Path) -> None:
    with LoopbackIndex(credentials="ada:s3cret") as server:
        server.publish("a", "1.0")
        bare = f"{server.host}/simple/"
        with opened(bare, home=tmp_path) as it, pytest.raises(PackageIndexError, match="netrc"):
            it.links("a")
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password s3cret\n", encoding="utf-8")
        with opened(bare, home=tmp_path) as it:
            assert len(it.links("a")) == 1


def test_folders_and_file_indexes_need_no_server(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/a-1.0-py3-none-any.whl").write_bytes(make_wheel("a", "1.0", requires=["b"]))
    (tmp_path / "wheels/notes.txt").write_text("", encoding="utf-8")
    page = tmp_path / "simple/b/index.html"
    page.parent.mkdir(parents=True)
    (page.parent / "b-1.0.tar.gz").write_bytes(make_sdist("b", "1.0", requires=["c"]))
    page.write_text('<a href="b-1.0.tar.gz">b</a>', encoding="utf-8")

    with opened("wheels", (tmp_path / "simple").as_uri(), home=tmp_path) as it:
        assert [r.name for r in it.metadata(it.links("a")[0]).requires_dist] == ["b"]
        assert [r.name for r in it.metadata(it.links("b")[0]).requires_dist] == ["c"]
        assert it.links("c") == ()
        (link,) = it.links("a")
        data = (tmp_path / "wheels/a-1.0-py3-none-any.whl").read_bytes()
        assert it.sha256(link) == hashlib.sha256(data).hexdigest()
        assert it.artifacts.fetch(link).read_bytes() == data


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with opened("wheels", home=tmp_path) as it, pytest.raises(PackageIndexError, match="not there"):
        it.links("a")


def test_what_pip_is_told_is_used_where_the_project_names_no_index(
    tmp_path: Path, index: LoopbackIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.publish("a", "1.0")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/a-2.0-py3-none-any.whl").write_bytes(make_wheel("a", "2.0"))
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))

    with opened(home=tmp_path) as it:
        assert names(it, "a") == ["a-1.0-py3-none-any.whl", "a-2.0-py3-none-any.whl"]


def test_many_threads_ask_for_one_page_once(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    with opened(index, home=tmp_path) as it, ThreadPoolExecutor(8) as pool:
        assert {len(links) for links in pool.map(lambda _: it.links("a"), range(32))} == {1}

    assert index.count("/simple/a/") == 1


def test_the_store_that_the_cache_makes_is_the_users_alone_to_write(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    with opened(index, home=tmp_path) as it:
        it.links("a")

    assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "store/cache").rglob("*"))


def test_a_page_of_links_adds_to_the_indexes(
    tmp_path: Path, index: LoopbackIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.publish("a", "1.0")
    index.publish("b", "1.0")
    page = tmp_path / "links.html"
    page.write_text(f'<a href="{index.host}/files/b-1.0-py3-none-any.whl">b</a>', encoding="utf-8")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{page.as_uri()} {index.url}a/")

    with opened(home=tmp_path) as it:
        assert names(it, "a") == ["a-1.0-py3-none-any.whl"]
        assert names(it, "b") == ["b-1.0-py3-none-any.whl"]
        assert names(it, "c") == []


def test_a_page_of_links_that_is_not_there_is_an_error(
    tmp_path: Path, index: LoopbackIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{index.url}absent/")

    with opened(home=tmp_path) as it, pytest.raises(PackageIndexError, match="find-links"):
        it.links("a")


def test_metadata_that_was_promised_and_is_not_there_comes_from_the_wheel(tmp_path: Path) -> None:
    with LoopbackIndex(pep658=True) as server, opened(server, home=tmp_path) as index:
        server.publish("a", "1.0", requires=["b"])
        (link,) = index.links("a")
        server.fail("404", "*.metadata")

        assert [requirement.name for requirement in index.metadata(link).requires_dist] == ["b"]


def test_a_damaged_cache_is_asked_anew(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    with opened(index, home=tmp_path) as it:
        it.links("a")
    (page,) = (path for path in (tmp_path / "store/cache/pages").rglob("*") if path.is_file())
    page.write_bytes(page.read_bytes()[:-10])
    with opened(index, home=tmp_path) as it:
        assert len(it.links("a")) == 1
    with opened(index, home=tmp_path, offline=True) as it:
        assert len(it.links("a")) == 1
