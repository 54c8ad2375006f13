"""Pages of indexes."""

from __future__ import annotations

import json

import pytest

from envknit.errors import PackageIndexError
from envknit.index.links import JSON_TYPE, Link, find_link, links_of, read_page

URL = "https://index.example/simple/click/"
HASH = "ab" * 32
WHEEL = "click-8.1.7-py3-none-any.whl"


def html(body: str, url: str = URL) -> list[Link]:
    return links_of(read_page(body.encode(), "text/html; charset=utf-8", url), "click", url)


def page(*files: dict[str, object], version: str = "1.1") -> list[Link]:
    body = json.dumps({"meta": {"api-version": version}, "name": "click", "files": list(files)}).encode()
    return links_of(read_page(body, JSON_TYPE, URL), "click", URL)


def facts(link: Link) -> dict[str, object]:
    names = ("filename", "url", "sha256", "size", "requires_python", "yanked", "metadata", "metadata_sha256")
    return {name: getattr(link, name) for name in names if getattr(link, name) not in (None, "", False)}


def test_html_gives_all_that_its_attributes_say() -> None:
    (link,) = html(
        f'<a href="../../files/{WHEEL}#sha256={HASH.upper()}" data-requires-python="&gt;=3.7" data-yanked="it broke" '
        f'data-core-metadata="sha256={HASH}">{WHEEL}</a>'
    )

    assert facts(link) == {
        "filename": WHEEL,
        "url": f"https://index.example/files/{WHEEL}",
        "sha256": HASH,
        "requires_python": ">=3.7",
        "yanked": "it broke",
        "metadata": True,
        "metadata_sha256": HASH,
    }
    assert str(link.version) == "8.1.7"


def test_json_gives_all_that_its_keys_say() -> None:
    (link,) = page(
        {
            "filename": WHEEL,
            "url": f"/files/{WHEEL}",
            "hashes": {"sha256": HASH, "md5": "x"},
            "size": 97941,
            "requires-python": ">=3.7",
            "yanked": True,
            "core-metadata": {"sha256": HASH},
            "upload-time": "2023-08-17T17:29:10Z",
        }
    )

    assert facts(link) == {
        "filename": WHEEL,
        "url": f"https://index.example/files/{WHEEL}",
        "sha256": HASH,
        "size": 97941,
        "requires_python": ">=3.7",
        "metadata": True,
        "metadata_sha256": HASH,
    }
    assert link.yanked == ""
    assert link.upload_time == "2023-08-17T17:29:10Z"


@pytest.mark.parametrize("attribute", ["data-core-metadata", "data-dist-info-metadata"])
def test_both_names_of_the_metadata_attribute_are_known(attribute: str) -> None:
    (link,) = html(f'<a href="{WHEEL}" {attribute}="true">x</a>')

    assert (link.metadata, link.metadata_sha256) == (True, None)


@pytest.mark.parametrize("key", ["core-metadata", "dist-info-metadata"])
@pytest.mark.parametrize(("offered", "expected"), [(True, True), ({}, True), ({"sha256": HASH}, True), (False, False)])
def test_both_names_of_the_metadata_key_are_known(key: str, offered: object, *, expected: bool) -> None:
    (link,) = page({"filename": WHEEL, "url": WHEEL, "hashes": {}, key: offered})

    assert link.metadata is expected


def test_yanked_without_a_reason_is_yanked() -> None:
    assert [link.yanked for link in html(f'<a href="{WHEEL}" data-yanked>x</a>')] == [""]
    assert [link.yanked for link in page({"filename": WHEEL, "url": WHEEL, "hashes": {}, "yanked": False})] == [None]


def test_hashes_other_than_sha256_do_not_count() -> None:
    assert [link.sha256 for link in html(f'<a href="{WHEEL}#md5=abc">x</a><a href="{WHEEL}#sha256=abc">x</a>')] == [
        None,
        None,
    ]


