"""How the metadata of an artifact is found: by the cheapest way that its index offers, and once for good."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

from envknit.errors import InstallError, PackageIndexError
from envknit.files.filenames import parse_version, version_in
from envknit.http.urls import redacted, unusable
from envknit.index.artifacts import sha256_of
from envknit.index.metadata import Metadata, UnusableMetadataError, read_metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from envknit.http.session import Session
    from envknit.index.artifacts import Artifacts
    from envknit.index.build import Builder
    from envknit.index.cache import Cache
    from envknit.index.links import Link
    from envknit.reporter import Reporter


class MetadataFinder:
    """Finds the metadata of artifacts; may be used from many threads.

    Args:
        cache: keeps what was read.
        artifacts: downloads what has to be read whole.
        builder: asks build backends.
        http: opens the connections; None: nobody may be asked.
        reporter: hears of builds.
    """

    def __init__(
        self,
        cache: Cache,
        artifacts: Artifacts,
        builder: Builder,
        http: Callable[[], Session] | None,
        reporter: Reporter,
    ) -> None:
        self._cache = cache
        self._artifacts = artifacts
        self._builder = builder
        self._http = http
        self._reporter = reporter

    def find(self, link: Link) -> Metadata:
        """Return what an artifact requires.

        Raises:
            UnusableMetadataError: it has none that can be used.
            PackageIndexError: the index does not answer.
        """
        try:
            data = self._cached(link) or self._fetch(link)
        except InstallError as cause:  # a build failed, or an archive is damaged: other versions may do
            raise UnusableMetadataError(str(cause)) from cause
        metadata = read_metadata(data)
        stated, version = parse_version(metadata.version), version_in(link.filename, link.name)
        if metadata.name != link.name or (stated and version and stated != version):
            raise UnusableMetadataError(f"{link.filename} says that it is {metadata.name} {metadata.version}")
        return metadata

    def _cached(self, link: Link) -> bytes | None:
        """Look up what was read before; a hash that an index merely states counts for its own files alone."""
        keys: list[tuple[str, ...]] = [("stated", link.metadata_sha256)] if link.metadata_sha256 else []
        if link.sha256:
            whole = [] if link.subdirectory else [("artifact", link.sha256)]
            keys += [*whole, _built(link, link.sha256), ("ranges", link.url, link.sha256)]
        return next(filter(None, (self._cache.metadata(*key) for key in keys)), None)

    def _fetch(self, link: Link) -> bytes:
        is_local = link.url.startswith("file:")
        if link.metadata and not is_local and (data := self._offered(link)) is not None:
            return data
        from envknit.index.wheel_metadata import metadata_by_ranges, metadata_in_wheel  # loads zipfile

        if link.is_wheel and is_local:
            with self._artifacts.readable(link).open("rb") as file:
                return metadata_in_wheel(file, link.filename)
        if link.is_wheel and self._http is not None:
            data = metadata_by_ranges(self._http(), link)
            if data is not None:
                return self._kept(data, "ranges", link.url, link.sha256) if link.sha256 else data
        return self._of_whole(link)

    def _offered(self, link: Link) -> bytes | None:
        """Return what lies beside the artifact (PEP 658); None where the index promised it and does not have it."""
        if self._http is None:
            raise PackageIndexError("offline: the metadata is not in the cache", file=link.filename)
        url = f"{link.url}.metadata"
        answer = self._http().get(url, {})
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise unusable(answer.status, url)
        if link.metadata_sha256:
            if hashlib.sha256(answer.body).hexdigest() != link.metadata_sha256:
                raise PackageIndexError("the metadata does not have the hash that the index states", url=redacted(url))
            return self._kept(answer.body, "stated", link.metadata_sha256)
        return self._kept(answer.body, "ranges", link.url, link.sha256) if link.sha256 else answer.body

    def _of_whole(self, link: Link) -> bytes:
        """Read a whole artifact; an sdist whose metadata is not static is built."""
        from envknit.index.sdist import static_metadata  # loads tarfile
        from envknit.index.wheel_metadata import metadata_in_wheel

        path = self._artifacts.readable(link)
        if link.is_wheel:
            with path.open("rb") as file:
                return self._kept(metadata_in_wheel(file, link.filename), "artifact", sha256_of(path))
        sha256 = sha256_of(path)
        if known := self._cache.metadata(*_built(link, sha256)):
            return known  # the index states no hash, so that it could not be looked up before
        if not link.subdirectory and (stated := static_metadata(path, link.filename)) is not None:
            return self._kept(stated, "artifact", sha256)
        self._reporter.stage(f"Building the metadata of {link.filename}")
        data = self._builder.metadata_of_sdist(path, link.filename, subdirectory=link.subdirectory)
        return self._kept(data, *_built(link, sha256))

    def _kept(self, data: bytes, *key: str) -> bytes:
        self._cache.keep_metadata(data, *key)
        return data


def _built(link: Link, sha256: str) -> tuple[str, ...]:
    """What a build says may differ from one Python to the next, and from one folder of an archive to the next."""
    return "built", sha256, link.subdirectory, str(sys.implementation.cache_tag)
