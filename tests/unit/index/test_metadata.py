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


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("pytz (>dev)", "pytz>=0.0.0.dev0"),
        ("pytz (>=1.19.*)", "pytz>=1.19"),
        ("kube (>=9.0.0a1.0) ; extra == 'all'", 'kube>=9.0.0a1; extra == "all"'),
        ("elasticsearch-dsl (>=7.2.0<8.0.0)", "elasticsearch-dsl<8.0.0,>=7.2.0"),
        ("jupyter-core (!=~5.0)", "jupyter-core!=5.0.*"),
        ("dask2[array] (==2.6*)", "dask2[array]==2.6.*"),
        ("six (>='1.9')", "six>=1.9"),
        ("six (>=1.9,)", "six>=1.9"),
    ],
)
def test_what_old_tools_wrote_is_repaired_as_uv_does(written: str, meant: str) -> None:
    metadata = read_metadata(f"Name: a\nVersion: 1\nRequires-Dist: {written}\n\n".encode())

    assert [str(requirement) for requirement in metadata.requires_dist] == [meant]
    assert metadata.unreadable == ()


def test_a_line_that_is_no_requirement_is_told_with_its_marker() -> None:
    metadata = read_metadata(
        b"Name: a\nVersion: 1\nRequires-Dist: ===oops\nRequires-Dist: b\nRequires-Dist: ==x ; extra == 'dev'\n\n"
    )

    assert [requirement.name for requirement in metadata.requires_dist] == ["b"]
    assert [(line.text, str(line.marker)) for line in metadata.unreadable] == [
        ("===oops", "None"),
        ("==x ; extra == 'dev'", 'extra == "dev"'),
    ]


def test_more_requirements_than_any_project_has_are_refused() -> None:
    lines = "".join(f"Requires-Dist: p{n}\n" for n in range(20_001))

    with pytest.raises(UnusableMetadataError, match="more than"):
        read_metadata(f"Name: a\nVersion: 1\n{lines}\n".encode())


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
