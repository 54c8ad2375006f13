"""Pages of an index in HTML (PEP 503), read as the file objects of PEP 691."""

from __future__ import annotations

import codecs
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

from envknit.http.urls import is_usable
from envknit.index.page_json import joined, refuse_many

_SLOW_CHARSETS = frozenset({"punycode", "idna"})  # of Python: decoded in a time with the square of the length


def read_html(body: bytes, charset: str, url: str) -> list[dict[str, Any]]:
    """Read what a page lists; whatever its bytes are, there is an answer."""
    try:
        text = body.decode("utf-8" if codecs.lookup(charset).name in _SLOW_CHARSETS else charset, "replace")
    except (LookupError, ValueError):  # no such charset, one that is no text encoding, or one that refuses
        text = body.decode("utf-8", "replace")
    anchors = _Anchors(url)
    anchors.feed(text)
    return anchors.files


class _Anchors(HTMLParser):
    """Collects the `<a>` elements of a PEP 503 page."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.files: list[dict[str, Any]] = []
        self._page = url
        self._base = url

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            refuse_many(len(self.files), self._page)
            self._anchor(dict(attrs))
        elif tag == "base":
            base = joined(self._base, dict(attrs).get("href"))
            self._base = base if is_usable(base) else self._base

    def parse_marked_section(self, i: int, report: int = 1) -> int:  # noqa: ARG002 - the signature is html.parser's
        """Pass over `<![...]>`, where html.parser before 3.13 fails an assertion (gh-77057)."""
        return self.rawdata.find(">", i) + 1 or -1

    def _anchor(self, attributes: dict[str, str | None]) -> None:
        url, _, fragment = (attributes.get("href") or "").strip().partition("#")
        if not (url := joined(self._base, url)):
            return
        algorithm, _, digest = fragment.partition("&")[0].partition("=")
        entry: dict[str, Any] = {
            "filename": unquote(url.partition("?")[0].rpartition("/")[2]),
            "url": url,
            "hashes": {algorithm: digest},
            "requires-python": attributes.get("data-requires-python"),
        }
        if "data-yanked" in attributes:
            entry["yanked"] = attributes["data-yanked"] or True
        metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
        if metadata:
            algorithm, _, digest = metadata.partition("=")
            entry["core-metadata"] = {algorithm: digest} if digest else metadata == "true"
        self.files.append(entry)
