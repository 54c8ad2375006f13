"""HTTP: redirects, waits, credentials, bounds."""

from __future__ import annotations

import contextlib
import gzip
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

Answers = dict[str, tuple[int, dict[str, str], bytes]]


@contextlib.contextmanager
def serving(answers: Answers) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Serve fixed answers by path; the second value fills with what was asked."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            status, headers, body = answers[self.path]
            self.send_response(status)
            for header, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(header, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(name="waits", autouse=True)
def _waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return waits


@pytest.fixture(name="session")
def _session() -> Iterator[Session]:
    session = Session(PipSettings())
    yield session
    session.close()


def test_redirects_are_followed_and_the_last_url_is_told(session: Session) -> None:
    answers: Answers = {
        "/a": (301, {"Location": "/b"}, b""),
        "/b": (307, {"Location": "/c"}, b""),
        "/c": (200, {}, b"x"),
    }
    with serving(answers) as (url, _):
        answer = session.get(f"{url}/a", {})

    assert (answer.status, answer.body, answer.url) == (200, b"x", f"{url}/c")


def test_redirects_in_a_circle_end(session: Session) -> None:
    with serving({"/a": (302, {"Location": "/a"}, b"")}) as (url, asked):
        with pytest.raises(PackageIndexError, match="more than 5 redirects"):
            session.get(f"{url}/a", {})
        assert len(asked) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x.example/a"])
def test_redirects_to_other_schemes_are_refused(session: Session, target: str) -> None:
    answers: Answers = {"/a": (302, {"Location": target}, b"")}
    with serving(answers) as (url, _), pytest.raises(PackageIndexError, match="does not follow"):
        session.get(f"{url}/a", {})


def test_credentials_stay_with_their_origin() -> None:
    with serving({"/b": (200, {}, b"")}) as (other, asked_other):
        answers: Answers = {
            "/a": (302, {"Location": f"{other}/b"}, b""),
            "/c": (302, {"Location": "/d"}, b""),
            "/d": (200, {}, b""),
        }
        with serving(answers) as (url, asked):
            session = Session(PipSettings(), (url.replace("//", "//ada:p%40ss@") + "/simple",))
            session.get(f"{url}/a", {})
            session.get(f"{url}/c", {})
            session.close()

    assert ["Authorization" in headers for _, headers in asked] == [True, True, True]
    assert ["Authorization" in headers for _, headers in asked_other] == [False]


def test_retry_after_is_waited_for(session: Session, waits: list[float]) -> None:
    answers: Answers = {"/a": (429, {"Retry-After": "7"}, b"")}
    with serving(answers) as (url, asked), pytest.raises(PackageIndexError, match="no answer after 5 tries") as caught:
        session.get(f"{url}/a", {})

    assert waits == [7.0] * 4
    assert len(asked) == 5
    assert caught.value.facts["reason"] == "status 429"


def test_a_long_retry_after_is_told_instead(session: Session, waits: list[float]) -> None:
    answers: Answers = {"/a": (503, {"Retry-After": "3600"}, b"")}
    with serving(answers) as (url, _), pytest.raises(PackageIndexError, match="come back in 3600 s"):
        session.get(f"{url}/a", {})
    assert waits == []


def test_nobody_there_is_an_error_after_growing_waits(session: Session, waits: list[float]) -> None:
    with pytest.raises(PackageIndexError, match="no answer after 5 tries") as caught:
        session.get("http://127.0.0.1:9/simple/", {})
    assert len(waits) == 3  # the second try follows at once
    assert waits[0] < waits[2]
    assert "Connection refused" in str(caught.value)
    assert "host=" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_other_refusals_are_answers_and_not_tried_again(session: Session, status: int) -> None:
    with serving({"/a": (status, {}, b"no")}) as (url, asked):
        assert session.get(f"{url}/a", {}).status == status
        assert len(asked) == 1


def test_a_page_is_bounded_after_decompression(session: Session) -> None:
    bomb = gzip.compress(bytes(3_000_000))
    with serving({"/a": (200, {"Content-Encoding": "gzip"}, bomb)}) as (url, _):
        assert len(session.get(f"{url}/a", {}).body) == 3_000_000
        with pytest.raises(PackageIndexError, match="larger than 1000000"):
            session.get(f"{url}/a", {}, most=1_000_000)


def test_messages_hold_no_secrets(session: Session) -> None:
    answers: Answers = {"/a?token=s3cret": (302, {"Location": "file:///x"}, b"")}
    with serving(answers) as (url, _), pytest.raises(PackageIndexError) as caught:
        session.get(f"{url}/a?token=s3cret", {})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "not a certificate\n"])
def test_a_bundle_that_holds_no_certificate_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "ca.pem").write_text(content, encoding="utf-8")
    session = Session(PipSettings(cert=str(tmp_path / "ca.pem")))

    with pytest.raises(PackageIndexError, match="certificate"):
        session.get("https://127.0.0.1:9/", {})


def test_a_proxy_is_asked_instead_and_may_be_bypassed(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"http://index.example/a": (200, {}, b"by proxy"), "/a": (200, {}, b"direct")}) as (url, _):
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        session = Session(PipSettings())
        assert session.get("http://index.example/a", {}).body == b"by proxy"
        assert session.get(f"{url}/a", {}).body == b"direct"
        session.close()


def test_only_http_proxies_are_supported() -> None:
    with pytest.raises(PackageIndexError, match="proxies"):
        Session(PipSettings(proxy="socks5://127.0.0.1:1")).get("http://index.example/a", {})


def test_a_broken_netrc_is_an_error(session: Session, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine\nnonsense here", encoding="utf-8")
    with pytest.raises(PackageIndexError, match="netrc"):
        session.get("http://127.0.0.1:9/", {})
