"""The indexes of a project: which files they offer, what those require, and their bytes."""

from __future__ import annotations

import hashlib
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from envknit.errors import PackageIndexError
from envknit.index.cache import Cache, CachedPage, fresh_until
from envknit.index.links import ACCEPT, Link, links_of, read_page
from envknit.index.metadata import Metadata, UnusableMetadataError, read_metadata
from envknit.index.remote_wheel import metadata_by_ranges, metadata_in_wheel
from envknit.index.sdist import built_metadata, static_metadata
from envknit.index.settings import read_pip_settings
from envknit.index.urls import redacted, unusable, without_login
from envknit.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from typing_extensions import Self

    from envknit.index.session import Session
    from envknit.index.settings import PipSettings

__all__ = ["Index", "Link", "open_index"]

_THREADS = 16
_LARGEST = 8 << 30  # bytes of an artifact whose size nobody told
_CHUNK = 1 << 20


def open_index(
    indexes: Sequence[str], root: Path, *, home: Path, offline: bool = False, reporter: Reporter | None = None
) -> Index:
    """Open the indexes of a project; nothing is asked yet.

    Args:
        indexes: what the project says: URLs of indexes, and folders of wheels relative to `root`; `()`: what pip uses.
        root: the project's folder.
        home: the store, whose `cache` is used.
        offline: use what is cached, and ask nobody.
        reporter: hears of warnings.

    Raises:
        PackageIndexError: pip's configuration cannot be read, or there is none and no pip.
    """
    settings = read_pip_settings(with_default=not indexes)
    simple = [url for url in indexes if "://" in url] if indexes else settings.indexes
    flat = [str(root / url) for url in indexes if "://" not in url] if indexes else settings.find_links
    return Index(
        tuple(simple), tuple(flat), settings=settings, home=home, offline=offline, reporter=reporter or Reporter()
    )


