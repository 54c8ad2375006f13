"""Listings: of a page, the links of the versions that are asked for are those that reading all of it would give."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envknit.errors import PackageIndexError
from envknit.index.cache import CachedPage
from envknit.index.index import open_index
from envknit.index.links import JSON_TYPE, links_of, read_page
from envknit.index.listing import Listing, placed
from envknit.resolve.releases import Releases
from envknit.resolve.targets import Targets
from kit import LoopbackIndex

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ends

NAME = "zope-a"
URL = "https://index.example/simple/zope-a/"
UNHURRIED = settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))

PIECES = [
    "zope",
    "ZOPE",
    "_",
    "-",
    ".",
    "--",
    "a",
    "A",
    "1.0",
    "1",
    "1.0.0",
    "v2",
    "2!1",
    "1.0+cpu",
    "x",
    "²",
    "é",
    " ",
]
PIECES += [
    "-py3-none-any",
    "-cp313-cp313-linux_x86_64",
    ".whl",
    ".WHL",
    ".tar.gz",
    ".zip",
    ".Zip",
    ".egg",
    "/",
    "%",
    "",
]
NAMES = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.builds(
    "{}{}{}".format,
    st.sampled_from(["zope_a-", "Zope.A-", "zope-a-", "zope__a-", "other-"]),
    st.sampled_from(["1", "1.0", "1.0.0", "1.0-1", "1.0-2b", "2!1", "nonsense", "1.0+cpu", "9" * 240]),
    st.sampled_from([".tar.gz", ".zip", ".TAR.GZ", "-py3-none-any.whl", "-py3-none-any.WHL", "-1-py3-none-any.whl"]),
)
PLACES = st.sampled_from(
    [
        "https://files.example/x/",
        "http://files.example/",
        "https://ada:s3cret@files.example/",
        "../",
        "//h:x/",
        "file:///",
        "https:///",
    ]
)
FILES = st.lists(
    st.fixed_dictionaries(
        {"filename": NAMES, "url": st.builds("{}{}".format, PLACES, NAMES)},
        optional={"hashes": st.sampled_from([{"sha256": "ab" * 32}, {}, None])},
    )
    | st.sampled_from([None, 1, "x", [], {}, {"filename": 1, "url": 2}, {"filename": "zope_a-1.tar.gz"}]),
    max_size=8,
)


def listed(body: bytes, content_type: str = JSON_TYPE, name: str = NAME) -> Listing:
    return Listing(name, placed(CachedPage(url=URL, status=200, content_type=content_type, body=body), name))


@UNHURRIED
@given(FILES, st.sampled_from([None, 1]), st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")]))
def test_they_are_those_of_the_whole_page(files: list[object], indent: int | None, separators: tuple[str, str]) -> None:
    page = {"meta": {"api-version": "1.1"}, "files": files, "versions": ["é"]}
    body = json.dumps(page, indent=indent, separators=separators, ensure_ascii=False).encode()
    whole = links_of(read_page(body, JSON_TYPE, URL), NAME, URL)
    first = {link.filename: link for link in reversed(whole)}

    listing = listed(body)

    assert {(link.filename, link.url, link.sha256) for link in listing} == {
        (link.filename, link.url, link.sha256) for link in first.values()
    }
    assert set(listing.versions) == {link.version for link in whole}
    assert all({link.version for link in listing.of(version)} == {version} for version in listing.versions)
    releases = Releases(NAME, listing, Targets.of((), ">=3.10"))
    assert sorted(str(release.version) for release in releases) == sorted(
        str(release.version) for release in Releases(NAME, list(first.values()), Targets.of((), ">=3.10"))
    )


@pytest.mark.parametrize(
    "body", [b"{}", b'{"files": [}', b'{"files": [1 2]}', b'{"files": []} x', b'{"files": [1,]}', b"[" * 99999]
)
def test_what_is_no_json_is_an_error(body: bytes) -> None:
    with pytest.raises(PackageIndexError, match="not PEP 691"):
        listed(body)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_page_that_was_listed_is_kept_with_where_its_versions_are(tmp_path: Path, *, as_json: bool) -> None:
    with LoopbackIndex(json=as_json) as server:
        server.publish("a", "1.0", requires_python=">=3")
        file = server.publish("a", "2.0")
        with open_index([server.url], tmp_path, home=tmp_path) as it:
            first = {link.filename: vars(link) | {"_entry": link.sha256} for link in it.links("a")}
        server.forget()
        with open_index([server.url], tmp_path, home=tmp_path, offline=True) as it:
            assert {link.filename: vars(link) | {"_entry": link.sha256} for link in it.links("a")} == first
            found = it.find("a", file.sha256)
        assert found
        assert found.filename == "a-2.0-py3-none-any.whl"
        assert server.asked == []
    (kept,) = (tmp_path / "cache/pages").rglob("?" * 40)
    assert b'"places": {"1.0": [' in kept.read_bytes()
