"""The page on security says nothing that no test holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent.parent
PAGE = TOP / "docs" / "explanation" / "security.md"


@pytest.mark.once
def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"`(test_\w+)::(test_\w+)`", PAGE.read_text(encoding="utf-8"))
    there = {
        (file.stem, name)
        for file in TOP.glob("tests/**/test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert len(named) > 40
    assert [] == [each for each in named if each not in there]
