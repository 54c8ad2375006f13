"""What indexes answered before: pages with their validators, and core metadata.

Everything here can be deleted at any time. Files are replaced in one step, so any number of processes may share it;
each begins with the hash of the rest, and a damaged one is dropped. A cache that cannot be used is left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.files.atomic import write_atomically
from envknit.http.urls import number

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LONGEST_FRESH = 600.0  # seconds: a page is never believed for longer, whatever its Cache-Control says


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedPage:
    """A page as an index gave it; `status` 404 remembers that it has none, `places` see `listing.placed`."""

    url: str
    status: int
    content_type: str
    body: bytes
    etag: str = ""
    last_modified: str = ""
    fresh_until: float = 0.0
    places: dict[str, list[int]] | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the index said that it need not be asked again yet."""
        now = time.time()
        return now < self.fresh_until < now + _LONGEST_FRESH + 1

    @property
    def validators(self) -> dict[str, str]:
        """The headers that let an index answer 304."""
        found = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {header: value for header, value in found.items() if value}


def fresh_until(cache_control: str) -> float:
    """Read until when an answer that came now is fresh (RFC 9111: `max-age`, `no-cache`, `no-store`)."""
    directives = [directive.strip().lower() for directive in cache_control.split(",")]
    if "no-cache" in directives or "no-store" in directives:
        return 0.0
    ages = [number(directive.removeprefix("max-age=")) for directive in directives if directive.startswith("max-age=")]
    return time.time() + min(ages[0], _LONGEST_FRESH) if ages and ages[0] is not None else 0.0


class Cache:
    """Pages and metadata in the `cache` folder of a store.

    Args:
        folder: that folder.
        warn: hears once that the cache cannot be written.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._warn = warn
        self._works = is_own(folder)
        if not self._works:
            warn(f"the cache {folder} is not used: it belongs to another user")

    def page(self, url: str) -> CachedPage | None:
        """Return what an index answered for this URL before."""
        head, body = self._read("pages", _digest(url))
        try:
            facts = json.loads(head)
            return CachedPage(body=body, **facts["page"]) if facts["asked"] == url else None
        except (ValueError, TypeError, KeyError):
            return None  # never written, or by another version of envknit

    def keep_page(self, page: CachedPage, *, asked: str) -> None:
        """Remember a page under the URL that was asked for."""
        facts = {name: getattr(page, name) for name in CachedPage.__slots__ if name != "body"}
        self._write("pages", _digest(asked), json.dumps({"asked": asked, "page": facts}).encode() + b"\n", page.body)

    def metadata(self, *key: str) -> bytes | None:
        """Return core metadata by what identifies the bytes that it was read from."""
        return b"".join(self._read("metadata", _digest(*key))) or None

    def keep_metadata(self, data: bytes, *key: str) -> None:
        """Remember core metadata for good.

        Args:
            data: METADATA or PKG-INFO.
            key: what identifies the bytes that it was read from. A hash that an index merely states does not: it goes
                together with the URL, so that an index can spoil the cache for nobody else.
        """
        self._write("metadata", _digest(*key), data)

    def _read(self, kind: str, digest: str) -> tuple[bytes, bytes]:
        """Return the first line of what was kept, and the rest; nothing where there is none, or it is damaged."""
        if not self._works:
            return b"", b""
        path = self._folder / kind / digest[:2] / digest
        try:
            with path.open("rb") as file:  # pages are large: the fewer copies, the better
                stated, head, rest = file.readline(), file.readline(), file.read()
        except OSError:
            return b"", b""
        if stated == _stated(head, rest):
            return head, rest
        with suppress(OSError):
            path.unlink()
        return b"", b""

    def _write(self, kind: str, digest: str, *parts: bytes) -> None:
        if not self._works:
            return
        path = self._folder / kind / digest[:2] / digest
        try:
            write_atomically(path, b"".join((_stated(*parts), *parts)), durable=False)
        except OSError as cause:
            self._works = False
            self._warn(f"the cache {self._folder} is not used: {cause.strerror or cause}")


def _stated(*parts: bytes) -> bytes:
    """Return the line that the parts of an entry stand below."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return f"{found.hexdigest()}\n".encode()


def is_own(folder: Path) -> bool:
    """Whether a folder, or the first one above it that is there, belongs to this user or to root.

    Root in the home of another user (`sudo -E`) would leave folders there that the user cannot use (pip 2396).
    """
    for found in (folder, *folder.parents):
        with suppress(OSError):
            return not hasattr(os, "geteuid") or found.stat().st_uid in {os.geteuid(), 0}
    return False


def _digest(*key: str) -> str:
    return hashlib.sha256("\n".join(key).encode()).hexdigest()[:40]
