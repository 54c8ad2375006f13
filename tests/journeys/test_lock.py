"""`lock` as a person uses it: real processes, an index on the loopback."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine

pytestmark = pytest.mark.ends
HERE = f"3.{sys.version_info[1]}"


def test_an_install_takes_the_version_of_a_fork_that_is_for_this_interpreter(
    index: LoopbackIndex, machine: Machine
) -> None:
    for version in ("1.0", "2.0"):
        index.publish("alpha", version, {"alpha.py": f"V = {version!r}"})
    index.publish(
        "beta", "1.0", requires=[f"alpha<2; python_version != '{HERE}'", f"alpha>=2; python_version == '{HERE}'"]
    )
    (machine.root / "envknit.yaml").write_text('environments: {default: {python_version: ">=3.10", packages: [beta]}}')

    assert "+ alpha 1.0, 2.0" in machine.envknit("lock").out
    assert "up to date" in machine.envknit("lock", "--check").out
    machine.envknit("install")

    assert machine.run("-c", "import alpha; print(alpha.V)").out == "2.0\n"


def test_what_cannot_be_locked_is_told_and_the_rest_is_written(index: LoopbackIndex, machine: Machine) -> None:
    index.publish("alpha", "1.0", {"alpha.py": "V = 1"})
    (machine.root / "envknit.yaml").write_text(
        "environments:\n"
        "  default: {packages: [alpha], groups: {lint: [nosuch], docs: [alpha]}}\n"
        "  ml: {packages: [missing]}\n"
    )

    ran = machine.envknit("lock", status=3)

    assert "no index has a package named nosuch" in ran.err
    assert "no index has a package named missing" in ran.err
    assert "not locked: default, group lint" in ran.out
    assert "not locked: ml" in ran.out
    assert json.loads(machine.envknit("lock", "--json", status=3).out)["not_locked"] == ["default, group lint", "ml"]
    machine.envknit("install", "-e", "default")
    assert "default: group lint could not be locked" in machine.envknit("status", status=None).out
    assert machine.run("-c", "import alpha; print(alpha.V)").out == "1\n"
    refused = machine.envknit("install", "-e", "default", "--group", "lint", status=2)
    assert "group lint could not be locked with the rest" in refused.err


def test_a_source_that_cannot_be_had_takes_its_group_down_and_nothing_else(
    index: LoopbackIndex, machine: Machine
) -> None:
    index.publish("alpha", "1.0", {"alpha.py": "V = 1"})
    source = f"beta @ {index.host}/nowhere/beta-1.0-py3-none-any.whl"
    asked = f"{{packages: [alpha], groups: {{docs: ['{source}']}}}}"
    (machine.root / "envknit.yaml").write_text(f"environments: {{default: {asked}}}")

    ran = machine.envknit("lock", status=3)

    assert "beta-1.0-py3-none-any.whl" in ran.err
    assert "not locked: default, group docs" in ran.out
    machine.envknit("install")
    assert machine.run("-c", "import alpha; print(alpha.V)").out == "1\n"


def test_a_name_whose_source_cannot_be_had_comes_from_the_index_where_the_person_asks_for_it_so(
    index: LoopbackIndex, machine: Machine
) -> None:
    index.publish("alpha", "1.0", {"alpha.py": "V = 1"})
    index.publish("beta", "1.0", {"beta.py": "V = 1"}, requires=["alpha"])
    source = f"alpha @ {index.host}/nowhere/alpha-2.0-py3-none-any.whl"
    (machine.root / "envknit.yaml").write_text(
        "environments:\n"
        f"  default: {{packages: [beta, alpha], groups: {{main: ['{source}']}}}}\n"
        "  plain: {packages: [alpha]}\n"
    )

    ran = machine.envknit("lock", status=3)

    assert "not locked: default, group main" in ran.out
    assert "/nowhere/alpha-2.0-py3-none-any.whl" in ran.err
    machine.envknit("install")
    assert machine.run("-c", "import alpha, beta; print(alpha.V)").out == "1\n"


def test_a_name_that_is_asked_for_by_its_source_alone_is_looked_up_on_no_index(
    index: LoopbackIndex, machine: Machine
) -> None:
    index.publish("alpha", "1.0", {"alpha.py": "V = 'of a stranger'"})
    index.publish("beta", "1.0", {"beta.py": "V = 1"}, requires=["alpha"])
    source = f"alpha @ {index.host}/nowhere/alpha-2.0-py3-none-any.whl"
    (machine.root / "envknit.yaml").write_text(
        f"environments:\n  default: {{packages: [beta], groups: {{main: ['{source}']}}}}\n"
    )

    assert "/nowhere/alpha-2.0-py3-none-any.whl" in machine.envknit("lock", status=None).err
    assert not (machine.root / "envknit.lock.yaml").exists()


def test_options_say_how_versions_are_chosen_and_the_lock_remembers(index: LoopbackIndex, machine: Machine) -> None:
    index.json = True
    for version, day in (("1.0", "01"), ("2.0", "10"), ("3.0rc1", "20")):
        index.publish("alpha", version).upload_time = f"2024-03-{day}T00:00:00Z"
    (machine.root / "envknit.yaml").write_text("environments: {default: {packages: [alpha]}}")

    assert "alpha 1.0" in machine.envknit("lock", "--resolution", "lowest").out
    assert "alpha 1.0 -> 3.0rc1" in machine.envknit("lock", "--prerelease", "allow").out
    assert "alpha 3.0rc1 -> 1.0" in machine.envknit("lock", "--exclude-newer", "2024-03-05").out
    assert 'exclude_newer: "2024-03-05T23:59:59+00:00"' in (machine.root / "envknit.lock.yaml").read_text()
    assert "neither a date nor a time" in machine.envknit("lock", "--exclude-newer", "yesterday", status=2).err


def test_a_lock_that_answers_the_project_asks_no_index(index: LoopbackIndex, machine: Machine) -> None:
    index.publish("alpha", "1.0")
    file = machine.root / "envknit.yaml"
    file.write_text("environments: {default: {packages: [alpha]}}")
    machine.envknit("lock")
    index.publish("alpha", "2.0")
    index.forget()

    assert "up to date" in machine.envknit("lock").out
    assert index.count() == 0
    assert "alpha 1.0 -> 2.0" in machine.envknit("lock", "--upgrade", "--dry-run").out
    file.write_text("environments: {default: {packages: ['alpha>1']}}")
    assert "alpha 1.0 -> 2.0" in machine.envknit("lock").out