class Index:
    """What all indexes of a project offer, seen as one.

    The first index that has a name owns it (dependency confusion, T24); flat folders and pages add to it. May be used
    from many threads. Close it when done.
    """

    def __init__(
        self,
        simple: tuple[str, ...],
        flat: tuple[str, ...],
        *,
        settings: PipSettings,
        home: Path,
        offline: bool,
        reporter: Reporter,
    ) -> None:
        self._simple = simple
        self._flat = flat
        self._settings = settings
        self._home = home
        self._cache = Cache(home)
        self._offline = offline
        self._reporter = reporter
        self._session: Session | None = None
        self._guard = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="envknit-index")
        self._links: dict[str, Future[tuple[Link, ...]]] = {}
        self._metadata: dict[str, Future[Metadata]] = {}
        self._flat_entries: list[tuple[str, list[dict[str, Any]]]] | None = None
        self._flat_guard = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections and threads; work that was fetched ahead in vain is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._session is not None:
            self._session.close()

    def links(self, name: str) -> tuple[Link, ...]:
        """Return every wheel and sdist that is offered for a project, in no particular order; `()` for an unknown one.

        Args:
            name: canonical name.

        Raises:
            PackageIndexError: an index does not answer, or not as an index should.
        """
        return self.links_soon(name).result()

    def links_soon(self, name: str) -> Future[tuple[Link, ...]]:
        """Begin to fetch what `links` returns."""
        with self._guard:
            if name not in self._links:
                self._links[name] = self._threads.submit(self._find_links, name)
            return self._links[name]

    def prefetch(self, names: Iterable[str]) -> None:
        """Begin to fetch the pages of these projects."""
        for name in names:
            self.links_soon(name)

    def metadata(self, link: Link) -> Metadata:
        """Return what an artifact requires, by the cheapest way that its index offers.

        Raises:
            UnusableMetadataError: it has none that can be used.
            PackageIndexError: the index does not answer.
        """
        return self.metadata_soon(link).result()

    def metadata_soon(self, link: Link) -> Future[Metadata]:
        """Begin to fetch what `metadata` returns."""
        with self._guard:
            if link.url not in self._metadata:
                self._metadata[link.url] = self._threads.submit(self._find_metadata, link)
            return self._metadata[link.url]

    def sha256(self, link: Link) -> str:
        """Return what an artifact hashes to where the index does not state it; it is downloaded for that."""
        digest = hashlib.sha256()
        with self._artifact(link).open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def download(
        self,
        link: Link,
        *,
        into: Path,
        sha256: str | None = None,
        size: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> str:
        """Fetch an artifact into a file, hashing it on the way.

        Args:
            link: what to fetch.
            into: the file to write; on an error what is in it is of no use.
            sha256: what it must hash to; None: it is for the caller to say.
            size: the most bytes to accept.
            progress: called with each number of bytes received; a negative one takes back those of a failed try.

        Returns:
            The sha256 of the bytes.

        Raises:
            PackageIndexError: no whole answer, more bytes than `size`, or others than `sha256` says.
        """
        most = size if size is not None else link.size or _LARGEST
        sink = _Sink(into, most, progress, link)
        try:
            if urlsplit(link.url).scheme == "file":
                sink.copy(_local(link.url))
            elif self._offline:
                raise PackageIndexError("offline: the file would have to be downloaded", file=link.filename)
            else:
                self._http().download(link.url, sink.begin)
        finally:
            sink.close()
        found = sink.digest.hexdigest()
        if sha256 is not None and found != sha256:
            what = "" if sink.looks_like_archive else " (it is no archive at all: a login page of a proxy?)"
            raise PackageIndexError(
                f"{link.filename} is not the file it should be{what}",
                expected_sha256=sha256,
                received_sha256=found,
                url=link.url.partition("?")[0],
            )
        return found

    def _http(self) -> Session:
        with self._guard:
            if self._session is None:
                from envknit.index.session import Session  # noqa: PLC0415 - 50 ms of urllib3; not for file indexes

                self._session = Session(self._settings, (*self._simple, *self._flat))
            return self._session

    def _find_links(self, name: str) -> tuple[Link, ...]:
        found: list[Link] = []
        for source in self._simple:
            url = f"{without_login(source).rstrip('/')}/{quote(name)}/"
            page = self._page(url)
            if page.status != 404:
                found = links_of(read_page(page.body, page.content_type, page.url), name, page.url)
                break
        for url, entries in self._flat_pages():
            found += links_of(entries, name, url)
        return tuple({link.filename: link for link in reversed(found)}.values())

    def _flat_pages(self) -> list[tuple[str, list[dict[str, Any]]]]:
        with self._flat_guard:
            if self._flat_entries is None:
                self._flat_entries = [self._flat_page(source) for source in self._flat]
            return self._flat_entries

    def _flat_page(self, source: str) -> tuple[str, list[dict[str, Any]]]:
        if source.startswith(("http://", "https://")):
            page = self._page(without_login(source))
            if page.status == 404:
                raise PackageIndexError("a page of `find-links` is not there", url=redacted(source))
            return page.url, read_page(page.body, page.content_type, page.url)
        path = _local(source) if source.startswith("file:") else Path(source).expanduser()
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.is_file())
            entries = [{"filename": file.name, "url": file.absolute().as_uri()} for file in files]
            return path.absolute().as_uri(), entries
        if path.suffix in (".html", ".htm") and path.is_file():
            url = path.absolute().as_uri()
            return url, read_page(path.read_bytes(), "text/html", url)
        raise PackageIndexError("a folder of packages is not there", folder=path)

    def _page(self, url: str) -> CachedPage:
        if url.startswith("file:"):
            return _local_page(url)
        cached = self._cache.page(url)
        if self._offline:
            if cached is None:
                raise PackageIndexError("offline: the page of the index is not in the cache", url=url)
            return cached
        if cached is not None and cached.is_fresh:
            return cached
        answer = self._http().get(url, {"Accept": ACCEPT, **(cached.validators if cached else {})})
        if answer.status == 304 and cached is not None:
            return cached
        if answer.status not in (200, 404):
            raise unusable(answer.status, url)
        headers = answer.headers
        page = CachedPage(
            url=answer.url,
            status=answer.status,
            content_type=headers.get("Content-Type", ""),
            body=answer.body if answer.status == 200 else b"",
            etag=headers.get("ETag", ""),
            last_modified=headers.get("Last-Modified", ""),
            fresh_until=fresh_until(headers.get("Cache-Control", "")),
        )
        self._cache.keep_page(page, key=url)
        return page

    def _find_metadata(self, link: Link) -> Metadata:
        key = link.sha256 or ""
        built = f"{key}-{sys.implementation.cache_tag}"  # what a build says may differ from one Python to the next
        data = (self._cache.metadata(key) or self._cache.metadata(built)) if key else None
        if data is None:
            data, is_built = self._fetch_metadata(link)
            if key:
                self._cache.keep_metadata(built if is_built else key, data)
        metadata = read_metadata(data)
        if metadata.name != link.name:
            raise UnusableMetadataError(f"{link.filename} says that it is {metadata.name}")
        return metadata

    def _fetch_metadata(self, link: Link) -> tuple[bytes, bool]:
        """Return core metadata, and whether a build backend made it."""
        is_local = link.url.startswith("file:")
        if link.metadata and not is_local and (data := self._offered_metadata(link)) is not None:
            return data, False
        if link.is_wheel:
            if is_local:
                with _local(link.url).open("rb") as file:
                    return metadata_in_wheel(file, link.filename), False
            if not self._offline and (data := metadata_by_ranges(self._http(), link)) is not None:
                return data, False
        path = self._artifact(link)
        if link.is_wheel:
            with path.open("rb") as file:
                return metadata_in_wheel(file, link.filename), False
        if (data := static_metadata(path, link.filename)) is not None:
            return data, False
        self._reporter.stage(f"Building the metadata of {link.filename}")
        return built_metadata(path, link.filename, indexes=self._simple, find_links=self._flat), True

    def _offered_metadata(self, link: Link) -> bytes | None:
        if self._offline:
            raise PackageIndexError("offline: the metadata is not in the cache", file=link.filename)
        url = f"{link.url}.metadata"
        answer = self._http().get(url, {})
        if answer.status == 404:
            return None  # promised and not kept: the wheel itself is asked instead
        if answer.status != 200:
            raise unusable(answer.status, url)
        if link.metadata_sha256 and hashlib.sha256(answer.body).hexdigest() != link.metadata_sha256:
            raise PackageIndexError("the metadata does not have the hash that the index states", url=url)
        return answer.body

    def _artifact(self, link: Link) -> Path:
        """Fetch a whole artifact into the cache, where `install` will find it."""
        if link.url.startswith("file:"):
            return _local(link.url)
        folder = self._home / "cache" / "artifacts"
        kept = folder / (link.sha256 or hashlib.sha256(link.url.encode()).hexdigest())
        if kept.is_file():
            return kept
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = kept.with_name(f"{kept.name}.{threading.get_ident()}.part")
        try:
            self.download(link, into=partial, sha256=link.sha256)
            partial.replace(kept)
        finally:
            partial.unlink(missing_ok=True)
        return kept


