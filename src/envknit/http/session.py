"""HTTP as an index needs it: retries, deadlines, redirects, credentials, and nothing read without a bound."""

from __future__ import annotations

import os
import re
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.util import Retry

from envknit.errors import PackageIndexError
from envknit.http.bounds import READ, AgainError, EndedError, bounded, limit
from envknit.http.credentials import Credentials
from envknit.http.urls import is_usable, number, origin, redacted, unusable, without_login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from envknit.http.settings import PipSettings

CONNECTIONS = 50  # to one host; pages and metadata are small, so that the way there and back is most of the time
MOST_PAGE_BYTES = 64 << 20
_TRIES = 5
_REDIRECTS = 5
_LONGEST_WAIT = 60.0  # seconds of a Retry-After that are still waited for
_CONNECT = 10.0  # seconds
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


class Session:
    """Connections to indexes; safe to use from many threads.

    Args:
        settings: certificates, proxy, trusted hosts and keyring.
        indexes: URLs whose credentials are used for everything at their origin.
    """

    def __init__(self, settings: PipSettings, indexes: Iterable[str] = ()) -> None:
        self._settings = settings
        self._credentials = Credentials(settings, indexes)
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
            response, final = self._open(url, {"Accept-Encoding": "gzip", **headers}, most=most)
            body = bytearray()
            for chunk in _chunks(response, decode=True):
                body += chunk
                if len(body) > most:
                    response.close()
                    raise EndedError(f"the answer is larger than {most} bytes")
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
            stated = number(response.headers.get("Content-Length", ""))
            if stated not in (None, received):
                raise AgainError(f"the answer ended after {received} of {stated} bytes")

        self._try(fetch, url)

    def last_bytes(self, url: str, count: int) -> tuple[bytes, int] | None:
        """Fetch the end of a file and learn its size; None where the server knows no ranges."""
        return self._range(url, f"bytes=-{count}", count)

    def bytes_between(self, url: str, first: int, end: int) -> bytes | None:
        """Fetch the bytes from `first` up to `end`, exclusive; None where the server knows no ranges."""
        found = self._range(url, f"bytes={first}-{end - 1}", end - first)
        return found[0] if found and len(found[0]) == end - first else None

    def _range(self, url: str, wanted: str, most: int) -> tuple[bytes, int] | None:
        if most > MOST_PAGE_BYTES:
            raise PackageIndexError(f"more than {MOST_PAGE_BYTES} bytes were asked for", url=redacted(url))

        def fetch() -> tuple[bytes, int] | None:
            response, _ = self._open(url, {"Accept-Encoding": "identity", "Range": wanted}, most=most)
            total = number(response.headers.get("Content-Range", "").rpartition("/")[2])
            if response.status != 206 or total is None:
                response.close()  # 200: the whole file is on its way, which is what this should avoid
                if response.status in (200, 206, 400, 405, 416, 501):
                    return None
                raise unusable(response.status, url)
            body = b"".join(_chunks(response, most))
            if len(body) != min(most, total):
                raise AgainError(f"the answer ended after {len(body)} bytes")
            return body, total

        return self._try(fetch, url)

    def _try(self, fetch: Callable[[], _T], url: str) -> _T:
        retry = Retry(total=_TRIES - 1, backoff_factor=0.2, backoff_jitter=0.2)
        while True:
            response = None
            try:
                return fetch()
            except AgainError as again:
                reason, response = str(again), again.response
            except EndedError as cause:
                raise PackageIndexError(str(cause), url=redacted(url)) from cause
            except urllib3.exceptions.SSLError as cause:
                raise PackageIndexError(
                    "the certificate of the index is not trusted", url=redacted(url), reason=_reason(cause),
                    hint="set PIP_CERT to the bundle of your CA",
                ) from cause  # fmt: skip
            except urllib3.exceptions.HTTPError as cause:
                reason = _reason(cause)
            if self._closed:
                raise PackageIndexError("the index was closed before it answered", url=redacted(url))
            wait = retry.get_retry_after(response) if response else None
            if wait is not None and wait > _LONGEST_WAIT:
                raise PackageIndexError(f"the index asks to come back in {wait:.0f} s", url=redacted(url))
            try:
                retry = retry.increment("GET", error=urllib3.exceptions.HTTPError(reason))
            except urllib3.exceptions.MaxRetryError:
                raise PackageIndexError(
                    f"no answer after {_TRIES} tries",
                    url=redacted(url),
                    reason=reason,
                    hint="is there a network, or a proxy? with --offline, the cache and the store alone are used",
                ) from None  # fmt: skip
            retry.sleep(response)

    def _open(
        self, url: str, headers: Mapping[str, str], *, most: int | None = None
    ) -> tuple[urllib3.BaseHTTPResponse, str]:
        """Send a request and follow its redirects; the body is still to be read, and `most` bytes of it can be."""
        login = self._credentials.header(url)
        first = origin(url)
        for _ in range(_REDIRECTS + 1):
            # Credentials stay where they were given: a redirect to another origin goes without.
            response = self._send(url, headers, login if origin(url) == first else "", most)
            if response.status == 401 and origin(url) == first and (known := self._credentials.ask_keyring(url)):
                response.close()
                login = known
                response = self._send(url, headers, login, most)
            if response.status in _RETRIED:
                response.close()
                raise AgainError(f"status {response.status}", response)
            if response.status not in _REDIRECTED or "Location" not in response.headers:
                return response, url
            response.close()  # its body may be endless
            target = _joined(url, response.headers["Location"])
            if not target.startswith(("https://",) if url.startswith("https:") else ("https://", "http://")):
                raise PackageIndexError("the index redirects to where envknit does not follow", url=redacted(url))
            url = target
        raise PackageIndexError(f"more than {_REDIRECTS} redirects", url=redacted(url))

    def _send(self, url: str, headers: Mapping[str, str], login: str, most: int | None) -> urllib3.BaseHTTPResponse:
        limit(most)
        own = {"Authorization": login} if login else {}
        return self._pool(url).request(
            "GET", url, headers={"User-Agent": "envknit", **headers, **own},
            preload_content=False, retries=False, redirect=False,
        )  # fmt: skip

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
        timeout = urllib3.Timeout(connect=_CONNECT, read=READ)
        context = self._tls(trusted=trusted)
        if not proxy:
            return bounded(urllib3.PoolManager(maxsize=CONNECTIONS, timeout=timeout, ssl_context=context))
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme not in ("http", "https"):
            raise PackageIndexError("only http and https proxies are supported", proxy=redacted(proxy))
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        manager = urllib3.ProxyManager(
            urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "", "", "")),
            maxsize=CONNECTIONS,
            timeout=timeout,
            ssl_context=context,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=login),
        )
        return bounded(manager)

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


def _joined(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
    except ValueError:
        return ""
    return without_login(target) if is_usable(target) else ""


def _chunks(response: urllib3.BaseHTTPResponse, most: int | None = None, *, decode: bool = False) -> Iterator[bytes]:
    """Read a body to its end, or so many bytes of it; a file is kept as it is, whatever `Content-Encoding` says."""
    total = 0
    while most is None or total < most:
        chunk = response.read1(_CHUNK if most is None else min(_CHUNK, most - total), decode_content=decode)
        if not chunk:
            break
        total += len(chunk)
        yield chunk
    response.release_conn()


def _proxy_for(scheme: str, host: str) -> str:
    from urllib.request import getproxies, proxy_bypass  # it loads http.client and more

    if proxy_bypass(host):
        return ""
    proxies = getproxies()
    return proxies.get(scheme) or proxies.get("all") or ""


def _reason(cause: BaseException) -> str:
    inner = getattr(cause, "reason", None)
    if isinstance(inner, BaseException):
        return _reason(inner)
    return re.sub(r"^<?\w+\(host=.*?\)>?: ", "", str(cause)) or repr(cause)  # urllib3 shows its connection first
