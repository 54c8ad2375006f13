"""Links: the files that an index offers, made of what a page lists; what is malformed costs that link alone."""

from __future__ import annotations

import json
import os
import re
from copy import copy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from envknit.errors import PackageIndexError
from envknit.files.filenames import version_in
from envknit.http.urls import is_usable, redacted, without_login
from envknit.index.page_json import joined, walk_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.version import Version
    from typing_extensions import Self

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPES = frozenset({"application/vnd.pypi.simple.v1+html", "text/html", "application/xhtml+xml"})
ACCEPT = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"

_ARCHIVES = (".whl", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip")
_DEEPEST = 4  # objects around a digest on a page: hashes, or hashes of metadata beside others, and the file
_LONGEST_OBJECT = 1 << 16
_BASE = re.compile(rb"<base\b", re.IGNORECASE)  # links on such a page may be relative to somewhere else
_DIGEST = re.compile("[0-9a-fA-F]{64}")
_MOST_SIZE = 10**15  # bytes: what a lock can hold


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """One file that an index offers for a project.

    Args:
        name: canonical name of the project.
        filename: a single path component that is a wheel's or sdist's name and belongs to the project.
        url: where its bytes are; credentials are not part of it.
        sha256: as the index states it; None where it does not.
        size: bytes, where the index states it (PEP 700).
        requires_python: `Requires-Python` of the file, or `""`.
        yanked: why the file was yanked (PEP 592); None where it was not, `""` where no reason is given.
        metadata: whether `<url>.metadata` is there (PEP 658, 714).
        metadata_sha256: what that file hashes to, where the index states it.
        upload_time: ISO 8601, where the index states it (PEP 700).
        subdirectory: where in a source archive that a person named the project lies.
        source: the place that a person named, as a lock says it; `""`: the indexes that answer for all projects.
        answers: the sources of requirements that it answers, as the person wrote them; `()`: nobody bound the project.
    """

    name: str
    filename: str
    url: str
    sha256: str | None = None
    size: int | None = None
    requires_python: str = ""
    yanked: str | None = None
    metadata: bool = False
    metadata_sha256: str | None = None
    upload_time: str = ""
    subdirectory: str = ""
    source: str = ""
    answers: tuple[str, ...] = ()

    def offered_by(self, source: str, answers: tuple[str, ...]) -> Self:
        """Return the same file as one of a source that a person named, and of the requirements that it answers."""
        link = copy(self)
        vars(link).update(source=source, answers=answers)
        return link

    @property
    def is_listed(self) -> bool:
        """Whether an index lists it; otherwise a person named the very file or folder."""
        return not self.source or self.source.startswith("index+")

    @property
    def is_wheel(self) -> bool:
        """Whether this is a wheel; otherwise it is an sdist."""
        return self.filename.endswith(".whl")

    @cached_property
    def version(self) -> Version:
        """The version in the file name."""
        version = version_in(self.filename, self.name)
        if version is None:
            raise PackageIndexError("not a file of that project", file=self.filename, name=self.name)
        return version


def link_to(place: str | Path, *, name: str, sha256: str | None = None, subdirectory: str = "") -> Link:
    """Make the link for a file that a person named; `Index` fetches it and reads its metadata like any other.

    Args:
        place: an `https:`, `http:` or `file:` URL, or a path, of a wheel, an sdist or another source archive.
        name: canonical name of the project that it must be.
        sha256: what it must hash to; None: `Index.sha256` says what it hashes to now.
        subdirectory: where in the archive the project lies.

    Raises:
        PackageIndexError: it is malformed, or no wheel or source archive by its name.
    """
    url = str(place) if "://" in str(place) else Path(os.path.abspath(os.path.expanduser(place))).as_uri()  # noqa: PTH100,PTH111 - `..` goes, links stay, `~` may be nobody's
    url = url.partition("#")[0]
    filename = unquote(urlsplit(url).path.rpartition("/")[2]) if is_usable(url) else ""
    if not (filename.endswith(_ARCHIVES) and url.startswith(("https://", "http://", "file:"))):
        raise PackageIndexError("not the URL or path of a wheel or source archive", name=name, url=redacted(str(place)))
    return Link(name=name, filename=filename, url=without_login(url), sha256=sha256, subdirectory=subdirectory)


def read_page(body: bytes, content_type: str, url: str) -> list[dict[str, Any]]:
    """Read what a page lists, as the file objects of PEP 691 with absolute URLs.

    Args:
        body: the page.
        content_type: the media type it came with.
        url: where it came from, after redirects.

    Raises:
        PackageIndexError: it is no page of an index, or one of an unknown major version of the API.
    """
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if is_json(kind):
        return _read_json(body, url)
    if kind in HTML_TYPES:
        charset = parameters.partition("charset=")[2].strip().strip('"') or "utf-8"
        from envknit.index.page_html import read_html  # loads html.parser

        return read_html(body, charset, url)
    raise PackageIndexError(
        f"the answer is no page of a package index ({kind or 'no content type'})", url=redacted(url)
    )


def is_json(content_type: str) -> bool:
    """Tell whether a media type is one that PEP 691 JSON comes with."""
    return content_type.partition(";")[0].strip().lower() in (JSON_TYPE, "application/json")


def find_link(body: bytes, content_type: str, url: str, name: str, sha256: str) -> Link | None:
    """Find the link with a digest on a page, and read nothing else of it.

    Args:
        body: the page.
        content_type: the media type it came with.
        url: where it came from, after redirects.
        name: canonical name of the project.
        sha256: the digest that the index must state.

    Returns:
        None where there is none, or it takes the whole page to tell.
    """
    at = body.find(sha256.encode())
    kind = content_type.partition(";")[0].strip().lower()
    if at < 0:
        return None
    if kind in HTML_TYPES:
        from envknit.index.page_html import read_html  # loads html.parser

        start, end = body.rfind(b"<a", 0, at), body.find(b">", at)
        whole = start < 0 or end < 0 or _BASE.search(body)
        entries = [] if whole else read_html(body[start : end + 1], "utf-8", url)
    else:
        entries = [*_object_around(body, at, url)] if kind == JSON_TYPE else []
    return next((link for link in links_of(entries, name, url) if link.sha256 == sha256), None)


def _object_around(body: bytes, at: int, url: str) -> Iterator[dict[str, Any]]:
    """Give the file object that holds a place in PEP 691 JSON, where one of the last objects before it does."""
    start = at
    for _ in range(_DEEPEST):
        start = body.rfind(b"{", 0, start)
        text = body[start : at + _LONGEST_OBJECT].decode("utf-8", "replace") if start >= 0 else ""
        try:
            entry, _ = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            return
        if "filename" in entry:
            yield {**entry, "url": joined(url, entry.get("url"))}
            return


def _read_json(body: bytes, url: str) -> list[dict[str, Any]]:
    files: list[Any] = []
    walk_json(body, url, lambda entry, *_: files.append(entry))
    return [{**entry, "url": joined(url, entry.get("url"))} for entry in files if isinstance(entry, dict)]


def links_of(entries: Iterable[dict[str, Any]], name: str, page: str) -> list[Link]:
    """Make the links of one project out of what a page lists; what is no file of it is left out.

    Args:
        entries: file objects of PEP 691.
        name: canonical name of the project.
        page: URL of the page: only a `file:` page may link to `file:` URLs.
    """
    schemes = ("https://", "http://", "file:") if page.startswith("file:") else ("https://", "http://")
    links: list[Link] = []
    for entry in entries:
        filename, url = entry.get("filename"), entry.get("url")
        if not (isinstance(filename, str) and isinstance(url, str) and url.startswith(schemes)):
            continue
        version = version_in(filename, name)
        if version is None or not _is_host(url.split("/", 3)[2:3]):
            continue
        link = _Listed(name, filename, version, without_login(url) if "@" in url else url, entry)
        if page.startswith("https:") and url.startswith("http:") and not link.sha256:
            continue  # anybody on the way could change the file, and nothing would tell
        links.append(link)
    return links


class _Listed(Link):
    """A link of a page, read from its file object as it is asked: most of the thousands on a page never are."""

    _entry: dict[str, Any]

    def __init__(self, name: str, filename: str, version: Version, url: str, entry: dict[str, Any]) -> None:
        vars(self).update(name=name, filename=filename, version=version, url=url, _entry=entry)

    @cached_property
    def sha256(self) -> str | None:
        return _sha256(self._entry.get("hashes"))

    @cached_property
    def size(self) -> int | None:
        size = self._entry.get("size")
        return size if type(size) is int and 0 <= size < _MOST_SIZE else None

    @cached_property
    def requires_python(self) -> str:
        return str(self._entry.get("requires-python") or "")

    @cached_property
    def yanked(self) -> str | None:
        yanked = self._entry.get("yanked", False)
        return None if yanked is False or yanked is None else (yanked if isinstance(yanked, str) else "")

    @cached_property
    def metadata(self) -> bool:
        return bool(self._offered) or isinstance(self._offered, dict)

    @cached_property
    def metadata_sha256(self) -> str | None:
        return _sha256(self._offered)

    @cached_property
    def upload_time(self) -> str:
        return str(self._entry.get("upload-time") or "")

    @property
    def _offered(self) -> object:
        return self._entry.get("core-metadata", self._entry.get("dist-info-metadata", False))


def _is_host(host: list[str]) -> bool:
    return not host or not host[0] or _is_usable_host(host[0])


@lru_cache(maxsize=1024)
def _is_usable_host(host: str) -> bool:
    return is_usable(f"https://{host}/")


def _sha256(hashes: object) -> str | None:
    digest = hashes.get("sha256") if isinstance(hashes, dict) else None
    return digest.lower() if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None
