"""TLS: whose certificates are believed."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from envknit.errors import PackageIndexError
from envknit.http.session import Session
from envknit.http.settings import PipSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/down" else 200)
        self.send_header("Location", "http://127.0.0.1:9/plain")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=kit", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-keyout", path.with_suffix(".key"), "-out", path], check=True, capture_output=True)
    return path


@pytest.fixture(name="url")
def _url(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is part of the tests
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def get(settings: PipSettings, url: str) -> bytes:
    with contextlib.closing(Session(settings)) as session:
        return session.get(url, {}).body


def test_the_bundle_that_pip_is_told_of_is_believed(url: str, certificate: Path) -> None:
    assert get(PipSettings(cert=str(certificate)), url) == b"ok"


def test_variables_name_a_bundle_too(url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert get(PipSettings(), url) == b"ok"


def test_an_unknown_certificate_is_refused_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(PackageIndexError, match="not trusted") as caught:
        get(PipSettings(), url)
    assert "PIP_CERT" in caught.value.hint


def test_a_trusted_host_is_not_checked(url: str) -> None:
    assert get(PipSettings(trusted_hosts=("127.0.0.1",)), url) == b"ok"
    assert get(PipSettings(trusted_hosts=(url.removeprefix("https://"),)), url) == b"ok"


def test_a_redirect_from_https_to_http_is_refused(url: str, certificate: Path) -> None:
    with pytest.raises(PackageIndexError, match="does not follow"):
        get(PipSettings(cert=str(certificate)), f"{url}/down")


def test_a_client_certificate_is_loaded_or_told_of(url: str, certificate: Path, tmp_path: Path) -> None:
    pair = tmp_path / "client.pem"
    pair.write_bytes(certificate.read_bytes() + certificate.with_suffix(".key").read_bytes())
    assert get(PipSettings(cert=str(certificate), client_cert=str(pair)), url) == b"ok"
    with pytest.raises(PackageIndexError, match="cannot be loaded"):
        get(PipSettings(cert=str(certificate), client_cert=str(tmp_path / "none.pem")), url)
