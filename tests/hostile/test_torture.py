"""A short form of `scripts/torture`: installers that are killed, collectors, verifiers and programs on one store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TORTURE = Path(__file__).resolve().parent.parent.parent / "scripts" / "torture"


@pytest.mark.once
@pytest.mark.parametrize("options", [[], ["--inject"]])
def test_whatever_is_killed_or_fails_the_store_is_whole_afterwards(options: list[str]) -> None:
    if options and not shutil.which("strace"):
        pytest.skip("needs strace")
    command = [sys.executable, TORTURE, "--rounds", "2", "--processes", "6", "--seed", "4", *options]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)

    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert "round 2: " in ran.stdout
