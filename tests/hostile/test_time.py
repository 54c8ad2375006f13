"""Inputs of a megabyte that took minutes or gigabytes: what reads them takes a time that goes with their length."""

from __future__ import annotations

import gzip
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.errors import ProjectError, UnsafeWheelError
from envknit.exchange.detect import reader_of
from envknit.files.plain_toml import loads_toml
from envknit.index.links import links_of, read_page
from envknit.index.metadata import UnusableMetadataError, read_metadata
from envknit.index.sdist import unpack
from envknit.projects.load import load_project
from envknit.projects.script import block_in
from envknit.wheel.entrypoints import scripts_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.ends, pytest.mark.timeout(60)]

URL = "https://index.example/simple/a/"
HEAD = b"Metadata-Version: 2.1\nName: a\nVersion: 1\n"
START = "# /// script\n"


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "utf-7"])
def test_pages_in_any_charset(charset: str) -> None:
    read_page(b"a-" + b"9z" * 200_000, f"text/html; charset={charset}", URL)


@pytest.mark.parametrize("tag", ["<a ", "<!", "<!--", "<![", "</a ", "<a b='", "<?", "&#", "<script>", "<a/ ", "</"])
def test_pages_of_tags_that_never_end(tag: str) -> None:
    read_page((tag * 60_000).encode(), "text/html", URL)


def test_links_with_names_of_any_length() -> None:
    for version in ("9" * 5000, "1." * 2000 + "1", "1!" * 2000, "1+" + "a." * 2000):
        links_of([{"filename": f"a-{version}.tar.gz", "url": "https://x/a", "hashes": {}}] * 500, "a", URL)


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"X: y\n" * 500_000,
        HEAD + b"Requires-Dist: a\n" + b" x\n" * 500_000,
        HEAD + b"Requires-Dist: a; " + b"(" * 20_000 + b"os_name=='x'" + b")" * 20_000,
        HEAD + b"Requires-Dist: a; " + b"os_name=='x' or " * 20_000 + b"os_name=='y'",
        HEAD + b"Requires-Dist: a >=" + b"9" * 20_000,
        HEAD + b"Requires-Dist: a (" + b">='" * 30_000,
        HEAD + b"Requires-Dist: a" + b" " * 100_000 + b"!",
    ],
    ids=range(7),
)
def test_metadata(data: bytes) -> None:
    with suppress(UnusableMetadataError):
        read_metadata(data)


@pytest.mark.parametrize(
    "text", [START * 20_000, (START + "# x\n" * 50) * 4000, START + "#\n" * 300_000, START + "# ///\n" * 300_000]
)
def test_blocks_of_scripts(text: str) -> None:
    with suppress(ProjectError):
        block_in(text, Path("app.py"))


LONG_KEYS = {
    "plain": "a" + ".a" * 20_000,
    "spaced": "a" + " . a" * 20_000,
    "quoted": '"="' + '."="' * 20_000,
    "escaped": r'"\""' + r'."\""' * 20_000,
    "literal": "'='" + ".'='" * 20_000,
    "of a table": "[" + ".".join("a" * 20_000) + "]\na",
    "within": "b = {a" + ".a" * 20_000,
}
TOML = {
    **{name: f"{key} = 1\n" for name, key in LONG_KEYS.items()},
    "a long word": "a" * 1_000_000,
    "many words": "a = '" + "b." * 30 + "' # " + "c " * 300_000,
    "blanks": "a" + " " * 1_000_000 + "= 1",
    "quotes": 'a = "' + '"' * 500_000,
    "deep": "a = " + "[" * 50_000,
    "deep tables": "a = " + "{b = " * 50_000,
    "digits": "a = " + "9" * 200_000,
    "tables": "".join(f"[a.b{number}]\n" for number in range(20_000)),
}


@pytest.mark.parametrize("name", TOML)
def test_toml(name: str, tmp_path: Path) -> None:
    for file in ("pyproject.toml", "uv.lock"):
        (tmp_path / file).write_text(TOML[name])
    with suppress(ProjectError):
        load_project(tmp_path / "pyproject.toml")
    with suppress(ProjectError):
        reader_of(tmp_path / "uv.lock")(tmp_path / "uv.lock")


def test_keys_that_people_write_are_read() -> None:
    long = ", ".join(f'"package{number}>=1.2.3.4"' for number in range(100))
    text = f"[tool.a.b.c.d.e]\nf.g.\"h.i\" = [{long}]\nurl = '{'a.' * 99}'\n"

    assert loads_toml(text)["tool"]["a"]["b"]["c"]["d"]["e"]["f"]["g"]["h.i"][99] == "package99>=1.2.3.4"


@pytest.mark.parametrize("name", ["requirements.txt", "Pipfile.lock", "poetry.lock"])
def test_imports_of_many_lines(name: str, tmp_path: Path) -> None:
    lines = {
        "requirements.txt": "".join(f"a{number}==1 --hash=md5:00\n" for number in range(20_000)),
        "Pipfile.lock": '{"default": ' + "[" * 100_000,
        "poetry.lock": "".join(f'[[package]]\nname = "a{number}"\nversion = "1"\n' for number in range(20_000)),
    }
    (tmp_path / name).write_text(lines[name])
    with suppress(ProjectError):
        reader_of(tmp_path / name)(tmp_path / name)


BOMB = "[DEFAULT]\na0 = xxxxxxxxxx\n" + "".join(f"a{n} = {f'%(a{n - 1})s' * 50}\n" for n in range(1, 9))


@pytest.mark.parametrize(
    "text",
    [
        "[console_scripts]\na = b:c" + " " * 200_000 + "[" + "x" * 10,
        "[console_scripts]\na = b:c\n" + " x\n" * 200_000,
        "".join(f"[a{number}]\nx=y:z\n" for number in range(100_000)),
        "[console_scripts]\n" + "".join(f"a{number} = b:c\n" for number in range(100_000)),
        f"{BOMB}[console_scripts]\nx = %(a8)s:main\n",
    ],
    ids=range(5),
)
def test_entry_points(text: str) -> None:
    with suppress(ValueError):
        scripts_of(text)


def _header(kind: bytes, size: int = 0) -> bytes:
    header = tarfile.TarInfo("a")
    header.type, header.size = kind, size
    return header.tobuf(tarfile.GNU_FORMAT)


def _body(kind: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with gzip.open(path, "wb", 1) as file:
            file.write(_header(kind, 1 << 30))
            for _ in range(64):
                file.write(bytes(1 << 20))

    return write


def _members(kind: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with gzip.open(path, "wb", 1) as file:
            for _ in range(101):
                file.write(_header(kind) * 1000)

    return write


@pytest.mark.parametrize("write", [_body(b"7"), _body(b"S"), _members(b"2")], ids=["contiguous", "sparse", "links"])
def test_what_is_passed_over_in_an_sdist_counts(write: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "a-1.0.tar.gz"
    write(path)

    with pytest.raises(UnsafeWheelError):
        unpack(path, path.name, tmp_path / "into")
