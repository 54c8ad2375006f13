"""Locks that nobody's `envknit lock` wrote: each is one error that says what and where, soon and in little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.errors import LockError
from envknit.files.lockfile import parse_lock

if TYPE_CHECKING:
    from conftest import Bounded

pytestmark = pytest.mark.ends

HEAD = 'schema_version: "1.0"\nenvironments:\n  default:\n'
SHA = "ab" * 32
WHEEL = "lib-1.0-py3-none-any.whl"


def pin(**fields: str) -> str:
    """Write a lock of one pin, `lib 1.0`, with other or further fields."""
    rows = {"name": "lib", "version": '"1.0"', **fields}
    return (
        HEAD + "    packages:\n      - " + "\n        ".join(f"{name}: {value}" for name, value in rows.items()) + "\n"
    )


def file(name: str = WHEEL, sha256: str = SHA, more: str = "") -> str:
    return f"[{{name: '{name}', sha256: '{sha256}'{more}}}]"


NAMES = ["../lib", "lib/x", "/lib", ".", "..", "Lib", "li\u0131b", "", "lib\\x", "a" * 101, "-lib", "lib-", "lib_x"]
VERSIONS = ["1.0/../../x", "../1", "", "1.0 ", "v1.0", "one", "1.0;x", "\u0661.0", "1" * 5000, "1.0\\0"]
DIGESTS = ["", "ab", SHA.upper(), SHA + "ab", "../" + SHA[3:], "zz" * 32]
FILES = [
    "../" + WHEEL,
    "lib-1.0-py3-none-any.whl/../../x.whl",
    "other-1.0-py3-none-any.whl",
    "lib-2.0-py3-none-any.whl",
    "lib-1.0.exe",
    "lib-1.0-py3.whl",
    "lib-1.0-py3-none-any.whl%2f..",
    "CON",
    "",
    "lib-1.0-" + "a" * 300 + "-none-any.whl",
]
SIZES = ["-1", "1e9", "0x10", "\u00b2", "9" * 30, "1.5", "[]"]
MARKERS = ["os_name ==", "__import__('os')", "python_version < '3' or", "(" * 500, "x" * 10_000]

BAD: dict[str, str | bytes] = {
    **{f"name {name[:12]!r}": pin(name=f"'{name}'") for name in NAMES},
    **{f"version {version[:12]!r}": pin(version=f'"{version}"') for version in VERSIONS},
    **{f"digest {digest[:12]!r}": pin(files=file(sha256=digest)) for digest in DIGESTS},
    **{f"file {name[:30]!r}": pin(files=file(name)) for name in FILES},
    **{f"size {size}": pin(files=file(more=f", size: {size}")) for size in SIZES},
    **{f"marker {marker[:12]!r}": pin(roots=f'["{marker}"]') for marker in MARKERS},
    "two files of one name": pin(files=file()[:-1] + ", " + file()[1:]),
    "two pins": pin() + "      - {name: lib, version: '1.0'}\n",
    "an edge to nothing": pin(dependencies="[{name: gone, version: '1'}]"),
    "an edge that is a text": pin(dependencies="['gone==1']"),
    "an edge that leads out": pin(dependencies="[{name: '../gone', version: '1'}]"),
    "a newer schema": pin().replace("1.0", "2.0", 1),
    "a schema without a number": pin().replace('"1.0"', "one", 1),
    "a schema of many digits": pin().replace("1.0", "9" * 5000, 1),
    "no schema": "environments: {}\n",
    "no environments": 'schema_version: "1.0"\n',
    "environments that are a list": 'schema_version: "1.0"\nenvironments: [default]\n',
    "an environment that leads out": pin().replace("default", "../default"),
    "an environment with a colon": pin().replace("default", "'a:b'"),
    "a python that is none": HEAD + "    python_version: 'import os'\n    packages: []\n",
    "requirements that are none": HEAD + "    requirements: ['a b c']\n    packages: []\n",
    "packages that are a text": HEAD + "    packages: all\n",
    "start-up names that lead out": pin() + "startup: ['../x']\n",
    "a tag": pin(name="!!python/object/apply:os.system ['true']"),
    "an anchor": pin(name="&a lib"),
    "an alias": pin(name="&a lib", version="*a"),
    "a merge": HEAD + "    <<: {packages: []}\n",
    "a directive": "%YAML 1.2\n---\n" + pin(),
    "a second document": pin() + "---\n{}\n",
    "a key twice": pin() + 'schema_version: "1.0"\n',
    "a key that is no text": pin() + "? [a]\n: b\n",
    "laughs": "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n",
    "depth of brackets": "[" * 20_000,
    "depth of mappings": "{a: " * 20_000,
    "depth of lines": "".join(" " * at + "a:\n" for at in range(2_000)),
    "a long line": pin(name="'" + "x" * (3 << 20) + "'"),
    "many values": HEAD + "    packages: [" + "a," * 400_000 + "]\n",
    "more than it may hold": b" " * (5 << 20),
    "NUL": pin().encode() + b"\0",
    "UTF-16": pin().encode("utf-16"),
    "UTF-32": pin().encode("utf-32"),
    "Latin-1": pin().encode() + b"# \xe4\n",
    "half a character": pin().encode() + b"# \xc3",
    "a surrogate": pin().encode() + b"# \xed\xa0\x80",
    "both sides of a merge": "<<<<<<< HEAD\n" + pin() + "=======\n" + pin() + ">>>>>>> x\n",
    "a text": "lock",
    "a list": "- lock",
    "nothing": "",
    "JSON": '{"schema_version": 1',
    "a page": "<html>Please log in</html>",
}


@pytest.mark.parametrize("title", BAD)
@pytest.mark.timeout(60)
def test_a_bad_lock_is_one_error(title: str, bounded: Bounded) -> None:
    text = BAD[title]
    data = text if isinstance(text, bytes) else text.encode()

    with bounded(), pytest.raises(LockError) as caught:
        parse_lock(data, "x/envknit.lock.yaml")

    assert "x/envknit.lock.yaml" in str(caught.value)


def test_a_good_lock_is_read() -> None:
    lock = parse_lock(pin(files=file(more=", size: 12"), direct="true").encode(), "x")

    assert ["lib"] == [each.name for each in lock.environments["default"].pins]
