"""Readers of what an index sends: whatever the bytes are, there is an answer or an error of ours."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envknit.errors import PackageIndexError, UnsafeWheelError
from envknit.index.cache import CachedPage
from envknit.index.links import JSON_TYPE
from envknit.index.listing import Listing, placed
from envknit.index.metadata import UnusableMetadataError, is_static, read_metadata
from envknit.index.sdist import static_metadata, unpack
from envknit.index.wheel_metadata import metadata_in_wheel
from kit.wheels import make_metadata, make_sdist, make_wheel

pytestmark = pytest.mark.ends

WHEEL = "click-8.1.7-py3-none-any.whl"
URL = "https://index.example/simple/click/"
HTML = f'<base href="/x/"><a href="../f/{WHEEL}#sha256={"ab" * 32}" data-requires-python="&gt;=3">x</a>'.encode()
JSON = json.dumps(
    {"meta": {"api-version": "1.1"}, "files": [{"filename": WHEEL, "url": WHEEL, "hashes": {}, "size": 5}]}
).encode()
METADATA = make_metadata("a", "1.0", requires=["b>=1 ; extra == 'x'", "c (>=1.*)"], extras=["x"], requires_python=">=3")
TAR = gzip.decompress(make_sdist("a", "1.0", requires=["b"]))

SPLICES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 9),
        st.binary(max_size=4)
        | st.sampled_from([b"<![", b"://[", b"://h:x/", b"9" * 30, b"\0", b"&#x110000;", b"[" * 999]),
    ),
    min_size=1,
    max_size=5,
)
# A busy machine is no fault of what is tested
UNHURRIED = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def spliced(data: bytes, splices: list[tuple[float, int, bytes]]) -> bytes:
    """Change some places: at a fraction of the length, so many bytes give way to others."""
    for where, gone, new in splices:
        at = int(where * len(data))
        data = data[:at] + new + data[at + gone :]
    return data


@UNHURRIED
@given(SPLICES, st.sampled_from(["utf-8", "utf-16", "utf-7", "idna", "undefined", "hex", "punycode"]))
def test_pages(splices: list[tuple[float, int, bytes]], charset: str) -> None:
    list(Listing("click", placed(a_page(spliced(HTML, splices), f"text/html; charset={charset}"), "click")))
    with suppress(PackageIndexError):
        list(Listing("click", placed(a_page(spliced(JSON, splices), JSON_TYPE), "click")))


def a_page(body: bytes, content_type: str) -> CachedPage:
    return CachedPage(url=URL, status=200, content_type=content_type, body=body)


@UNHURRIED
@given(SPLICES)
def test_metadata(splices: list[tuple[float, int, bytes]]) -> None:
    data = spliced(METADATA, splices)
    is_static(data)
    with suppress(UnusableMetadataError):
        read_metadata(data)


@UNHURRIED
@given(SPLICES)
def test_wheels(splices: list[tuple[float, int, bytes]]) -> None:
    with suppress(UnusableMetadataError):
        metadata_in_wheel(io.BytesIO(spliced(make_wheel("a", "1.0"), splices)), "a-1.0-py3-none-any.whl")


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
@UNHURRIED
@given(SPLICES)
def test_sdists(kind: str, splices: list[tuple[float, int, bytes]]) -> None:
    if kind == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("a-1.0/PKG-INFO", METADATA)
        data = spliced(out.getvalue(), splices)
    else:
        data = gzip.compress(spliced(TAR, splices), 1) if kind == "tar" else spliced(gzip.compress(TAR, 1), splices)
    with tempfile.TemporaryDirectory() as folder:
        archive_path, into = Path(folder, "archive"), Path(folder, "into")
        archive_path.write_bytes(data)
        into.mkdir()
        name = "a-1.0.zip" if kind == "zip" else "a-1.0.tar.gz"
        with suppress(UnsafeWheelError):
            static_metadata(archive_path, name)
        with suppress(UnsafeWheelError):
            unpack(archive_path, name, into)
        assert {path.name for path in Path(folder).iterdir()} == {"archive", "into"}