@pytest.mark.parametrize(
    "href",
    [
        f"javascript:alert('{WHEEL}')",
        f"data:text/html,{WHEEL}",
        f"file:///etc/{WHEEL}",
        f"ftp://x.example/{WHEEL}",
        "..%2f..%2fclick-8.1.7-py3-none-any.whl",
        "..%252fclick-8.1.7-py3-none-any.whl",
        "clock-8.1.7-py3-none-any.whl",
        "click-8.1.7.exe",
        "",
    ],
)
def test_links_that_are_no_files_of_the_project_are_left_out(href: str) -> None:
    assert html(f'<a href="{href}">x</a>') == []


@pytest.mark.parametrize(
    "file",
    [
        {"filename": "../../click-8.1.7-py3-none-any.whl", "url": WHEEL},
        {"filename": WHEEL, "url": "file:///x"},
        {"filename": 7, "url": WHEEL},
        {"url": WHEEL},
    ],
)
def test_json_files_that_are_none_of_the_project_are_left_out(file: dict[str, object]) -> None:
    assert page(file) == []


def test_an_escaped_plus_is_read_and_queries_are_no_part_of_the_name() -> None:
    (link,) = html('<a href="click-1.0%2Bcpu-py3-none-any.whl?token=1">x</a>')

    assert link.filename == "click-1.0+cpu-py3-none-any.whl"
    assert link.url.endswith("?token=1")


def test_a_base_of_the_same_origin_is_followed() -> None:
    (link,) = html(f'<base href="/mirror/"><a href="{WHEEL}">x</a>')

    assert link.url == f"https://index.example/mirror/{WHEEL}"


def test_a_base_on_another_host_is_followed_as_links_to_it_are() -> None:
    (link,) = html(f'<base href="https://files.example/"><a href="{WHEEL}">x</a>')

    assert link.url == f"https://files.example/{WHEEL}"


def test_only_a_local_page_links_to_local_files() -> None:
    assert [link.url for link in html(f'<a href="{WHEEL}">x</a>', "file:///srv/simple/click/")] == [
        f"file:///srv/simple/click/{WHEEL}"
    ]


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"PK", "application/zip"),
        (b"x", ""),
        (b"{", JSON_TYPE),
        (b"[]", JSON_TYPE),
        (b'{"meta": {"api-version": "1.0"}}', JSON_TYPE),
        (b'{"meta": {"api-version": "2.0"}, "files": []}', JSON_TYPE),
    ],
)
def test_what_is_no_page_of_an_index_is_an_error(body: bytes, media: str) -> None:
    with pytest.raises(PackageIndexError):
        read_page(body, media, URL)


GOOD = f'<a href="{WHEEL}">x</a>'


@pytest.mark.parametrize(
    "bad",
    [
        '<a href="//[">x</a>',
        f'<a href="http://[bad/{WHEEL}">x</a>',
        f'<a href="http://h:99999999/{WHEEL}">x</a>',
        f'<a href="http://h:x/{WHEEL}">x</a>',
        f'<a href="http:///{WHEEL}">x</a>',
        f'<a href="http://{"a" * 64}.example/{WHEEL}">x</a>',
        '<base href="http://h:abc/">',
        '<base href="//[">',
        "<![",
        "<![ x [ y",
        "<!doctype",
        "<a href",
    ],
)
def test_what_is_malformed_costs_that_link_and_not_the_page(bad: str) -> None:
    assert [link.url for link in html(f"{GOOD} {bad} > {GOOD}")] == [URL + WHEEL] * 2


@pytest.mark.parametrize(
    "bad",
    [
        1,
        None,
        {"filename": WHEEL},
        {"filename": WHEEL, "url": 7},
        {"filename": WHEEL, "url": "//["},
        {"filename": WHEEL, "url": f"http://h:99999999/{WHEEL}"},
    ],
)
def test_a_malformed_entry_costs_that_entry_and_not_the_page(bad: object) -> None:
    body = json.dumps({"meta": {"api-version": "1.0"}, "files": [bad, {"filename": WHEEL, "url": WHEEL}]}).encode()

    assert [link.url for link in links_of(read_page(body, JSON_TYPE, URL), "click", URL)] == [URL + WHEEL]


