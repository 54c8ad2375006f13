"""URLs: which origin they have, variables and logins in them, and what of them may be shown."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from envknit.errors import PackageIndexError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL, normalised: what credentials are bound to."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def is_usable(url: str) -> bool:
    """Whether a URL can be asked at all: `urlsplit` finds faults late (a port that is no number, half an IPv6 host)."""
    try:
        scheme, host, _ = origin(url)
        host.encode("idna")  # what `socket` would do with it, and raise
    except ValueError:
        return False
    return bool(host) or scheme == "file"


def expanded(text: str) -> str:
    """Replace `${VARIABLE}` in the URL of an index as a person wrote it.

    Raises:
        PackageIndexError: a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise PackageIndexError(
                "the URL of an index names a variable that is not set", variable=match[1], url=redacted(text)
            )
        return os.environ[match[1]]

    return _VARIABLE.sub(value, text)


def refuse_malformed(url: str) -> None:
    """Refuse the URL of an index that nobody could ask.

    Raises:
        PackageIndexError: it is malformed.
    """
    if not is_usable(url):
        hint = "in a login, write @ as %40, / as %2F and : as %3A"
        raise PackageIndexError("the URL of an index is malformed", url=redacted(url), hint=hint)


def without_login(url: str) -> str:
    """Return a URL without the credentials in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url


def redacted(url: str) -> str:
    """Return a URL, or a text that was meant as one, for a message: without login, query and fragment."""
    scheme, separator, rest = url.rpartition("://")
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/") if separator else (rest, "", "")
    if "@" in path and ":" in host:  # a login that was not quoted: its host begins behind the last `@`
        host, slash, path = path.rpartition("@")[2], "", ""
    if separator or ":" in host.rpartition("@")[0]:
        host = host.rpartition("@")[2]
    return f"{scheme}{separator}{host}{slash}{path}"


def number(text: str) -> int | None:
    """Read a header that counts something; None where it is no decimal number (`isdigit` takes superscripts too)."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def local_path(url: str) -> Path:
    """Return the file that a `file:` URL means."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise PackageIndexError("a file: URL with a host is not supported", url=redacted(url))
    from urllib.request import url2pathname  # it loads http.client and more

    return Path(url2pathname(parts.path))


def unusable(status: int, url: str) -> PackageIndexError:
    """Make the error for an answer that is neither what was asked for nor worth another try."""
    hint = (
        "put credentials into the URL of the index, into ~/.netrc or into the keyring" if status in (401, 403) else ""
    )
    return PackageIndexError(f"the index answers with status {status}", url=redacted(url), hint=hint)