class _Sink:
    """Writes a download to a file, counts and hashes it; each try begins anew."""

    def __init__(self, into: Path, most: int, progress: Callable[[int], None] | None, link: Link) -> None:
        self._into = into
        self._most = most
        self._progress = progress or (lambda _: None)
        self._link = link
        self._file = into.open("wb")
        self._received = 0
        self.digest = hashlib.sha256()
        self.looks_like_archive = False

    def begin(self) -> Callable[[bytes], None]:
        self._file.seek(0)
        self._file.truncate()
        if self._received:
            self._progress(-self._received)
        self._received = 0
        self.digest = hashlib.sha256()
        return self.take

    def take(self, chunk: bytes) -> None:
        if not self._received:
            self.looks_like_archive = chunk[:2] in (b"PK", b"\x1f\x8b")
        self._received += len(chunk)
        if self._received > self._most:
            raise PackageIndexError(f"{self._link.filename} is larger than {self._most} bytes")
        self.digest.update(chunk)
        self._file.write(chunk)
        self._progress(len(chunk))

    def copy(self, path: Path) -> None:
        take = self.begin()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                take(chunk)

    def close(self) -> None:
        self._file.close()


def _local(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise PackageIndexError("a file: URL with a host is not supported", url=url)
    return Path(url2pathname(parts.path))


def _local_page(url: str) -> CachedPage:
    folder = _local(url)
    page = folder / "index.html"
    if page.is_file():
        return CachedPage(url=url, status=200, content_type="text/html", body=page.read_bytes())
    return CachedPage(url=url, status=404, content_type="", body=b"")
