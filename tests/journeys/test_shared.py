"""Environments of the person's own: shared ones by name, and the one that plain Python falls back to."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from kit.machine import RUNNING

if TYPE_CHECKING:
    from pathlib import Path

    from kit import LoopbackIndex, Machine

pytestmark = pytest.mark.once

WHERE = "import alpha; print(alpha.__version__)"


@pytest.fixture(name="machine")
def _machine(machine: Machine, index: LoopbackIndex) -> Machine:
    index.publish("alpha", "1.0")
    index.publish("alpha", "2.0")
    return machine


def _folder(machine: Machine, name: str) -> Path:
    return machine.home / "environments" / name


def test_a_shared_environment_works_from_two_projects_and_from_none(machine: Machine) -> None:
    one = machine.project(["alpha==1.0"], name="one").ready()
    two = machine.project([], name="two")
    said = machine.envknit("add", "--shared", "science", "alpha").out
    assert "  + alpha 2.0" in said

    for folder in (one.root, two.root, machine.root):
        ran = machine.run("-c", WHERE, cwd=folder, env={"ENVKNIT_ENV": "@science"})
        assert "2.0\n" == ran.out
        ran = machine.envknit("run", "--shared", "@science", "--", "python", "-c", WHERE, cwd=folder)
        assert "2.0\n" == ran.out

    assert "1.0\n" == one.run("-c", WHERE).out
    assert "alpha 2.0\n" == machine.envknit("tree", "--shared", "science").out
    assert "everything is installed\n" == machine.envknit("install", "--shared", "science").out


def test_a_script_and_its_children_have_the_shared_environment_that_the_variable_names(machine: Machine) -> None:
    machine.envknit("add", "--shared", "science", "alpha")
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WHERE!r}], check=True)"
    script = machine.root / "x.py"
    script.write_text(code)

    assert "2.0\n" == machine.run(script, env={"ENVKNIT_ENV": "@science"}).out


def test_the_trust_contract_holds_for_a_shared_environment(machine: Machine) -> None:
    machine.envknit("add", "--shared", "science", "alpha")
    lock = _folder(machine, "science") / "envknit.lock.yaml"
    lock.write_text(lock.read_text() + "# planted\n")

    said = machine.run("-c", WHERE, env={"ENVKNIT_ENV": "@science"}, status=1).err

    assert "was not installed here for this Python, or changed since" in said
    assert f"-C {_folder(machine, 'science')} install" in said


def test_environments_are_made_listed_shown_and_removed_by_name(machine: Machine) -> None:
    project = machine.project(["alpha"], environments={"ml": ["alpha"]}).ready()

    assert "next: envknit add --shared tools PACKAGE" in machine.envknit("env", "create", "tools").out
    assert "there is a project file already" in machine.envknit("env", "create", "tools", status=2).err
    machine.envknit("add", "--shared", "science", "alpha==1.0")
    rows = json.loads(project.envknit("env", "list", "--json").out)
    names = {row["name"]: (row["pins"], row["installed"]) for row in rows}
    assert {"default": (1, True), "ml": (1, True), "@science": (1, True), "@tools": (0, True)} == names
    assert "@science  1 pin, installed" in machine.envknit("env", "list").out
    assert "1 pin, installed" in machine.envknit("env", "show", "@science").out

    machine.envknit("env", "remove", "tools")
    assert not _folder(machine, "tools").exists()
    assert "there is no shared environment 'tools'" in machine.envknit("env", "show", "tools", status=2).err
    assert ". " in project.envknit("env", "--shell", "bash").out  # what the verb without an action prints
    assert "science" not in project.envknit("env", "--shell", "bash").out


@pytest.mark.parametrize("name", ["../x", "@", "", "/tmp/x", "ünï", ".", "a/b", "x" * 65, "-x"])
def test_what_is_no_name_makes_nothing(machine: Machine, name: str) -> None:
    said = machine.envknit("env", "create", "--", name, status=2).err
    machine.envknit("add", f"--shared={name or '@'}", "alpha", status=2)
    ran = machine.run("-c", WHERE, env={"ENVKNIT_ENV": f"@{name}"}, status=1)

    assert "is no name for an environment" in said
    assert "shared environment" in ran.err
    assert not (machine.home / "environments").exists()


def test_what_cannot_be_locked_leaves_no_shared_environment(machine: Machine) -> None:
    machine.envknit("add", "--shared", "science", "nowhere-to-be-found", status=3)

    assert not _folder(machine, "science").exists()


def test_gc_keeps_what_a_shared_environment_needs_until_it_is_removed(machine: Machine) -> None:
    machine.envknit("add", "--shared", "science", "alpha")
    machine.envknit("store", "gc")
    assert "2.0\n" == machine.run("-c", WHERE, env={"ENVKNIT_ENV": "@science"}).out
    assert [machine.home / "roots"] == [path.parent for path in (machine.home / "roots").glob("*.root")]

    machine.envknit("env", "remove", "science")

    assert [] == list((machine.home / "roots").iterdir())


@pytest.fixture(name="plain")
def _plain(machine: Machine) -> Machine:
    """The machine with a Python that is no virtual environment, and has the hook in the user's site-packages."""
    base = f"{sys.base_prefix}/bin/python{RUNNING}"
    machine.env["PYTHONUSERBASE"] = str(machine.root / "base")
    machine.envknit("--python", base, "hook", "install", "--user")
    machine.env["PATH"] = os.pathsep.join([os.path.dirname(base), machine.env["PATH"]])
    machine.python = base
    return machine


