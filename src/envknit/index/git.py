"""Projects in git repositories: which commit a revision is, what it requires, and its wheel."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.errors import InstallError, PackageIndexError
from envknit.http.urls import redacted
from envknit.index.cache import is_own
from envknit.regular import make_private

if TYPE_CHECKING:
    from envknit.index.build import Builder
    from envknit.index.cache import Cache

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATED = re.compile(r"[0-9a-fA-F]{4,64}")
_OF_HOOKS = frozenset({"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"})
_LAST_LINES = 10
_REMOTE = "git:http:https:ssh"  # not `ext`, which runs a command that the URL names
_LOCAL = ("file:", "/", ".", "~")
_SLOW = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60")  # bytes a second, over so many seconds


class Repositories:
    """Projects in git repositories, whose clones lie in a folder that any number of processes may share.

    Args:
        folder: where the clones are kept.
        cache: keeps the metadata of commits.
        builder: builds them.
        offline: use what is there, and ask nobody.
    """

    def __init__(self, folder: Path, cache: Cache, builder: Builder, *, offline: bool = False) -> None:
        self._folder = folder
        self._cache = cache
        self._builder = builder
        self._offline = offline
        self._own: tempfile.TemporaryDirectory[str] | None = None

    def commit(self, url: str, rev: str = "") -> str:
        """Resolve a branch, tag or commit to the full name of a commit.

        Args:
            url: of the repository, as `git clone` takes it.
            rev: as `git checkout` takes it; a branch before a tag of that name, as pip does; `""`: the default branch.

        Raises:
            PackageIndexError: there is no git, the repository cannot be read, or it has no such revision.
        """
        if _COMMIT.fullmatch(rev):
            return rev
        if self._offline:
            raise PackageIndexError(
                "offline: the repository cannot be asked for a revision", url=redacted(url), rev=rev
            )
        told = dict(line.split("\t")[::-1] for line in self._git("ls-remote", "--", url, url=url).splitlines())
        refs = (f"refs/heads/{rev}", f"refs/tags/{rev}", rev) if rev else ("HEAD",)
        for ref in refs:
            if ref in told:
                return told.get(f"{ref}^{{}}", told[ref])  # `^{}`: what an annotated tag is of
        if _ABBREVIATED.fullmatch(rev):
            clone = self._clone(url)
            for _ in range(2):
                done = self._run("-C", clone, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
                if done.returncode == 0:
                    return done.stdout.strip()
                self._fetch(clone, url)
        raise PackageIndexError(
            "the repository has no such branch, tag or commit", url=redacted(url), rev=rev or "HEAD"
        )

    def check_out(self, url: str, commit: str, into: Path) -> Path:
        """Make a working copy of a commit, with its history, tags and submodules, which builds read versions from.

        Args:
            url: of the repository.
            commit: full name of the commit.
            into: a folder that does not exist yet; its parent does.

        Raises:
            PackageIndexError: there is no git, or the commit cannot be had.
        """
        if not _COMMIT.fullmatch(commit):
            raise PackageIndexError("not the full name of a commit", url=redacted(url), commit=commit)
        clone = self._clone(url)
        if self._run("-C", clone, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
            self._fetch(clone, url, commit)
        self._git("clone", "--quiet", "--no-checkout", "--", clone, into, url=url)
        # Submodules are relative to it, and git-lfs gets its files from there
        self._git("-C", into, "remote", "set-url", "origin", url, url=url)
        self._git("-C", into, "checkout", "--quiet", "--detach", commit, url=url)
        if (into / ".gitmodules").exists():
            self._git("-C", into, "submodule", "update", "--quiet", "--init", "--recursive", url=url, inner=True)
        if redacted(url) != url:
            self._git("-C", into, "remote", "set-url", "origin", redacted(url), url=url)  # a build sees no login
        return into

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
        root = self.check_out(url, commit, scratch / "source")
        folder = (root / subdirectory).resolve()
        if not (folder.is_dir() and folder.is_relative_to(root.resolve())):
            raise InstallError(f"the commit has no folder {subdirectory}", url=redacted(url), commit=commit)
        return folder

    def _clone(self, url: str) -> Path:
        """Return the clone of a repository, fetched if it is not there yet."""
        clone = self._folder / hashlib.sha256(url.encode()).hexdigest()[:32]
        if clone.is_dir():
            return clone
        if self._offline:
            raise PackageIndexError("offline: the repository is not in the cache", url=redacted(url))
        fresh = self._fresh()
        clone = fresh.with_name(clone.name)
        try:
            self._git("clone", "--quiet", "--mirror", "--", url, fresh, url=url)
            self._git("-C", fresh, "remote", "set-url", "origin", redacted(url), url=url)  # no login stays in the cache
            fresh.rename(clone)
        except BaseException as cause:
            shutil.rmtree(fresh, ignore_errors=True)
            if not (isinstance(cause, OSError) and clone.is_dir()):  # else another process was faster
                raise
        return clone

    def _fresh(self) -> Path:
        try:
            if is_own(self._folder):
                make_private(self._folder)
                return Path(tempfile.mkdtemp(prefix=".clone-", dir=self._folder))
        except OSError:
            pass  # a cache that cannot be written is left out
        self._own = self._own or tempfile.TemporaryDirectory(prefix="envknit-")
        self._folder = Path(self._own.name)
        return self._fresh()

    def close(self) -> None:
        """Remove what could not be kept."""
        if self._own is not None:
            self._own.cleanup()

    def _fetch(self, clone: Path, url: str, commit: str = "") -> None:
        """Bring a clone up to date; a commit that no branch has may still be given to those who name it."""
        if self._offline:
            raise PackageIndexError("offline: the commit is not in the cache", url=redacted(url), commit=commit)
        self._git("-C", clone, "fetch", "--quiet", "--force", "--", url, "+refs/*:refs/*", url=url)
        if commit and self._run("-C", clone, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
            self._git("-C", clone, "fetch", "--quiet", "--", url, commit, url=url)

    def _git(self, *command: str | Path, url: str, inner: bool = False) -> str:
        # A repository from elsewhere does not say which of this machine's are cloned into it (CVE-2022-39253)
        done = self._run(*command, protocols=_REMOTE if inner and not url.startswith(_LOCAL) else f"file:{_REMOTE}")
        if done.returncode:
            lines = [_redacted_line(line, url) for line in done.stderr.splitlines()[-_LAST_LINES:]]
            raise PackageIndexError("git failed", url=redacted(url), output="\n    " + "\n    ".join(lines))
        return done.stdout

    def _run(self, *command: str | Path, protocols: str = f"file:{_REMOTE}") -> subprocess.CompletedProcess[str]:
        # A hook of git that runs this has variables that would lead git to the repository that it belongs to
        outer = {name: value for name, value in os.environ.items() if name not in _OF_HOOKS}
        try:
            return subprocess.run(
                ["git", *_SLOW, *map(str, command)],  # noqa: S607 - whichever git the user has
                env=outer | {"GIT_ALLOW_PROTOCOL": protocols, "GIT_TERMINAL_PROMPT": "0", "ENVKNIT": "0"},
                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
            )  # fmt: skip
        except FileNotFoundError as cause:
            raise PackageIndexError("the command `git` is not there", hint="install git") from cause


def _redacted_line(line: str, url: str) -> str:
    """Return a line of git's output without the login that a URL in it may have."""
    return re.sub(r"://[^/\s@]*@", "://", line.replace(url, redacted(url)))