@pytest.mark.parametrize("charset", ["undefined", "idna", "nonsense", "hex", "utf-8\0", "", '"utf-8"'])
def test_a_charset_that_cannot_be_read_is_taken_for_utf_8(charset: str) -> None:
    entries = read_page(GOOD.encode(), f"text/html; charset={charset}", URL)

    assert [entry["filename"] for entry in entries] == [WHEEL]


@pytest.mark.parametrize("size", [10**30, -1, True, 1.5, "7", None])
def test_a_size_that_no_lock_can_hold_is_no_size(size: object) -> None:
    (link,) = page({"filename": WHEEL, "url": WHEEL, "hashes": {}, "size": size})

    assert link.size is None


def test_a_secure_page_leads_to_an_insecure_file_only_where_it_tells_the_hash() -> None:
    insecure = f"http://files.example/{WHEEL}"

    assert html(f'<a href="{insecure}">x</a>') == []
    assert [link.url for link in html(f'<a href="{insecure}#sha256={HASH}">x</a>')] == [insecure]
    assert [link.url for link in html(f'<a href="{insecure}">x</a>', "http://index.example/")] == [insecure]


@pytest.mark.parametrize("media", ["text/html", JSON_TYPE])
def test_a_page_of_more_links_than_any_project_has_is_refused(media: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envknit.index.page_json._MOST_LINKS", 3)
    files = [{"filename": WHEEL, "url": WHEEL}] * 5
    as_json = json.dumps({"meta": {"api-version": "1.0"}, "files": files})

    with pytest.raises(PackageIndexError, match="more than 3 files"):
        read_page((as_json if media == JSON_TYPE else GOOD * 5).encode(), media, URL)


def test_a_login_in_a_link_is_no_part_of_it() -> None:
    (link,) = html(f'<a href="https://ada:s3cret@files.example/{WHEEL}">x</a>')

    assert link.url == f"https://files.example/{WHEEL}"


def test_a_link_is_found_by_its_digest_as_the_whole_page_would_give_it() -> None:
    entry = {"filename": WHEEL, "hashes": {"sha256": HASH}, "size": 3, "core-metadata": {"sha256": "cd" * 32}}
    other = {"filename": "click-8.0-py3-none-any.whl", "url": "b", "hashes": {"sha256": "ef" * 32}}
    listed = json.dumps({"meta": {"api-version": "1.1"}, "files": [other, {**entry, "url": "a"}, other]}).encode()
    anchors = f'<a href="b#sha256={"ef" * 32}">b</a><a data-requires-python="3" href="{WHEEL}#sha256={HASH}">c</a>'

    for body, kind in ((listed, JSON_TYPE), (anchors.encode(), "text/html; charset=utf-8")):
        found = find_link(body, kind, URL, "click", HASH)
        (whole,) = (link for link in links_of(read_page(body, kind, URL), "click", URL) if link.sha256 == HASH)
        assert found is not None
        assert facts(found) == facts(whole)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("{}", JSON_TYPE),
        (f'{{"hashes": {{"sha256": "{HASH}"}}', JSON_TYPE),
        (f'{{"files": [{{"filename": "{WHEEL}", "url": "a", "core-metadata": {{"sha256": "{HASH}"}}}}]}}', JSON_TYPE),
        (f'<base href="https://other.example/"><a href="{WHEEL}#sha256={HASH}">', "text/html"),
        (f"sha256={HASH}", "text/html"),
        (f'<a href="{WHEEL}#sha256={HASH}">', "text/plain"),
    ],
)
def test_where_it_takes_the_whole_page_to_tell_no_link_is_found(body: str, kind: str) -> None:
    assert find_link(body.encode(), kind, URL, "click", HASH) is None
