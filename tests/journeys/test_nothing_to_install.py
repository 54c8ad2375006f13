"""`install` and `lock` where nothing is to do: answered before the command line is loaded, where that is right."""

from __future__ import annotations

import os
import shutil
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


def answer(machine: Machine, *options: str, verb: str = "install") -> tuple[str, str]:
    """Return what the console script prints, and which way it took."""
    ran = machine.run("-c", started, verb, *options, env={"ENVKNIT": "0"}, status=None)
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


LOCKED = "default: 1 pin, the same versions\nenvknit.lock.yaml is up to date\n"


@pytest.fixture(name="locked")
def make_locked(index: LoopbackIndex, machine: Machine) -> Machine:
    index.publish("alpha", "1.0", {"alpha.py": "V = 1"})
    (machine.root / "envknit.yaml").write_text("environments: {default: {packages: [alpha]}}")
    machine.envknit("lock")
    return machine


def test_a_lock_that_was_found_settled_is_answered_for_shortly_by_the_same_words(locked: Machine) -> None:
    assert (LOCKED, "short") == answer(locked, verb="lock")
    assert (LOCKED, "short") == answer(locked, "--check", verb="lock")
    assert ("", "short") == answer(locked, "-q", verb="lock")
    assert (LOCKED, "whole") == answer(locked, "--upgrade", verb="lock")


def test_a_lock_goes_the_whole_way_once_where_anything_that_decides_is_not_as_it_was(locked: Machine) -> None:
    root, lock, wish = locked.root, locked.root / "envknit.lock.yaml", locked.root / ".python-version"
    (record,) = (locked.home / "cache/settled").iterdir()
    whole = record.read_bytes()
    changes = {
        "the project": lambda: (root / "envknit.yaml").write_text("environments: {default: {packages: [alpha>=1]}}"),
        "the lock": lambda: lock.write_text(f"{lock.read_text()}# mine\n"),
        "a workspace above": (root.parent / "pyproject.toml").touch,
        "envknit": lambda: record.write_bytes(whole.replace(b"/envknit=", b"/envknot=")),
        "who may write": lambda: record.chmod(0o660),
        "a record that is torn": lambda: record.write_bytes(whole[:-1]),
        "a lock that is gone": lock.unlink,
        "a folder of the same": lambda: shutil.copytree(root, root / "other", ignore=shutil.ignore_patterns("home")),
    }
    for what, change in changes.items():
        change()
        if what == "a folder of the same":
            locked.root = root / "other"
        assert answer(locked, verb="lock")[1] == "whole", what
        assert answer(locked, verb="lock") == (LOCKED, "short"), what
    wish.write_text("3\n")
    for _ in range(2):
        assert answer(locked, verb="lock") == (LOCKED, "whole")


@pytest.mark.parametrize(
    "text",
    [
        "[tool.envknit]\npackages = ['alpha']\nworkspace = {members = ['lib*']}\n",
        "[build-system]\nrequires = []\n[project]\nname = 'own'\ndynamic = ['version', 'dependencies']\n",
        "[tool.envknit]\npackages = ['alpha']\n[dependency-groups]\nlint = ['nosuch']\n",
    ],
)
def test_a_lock_that_what_lies_elsewhere_may_change_is_looked_at_each_time(locked: Machine, text: str) -> None:
    (locked.root / "envknit.yaml").unlink()
    (locked.root / "pyproject.toml").write_text(text)

    for _ in range(2):
        assert answer(locked, verb="lock")[1] == "whole"
