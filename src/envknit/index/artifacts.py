"""Artifacts: wheels and sdists, downloaded once into one folder, each under the hash of its bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from envknit.errors import PackageIndexError
from envknit.http.urls import local_path, redacted
from envknit.index.cache import is_own
from envknit.regular import make_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from envknit.http.session import Session
    from envknit.index.links import Link

MOST_BYTES = 8 << 30  # of an artifact whose size nobody told
_CHUNK = 1 << 20
_PART = ".part"


class Artifacts:
    """The folder of downloaded artifacts; any number of threads and processes may share it.

    Args:
        folder: where they are kept; a folder of this process alone where it cannot be written.
        http: opens the connections, where one is needed; raises where nobody may be asked.
    """

    def __init__(self, folder: Path, http: Callable[[], Session]) -> None:
        self._folder = folder
        self._http = http
        self._guard = threading.Lock()
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._fetched: dict[str, Path] = {}  # by URL: what an index states no hash of is fetched once a process

    def close(self) -> None:
        """Remove what could not be kept."""
        if self._own is not None:
            self._own.cleanup()

    def cached(self, sha256: str) -> Path | None:
        """Return an artifact that was downloaded before, its bytes checked; a damaged one is dropped."""
        path = self._folder / sha256
        with suppress(OSError):  # it is not there, or not ours to read
            if sha256_of(path) == sha256:
                return path
            path.unlink()
        return None

    def has(self, sha256: str) -> bool:
        """Whether an artifact was downloaded before; its bytes are not looked at."""
        return (self._folder / sha256).exists()

    def fetch(
        self,
        link: Link,
        *,
        sha256: str | None = None,
        size: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Path:
        """Return an artifact, downloaded where it is not here yet.

        Args:
            link: what to fetch.
            sha256: what it must hash to; by default what its index states, if it states anything.
            size: the most bytes to accept.
            progress: called with each number of bytes received; a negative one takes back those of a failed try.

        Raises:
            PackageIndexError: no whole answer, more bytes than `size`, or others than `sha256` says.
        """
        sha256 = sha256 or link.sha256
        found = self.cached(sha256) if sha256 else self._fetched.get(link.url)
        if found is not None:
            return found
        with self._partial() as (path, file):
            sink = _Sink(file, size or link.size or MOST_BYTES, progress, link)
            if link.url.startswith("file:"):
                sink.copy(self.readable(link))
            else:
                self._http().download(link.url, sink.begin)
            received = sink.digest.hexdigest()
            if sha256 not in (None, received):
                what = "" if sink.looks_like_archive else " (it is no archive at all: a login page of a proxy?)"
                raise PackageIndexError(
                    f"{link.filename} is not the file it should be{what}",
                    expected_sha256=sha256,
                    received_sha256=received,
                    url=redacted(link.url),
                )
            kept = path.with_name(received)
            path.replace(kept)
        self._fetched[link.url] = kept
        return kept

    def readable(self, link: Link) -> Path:
        """Return a file with the bytes of an artifact, to read and not to trust: of a `file:` URL it is that file."""
        if not link.url.startswith("file:"):
            return self.fetch(link)
        path = local_path(link.url)
        if not path.is_file():
            raise PackageIndexError("a file that is listed is not there", file=path)
        return path

    def forget(self, sha256: str) -> None:
        """Remove an artifact that the store has now."""
        with suppress(OSError):
            (self._folder / sha256).unlink()

    @contextmanager
    def _partial(self) -> Iterator[tuple[Path, IO[bytes]]]:
        """Open a file of a name that nobody else has; `store gc` removes those of processes that were killed."""
        with self._guard:
            if self._own is None:
                try:
                    fd, name = self._named()
                except OSError:  # no rights, a read-only or full disk, no folder at all: a temporary folder will do
                    self._own = tempfile.TemporaryDirectory(prefix="envknit-")
            if self._own is not None:
                fd, name = tempfile.mkstemp(suffix=_PART, dir=self._own.name)
        path = Path(name)
        try:
            with os.fdopen(fd, "wb") as file:
                yield path, file
        finally:
            path.unlink(missing_ok=True)

    def _named(self) -> tuple[int, str]:
        if not is_own(self._folder):
            raise PermissionError(errno.EACCES, "the cache belongs to another user", str(self._folder))
        make_private(self._folder)
        return tempfile.mkstemp(suffix=_PART, dir=self._folder)


class _Sink:
    """Writes a download to a file, counts and hashes it; each try begins anew."""

    def __init__(self, file: IO[bytes], most: int, progress: Callable[[int], None] | None, link: Link) -> None:
        self._file = file
        self._most = most
        self._progress = progress or (lambda _: None)
        self._link = link
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


def sha256_of(path: Path) -> str:
    """Hash a file; cost: reads it whole."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
