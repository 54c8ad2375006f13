"""The cache of pages and metadata."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from envknit.index.cache import Cache, CachedPage, fresh_until

if TYPE_CHECKING:
    from pathlib import Path

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
