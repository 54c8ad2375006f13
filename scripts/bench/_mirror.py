"""A package index on loopback that answers from disk what it once took from the real one, each time a little late.

Run as a program, it prints its address and serves until its input ends. Below `/modern/` it is what an index can be at
best: JSON, core metadata beside each wheel (PEP 658), validators, ten minutes of freshness, gzip. Below `/plain/` it
offers pages and ranges and nothing else, as many mirrors do.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import sys
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from envknit.http.session import Session
from envknit.http.settings import PipSettings, default_index
from envknit.index.links import ACCEPT, JSON_TYPE, link_to
from envknit.index.wheel_metadata import metadata_by_ranges

UPSTREAM = default_index().rstrip("/")
LATENCY = 0.020  # seconds before each answer


class Mirror:
    """Answers requests.

    Args:
        folder: keeps what was taken; grows with what is asked for.
        certificates: the bundle that upstream is checked with; `""`: the system's.
    """

    def __init__(self, folder: Path, certificates: str) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._session = Session(PipSettings(indexes=(), find_links=(), cert=certificates))
        self.host = ""

    async def serve(self) -> None:
        """Serve until the input of this process ends."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=256)
        self.host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        print(self.host, flush=True)
        await asyncio.to_thread(sys.stdin.read)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                first, *rows = head.split("\r\n")
                headers = {key.strip().lower(): value.strip() for key, _, value in (row.partition(":") for row in rows)}
                await asyncio.sleep(LATENCY)
                await self._answer(first.split()[1].partition("?")[0], headers, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        flavour, kind, rest = path.strip("/").split("/", 2)
        if kind == "files":
            file = await asyncio.to_thread(self._file, rest)
            size = file.stat().st_size if file else 0
            start, end, more = _range(headers.get("range", ""), size)
            if file is None:
                writer.write(_head(404, 0))
                return
            writer.write(_head(206 if more else 200, end - start, more))
            await writer.drain()
            with file.open("rb") as data:
                await asyncio.get_running_loop().sendfile(writer.transport, data, start, end - start)
            return
        body, packed, tag = await asyncio.to_thread(self._page, flavour, rest.rstrip("/"))
        facts = [f"Content-Type: {JSON_TYPE}"]
        if flavour == "modern":
            facts += [f'ETag: "{tag}"', "Cache-Control: max-age=600, public"]
            if headers.get("if-none-match") == f'"{tag}"':
                writer.write(_head(304, 0, *facts))
                return
            if "gzip" in headers.get("accept-encoding", ""):
                body = packed
                facts.append("Content-Encoding: gzip")
        writer.write(_head(200, len(body), *facts) + body if body else _head(404, 0))

    @lru_cache(maxsize=4096)  # noqa: B019 - as long as the process
    def _page(self, flavour: str, name: str) -> tuple[bytes, bytes, str]:
        kept = self._folder / f"{name}.json"
        if not kept.exists():
            answer = self._session.get(f"{UPSTREAM}/{name}/", {"Accept": ACCEPT})
            kept.write_bytes(answer.body if answer.status == 200 else b"")
        if not (page := kept.read_bytes()):
            return b"", b"", ""
        data = json.loads(page)
        for entry in data["files"]:
            entry["url"] = f"{self.host}/{flavour}/files/{entry['url'].removeprefix('https://')}"
            if flavour == "modern" and entry["filename"].endswith(".whl"):
                entry["core-metadata"] = True
        body = json.dumps(data).encode()
        return body, gzip.compress(body), hashlib.sha256(body).hexdigest()[:16]

    def _file(self, rest: str) -> Path | None:
        url = f"https://{rest}"
        kept = self._folder / urlsplit(url).path.rpartition("/")[2]
        if kept.exists():
            return kept
        data = bytearray()
        if url.endswith(".metadata"):
            wheel = url.removesuffix(".metadata")
            data += metadata_by_ranges(self._session, link_to(wheel, name="any")) or b""
        else:
            self._session.download(url, lambda: data.extend)
        partial = kept.with_name(f".{kept.name}")
        partial.write_bytes(data)
        partial.replace(kept)
        return kept


def _range(asked: str, size: int) -> tuple[int, int, str]:
    first, _, last = asked.removeprefix("bytes=").partition("-")
    if not (first or last):
        return 0, size, ""
    start, end = (int(first), int(last or size - 1) + 1) if first else (max(0, size - int(last)), size)
    return start, min(end, size), f"Content-Range: bytes {start}-{min(end, size) - 1}/{size}"


def _head(status: int, length: int, *facts: str) -> bytes:
    rows = [f"HTTP/1.1 {status} x", *filter(None, facts), *([] if status == 304 else [f"Content-Length: {length}"])]
    return "\r\n".join([*rows, "", ""]).encode()


if __name__ == "__main__":
    asyncio.run(Mirror(Path(sys.argv[1]), sys.argv[2]).serve())
