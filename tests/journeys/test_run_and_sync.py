"""`run` in one environment, with dev packages and without; and `sync`, which locks and installs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.once

NAMES = "import importlib.metadata as m; print(*sorted({d.name for d in m.distributions()}))"


@pytest.fixture(name="project")
def _project(machine: Machine, index: LoopbackIndex) -> Project:
    for name in ("alpha", "beta", "gamma"):
        index.publish(name, "1.0")
    return machine.project(["alpha"], dev=["beta"], environments={"ml": ["gamma"]})


def _seen(project: Project, *options: str, **more: object) -> str:
    return project.envknit("run", *options, "python", "-c", NAMES, **more).out.strip()


def test_run_without_dev_packages_uses_a_view_of_its_own_and_leaves_what_is_installed(
    project: Project, index: LoopbackIndex
) -> None:
    project.ready()
    index.forget()

    assert _seen(project, "--no-dev") == "alpha"
    assert 0 == index.count()
    assert _seen(project) == "alpha beta"
    assert "alpha beta\n" == project.run("-c", NAMES).out
    assert "everything is installed\n" == project.install().out
    assert json.loads(project.envknit("status", "--json").out)["ready"]

    project.envknit("store", "gc")
    said = project.envknit("run", "--no-dev", "-v", "python", "-c", NAMES)

    assert "alpha\n" == said.out  # nothing was made anew


def test_what_a_group_that_was_left_out_would_provide_is_said_to_be_in_it(project: Project) -> None:
    text = project.file.read_text().replace("dev_packages:", "groups: {docs: [gamma]}\n    dev_packages:", 1)
    project.write("envknit.yaml", text)
    project.ready()

    dev = project.envknit("run", "--no-dev", "python", "-c", "import beta", status=1).err
    docs = project.envknit("run", "python", "-c", "import gamma", status=1).err

    lock = project.lock_file
    assert f"'beta' is in group 'dev' of {lock}, which --no-dev left out; run without that, or: " in dev
    assert dev.endswith("envknit install\n")
    assert f"'gamma' is in group 'docs' of {lock}, which is not installed; to have it, run: " in docs
    assert docs.endswith("envknit install --group docs\n")
    assert "add PACKAGE" not in dev + docs


def test_the_group_of_a_module_that_is_not_called_like_its_package_is_known_too(
    project: Project, index: LoopbackIndex
) -> None:
    index.publish("beta", "2.0", {"other_name.py": ""})
    project.ready()

    said = project.envknit("run", "--no-dev", "python", "-c", "import other_name", status=1).err

    assert f"'other_name' is in group 'dev' of {project.lock_file}, which --no-dev left out" in said


def test_run_without_dev_packages_keeps_the_extras_that_were_installed(project: Project) -> None:
    text = project.file.read_text().replace("dev_packages:", "extras: {more: [gamma]}\n    dev_packages:", 1)
    project.write("envknit.yaml", text)
    project.lock()
    project.install("--extra", "more")

    assert _seen(project, "--no-dev") == "alpha gamma"


def test_run_without_dev_packages_installs_no_lock_that_nobody_installed(project: Project) -> None:
    project.lock()

    said = project.envknit("run", "--no-dev", "python", "-V", status=4).err

    assert "the lock is not installed for this interpreter" in said


def test_the_two_dashes_may_be_left_out(project: Project) -> None:
    project.ready()
    code = "import sys; print(sys.argv[1:])"

    for dashes in ([], ["--"]):
        ran = project.envknit("run", *dashes, "python", "-c", code, "--env", "x", "-q", "--", "--no-dev")
        assert "['--env', 'x', '-q', '--', '--no-dev']\n" == ran.out


def test_two_environments_at_once_are_an_error_that_says_why(project: Project) -> None:
    said = project.envknit("run", "--env", "default", "-e", "ml", "--", "python", status=2).err

    assert "-e is given twice (default, ml), and a process sees one environment" in said
    assert "include: [default, ml]" in said


def test_sync_locks_what_is_out_of_date_and_installs(project: Project) -> None:
    said = project.envknit("sync").out

    assert "  + alpha 1.0" in said
    assert "installed default, ml" in said
    assert "everything is installed\n" == project.envknit("sync").out

    project.write("envknit.yaml", project.file.read_text().replace('"beta"', '"gamma"'))
    said = project.envknit("sync").out

    assert "  - beta 1.0" in said
    assert "alpha gamma\n" == project.run("-c", NAMES).out


def test_sync_locked_fails_where_the_lock_is_out_of_date_and_writes_nothing(project: Project) -> None:
    assert "this project has no lock" in project.envknit("sync", "--locked", status=1).err
    project.lock()
    project.envknit("sync", "--locked")
    project.write("envknit.yaml", project.file.read_text().replace('"beta"', '"gamma"'))
    before = project.lock_file.read_bytes()

    assert "asks for something else than the lock answers" in project.envknit("sync", "--locked", status=1).err
    assert before == project.lock_file.read_bytes()

    project.envknit("sync", "--frozen", "--no-dev")

    assert "alpha\n" == project.run("-c", NAMES).out
    assert before == project.lock_file.read_bytes()
