"""Pages of an index in JSON (PEP 691), read file by file."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from envknit.errors import PackageIndexError
from envknit.http.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_LINKS = 250_000  # of one page; the longest real ones have some 50,000
_SPACE = re.compile(r"[ \t\n\r]*")
_MARK = re.compile(r"[ \t\n\r]*(.)[ \t\n\r]*")
_ENDS = (",", "]")


def walk_json(body: bytes, url: str, take: Callable[[Any, int, int], None]) -> None:
    """Read PEP 691 JSON file by file: its objects need not be in memory at once.

    Args:
        body: the page.
        url: where it came from, for messages.
        take: gets what the page lists, one after the other, with where each begins and ends in `text_of` the page.

    Raises:
        PackageIndexError: it is no page of an index, or one of an unknown major version of the API.
    """
    try:
        page = _walk(text_of(body), take, url)
        version = str(page["meta"]["api-version"])
        list(page["files"])
    except (ValueError, TypeError, KeyError, RecursionError) as cause:
        raise PackageIndexError("the page of the index is not PEP 691 JSON", url=redacted(url)) from cause
    if version.partition(".")[0] != "1":
        raise PackageIndexError(f"the index speaks version {version} of the API; envknit knows 1.x", url=redacted(url))


def text_of(body: bytes) -> str:
    """Decode JSON as `json.loads` does."""
    return body.decode(json.detect_encoding(body), "surrogatepass")


def _walk(text: str, take: Callable[[Any, int, int], None], url: str) -> dict[str, Any]:
    """Read a JSON object, all but the items of its array `files`, which are given away."""
    decode = json.JSONDecoder().raw_decode
    found: dict[str, Any] = {}
    at = _after(text, 0, "{")
    while True:
        key, at = decode(text, at)
        at = _after(text, at, ":")
        if key == "files" and text.startswith("[", at):
            found[key], at = (), _walk_array(text, at, take, url)
        else:
            found[key], at = decode(text, at)
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr] # it matches nothing, too
        if text.startswith("}", at):
            break
        at = _after(text, at, ",")
    if _after(text, at, "}") != len(text):
        raise ValueError("there is something behind the object")
    return found


def _walk_array(text: str, at: int, take: Callable[[Any, int, int], None], url: str) -> int:
    decode = json.JSONDecoder().raw_decode
    at = _after(text, at, "[")
    count = 0
    while not text.startswith("]", at):
        if count:
            at = _after(text, at, ",")
        entry, end = decode(text, at)
        take(entry, at, end)
        at = end if text.startswith(_ENDS, end) else _SPACE.match(text, end).end()  # type: ignore[union-attr] # as above
        count += 1
        refuse_many(count, url)
    return at + 1


def _after(text: str, at: int, mark: str) -> int:
    """Step over a mark and the white space around it."""
    found = _MARK.match(text, at)
    if found is None or found[1] != mark:
        raise ValueError(f"`{mark}` is missing")
    return found.end()


def refuse_many(count: int, url: str) -> None:
    """Raise PackageIndexError where a page lists more files than any project has."""
    if count > _MOST_LINKS:
        raise PackageIndexError(f"the page of the index lists more than {_MOST_LINKS} files", url=redacted(url))


def joined(base: str, url: object) -> str:
    """Return the absolute URL of a link on a page; `""` for what is none."""
    if not isinstance(url, str):
        return ""
    if url.startswith(("https://", "http://")):
        return url
    try:
        return urljoin(base, url)
    except ValueError:  # half an IPv6 host
        return ""
