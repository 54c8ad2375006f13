"""`envknit install` where nothing is to do: answered before the command line is loaded, where that is right."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine

pytestmark = pytest.mark.once
SAID = "everything is installed\n"


def started() -> None:
    import sys

    from envknit.cli.start import main

    status = main()
    sys.stderr.write("whole\n" if "argparse" in sys.modules else "short\n")
    sys.exit(status)


@pytest.fixture(name="installed")
def make_installed(index: LoopbackIndex, machine: Machine) -> Machine:
    index.publish("alpha", "1.0", {"alpha.py": "V = 1"})
    (machine.root / "envknit.yaml").write_text("environments: {default: {packages: [alpha]}}")
    machine.envknit("lock")
    machine.envknit("install")
    return machine


def answer(machine: Machine, *options: str) -> tuple[str, str]:
    """Return what the console script prints, and which way it took."""
    ran = machine.run("-c", started, "install", *options, env={"ENVKNIT": "0"}, status=None)
    return ran.out, ran.err.splitlines()[-1]


def test_the_short_way_and_the_whole_way_say_the_same(installed: Machine) -> None:
    assert (SAID, "short") == answer(installed)
    assert ("", "short") == answer(installed, "-q")
    assert (SAID, "whole") == answer(installed, "--offline")
    installed.envknit("view")
    assert (SAID, "short") == answer(installed)


@pytest.mark.parametrize("change", ["project", "version", "venv", "lost", "workspace"])
def test_what_is_not_plain_goes_the_whole_way(installed: Machine, change: str) -> None:
    root = installed.root
    if change == "project":
        os.utime(root / "envknit.yaml", (2**32, 2**32))
    elif change == "version":
        (root / ".python-version").write_text("3\n")
    elif change == "venv":
        (root / ".venv").symlink_to("store")
    elif change == "lost":
        (next((installed.home / "packages/site-packages").glob("alpha-*"))).rename(root / "away")
    else:
        (root.parent / "pyproject.toml").touch()

    assert answer(installed)[1] == "whole"
