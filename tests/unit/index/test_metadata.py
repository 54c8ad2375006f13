"""Reading core metadata."""

from __future__ import annotations

import pytest

from envknit.index.metadata import UnusableMetadataError, is_static, read_metadata

TRICKY = (
    "Metadata-Version: 2.1\nName: Tricky.Name\nVersion: 1.0\n"
    "License: BSD 3-Clause License\n        \n        - All rights \x0c reserved.\n        \n"
    "Classifier: One\nRequires-Dist: six>=1\nRequires-Dist: tomli;\n  python_version < '3.11'\n"
    "Provides-Extra: Fast_er\nRequires-Python: >=3.8\n\nRequires-Dist: this-is-the-description\n"
)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_of_blanks_and_form_feeds_do_not_end_the_headers(newline: str) -> None:
    metadata = read_metadata(TRICKY.replace("\n", newline).encode())

    assert metadata.name == "tricky-name"
    assert [requirement.name for requirement in metadata.requires_dist] == ["six", "tomli"]
    assert metadata.requires_python == ">=3.8"
    assert metadata.extras == {"fast-er"}


def test_a_requirement_that_is_none_makes_the_metadata_unusable() -> None:
    with pytest.raises(UnusableMetadataError, match="no requirement"):
        read_metadata(b"Name: a\nVersion: 1\nRequires-Dist: ===oops\n\n")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("Metadata-Version: 2.1\n", False),
        ("Metadata-Version: 2.2\n", True),
        ("Metadata-Version: 2.2\nDynamic: Requires-Dist\n", False),
        ("Metadata-Version: 2.4\nDynamic: License\n", True),
        ("", False),
    ],
)
def test_an_sdist_is_believed_only_where_it_says_so(head: str, *, expected: bool) -> None:
    assert is_static(head.encode() + b"Name: a\nVersion: 1\n\n") is expected
