"""Which files the sources of a project offer: pages of its indexes, folders of wheels, lists of links."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from envknit.errors import PackageIndexError
from envknit.files.sources import ANY_INDEX
from envknit.http.urls import local_path, redacted, unusable, without_login
from envknit.index.cache import CachedPage, fresh_until
from envknit.index.links import ACCEPT, find_link, links_of, read_page
from envknit.index.listing import Listing, placed
from envknit.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envknit.http.session import Session
    from envknit.index.cache import Cache
    from envknit.index.links import Link

_ABSENT = frozenset({404, 410})
_REFUSED = 403  # private indexes answer so for names that they do not have; pip takes it for "not here"


class Pages:
    """What the sources offer, by project; may be used from many threads.

    Only the first index that lists a project is used for it (dependency confusion); folders and lists of links add to
    it. A project that is bound has what it is bound to alone.

    Args:
        indexes: URLs, in the order to ask.
        find_links: folders of wheels and URLs of pages that list files of any project.
        bound: what a project is bound to, by canonical name: source to index or folder of wheels; see `open_index`.
        cache: keeps the pages.
        http: opens the connections, where one is needed; None: nobody may be asked.
        warn: hears of what is passed over.
    """

    def __init__(
        self,
        indexes: Sequence[str],
        find_links: Sequence[str],
        *,
        bound: Mapping[str, Mapping[str, str]],
        cache: Cache,
        http: Callable[[], Session] | None,
        warn: Callable[[str], None],
    ) -> None:
        self._indexes = indexes
        self._find_links = find_links
        self._bound = bound
        self._cache = cache
        self._http = http
        self._warn = warn
        self._guard = threading.Lock()
        self._unasked: dict[str, list[str]] = {}
        self._listed: dict[str, tuple[str, list[dict[str, Any]]]] = {}

    def links(self, name: str) -> Sequence[Link]:
        """Return every wheel and sdist that is offered for a project, in no particular order.

        Args:
            name: canonical name.

        Raises:
            PackageIndexError: a source does not answer, or not as it should.
        """
        bound = self._bound.get(name)
        if bound is None:
            return self._offered(name, self._indexes, self._find_links)
        found: list[Link] = []
        for source, place in bound.items():
            if source == ANY_INDEX:
                links, named = self._offered(name, self._indexes, self._find_links), ""
            else:
                places = ((place,), ()) if "://" in place else ((), (place,))
                links, named = self._offered(name, *places), source
            found += (link.offered_by(named, (source,)) for link in links)
        return tuple(found)

    def _offered(self, name: str, indexes: Sequence[str], find_links: Sequence[str]) -> Sequence[Link]:
        page, refused = self._first_page(name, indexes, listed=True)
        found = Listing(name, page) if page else ()
        more: list[Link] = []
        for source in find_links:
            url, entries = self._list(source)
            more += links_of(entries, name, url)
        if refused and not (found or more):
            raise unusable(_REFUSED, refused[0])
        for url in refused:
            self._warn(f"{redacted(url)} answers with status {_REFUSED}: {name} is taken from the next source")
        return tuple({link.filename: link for link in reversed([*found, *more])}.values()) if more else found

    def unasked(self, name: str) -> list[str]:
        """Return the indexes that `links` did not ask because an earlier one lists the project, fit for a message."""
        return self._unasked.get(name, [])

    def find(self, name: str, sha256: str) -> Link | None:
        """Find a file by its digest on the page of the first index that lists its project; cheaper than `links`.

        None where it is not there, or where the person bound the project to a source.
        """
        page, _ = self._first_page(name, self._indexes) if name not in self._bound else (None, [])
        return find_link(page.body, page.content_type, page.url, name, sha256) if page else None

    def _first_page(
        self, name: str, indexes: Sequence[str], *, listed: bool = False
    ) -> tuple[CachedPage | None, list[str]]:
        """Return the page of the first index that has one, `placed` if it is to be listed, and those that refused."""
        refused: list[str] = []
        for position, index in enumerate(indexes):
            url = _page_url(index, name)
            page = self._page(url, name if listed else "")
            if page.status == 200:
                self._unasked[name] = [redacted(later) for later in indexes[position + 1 :]]
                return page, refused
            if page.status == _REFUSED:
                refused.append(url)
        return None, refused

    def _list(self, source: str) -> tuple[str, list[dict[str, Any]]]:
        with self._guard:
            if source not in self._listed:
                self._listed[source] = self._read_list(source)
            return self._listed[source]

    def _read_list(self, source: str) -> tuple[str, list[dict[str, Any]]]:
        if source.startswith(("http://", "https://")):
            page = self._page(without_login(source))
            if page.status == _REFUSED:
                raise unusable(_REFUSED, source)
            if page.status != 200:
                raise PackageIndexError("a page of `find-links` is not there", url=redacted(source))
            return page.url, read_page(page.body, page.content_type, page.url)
        path = local_path(source) if source.startswith("file:") else Path(os.path.expanduser(source))  # noqa: PTH111 - `Path.expanduser` raises where there is no home
        try:
            if path.is_dir():
                files = sorted(file for file in path.iterdir() if file.is_file())
                entries = [{"filename": file.name, "url": file.absolute().as_uri()} for file in files]
                return path.absolute().as_uri(), entries
            if path.suffix in (".html", ".htm") and path.is_file():
                url = path.absolute().as_uri()
                return url, read_page(read_regular(path), "text/html", url)
        except OSError as cause:
            why = cause.strerror
            raise PackageIndexError(
                f"a folder of packages cannot be read: {why}", folder=redacted(str(path))
            ) from cause
        raise PackageIndexError("a folder of packages is not there", folder=redacted(str(path)))

    def _page(self, url: str, name: str = "") -> CachedPage:
        """Return what a URL answers, and keep it; where a project is named, a page comes `placed` for it."""
        cached = None if url.startswith("file:") else self._cache.page(url)
        page = _local_page(url) if url.startswith("file:") else self._answer(url, cached)
        if name and page.status == 200 and page.places is None:
            page = placed(page, name)
        if page is not cached and page.status != _REFUSED and not url.startswith("file:"):
            self._cache.keep_page(page, asked=url)
        return page

    def _answer(self, url: str, cached: CachedPage | None) -> CachedPage:
        if self._http is None:
            if cached is None:
                raise PackageIndexError("offline: the page of the index is not in the cache", url=redacted(url))
            return cached
        if cached is not None and cached.is_fresh:
            return cached
        answer = self._http().get(url, {"Accept": ACCEPT, **(cached.validators if cached else {})})
        if answer.status == 304 and cached is not None:
            return cached
        # An index that listed the name before owns it: its refusal must not hand the name to the next one
        refused = answer.status == _REFUSED and not (cached and cached.status == 200)
        if not (answer.status == 200 or answer.status in _ABSENT or refused):
            raise unusable(answer.status, url)
        return CachedPage(
            url=answer.url,
            status=404 if answer.status in _ABSENT else answer.status,
            content_type=answer.headers.get("Content-Type", ""),
            body=answer.body if answer.status == 200 else b"",
            etag=answer.headers.get("ETag", ""),
            last_modified=answer.headers.get("Last-Modified", ""),
            fresh_until=fresh_until(answer.headers.get("Cache-Control", "")),
        )


def _page_url(index: str, name: str) -> str:
    return f"{without_login(index).rstrip('/')}/{quote(name)}/"


def _local_page(url: str) -> CachedPage:
    page = local_path(url) / "index.html"
    if page.is_file():
        return CachedPage(url=url, status=200, content_type="text/html", body=read_regular(page))
    return CachedPage(url=url, status=404, content_type="", body=b"")
