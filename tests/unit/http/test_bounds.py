"""Answers without end: of servers that are slow, that never stop, or that claim what is not so."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest

from envknit.errors import PackageIndexError
from envknit.http import bounds
from envknit.http.session import Session
from envknit.http.settings import PipSettings
from envknit.index.index import open_index
from envknit.index.metadata import UnusableMetadataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


pytestmark = pytest.mark.ends


@contextlib.contextmanager
def serving(answer: Callable[[bytes, Callable[[bytes], None]], None]) -> Iterator[str]:
    """Serve raw bytes: `answer` gets the head of each request, and what sends to the client."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            answer(head, client.sendall)

    def accept() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = listener.accept()
                client.settimeout(None)
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    stop = threading.Event()
    listener.settimeout(0.05)
    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        accepting.join()  # a number of a closed descriptor may be another test's in the next moment
        listener.close()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_WINDOW", 0.2)
    monkeypatch.setattr(bounds, "_MOST_HEADER_BYTES", 1 << 16)
    monkeypatch.setattr("envknit.http.session._TRIES", 2)


@contextlib.contextmanager
def session() -> Iterator[Session]:
    opened = Session(PipSettings())
    yield opened
    opened.close()


def slow_headers(_: bytes, send: Callable[[bytes], None]) -> None:
    send(b"HTTP/1.1 200 OK\r\nX: ")
    for _again in range(2000):
        send(b"x")
        time.sleep(0.02)


def test_headers_that_drip_are_given_up() -> None:
    with serving(slow_headers) as url, session() as it, pytest.raises(PackageIndexError, match="no answer") as caught:
        it.get(url, {})
    assert "bytes a second" in str(caught.value)


@pytest.mark.parametrize("pause", [0.02, 0.0])
def test_an_answer_in_memory_has_a_deadline_however_fast_it_drips(
    pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_: bytes, send: Callable[[bytes], None]) -> None:
        send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            send(b"x" * 10)
            time.sleep(pause)

    monkeypatch.setattr(bounds, "_WINDOW", 30.0)
    monkeypatch.setattr(bounds, "_DEADLINE", 0.5)
    with serving(answer) as url, session() as it, pytest.raises(PackageIndexError, match=r"^the answer takes longer"):
        it.get(url, {})


def test_the_body_of_a_redirect_is_not_waited_for() -> None:
    def answer(head: bytes, send: Callable[[bytes], None]) -> None:
        if head.startswith(b"GET /a "):
            send(b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n")
            while True:
                send(b"x" * 65536)
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny")

    with serving(answer) as url, session() as it:
        assert it.get(f"{url}/a", {}).body == b"y"


def test_gzip_that_never_gives_a_byte_ends_at_the_bound_and_is_not_tried_again() -> None:
    asked = []

    def answer(head: bytes, send: Callable[[bytes], None]) -> None:
        asked.append(head)
        send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03")
        while True:
            send(b"\0\0\0\xff\xff" * 4000)  # empty blocks of deflate

    with serving(answer) as url, session() as it, pytest.raises(PackageIndexError, match=r"^the answer is larger"):
        it.get(url, {}, most=100_000)
    assert len(asked) == 1


def test_endless_interim_answers_end_at_the_bound() -> None:
    def answer(_: bytes, send: Callable[[bytes], None]) -> None:
        while True:
            send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    with serving(answer) as url, session() as it, pytest.raises(PackageIndexError, match="larger than"):
        it.get(url, {}, most=100_000)


def test_a_wheel_that_claims_a_huge_directory_is_passed_over_at_once(tmp_path: Path) -> None:
    size = 4_000_000_022

    def answer(head: bytes, send: Callable[[bytes], None]) -> None:
        if head.startswith(b"GET /simple"):
            page = b'<a href="/demo-1.0-py3-none-any.whl">x</a>'
            send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
            return
        body = bytes(16362) + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, size - 22, 0, 0)
        range_ = b"Content-Range: bytes 0-1/%d\r\nContent-Length: %d\r\n\r\n" % (size, len(body))
        send(b"HTTP/1.1 206 P\r\n" + range_ + body)

    with serving(answer) as url, open_index([f"{url}/simple"], tmp_path, home=tmp_path / "store") as index:
        (link,) = index.links("demo")
        with pytest.raises(UnusableMetadataError, match="directory is larger"):
            index.metadata(link)


def test_a_range_of_any_size_is_not_taken_into_memory() -> None:
    with session() as it, pytest.raises(PackageIndexError, match="were asked for"):
        it.bytes_between("http://127.0.0.1:9/a.whl", 0, 1 << 32)


@pytest.mark.parametrize("target", ["http://[bad/", "http://h:99999999/", "http://h:x/"])
def test_a_malformed_redirect_is_told(target: str) -> None:
    def answer(_: bytes, send: Callable[[bytes], None]) -> None:
        send(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())

    with serving(answer) as url, session() as it, pytest.raises(PackageIndexError, match="does not follow"):
        it.get(url, {})


def test_a_closed_session_says_so_instead_of_trying_on() -> None:
    with session() as it:
        it.close()
        with pytest.raises(PackageIndexError, match="closed before it answered"):
            it.get("http://127.0.0.1:9/", {})
