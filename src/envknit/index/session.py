"""HTTP as an index needs it: retries, deadlines, redirects, credentials, and nothing read without a bound."""

from __future__ import annotations

import base64
import os
import random
import ssl
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import urllib3

from envknit.errors import PackageIndexError
from envknit.index.urls import origin, redacted, unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from envknit.index.settings import PipSettings

CONNECTIONS = 16  # to one host
MOST_PAGE_BYTES = 64 << 20
_TRIES = 5
_REDIRECTS = 5
_LONGEST_WAIT = 60.0  # seconds of a Retry-After that are still waited for
_CONNECT, _READ = 10.0, 30.0  # seconds
_SLOWEST, _WINDOW = 1024, 30.0  # bytes a second, over so many seconds
_CHUNK = 1 << 16
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 527})
_REDIRECTED = frozenset({301, 302, 303, 307, 308})

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer, held in memory; `url` is the one that gave it, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class _AgainError(Exception):
    """Something that may go better next time; `wait` is what the server asked for, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class Session:
    """Connections to indexes; safe to use from many threads.

    Args:
        settings: certificates, proxy and trusted hosts.
        indexes: URLs whose credentials are used for everything at their origin.
    """

    def __init__(self, settings: PipSettings, indexes: tuple[str, ...] = ()) -> None:
        self._settings = settings
        self._logins = dict(filter(None, map(_login_in, indexes)))
        self._pools: dict[tuple[str, bool], urllib3.PoolManager] = {}
        self._guard = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Close all connections; tries under way are the last."""
        self._closed = True
        for pool in self._pools.values():
            pool.clear()

    def get(self, url: str, headers: Mapping[str, str], *, most: int = MOST_PAGE_BYTES) -> Answer:
        """Fetch something small into memory; any status that is not retried is an answer.

        Args:
            url: without credentials.
            headers: of the request.
            most: bytes to accept, after decompression.

        Raises:
            PackageIndexError: no answer after five tries, or a larger one.
        """

        def fetch() -> Answer:
            response, final = self._open(url, {"Accept-Encoding": "gzip", **headers})
            body = bytearray()
            for chunk in _chunks(response):
                body += chunk
                if len(body) > most:
                    response.close()
                    raise PackageIndexError(f"the answer is larger than {most} bytes", url=redacted(url))
            return Answer(status=response.status, headers=response.headers, body=bytes(body), url=final)

        return self._try(fetch, url)

    def download(self, url: str, begin: Callable[[], Callable[[bytes], None]]) -> None:
        """Fetch a file of any size.

        Args:
            url: without credentials.
            begin: called at each try; what it returns takes the chunks from the first byte on. What it raises
                ends the download.

        Raises:
            PackageIndexError: no whole answer after five tries.
        """

        def fetch() -> None:
            response, _ = self._open(url, {"Accept-Encoding": "identity"})
            if response.status != 200:
                response.close()
                raise unusable(response.status, url)
            take = begin()
            received = 0
            try:
                for chunk in _chunks(response):
                    received += len(chunk)
                    take(chunk)
            except BaseException:
                response.close()
                raise
            stated = response.headers.get("Content-Length", "")
            if stated.isdigit() and received != int(stated):
                raise _AgainError(f"the answer ended after {received} of {stated} bytes")

        self._try(fetch, url)

    def last_bytes(self, url: str, count: int) -> tuple[bytes, int] | None:
        """Fetch the end of a file and learn its size; None where the server knows no ranges."""
        return self._range(url, f"bytes=-{count}", count)

    def bytes_between(self, url: str, first: int, end: int) -> bytes | None:
        """Fetch the bytes from `first` up to `end`, exclusive; None where the server knows no ranges."""
        found = self._range(url, f"bytes={first}-{end - 1}", end - first)
        return found[0] if found and len(found[0]) == end - first else None

    def _range(self, url: str, wanted: str, most: int) -> tuple[bytes, int] | None:
        def fetch() -> tuple[bytes, int] | None:
            response, _ = self._open(url, {"Accept-Encoding": "identity", "Range": wanted})
            total = response.headers.get("Content-Range", "").rpartition("/")[2]
            if response.status != 206 or not total.isdigit():
                response.close()  # 200: the whole file is on its way, which is what this should avoid
                if response.status in (200, 206, 400, 405, 416, 501):
                    return None
                raise unusable(response.status, url)
            body = b"".join(_chunks(response, most))
            if len(body) != min(most, int(total)):
                raise _AgainError(f"the answer ended after {len(body)} bytes")
            return body, int(total)

        return self._try(fetch, url)

    def _try(self, fetch: Callable[[], _T], url: str) -> _T:
        reason = ""
        for attempt in range(_TRIES):
            try:
                return fetch()
            except _AgainError as again:
                reason, wait = again.reason, again.wait
            except urllib3.exceptions.SSLError as cause:
                raise PackageIndexError(
                    "the certificate of the index is not trusted", url=redacted(url), reason=_reason(cause),
                    hint="set PIP_CERT to the bundle of your CA",
                ) from cause  # fmt: skip
            except urllib3.exceptions.HTTPError as cause:
                reason, wait = _reason(cause), None
            if self._closed:
                break
            if attempt < _TRIES - 1:
                time.sleep(wait if wait is not None else 0.2 * 2**attempt * random.uniform(0.5, 1.5))
        raise PackageIndexError(f"no answer after {_TRIES} tries", url=redacted(url), reason=reason)

    def _open(self, url: str, headers: Mapping[str, str]) -> tuple[urllib3.BaseHTTPResponse, str]:
        """Send a request and follow its redirects; the body is still to be read."""
        login = self._login(url)
        first = origin(url)
        for _ in range(_REDIRECTS + 1):
            # Credentials stay where they were given: a redirect to another origin goes without.
            own = {"Authorization": login} if login and origin(url) == first else {}
            response = self._pool(url).request(
                "GET", url, headers={"User-Agent": "envknit", **headers, **own},
                preload_content=False, retries=False, redirect=False,
            )  # fmt: skip
            if response.status in _RETRIED:
                wait = _retry_after(response.headers.get("Retry-After", ""))
                response.close()
                if wait is not None and wait > _LONGEST_WAIT:
                    raise PackageIndexError(f"the index asks to come back in {wait:.0f} s", url=redacted(url))
                raise _AgainError(f"status {response.status}", wait)
            if response.status not in _REDIRECTED or "Location" not in response.headers:
                return response, url
            response.drain_conn()
            target = urljoin(url, response.headers["Location"])
            if not target.startswith(("https://",) if url.startswith("https:") else ("https://", "http://")):
                raise PackageIndexError("the index redirects to where envknit does not follow", url=redacted(url))
            url = target
        raise PackageIndexError(f"more than {_REDIRECTS} redirects", url=redacted(url))

    def _login(self, url: str) -> str:
        if login := self._logins.get(origin(url)):
            return login
        host = urlsplit(url).hostname or ""
        import netrc  # noqa: PLC0415 - most machines have no such file

        path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
        if not path.is_file():
            return ""
        try:
            found = netrc.netrc(str(path)).authenticators(host)
        except (netrc.NetrcParseError, OSError) as cause:
            raise PackageIndexError(f"the netrc file cannot be read: {cause}", file=path) from cause
        return _basic(found[0], found[2] or "") if found else ""

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = self._settings.proxy or _proxy_for(parts.scheme, parts.netloc.rpartition("@")[2])
        trusted = bool({parts.hostname, f"{parts.hostname}:{parts.port}"} & set(self._settings.trusted_hosts))
        with self._guard:
            key = (proxy, trusted)
            if key not in self._pools:
                self._pools[key] = self._make_pool(proxy, trusted=trusted)
            return self._pools[key]

    def _make_pool(self, proxy: str, *, trusted: bool) -> urllib3.PoolManager:
        timeout = urllib3.Timeout(connect=_CONNECT, read=_READ)
        context = self._tls(trusted=trusted)
        if not proxy:
            return urllib3.PoolManager(maxsize=CONNECTIONS, timeout=timeout, ssl_context=context)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme not in ("http", "https"):
            raise PackageIndexError("only http and https proxies are supported", proxy=redacted(proxy))
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        return urllib3.ProxyManager(
            urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "", "", "")),
            maxsize=CONNECTIONS,
            timeout=timeout,
            ssl_context=context,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=login),
        )

    def _tls(self, *, trusted: bool) -> ssl.SSLContext:
        context = urllib3.util.create_urllib3_context()
        variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
        bundle = self._settings.cert or next(filter(None, map(os.environ.get, variables)), "")
        try:
            if bundle:
                folder = Path(bundle).is_dir()
                context.load_verify_locations(**({"capath": bundle} if folder else {"cafile": bundle}))
                if not folder and not context.cert_store_stats()["x509"]:
                    raise PackageIndexError("the bundle of certificates holds none", file=bundle)
            else:
                context.load_default_certs()
            if self._settings.client_cert:
                context.load_cert_chain(self._settings.client_cert)
        except OSError as cause:
            if isinstance(cause, PackageIndexError):
                raise
            raise PackageIndexError(
                f"certificates cannot be loaded: {cause}", file=bundle or self._settings.client_cert
            ) from cause
        if trusted:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the person was asked once, by pip
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _chunks(response: urllib3.BaseHTTPResponse, most: int | None = None) -> Iterator[bytes]:
    """Read a body to its end (or `most` bytes), and give up on one that comes slower than 1 KiB a second."""
    began, counted, total = time.monotonic(), 0, 0
    while most is None or total < most:
        chunk = response.read1(_CHUNK if most is None else min(_CHUNK, most - total), decode_content=True)
        if not chunk:
            break
        total += len(chunk)
        counted += len(chunk)
        elapsed = time.monotonic() - began
        if elapsed >= _WINDOW:
            if counted < _SLOWEST * elapsed:
                response.close()
                raise _AgainError(f"slower than {_SLOWEST} bytes a second")
            began, counted = time.monotonic(), 0
        yield chunk
    response.release_conn()


def _login_in(url: str) -> tuple[tuple[str, str, int | None], str] | None:
    parts = urlsplit(url)
    if parts.username is None:
        return None
    return origin(url), _basic(unquote(parts.username), unquote(parts.password or ""))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _proxy_for(scheme: str, host: str) -> str:
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - it loads http.client and more

    if proxy_bypass(host):
        return ""
    proxies = getproxies()
    return proxies.get(scheme) or proxies.get("all") or ""


def _retry_after(value: str) -> float | None:
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _reason(cause: BaseException) -> str:
    inner = getattr(cause, "reason", None)
    return _reason(inner) if isinstance(inner, BaseException) else str(cause).rpartition(">: ")[2] or repr(cause)
