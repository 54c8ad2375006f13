"""The cache of pages and metadata."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from envknit.index.cache import Cache, CachedPage, fresh_until

URL = "https://index.example/simple/a/"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("max-age=60", 60), ("public, max-age=60", 60), ("max-age=99999999", 600), ("no-cache, max-age=60", 0)],
)
def test_cache_control_says_how_long_a_page_is_fresh(header: str, seconds: int) -> None:
    until = fresh_until(header)

    assert abs(until - time.time() - seconds) < 5 if seconds else until == 0


@pytest.mark.parametrize("header", ["", "no-store", "max-age=soon", "private"])
def test_without_an_age_a_page_is_asked_for_again(header: str) -> None:
    assert fresh_until(header) == 0


def test_a_page_comes_back_with_its_validators(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "store", pytest.fail)
    page = CachedPage(
        url=URL, status=200, content_type="text/html", body=b"a\nb", etag='"x"', fresh_until=time.time() + 60
    )
    cache.keep_page(page, asked=URL)

    found = cache.page(URL)

    assert found == page
    assert found.is_fresh
    assert found.validators == {"If-None-Match": '"x"'}
    assert cache.page(f"{URL}other") is None


def test_a_page_from_a_clock_that_ran_ahead_is_not_fresh() -> None:
    page = CachedPage(url=URL, status=200, content_type="", body=b"", fresh_until=time.time() + 1e6)

    assert not page.is_fresh


@pytest.mark.parametrize("header", ["max-age=\u00b2", "max-age=-1", "max-age=", "max-age=" + "9" * 5000])
def test_an_age_that_is_no_number_is_none(header: str) -> None:
    assert fresh_until(header) == 0


def test_what_is_damaged_is_dropped(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "store/cache", pytest.fail)
    cache.keep_metadata(b"Name: a\n", "artifact", "x")
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    for damaged in (b"garbage", b"", file.read_bytes()[:-1], file.read_bytes() + b"x"):
        file.write_bytes(damaged)

        assert cache.metadata("artifact", "x") is None
        assert not file.exists()
        cache.keep_metadata(b"Name: a\n", "artifact", "x")
        assert cache.metadata("artifact", "x") == b"Name: a\n"


def test_keys_of_several_parts_are_not_mixed_up(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "store/cache", pytest.fail)
    cache.keep_metadata(b"x", "ranges", "url", "hash")

    assert cache.metadata("ranges", "url hash") is None
    assert cache.metadata("artifact", "hash") is None


@pytest.mark.parametrize("in_the_way", ["file", "root"])
def test_a_cache_that_cannot_be_written_is_left_out_and_told_once(tmp_path: Path, in_the_way: str) -> None:
    told: list[str] = []
    if in_the_way == "file":
        (tmp_path / "store").write_text("", encoding="utf-8")
        cache = Cache(tmp_path / "store/cache", told.append)
    else:
        cache = Cache(Path("/proc/envknit/cache"), told.append)

    for _ in range(2):
        cache.keep_metadata(b"x", "key")

    assert cache.metadata("key") is None
    assert len(told) == 1
    assert "is not used" in told[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be in the home of another user")
def test_the_cache_of_another_user_is_neither_written_nor_believed(tmp_path: Path) -> None:
    own = Cache(tmp_path / "home/store/cache", pytest.fail)
    own.keep_metadata(b"x", "key")
    told: list[str] = []

    os.chown(tmp_path / "home/store/cache", 20009, 20009)
    assert Cache(tmp_path / "home/store/cache", told.append).metadata("key") is None
    os.chown(tmp_path / "home", 20009, 20009)
    Cache(tmp_path / "home/other/cache", told.append).keep_metadata(b"x", "key")

    assert len(told) == 2
    assert not (tmp_path / "home/other").exists()
