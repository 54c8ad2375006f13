"""What the command line says to a person: lists, verdicts, colours; on terminals, pipes and odd locales."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.once


@pytest.fixture(name="project")
def _project(machine: Machine, index: LoopbackIndex) -> Project:
    index.publish("alpha", "1.0", requires=["beta"])
    index.publish("beta", "1.0")
    index.publish("gamma", "1.0")
    project = machine.project(["alpha", "gamma<2"]).ready()
    index.publish("beta", "2.0")
    index.publish("beta", "3.0rc1")
    index.publish("gamma", "2.0")
    return project


def test_list_names_what_is_locked_and_what_was_asked_for(project: Project) -> None:
    assert "alpha  1.0 (asked for)\nbeta   1.0\ngamma  1.0 (asked for)\n" == project.envknit("list").out
    assert {"name": "beta", "version": "1.0", "direct": False, "dev": False} in json.loads(
        project.envknit("list", "--json").out
    )
    assert "error: the lock has no environment 'nope'" in project.envknit("list", "-e", "nope", status=2).err


def test_outdated_names_what_is_newer_and_what_holds_it_back(project: Project) -> None:
    said = project.envknit("outdated", "-q").out

    assert "beta   1.0  -> 2.0\ngamma  1.0  -> 2.0 (held by gamma<2)\n" == said
    assert "gamma  1.0  -> 2.0 (held by gamma<2)\n" == project.envknit("outdated", "--direct", "-q").out
    project.envknit("lock", "--update", "beta", "-q")
    assert [{"name": "gamma", "locked": "1.0", "newest": "2.0"}] == json.loads(
        project.envknit("outdated", "--json").out
    )


def test_status_and_doctor_end_in_a_verdict(project: Project) -> None:
    assert "verdict   ready: `python` here imports what the lock says\n" in project.envknit("status").out
    assert project.envknit("doctor").out.splitlines()[-1].startswith("ready")

    off = {"ENVKNIT": "0"}
    assert "verdict   not ready\n" in project.envknit("status", env=off, status=1).out
    assert project.envknit("doctor", env=off, status=1).out.splitlines()[-1].startswith("not ready: ")


def test_a_lock_without_the_environment_of_plain_python_leads_in_no_circle(
    machine: Machine, index: LoopbackIndex
) -> None:
    index.publish("alpha", "1.0")
    project = machine.project(name="other")
    project.write("envknit.yaml", "environments: {ml: {packages: [alpha]}}")
    project.ready()
    way = "use: envknit run --env ml, or set ENVKNIT_ENV=ml"

    assert f"the lock has no environment 'default'; {way}" in project.envknit("doctor", status=1).out
    assert "next      envknit run --env ml -- python\n" in project.envknit("status", status=1).out
    assert "hint: did you mean: --env ml" in project.envknit("list", status=2).err
    project.envknit("status", env={"ENVKNIT_ENV": "ml"})
    off = project.run("-c", "import envknit; envknit.use('alpha', '1.0')", env={"ENVKNIT": "0"}, status=1).err
    assert "ENVKNIT=0 turns envknit off" in off


def test_verdicts_are_coloured_on_a_terminal_and_nowhere_else(project: Project) -> None:
    assert "\033[32mready" in _on_a_terminal(project, "status")
    assert "\033[32mok" in _on_a_terminal(project, "doctor")
    assert "\033" not in _on_a_terminal(project, "doctor", NO_COLOR="1")
    assert "\033" not in _on_a_terminal(project, "status", TERM="dumb")
    assert "\033" not in project.envknit("status").out


@pytest.mark.parametrize("verb", ["list", "tree", "status", "doctor"])
def test_a_locale_without_utf_8_and_a_closed_pipe_stop_nothing(project: Project, verb: str) -> None:
    said = project.envknit(verb, env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}).out
    assert verb != "tree" or "`-- beta 1.0" in said

    command = [project.machine.python, "-m", "envknit", verb]
    process = subprocess.Popen(
        command, cwd=project.root, env=project.machine.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.stdout.close()
    _, err = process.communicate()
    assert "" == err


def _on_a_terminal(project: Project, *args: str, **env: str) -> str:
    """Run a verb whose stdout is a terminal, and return what it wrote there."""
    ours, theirs = pty.openpty()
    command = [project.machine.python, "-m", "envknit", *args]
    process = subprocess.Popen(
        command, cwd=project.root, env={**project.machine.env, "TERM": "xterm", **env}, stdout=theirs
    )
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:
        pass  # Linux reports the end of a terminal as an error
    finally:
        os.close(ours)
    process.wait()
    return said.decode()
