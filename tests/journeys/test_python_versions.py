"""Which Python an environment gets: the one that its project and `.python-version` ask for, wherever it is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.pythons import Interpreter, find_pythons
from kit.machine import RUNNING

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.once

SHOW = "import sys; print('%d.%d' % sys.version_info[:2])"


@pytest.fixture(name="other", scope="module")
def _other() -> Interpreter:
    """Another Python of this machine; a test of two of them needs two."""
    for found in find_pythons(free_threaded=False):
        if found.is_supported and _minor(found) != RUNNING:
            return found
    pytest.skip("there is one Python on this machine")


def _minor(python: Interpreter) -> str:
    return python.version.rpartition(".")[0]


@pytest.fixture(name="pyenv")
def _pyenv(machine: Machine, other: Interpreter) -> Interpreter:
    """That Python, kept by pyenv, on a machine whose PATH has no other than the running one."""
    kept = machine.root / "pyenv/versions" / other.version
    kept.parent.mkdir(parents=True)
    kept.symlink_to(Path(other.executable).resolve().parents[1])
    machine.env["PYENV_ROOT"] = str(machine.root / "pyenv")
    machine.env["PATH"] = machine.env["PATH"].partition(":")[0]
    return Interpreter("cpython", other.version, other.abi, str(kept / "bin/python"))


@pytest.fixture(name="project")
def _project(machine: Machine, index: LoopbackIndex) -> Project:
    index.publish("alpha", "1.0")
    return machine.project(["alpha"], python_version=">=3.10", environments={"ml": ["alpha"]})


def _for(project: Project, environment: str, python: str) -> None:
    head, found, tail = project.file.read_text().partition(f"  {environment}:\n    python_version: '>=3.10'")
    assert found
    project.write("envknit.yaml", f"{head}  {environment}:\n    python_version: '{python}'{tail}")


def test_an_environment_for_another_python_is_installed_and_run_with_it(project: Project, pyenv: Interpreter) -> None:
    _for(project, "ml", _minor(pyenv))
    project.lock()

    said = project.install().out

    assert "installed default: 1 pin" in said
    assert "installed ml: 1 pin" in said
    ran = project.envknit("run", "--env", "ml", "--", "python", "-c", f"import alpha; {SHOW}").out
    assert f"{_minor(pyenv)}\n" == ran
    assert f"{RUNNING}\n" == project.envknit("run", "python", "-c", f"import alpha; {SHOW}").out
    assert "everything is installed\n" * 2 == project.install().out
    row = json.loads(project.envknit("status", "--json").out)["environments"]["ml"]
    assert {"version": pyenv.version, "executable": pyenv.executable} == row["python"]
    assert row["installed"]


def test_a_project_for_another_python_is_made_ready_with_it_from_the_first_verb_on(
    project: Project, pyenv: Interpreter
) -> None:
    _for(project, "default", _minor(pyenv))
    project.envknit("add", "alpha")

    assert f"{_minor(pyenv)}\n" == project.envknit("run", "python", "-c", f"import alpha; {SHOW}").out
    ran = project.run("-c", "import alpha", status=1).err
    assert "is installed for another Python" in ran
    assert "envknit run" in ran
    said = project.envknit("status", status=1).out
    assert f"default: 1 pin, installed, Python {pyenv.version}" in said
    assert "envknit shell" in said


def test_a_python_version_file_chooses_among_those_that_the_project_accepts(
    project: Project, pyenv: Interpreter
) -> None:
    project.write(".python-version", f"# of pyenv\n{pyenv.version}\n3.9.1\n")
    project.ready()

    assert f"{_minor(pyenv)}\n" == project.envknit("run", "python", "-c", SHOW).out
    assert f"{pyenv.executable}\n" == project.envknit("python", "find").out


@pytest.mark.parametrize(
    "word", ["../../evil", "/bin/sh", "myenv", "pypy3.10-7.3", "\\x00\\xff", "3.12.1.2", "\uff19.9"]
)
def test_a_python_version_file_that_names_no_version_is_told_and_does_not_count(project: Project, word: str) -> None:
    project.write(".python-version", f"{word}\n")
    project.lock()

    said = project.install().err

    assert "project/.python-version names no version of CPython; it does not count" in said
    assert word not in said
    assert f"{RUNNING}\n" == project.envknit("run", "python", "-c", SHOW).out


def test_a_python_version_file_that_disagrees_with_the_project_is_told(project: Project) -> None:
    project.write(".python-version", "3.9\n")
    project.lock()

    said = project.install().err

    assert "asks for Python 3.9, but environment 'default' is for >=3.10, which counts" in said


def test_where_no_python_fits_one_error_says_what_was_seen_and_how_to_get_one(
    machine: Machine, project: Project
) -> None:
    machine.env["PYENV_ROOT"] = str(machine.root)
    _for(project, "default", "3.16")
    project.lock()
    for verb in (["install"], ["run", "python"], ["view"], ["shell"], ["env"]):
        said = project.envknit(*verb, status=4).err

        assert "error: there is no Python 3.16 on this machine that answers" in said
        assert f"{RUNNING}." in said
        assert "hint: run: pyenv install 3.16; or name one with --python PATH" in said


@pytest.mark.parametrize(
    ("asked", "told", "hint"),
    [
        (
            ">=3.99",
            ">=3.99",
            "let the project ask for others than >=3.99: no version that envknit knows is among these;",
        ),
        ("<3.10", "<3.10", "let the project ask for others than <3.10: no version that envknit knows is among these;"),
        (">=3.16,<3.16.2", "3.16.1", "run: pyenv install 3.16.1;"),
        (">=3.16.2", "3.16", "run: pyenv install 3.16;"),
    ],
)
def test_the_command_that_a_hint_gives_names_a_version_that_will_do_or_there_is_none(
    machine: Machine, project: Project, asked: str, told: str, hint: str
) -> None:
    machine.env["PYENV_ROOT"] = str(machine.root)
    _for(project, "default", asked)

    said = project.envknit("sync", status=4).err

    assert f"error: there is no Python {told} on this machine that answers" in said
    assert f"hint: {hint} or name one with --python PATH" in said


def test_an_environment_whose_python_is_not_here_is_left_out_with_a_word(project: Project) -> None:
    _for(project, "ml", "3.16")
    project.lock()

    assert "warning: environment 'ml' is left out: there is no Python 3.16" in project.install().err


def test_pin_writes_the_file_that_version_managers_read_and_refuses_what_cannot_be(project: Project) -> None:
    assert "there is no .python-version\n" == project.envknit("python", "pin").out
    said = project.envknit("python", "pin", RUNNING).out
    assert f".python-version: {RUNNING}" in said
    assert f"{RUNNING}\n" == (project.root / ".python-version").read_text()
    assert RUNNING in project.envknit("python", "pin").out

    assert "cannot be pinned to 3.9" in project.envknit("python", "pin", "3.9", status=2).err
    assert "is no version of Python" in project.envknit("python", "pin", "../x", status=2).err
    assert f"{RUNNING}\n" == (project.root / ".python-version").read_text()


def test_list_shows_each_interpreter_once(machine: Machine, pyenv: Interpreter) -> None:
    rows = json.loads(machine.envknit("python", "list", "--json").out)

    assert len({row["executable"] for row in rows}) == len(rows)
    assert [True] == [row["supported"] for row in rows if row["executable"] == pyenv.executable]
    assert machine.python in [row["executable"] for row in rows]
    assert pyenv.executable in machine.envknit("python", "list").out
