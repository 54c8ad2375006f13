"""Which source a project is taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.errors import PackageIndexError
from envknit.index.index import open_index
from envknit.reporter import Reporter
from kit import LoopbackIndex
from kit.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path


class Heard(Reporter):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def _no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


@pytest.mark.parametrize("status", ["403", "410"])
def test_an_index_that_refuses_a_name_is_passed_over_for_the_next_source(
    tmp_path: Path, index: LoopbackIndex, status: str
) -> None:
    heard = Heard()
    index.fail(status, "/simple/a/")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/a-1.0-py3-none-any.whl").write_bytes(make_wheel("a", "1.0"))

    with open_index([index.url, "wheels"], tmp_path, home=tmp_path / "store", reporter=heard) as it:
        assert len(it.links("a")) == 1
    assert len(heard.warnings) == (status == "403"), "gone is gone; but a refusal may be a missing login"


def test_a_refusal_is_told_where_no_other_source_has_the_name(tmp_path: Path, index: LoopbackIndex) -> None:
    index.fail("403", "/simple/a/")
    with (
        open_index([index.url], tmp_path, home=tmp_path / "store") as it,
        pytest.raises(PackageIndexError, match="403") as caught,
    ):
        it.links("a")
    assert "credentials" in caught.value.hint


def test_an_index_that_listed_a_name_before_keeps_it_when_it_refuses(tmp_path: Path, index: LoopbackIndex) -> None:
    with LoopbackIndex() as second:
        index.publish("a", "1.0")
        second.publish("a", "9.0")
        with open_index([index.url, second.url], tmp_path, home=tmp_path / "store") as it:
            it.links("a")
        index.fail("403", "/simple/a/")
        with (
            open_index([index.url, second.url], tmp_path, home=tmp_path / "store") as it,
            pytest.raises(PackageIndexError, match="403"),
        ):
            it.links("a")


def test_the_indexes_that_were_not_asked_are_named(tmp_path: Path, index: LoopbackIndex) -> None:
    with LoopbackIndex(credentials="ada:s3cret") as second:
        index.publish("a", "1.0")
        second.publish("b", "1.0")
        with open_index([index.url, second.url], tmp_path, home=tmp_path / "store") as it:
            assert (len(it.links("a")), len(it.links("b"))) == (1, 1)
            assert it.unasked("a") == [f"{second.host}/simple/"]
            assert it.unasked("b") == []


def test_a_base_on_another_host_is_followed(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    (tmp_path / "simple/a").mkdir(parents=True)
    page = f'<base href="{index.host}/files/"><a href="a-1.0-py3-none-any.whl">a</a>'
    (tmp_path / "simple/a/index.html").write_text(page, encoding="utf-8")

    with open_index([(tmp_path / "simple").as_uri()], tmp_path, home=tmp_path / "store") as it:
        assert it.metadata(it.links("a")[0]).name == "a"


def test_a_folder_that_a_page_lists_and_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "links.html").write_text('<a href="a-1.0-py3-none-any.whl">a</a>', encoding="utf-8")
    with (
        open_index(["links.html"], tmp_path, home=tmp_path / "store") as it,
        pytest.raises(PackageIndexError, match="not there"),
    ):
        it.metadata(it.links("a")[0])
