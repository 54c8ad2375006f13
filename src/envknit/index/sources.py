"""Files and repositories that a person named instead of an index: a URL, a file of this machine, a git commit."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from envknit.errors import InstallError, PackageIndexError
from envknit.index.git import Repositories
from envknit.index.links import Link
from envknit.index.urls import is_usable, redacted, without_login

if TYPE_CHECKING:
    from envknit.index.build import Builder
    from envknit.index.cache import Cache

_ARCHIVES = (".whl", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip")


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


class GitSources:
    """Projects in git repositories.

    Args:
        folder: where clones are kept.
        cache: keeps the metadata of commits.
        builder: builds them.
        offline: use what is there, and ask nobody.
    """

    def __init__(self, folder: Path, cache: Cache, builder: Builder, *, offline: bool) -> None:
        self._repositories = Repositories(folder, offline=offline)
        self._cache = cache
        self._builder = builder

    def commit(self, url: str, rev: str = "") -> str:
        """Resolve a branch, tag or commit; see `Repositories.commit`."""
        return self._repositories.commit(url, rev)

    def metadata(self, url: str, commit: str, *, subdirectory: str = "") -> bytes:
        """Return the core metadata of a project in a commit.

        Raises:
            PackageIndexError: there is no git, or the commit cannot be had.
            InstallError: its backend fails.

        Cost: clones and builds once, then reads a file.
        """
        key = ("git", url, commit, subdirectory, str(sys.implementation.cache_tag))
        data = self._cache.metadata(*key)
        if data is None:
            with tempfile.TemporaryDirectory(prefix="envknit-") as scratch:
                data = self._builder.metadata(self._checked_out(url, commit, Path(scratch), subdirectory))
            self._cache.keep_metadata(data, *key)
        return data

    def wheel(self, url: str, commit: str, into: Path, *, subdirectory: str = "") -> Path:
        """Build the wheel of a project in a commit; see `Builder.wheel`.

        Raises:
            PackageIndexError: there is no git, or the commit cannot be had.
            InstallError: its backend fails.
        """
        with tempfile.TemporaryDirectory(prefix="envknit-", dir=into) as scratch:
            return self._builder.wheel(self._checked_out(url, commit, Path(scratch), subdirectory), into)

    def _checked_out(self, url: str, commit: str, scratch: Path, subdirectory: str) -> Path:
        root = self._repositories.check_out(url, commit, scratch / "source")
        folder = (root / subdirectory).resolve()
        if not (folder.is_dir() and folder.is_relative_to(root.resolve())):
            raise InstallError(f"the commit has no folder {subdirectory}", url=redacted(url), commit=commit)
        return folder
