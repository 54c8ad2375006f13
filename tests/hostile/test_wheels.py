"""Wheels that no honest tool makes: each is refused with the reason, soon, and leaves nothing; what is odd is taken."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from envknit.errors import UnsafeWheelError
from envknit.wheel.unpack import unpack_wheel
from kit.badwheels import NAME, VERSION, BadWheel, all_cases

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Bounded

pytestmark = pytest.mark.ends

CASES = {case.title: case for case in all_cases()}


def unpack(case: BadWheel, folder: Path) -> tuple[str, ...]:
    (folder / "wheel").write_bytes(case.data)
    return unpack_wheel(
        folder / "wheel",
        folder / "entry",
        wheel=case.file,
        name=NAME,
        version=VERSION,
        sha256=hashlib.sha256(case.data).hexdigest(),
    ).doubts


@pytest.mark.parametrize("title", [title for title, case in CASES.items() if case.words])
def test_a_wheel_that_breaks_a_rule_is_refused_with_the_reason(title: str, tmp_path: Path, bounded: Bounded) -> None:
    with bounded(), pytest.raises(UnsafeWheelError) as caught:
        unpack(CASES[title], tmp_path)

    assert CASES[title].words in caught.value.message
    assert [] == [path for path in tmp_path.rglob("*evil*") if "entry" not in path.parts]


@pytest.mark.parametrize("title", [title for title, case in CASES.items() if not case.words])
def test_a_wheel_that_is_only_unusual_is_unpacked(title: str, tmp_path: Path) -> None:
    notes = unpack(CASES[title], tmp_path)

    assert CASES[title].note in "".join(notes)
    assert b"x = 1\n" == (tmp_path / "entry/pkg/__init__.py").read_bytes()
