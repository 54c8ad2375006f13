"""Pages that no index would send: an error, or nothing but the files that are good, soon and in little memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from envknit.errors import PackageIndexError
from envknit.index.links import JSON_TYPE, links_of, read_page

if TYPE_CHECKING:
    from conftest import Bounded

pytestmark = [pytest.mark.ends, pytest.mark.timeout(60)]

URL = "https://index.example/simple/a/"
WHEEL = "a-1.0-py3-none-any.whl"
GOOD: dict[str, Any] = {"filename": WHEEL, "url": WHEEL, "hashes": {}}


def listed(**fields: object) -> bytes:
    """Write a page with one odd file, and a good one."""
    return json.dumps({"meta": {"api-version": "1.0"}, "files": [{**GOOD, **fields}, GOOD]}).encode()


NO_PAGE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", JSON_TYPE),
    "no media type": (b"<a>", ""),
    "an archive": (b"PK\3\4", "application/zip"),
    "a number": (b"1", JSON_TYPE),
    "a list": (b"[]", JSON_TYPE),
    "no files": (b'{"meta": {"api-version": "1.0"}}', JSON_TYPE),
    "files that are a number": (b'{"meta": {"api-version": "1.0"}, "files": 1}', JSON_TYPE),
    "a later version": (b'{"meta": {"api-version": "2.0"}, "files": []}', JSON_TYPE),
    "a version that is none": (b'{"meta": {"api-version": {}}, "files": []}', JSON_TYPE),
    "half": (b'{"meta": {"api-version": "1.0"}, "files": [', JSON_TYPE),
    "no text": (b"\xff\xfe\x00" * 99, JSON_TYPE),
    "depth of lists": (b"[" * 200_000, JSON_TYPE),
    "depth of mappings": (b'{"a":' * 200_000, JSON_TYPE),
    "a number of a million digits": (b'{"files": [], "x": ' + b"9" * 10**6 + b"}", JSON_TYPE),
}  # fmt: skip


@pytest.mark.parametrize("title", NO_PAGE)
def test_what_is_no_page_is_one_error(title: str, bounded: Bounded) -> None:
    with bounded(), pytest.raises(PackageIndexError):
        read_page(*NO_PAGE[title], URL)


ODD: dict[str, bytes] = {
    "a name that leads out": listed(filename=f"../../{WHEEL}"),
    "a name with NUL": listed(filename=f"a\0{WHEEL}"),
    "a name with a line break": listed(filename=f"a-1.0\n-{WHEEL}"),
    "another project's file": listed(filename="b-1.0-py3-none-any.whl"),
    "a name that is a number": listed(filename=1),
    "a name that is a list": listed(filename=[WHEEL]),
    "a version of 20,000 digits": listed(filename=f"a-{'9' * 20_000}-py3-none-any.whl"),
    "a url of this machine": listed(url=f"file:///etc/{WHEEL}"),
    "a url of a script": listed(url=f"javascript:{WHEEL}"),
    "a url with half a host": listed(url=f"https://[{WHEEL}"),
    "a url with a port too large": listed(url=f"https://h:99999999/{WHEEL}"),
    "a url that is a mapping": listed(url={}),
    "a url with a surrogate": listed(url="https://h\ud800/" + WHEEL),
}


@pytest.mark.parametrize("title", ODD)
def test_what_is_no_file_is_left_out(title: str, bounded: Bounded) -> None:
    with bounded():
        links = links_of(read_page(ODD[title], JSON_TYPE, URL), "a", URL)

    assert [link.url for link in links] == [URL + WHEEL]


FACTS: dict[str, dict[str, object]] = {
    "hashes that are a text": {"hashes": "sha256"},
    "a digest that is none": {"hashes": {"sha256": "../" * 22}},
    "a digest that is a number": {"hashes": {"sha256": 1}},
    "a size below zero": {"size": -1},
    "a size of many digits": {"size": 10**400},
    "a size that is no number": {"size": "many"},
    "yanked for a list": {"yanked": ["x"]},
    "metadata with a digest that is none": {"core-metadata": {"sha256": "x"}},
    "Pythons that are a number": {"requires-python": 3},
    "Pythons that are none": {"requires-python": ">=>=3"},
    "a time that is none": {"upload-time": "\0" * 99},
    "a time that is a list": {"upload-time": [1]},
}


@pytest.mark.parametrize("title", FACTS)
def test_a_fact_that_is_none_costs_no_more_than_its_file(title: str, bounded: Bounded) -> None:
    with bounded():
        links = links_of(read_page(listed(**FACTS[title]), JSON_TYPE, URL), "a", URL)

    assert {link.url for link in links} == {URL + WHEEL}
    assert not any(link.sha256 or link.size or link.metadata_sha256 for link in links)


@pytest.mark.parametrize("text", ["<a ", "<!--", "<a href='", "&#x110000;", "<base href='//['>", "</a", "<![CDATA["])
def test_text_that_never_ends_is_read_in_time(text: str, bounded: Bounded) -> None:
    with bounded():
        entries = read_page(f'<a href="{WHEEL}">x</a>{text * 5_000}'.encode(), "text/html", URL)

    assert entries[0]["filename"] == WHEEL
