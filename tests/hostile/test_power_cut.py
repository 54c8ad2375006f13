"""What would be left if the power were cut between any two system calls of an install."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Verb
    from kit import LoopbackIndex, Machine

pytestmark = [pytest.mark.once, pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")]

CALLS = "trace=write,pwrite64,syncfs,fsync,rename,renameat,renameat2"


def recorded(machine: Machine, cwd: Path) -> list[tuple[str, list[str]]]:
    """Install under strace; returns each system call with the paths that it names, below the store."""
    log = machine.root / "log"
    command = ["strace", "-f", "-y", "-qq", "-o", log, "-e", CALLS, machine.python, "-m", "envknit", "install", "-q"]
    subprocess.run(command, cwd=cwd, env=machine.env, check=True, capture_output=True)
    found = []
    for line in log.read_text(errors="replace").splitlines():
        call = re.match(r"\d+ +(\w+)\((.*)\) += \d", line)
        if call:
            paths = re.findall(rf'[<"]{re.escape(str(machine.home))}/?([^>"]*)[>"]', call[2])
            found.append((call[1], paths))
    return found


def test_every_prefix_of_the_writes_leaves_whole_entries_and_plans_that_name_them(
    machine: Machine, index: LoopbackIndex, verb: Verb
) -> None:
    index.publish("lib", "1.0", {"lib/__init__.py": "x = 1\n", "lib/data.bin": b"x" * 100_000})
    project = machine.project(["lib"])
    verb(project, "lock")

    unsynced: set[str] = set()  # folders under way whose bytes may not be on the disk
    placed: list[str] = []  # names that may be lost: their folder was not written yet
    entries = []
    for call, paths in recorded(machine, project.root):
        if call in {"write", "pwrite64"}:
            unsynced |= {path.split("/")[1] for path in paths if path.startswith("tmp/")}
        elif call == "syncfs":
            unsynced.clear()
        elif call.startswith("rename") and len(paths) == 2:
            source, target = paths
            if source.startswith("tmp/"):
                assert source.split("/")[1] not in unsynced, f"{target} could be seen with holes"
                placed.append(target)
                entries += [target] if target.startswith("packages/") else []
            elif target.startswith(("roots/", "plans/")) and "/environments/" in target:
                assert not [name for name in placed if name.startswith("packages/")], "a view could lack its entries"
        elif call == "fsync":
            placed = [name for name in placed if name.rpartition("/")[0] not in paths]

    assert any("lib-1.0" in entry for entry in entries)
    assert [] == [name for name in placed if name.startswith(("packages/", "plans/"))]