def _user(machine: Machine, *arguments: str) -> str:
    return machine.run(sys.executable, "-m", "envknit", "--python", machine.python, *arguments, status=None).out


def test_plain_python_falls_back_to_the_person_s_own_environment_where_no_lock_is_in_sight(plain: Machine) -> None:
    index_of_nothing = plain.run("-c", WHERE, status=1)
    assert "envknit" not in index_of_nothing.err

    assert "  + alpha 2.0" in _user(plain, "add", "--user", "alpha")

    script = plain.root / "elsewhere.py"
    script.write_text(WHERE)
    assert "2.0\n" == plain.run("-c", WHERE).out
    assert "2.0\n" == plain.run(script).out
    assert "2.0\n" == plain.run("-", stdin=WHERE).out
    said = _user(plain, "status")
    assert "yours, since no project's lock is in sight" in said
    assert f"{_folder(plain, 'user')}/envknit.lock.yaml, default" in said


def test_the_fallback_stays_out_of_projects_virtual_environments_and_isolated_pythons(plain: Machine) -> None:
    _user(plain, "add", "--user", "alpha")
    project = plain.project(["alpha==1.0"])
    for verb in ("lock", "install"):
        plain.run(sys.executable, "-m", "envknit", "--python", plain.python, verb, cwd=project.root)

    assert "1.0\n" == project.run("-c", WHERE).out
    for flag in ("-I", "-s"):
        plain.run(flag, "-c", WHERE, status=1)
    plain.run("-c", WHERE, env={"ENVKNIT": "0"}, status=1)
    plain.run(sys.executable, "-c", WHERE, status=1)
    assert plain.run("-m", "site", "--user-base").out


def test_the_fallback_leaves_what_the_interpreter_has_itself_visible(plain: Machine) -> None:
    _user(plain, "add", "--user", "alpha")

    assert "visible\n" == plain.run("-c", f"{WHERE[:12]}; import pip; print('visible')").out


def test_who_misses_a_module_hears_of_a_fallback_that_is_not_installed_for_this_python(plain: Machine) -> None:
    _user(plain, "add", "--user", "alpha", "--no-install")

    assert "hi\n" == plain.run("-c", "print('hi')").out
    assert "was not installed here for this Python" in plain.run("-c", WHERE, status=1).err
