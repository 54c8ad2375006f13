"""URLs without what must not be shown or sent on."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from envknit.errors import PackageIndexError


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL, normalised: what credentials are bound to."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def without_login(url: str) -> str:
    """Return a URL without the credentials in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url


def redacted(url: str) -> str:
    """Return a URL for a message: without credentials, query and fragment, any of which may hold a token."""
    return urlunsplit(urlsplit(without_login(url))._replace(query="", fragment=""))


def unusable(status: int, url: str) -> PackageIndexError:
    """Make the error for an answer that is neither what was asked for nor worth another try."""
    hint = "put credentials into the URL of the index or into ~/.netrc" if status in (401, 403) else ""
    return PackageIndexError(f"the index answers with status {status}", url=redacted(url), hint=hint)
