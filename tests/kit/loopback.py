"""A package index on 127.0.0.1: PEP 503 and PEP 691, PEP 658, ranges; it counts, and it fails on demand."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import html
import json
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import TYPE_CHECKING, Any

from kit.wheels import make_sdist, make_wheel, sdist_name, wheel_name

if TYPE_CHECKING:
    from types import TracebackType

JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class File:
    """One artifact on the index.

    `yanked` is None, or the reason (`""`: none given). `sha256` and `size` are what the page says: set them to lie.
    """

    name: str
    data: bytes
    yanked: str | None = None
    requires_python: str = ""
    upload_time: str = "2024-01-01T00:00:00Z"
    sha256: str = ""
    size: int = 0
    metadata: bytes | None = None


@dataclass
class Fault:
    """What goes wrong for the next `times` requests whose path matches `path`.

    `kind`: a status (`"503"`), `slow` (waits `seconds` before the body), `truncated` (closes half-way), `corrupt` (one
    byte of the body is another), `html200` (a proxy's login page), `drop` (closes without an answer).
    """

    kind: str
    path: str = "*"
    times: int = 1
    seconds: float = 1.0


@dataclass
class Asked:
    """One request that the index got."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)


class LoopbackIndex:
    """A package index of this test only; use it as a context manager.

    Args:
        json: whether it offers PEP 691 JSON; else it answers HTML (PEP 503) whatever is asked for.
        pep658: whether pages offer each wheel's metadata, and `<file>.metadata` answers.
        ranges: whether file requests may ask for a range of bytes.
        hashes: whether links carry `#sha256=`.
        etag: whether pages carry an ETag and answer 304.
        credentials: `user:password` that every request must bring.
    """

    def __init__(
        self,
        *,
        json: bool = False,
        pep658: bool = False,
        ranges: bool = True,
        hashes: bool = True,
        etag: bool = False,
        credentials: str = "",
    ) -> None:
        self.json = json
        self.pep658 = pep658
        self.ranges = ranges
        self.hashes = hashes
        self.etag = etag
        self.credentials = credentials
        self.files: dict[str, list[File]] = {}
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self._guard = threading.Lock()
        handler = type("Handler", (_Handler,), {"index": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> LoopbackIndex:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """What goes into `PIP_INDEX_URL`, with the credentials where it asks for any."""
        login = f"{self.credentials}@" if self.credentials else ""
        return f"http://{login}127.0.0.1:{self._server.server_port}/simple/"

    def add(self, name: str, data: bytes, **facts: Any) -> File:
        """Put a file on the index under its own name; `facts` are fields of `File`."""
        file = File(name=name, data=data, **facts)
        file.sha256 = file.sha256 or hashlib.sha256(data).hexdigest()
        if file.metadata is None and name.endswith(".whl"):
            file.metadata = _metadata(data)
        project = name.partition("-")[0] if name.endswith(".whl") else name.removesuffix(".tar.gz").rpartition("-")[0]
        self.files.setdefault(_canonical(project), []).append(file)
        return file

    def publish(
        self,
        name: str,
        version: str,
        files: dict[str, bytes | str] | None = None,
        *,
        yanked: str | None = None,
        requires_python: str = "",
        tags: str = "py3-none-any",
        **wheel: Any,
    ) -> File:
        """Make a wheel (see `make_wheel`) and put it on the index."""
        data = make_wheel(name, version, files, requires_python=requires_python, tags=tags, **wheel)
        return self.add(wheel_name(name, version, tags), data, yanked=yanked, requires_python=requires_python)

    def publish_sdist(
        self,
        name: str,
        version: str,
        files: dict[str, bytes | str] | None = None,
        *,
        yanked: str | None = None,
        requires_python: str = "",
        **sdist: Any,
    ) -> File:
        """Make an sdist (see `make_sdist`) and put it on the index."""
        data = make_sdist(name, version, files, requires_python=requires_python, **sdist)
        return self.add(sdist_name(name, version), data, yanked=yanked, requires_python=requires_python)

    def fail(self, kind: str, path: str = "*", *, times: int = 1, seconds: float = 1.0) -> None:
        """Let the next `times` requests whose path matches the pattern `path` go wrong; see `Fault`."""
        self.faults.append(Fault(kind, path, times, seconds))

    def count(self, pattern: str = "*", method: str = "*") -> int:
        """Count the requests so far whose path matches the pattern."""
        return sum(fnmatch.fnmatch(a.path, pattern) and fnmatch.fnmatch(a.method, method) for a in self.asked)

    def forget(self) -> None:
        """Start counting anew."""
        with self._guard:
            self.asked.clear()

    def note(self, asked: Asked) -> Fault | None:
        """Remember a request; return what is to go wrong with it."""
        with self._guard:
            self.asked.append(asked)
            for fault in self.faults:
                if fault.times > 0 and fnmatch.fnmatch(asked.path, fault.path):
                    fault.times -= 1
                    return fault
        return None

    def file(self, name: str) -> File | None:
        """Return the file of that name."""
        return next((file for files in self.files.values() for file in files if file.name == name), None)

    def page(self, project: str, *, as_json: bool) -> tuple[str, bytes] | None:
        """Return media type and body of a project's page."""
        files = self.files.get(_canonical(project))
        if files is None:
            return None
        if as_json:
            body = {"meta": {"api-version": "1.1"}, "name": project, "files": [self._entry(file) for file in files]}
            return JSON, json.dumps(body).encode()
        return "text/html; charset=utf-8", _html([self._anchor(file) for file in files])

    def roster(self, *, as_json: bool) -> tuple[str, bytes]:
        """Return media type and body of the list of projects."""
        if as_json:
            body = {"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in self.files]}
            return JSON, json.dumps(body).encode()
        return "text/html; charset=utf-8", _html([f'<a href="{name}/">{name}</a>' for name in self.files])

    def _entry(self, file: File) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "filename": file.name,
            "url": f"../../files/{file.name}",
            "hashes": {"sha256": file.sha256} if self.hashes else {},
            "size": file.size or len(file.data),
            "upload-time": file.upload_time,
        }
        if file.requires_python:
            entry["requires-python"] = file.requires_python
        if file.yanked is not None:
            entry["yanked"] = file.yanked or True
        if self.pep658 and file.metadata is not None:
            entry["core-metadata"] = {"sha256": hashlib.sha256(file.metadata).hexdigest()}
        return entry

    def _anchor(self, file: File) -> str:
        fragment = f"#sha256={file.sha256}" if self.hashes else ""
        attributes = [f'href="../../files/{file.name}{fragment}"']
        if file.requires_python:
            attributes.append(f'data-requires-python="{html.escape(file.requires_python)}"')
        if file.yanked is not None:
            attributes.append(f'data-yanked="{html.escape(file.yanked)}"')
        if self.pep658 and file.metadata is not None:
            attributes.append(f'data-core-metadata="sha256={hashlib.sha256(file.metadata).hexdigest()}"')
        return f"<a {' '.join(attributes)}>{file.name}</a>"


class _Handler(BaseHTTPRequestHandler):
    index: LoopbackIndex
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        fault = self.index.note(Asked(self.command, path, dict(self.headers)))
        if fault is not None and self._fail(fault):
            return
        if self.index.credentials and self.headers.get("Authorization") != self._login():
            self._answer(401, b"who are you", {"WWW-Authenticate": 'Basic realm="kit"'})
            return
        kind, _, rest = path.strip("/").partition("/")
        as_json = self.index.json and JSON in self.headers.get("Accept", "")
        if kind == "simple":
            page = self.index.page(rest, as_json=as_json) if rest else self.index.roster(as_json=as_json)
            self._page(page)
        elif kind == "files":
            self._file(rest, fault)
        else:
            self._answer(404, b"no such page")

    def _login(self) -> str:
        return "Basic " + base64.b64encode(self.index.credentials.encode()).decode()

    def _fail(self, fault: Fault) -> bool:
        if fault.kind.isdigit():
            self._answer(int(fault.kind), b"out of order", {"Retry-After": "0"} if fault.kind == "503" else {})
        elif fault.kind == "html200":
            self._answer(200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html"})
        elif fault.kind == "drop":
            self.close_connection = True
        elif fault.kind == "slow":
            time.sleep(fault.seconds)
            return False
        else:
            return False
        return True

    def _page(self, page: tuple[str, bytes] | None) -> None:
        if page is None:
            self._answer(404, b"no such project")
            return
        media, body = page
        headers = {"Content-Type": media}
        if self.index.etag:
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                self._answer(304, b"", headers)
                return
        self._answer(200, body, headers)

    def _file(self, name: str, fault: Fault | None) -> None:
        file = self.index.file(name.removesuffix(".metadata"))
        if file is None:
            self._answer(404, b"no such file")
            return
        body = file.data
        if name.endswith(".metadata"):
            if not self.index.pep658 or file.metadata is None:
                self._answer(404, b"no metadata here")
                return
            body = file.metadata
        headers = {"Content-Type": "application/octet-stream"}
        status = 200
        if self.index.ranges:
            headers["Accept-Ranges"] = "bytes"
            asked = self.headers.get("Range", "")
            if asked.startswith("bytes="):
                first, last = _range(asked.removeprefix("bytes="), len(body))
                if first > last:
                    self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                    return
                headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
                body, status = body[first : last + 1], 206
        if fault is not None and fault.kind == "corrupt":
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]
        truncate = fault is not None and fault.kind == "truncated"
        self._answer(status, body, headers, sent=len(body) // 2 if truncate else None)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, sent: int | None = None) -> None:
        try:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[:sent])
            if sent is not None:
                self.close_connection = True
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # a client that hangs up is part of several tests


def _range(asked: str, size: int) -> tuple[int, int]:
    first, _, last = asked.partition("-")
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last or size - 1), size - 1)


def _html(rows: list[str]) -> bytes:
    return "\n".join(["<!DOCTYPE html>", "<html><body>", *(f"{row}<br>" for row in rows), "</body></html>"]).encode()


def _canonical(name: str) -> str:
    return "-".join(part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part)


def _metadata(wheel: bytes) -> bytes | None:
    """Read METADATA out of a wheel; None for one that is broken on purpose."""
    try:
        with zipfile.ZipFile(BytesIO(wheel)) as archive:
            (path,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            return archive.read(path)
    except (ValueError, zipfile.BadZipFile):
        return None
