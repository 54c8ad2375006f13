"""YAML as plain data, and nothing besides."""

from __future__ import annotations

import pytest

from envknit.errors import LockError
from envknit.files.plain_yaml import read_plain_yaml


def read(text: str | bytes) -> object:
    data = text if isinstance(text, bytes) else text.encode()
    return read_plain_yaml(data, "x.yaml", LockError, "lock").data


@pytest.mark.parametrize(
    "scalar", ["1.10", "yes", "no", "null", "~", "12:30:45", "0x10", "1_0", "2020-01-01", ".inf", "1e3", "0o17"]
)
def test_every_scalar_is_the_text_that_was_written(scalar: str) -> None:
    assert {"version": scalar} == read(f"version: {scalar}\n")


def test_mappings_lists_and_quotes_are_read() -> None:
    assert {"a": ["1", {"b": "c d"}], "e": "", "f": []} == read("a: [1, {b: 'c d'}]\ne:\nf: []\n")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_is_an_empty_text(text: str) -> None:
    assert read(text) == ""


def test_windows_line_ends_and_a_byte_order_mark_are_tolerated() -> None:
    assert {"a": "1", "b": "2"} == read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: !!python/object/apply:os.system [x]\n", "a tag"),
        ("a: !!str 1\n", "a tag"),
        ("a: ! 1\n", "a tag"),
        ("a: &x 1\n", "an anchor"),
        ("a: &x [1]\nb: *x\n", "an anchor"),
        ("b: *x\n", "an alias"),
        ("<<: {a: 1}\n", "a merge key"),
        ("a: 1\na: 2\n", "the key `a` twice"),
        ("a: 1\n---\nb: 2\n", "a second document"),
        ("%YAML 1.1\n---\na: 1\n", "a % directive"),
        ("%TAG ! tag:x\n---\na: 1\n", "a % directive"),
        ("[1]: 2\n", "a key that is no text"),
        ("a: [\n", "not YAML"),
        ("a: b: c\n", "not YAML"),
        ("\ta: 1\n", "not YAML"),
        ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> other\n", "merge conflict"),
    ],
)
def test_what_plain_data_does_not_need_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(LockError, match=complaint) as caught:
        read(text)
    assert caught.value.lock == "x.yaml"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "a: " + "{a: " * 5_000,
        "- " * 100_000,
        "? " * 10_000,
        " " * 300 + "a: 1",
        "".join(f"{'  ' * n}a:\n" for n in range(14)),
        "[" * 13 + "]" * 13,
    ],
)
def test_deep_nesting_is_refused_and_never_crashes(text: str) -> None:
    with pytest.raises(LockError, match=r"too deep|not YAML"):
        read(text)


def test_too_large_a_file_is_refused() -> None:
    with pytest.raises(LockError, match="larger than 4 MiB"):
        read(b"a: " + b"x" * (4 << 20))


def test_too_many_values_are_refused() -> None:
    with pytest.raises(LockError, match="too many values"):
        read("[" + "a," * 200_001 + "]")


@pytest.mark.parametrize("data", [b"a: \xff\n", "a: 1".encode("utf-16"), b"a: \xe4\n"])
def test_only_utf_8_is_read(data: bytes) -> None:
    with pytest.raises(LockError, match="UTF-8"):
        read(data)
