"""The indexes of a project, seen as one: which files they offer, what those require, and their bytes."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from envknit.errors import PackageIndexError
from envknit.files.project import OWN_INDEXES
from envknit.http.settings import read_pip_settings
from envknit.http.threads import Threads
from envknit.http.urls import expanded, refuse_malformed
from envknit.index.artifacts import Artifacts, sha256_of
from envknit.index.build import Builder
from envknit.index.cache import Cache
from envknit.index.find_metadata import MetadataFinder
from envknit.index.git import Repositories
from envknit.index.links import Link
from envknit.index.pages import Pages
from envknit.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from envknit.http.session import Session
    from envknit.http.settings import PipSettings
    from envknit.index.metadata import Metadata

__all__ = ["Index", "Link", "open_index"]

_THREADS = 50  # each waits for an answer, most of the time; as many as `http.session.CONNECTIONS`

_T = TypeVar("_T")


def open_index(
    indexes: Sequence[str],
    root: Path,
    *,
    home: Path,
    bound: Mapping[str, Iterable[str]] | None = None,
    offline: bool = False,
    reporter: Reporter | None = None,
) -> Index:
    """Open the indexes of a project; nothing is asked yet.

    Args:
        indexes: what the project says: URLs of indexes, and folders of wheels relative to `root`; `()`: what pip uses.
            `${VARIABLE}` in a URL is replaced; `pip` stands for what pip uses.
        root: the project's folder.
        home: the store, whose `cache` is used.
        bound: packages that come from certain indexes alone: canonical name to sources (`index+https://…`, or `index+`
            and a folder of wheels), among them `ANY_INDEX` where the indexes of all packages count, too.
        offline: use what is cached, and ask nobody.
        reporter: hears of warnings.

    Raises:
        PackageIndexError: a URL is malformed or names a variable that is not set; pip's configuration cannot be read,
            or there is none and no pip.
    """
    settings = read_pip_settings(with_default=not indexes or OWN_INDEXES in indexes)
    if indexes:
        simple: list[str] = []
        flat: list[str] = []
        for text in indexes:
            if text == OWN_INDEXES:
                simple += settings.indexes
                flat += settings.find_links
            else:
                place = _place(text, root)
                (simple if "://" in place else flat).append(place)
        settings = replace(settings, indexes=tuple(simple), find_links=tuple(flat))
    own = {
        name: {text: _place(text.removeprefix("index+"), root) for text in texts}
        for name, texts in (bound or {}).items()
    }
    return Index(settings, home=home, bound=own, offline=offline, reporter=reporter or Reporter())


class Index:
    """What all indexes of a project offer; may be used from many threads. Close it when done.

    Args:
        settings: the indexes, and how to reach them.
        home: the store.
        bound: what a project is bound to, by canonical name: source to index or folder.
        offline: use what is cached, and ask nobody.
        reporter: hears of warnings and builds.
    """

    def __init__(
        self,
        settings: PipSettings,
        *,
        home: Path,
        bound: Mapping[str, Mapping[str, str]],
        offline: bool,
        reporter: Reporter,
    ) -> None:
        own = (place for places in bound.values() for place in places.values())
        self._places = (*settings.indexes, *settings.find_links, *own)
        for url in self._places:
            if "://" in url:
                refuse_malformed(url)
        self._settings = settings
        self._bound = bound
        self._offline = offline
        self._session: Session | None = None
        self._guard = threading.Lock()
        self._threads = Threads(_THREADS, "envknit-index")
        self._links: dict[str, Future[Sequence[Link]]] = {}
        self._named: dict[str, list[Link]] = {}
        self._metadata: dict[str, Future[Metadata]] = {}
        self._refused: dict[tuple[str, str], Exception] = {}
        http = None if offline else self._http
        with suppress(OSError):  # what cannot be written is left out; what lies above the store is no secret of it
            home.parent.mkdir(parents=True, exist_ok=True)
        cache = Cache(home / "cache", reporter.warn)
        self.builder = Builder(settings)
        self.artifacts = Artifacts(home / "cache" / "artifacts", self._http)
        self.git = Repositories(home / "cache" / "git", cache, self.builder, offline=offline)
        self._pages = Pages(
            settings.indexes, settings.find_links, bound=bound, cache=cache, http=http, warn=reporter.warn
        )
        self._finder = MetadataFinder(cache, self.artifacts, self.builder, http, reporter)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections and threads; work that was begun ahead in vain is dropped."""
        self._threads.close()
        if self._session is not None:
            self._session.close()
        self.builder.close()
        self.artifacts.close()
        self.git.close()

    def links(self, name: str, source: str = "") -> Sequence[Link]:
        """Return every wheel and sdist that is offered for a project, in no particular order; none for an unknown one.

        Args:
            name: canonical name.
            source: where they must come from, as the project wrote it; `""`: from anywhere.

        Raises:
            PackageIndexError: an index does not answer, or not as an index should.
        """
        if source and (error := self._refused.get((name, source))):
            raise error
        links = self.links_soon(name).result()
        return tuple(link for link in links if source in link.answers) if source else links

    def links_soon(self, name: str) -> Future[Sequence[Link]]:
        """Begin to fetch what `links` returns."""
        return self._soon(self._links, name, self._find_links, name)

    def _find_links(self, name: str) -> Sequence[Link]:
        named = self._named.get(name)
        if named:
            return (*named, *(self._pages.links(name) if name in self._bound else ()))
        if error := self._refused.get((name, "")):
            raise error
        return self._pages.links(name)

    def find(self, name: str, sha256: str) -> Link | None:
        """Find a file that an index lists by its digest; None where only `links` can tell.

        Args:
            name: canonical name of the project.
            sha256: the digest.

        Raises:
            PackageIndexError: an index does not answer.

        Cost: the page of the project, which is not parsed.
        """
        return None if name in self._named else self._pages.find(name, sha256)

    def prefetch(self, names: Iterable[str]) -> None:
        """Begin to fetch the pages of these projects."""
        for name in names:
            self.links_soon(name)

    def bind(self, link: Link, metadata: Metadata) -> None:
        """Let a file or folder be what there is of its project, whatever the indexes have; beside others bound so."""
        found: Future[Metadata] = Future()
        found.set_result(metadata)
        with self._guard:
            self._named.setdefault(link.name, []).append(link)
            self._links.pop(link.name, None)
            self._metadata[f"{link.url}#{link.subdirectory}"] = found

    def refuse(self, name: str, source: str, error: Exception) -> None:
        """Raise an error when links of a project from there are asked for; `""`: any, while none is bound to it."""
        self._refused[name, source] = error

    def unasked(self, name: str) -> list[str]:
        """Return the indexes that `links` did not ask because an earlier one lists the project, fit for a message."""
        return self._pages.unasked(name)

    def metadata(self, link: Link) -> Metadata:
        """Return what an artifact requires, by the cheapest way that its index offers.

        Raises:
            UnusableMetadataError: it has none that can be used.
            PackageIndexError: the index does not answer.
        """
        return self.metadata_soon(link).result()

    def metadata_soon(self, link: Link) -> Future[Metadata]:
        """Begin to fetch what `metadata` returns."""
        return self._soon(self._metadata, f"{link.url}#{link.subdirectory}", self._finder.find, link)

    def sha256(self, link: Link) -> str:
        """Return what an artifact hashes to where the index does not state it; it is downloaded for that."""
        return sha256_of(self.artifacts.readable(link))

    def _soon(self, known: dict[str, Future[_T]], key: str, function: Callable[..., _T], *args: object) -> Future[_T]:
        with self._guard:
            if key not in known:
                known[key] = self._threads.submit(function, *args)
            return known[key]

    def _http(self) -> Session:
        if self._offline:
            raise PackageIndexError("offline: the file would have to be downloaded")
        with self._guard:
            if self._session is None:
                from envknit.http.session import Session  # 50 ms of urllib3; not for file indexes

                self._session = Session(self._settings, self._places)
            return self._session


def _place(text: str, root: Path) -> str:
    """Read an index as a project names it: a URL, or the path of a folder of wheels."""
    return expanded(text) if "://" in text or "$" in text else str(root / text)
