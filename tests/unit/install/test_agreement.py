"""Whether wheels are what was locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.errors import InstallError
from envknit.files.model import Artifact, Pin
from envknit.index.metadata import read_metadata
from envknit.install.agreement import differences, refuse_other
from envknit.install.choose import ChosenPin

if TYPE_CHECKING:
    from pathlib import Path


def pin(*dependencies: str, python: str = "", file: str = "a-1.0-py3-none-any.whl") -> ChosenPin:
    locked = Pin(name="a", version="1.0", requires_python=python)
    edges = tuple(tuple(dependency.split("==")) for dependency in dependencies)
    return ChosenPin(
        pin=locked,
        artifact=Artifact(name=file, sha256="0" * 64),
        dependencies=edges,
        resident=True,  # type: ignore[arg-type]
    )


def told(chosen: ChosenPin, *lines: str) -> list[str]:
    return differences(read_metadata("\n".join(["Name: a", "Version: 1.0", *lines, "", ""]).encode()), chosen)


@pytest.mark.parametrize(
    ("chosen", "lines"),
    [
        (pin(), []),
        (pin("b==1.0"), ["Requires-Dist: b"]),
        (pin("b==2.0rc1"), ["Requires-Dist: b>=2.0rc0"]),
        (pin(), ["Requires-Dist: b ; python_version < '3'"]),
        (pin(), ["Requires-Dist: b ; extra == 'x'", "Provides-Extra: x"]),
        (pin("b==1"), ["Requires-Dist: b ; extra == 'Some_Extra'"]),
        (pin("b==1"), ["Requires-Dist: a[x]", "Requires-Dist: b ; extra == 'x'"]),
        (pin("b==1", "b==2"), ["Requires-Dist: B<2", "Requires-Dist: b>=2"]),
        (pin("b==1"), ["Requires-Dist: b @ https://files.example/b.whl"]),
        (pin(python=">=3.8"), ["Requires-Python: >= 3.8"]),
        (pin(), ["Requires-Python: >=3.8"]),
        (pin(), ["Requires-Python: >=3."]),
        (pin("b==1", file="a-1.0.tar.gz"), []),
    ],
)
def test_a_wheel_that_is_what_was_locked_passes(chosen: ChosenPin, lines: list[str]) -> None:
    assert told(chosen, *lines) == []


@pytest.mark.parametrize(
    ("chosen", "lines", "difference"),
    [
        (pin(), ["Requires-Dist: backdoor"], "it requires backdoor, and nothing of that name was locked"),
        (pin("b==1.0"), ["Requires-Dist: b>=2"], "it requires b>=2, and 1.0 was locked"),
        (pin("b==1.0"), [], "it does not require b, which was locked"),
        (pin("b==1.0"), ["Requires-Dist: b ; python_version < '3'"], "it does not require b, which was locked"),
        (pin(python=">=3.8"), ["Requires-Python: >=3.9"], "it is for Python >=3.9, and >=3.8 was locked"),
        (pin(python=">=3.8"), [], "it is for Python of any version, and >=3.8 was locked"),
        (pin(), ["Requires-Python: <3"], "it is for Python <3, and any version was locked"),
        (pin(file="a-1.0.tar.gz"), ["Requires-Dist: b"], "it requires b, and nothing of that name was locked"),
    ],
)
def test_what_differs_is_told(chosen: ChosenPin, lines: list[str], difference: str) -> None:
    assert told(chosen, *lines) == [difference]


def test_an_entry_of_the_store_is_refused_with_all_that_differs(tmp_path: Path) -> None:
    (tmp_path / "a-1.0.dist-info").mkdir()
    (tmp_path / "a-1.0.dist-info/METADATA").write_text("Name: a\nVersion: 1.0\nRequires-Dist: c\n", encoding="utf-8")

    with pytest.raises(InstallError, match=r"a 1\.0 is not what was locked") as caught:
        refuse_other(pin("b==1.0"), tmp_path)
    assert "it requires c" in str(caught.value)
    assert "does not require b" in str(caught.value)
