"""What indexes answered before: pages with their validators, metadata by the hash of its artifact.

Everything here can be deleted at any time. Files are replaced in one step, so any number of processes may share it.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.files.atomic import place_private

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_FRESH = 600.0  # seconds: a page is never believed for longer, whatever its Cache-Control says


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedPage:
    """A page as an index gave it; `status` 404 remembers that it has none."""

    url: str
    status: int
    content_type: str
    body: bytes
    etag: str = ""
    last_modified: str = ""
    fresh_until: float = 0.0

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
    ages = [age.removeprefix("max-age=") for age in directives if age.startswith("max-age=")]
    return time.time() + min(float(ages[0]), _LONGEST_FRESH) if ages and ages[0].isdigit() else 0.0


class Cache:
    """The `cache` folder of a store."""

    def __init__(self, home: Path) -> None:
        if not home.exists():  # the store must be writable by nobody else, whatever the umask is
            home.mkdir(mode=0o755, parents=True, exist_ok=True)
            home.chmod(0o755)
        self._pages = home / "cache" / "pages"
        self._metadata = home / "cache" / "metadata"

    def page(self, url: str) -> CachedPage | None:
        """Return what an index answered for this URL before."""
        try:
            head, _, body = self._page_file(url).read_bytes().partition(b"\n")
            facts = json.loads(head)
            if facts.pop("length") != len(body) or facts["url"] != url:
                return None
            return CachedPage(body=body, **facts)
        except (OSError, ValueError, TypeError, KeyError):
            return None  # never written, or by another version of envknit

    def keep_page(self, page: CachedPage, *, key: str) -> None:
        """Remember a page under the URL that was asked for."""
        facts = {
            "url": key,
            "status": page.status,
            "content_type": page.content_type,
            "etag": page.etag,
            "last_modified": page.last_modified,
            "fresh_until": page.fresh_until,
            "length": len(page.body),
        }
        place_private(self._page_file(key), json.dumps(facts).encode() + b"\n" + page.body)

    def metadata(self, key: str) -> bytes | None:
        """Return core metadata by the sha256 of its artifact (and what it was built for)."""
        try:
            return (self._metadata / key[:2] / key).read_bytes()
        except OSError:
            return None

    def keep_metadata(self, key: str, data: bytes) -> None:
        """Remember core metadata for good: an artifact with that hash has no other."""
        place_private(self._metadata / key[:2] / key, data)

    def _page_file(self, url: str) -> Path:
        return self._pages / hashlib.sha256(url.encode()).hexdigest()[:40]
