"""What stands below a ModuleNotFoundError, and what a person who follows it literally gets."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.view.runtime import HOOK
from kit.planned import make_plan

if TYPE_CHECKING:
    from kit import Machine, Project


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    """A project whose lock has alpha 1.0, installed."""
    project = machine.project()
    make_plan(project, {"alpha==1.0": {"alpha.py": "VERSION = '1.0'\n"}})
    return project


def test_what_no_package_provides_may_be_added(project: Project) -> None:
    said = project.code("import nowhere", status=1).err

    assert f"environment 'default' of {project.lock_file} has nothing that provides 'nowhere'" in said
    assert "to add it, run: python -m envknit add PACKAGE" in said


def test_from_another_folder_the_command_names_the_project(project: Project) -> None:
    said = project.machine.run(project.write("app.py", "import nowhere"), status=1).err

    assert f"run: python -m envknit -C {project.root} add PACKAGE" in said


def test_an_interpreter_that_path_does_not_give_is_named_by_its_path(project: Project) -> None:
    said = project.code("import nowhere", status=1, env={"PATH": "/usr/bin:/bin"}).err

    assert f"run: {sys.executable} -m envknit add PACKAGE" in said


@pytest.mark.parametrize("place", ["src/mypkg/__init__.py", "mypkg.py"])
def test_nobody_is_told_to_add_a_package_of_the_project_s_own_name(project: Project, place: str) -> None:
    own = project.write(place, "")
    folder = own.parents[place.count("/") - 1] if "/" in place else own.parent

    said = project.run(project.write("tests/test_a.py", "import mypkg"), status=1).err

    assert f"'mypkg' is the project's own, in {folder}, which is not on sys.path" in said
    assert "add PACKAGE" not in said


def test_nobody_is_told_to_add_what_pyproject_toml_names(project: Project) -> None:
    project.write("pyproject.toml", '[tool.x]\nname = "other"\n[project]\nname = "My.Pkg"  # ours\n')

    said = project.code("import my_pkg", status=1).err

    assert "'my_pkg' is the project's own name" in said
    assert "add PACKAGE" not in said


def test_what_the_lock_hides_is_named(project: Project) -> None:
    said = project.code("import pytest", status=1).err

    assert f"'pytest' is in {Path(pytest.__file__).parents[1]}, which the lock hides" in said
    assert "add PACKAGE" not in said


def test_a_lock_that_changed_while_a_program_ran_is_told_to_it(project: Project) -> None:
    def program():
        import pathlib

        pathlib.Path("envknit.lock.yaml").write_text("changed: by a pull\n")
        import nowhere

    assert "has changed since this program, or the one that started it, began" in project.code(program, status=1).err


@pytest.mark.parametrize("name", ["envknit.lock.yaml", "pyproject.toml"])
def test_a_pipe_that_came_into_the_project_meanwhile_holds_no_hint_up(name: str, project: Project) -> None:
    program = f"import os; os.path.exists({name!r}) and os.unlink({name!r}); os.mkfifo({name!r})"

    ran = project.run("-c", f"{program}; import nothing_has_this", status=1, timeout=20)

    assert "No module named 'nothing_has_this'" in ran.err


def test_a_module_that_cannot_be_run_is_explained_too(project: Project) -> None:
    said = project.run("-m", "nowhere", status=1).err

    assert "has nothing that provides 'nowhere'" in said
    assert said.endswith("No module named nowhere\n")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="safe paths came with Python 3.11")
def test_a_working_folder_that_may_not_be_trusted_is_named(project: Project) -> None:
    said = project.run("-c", "import alpha", env={"PYTHONSAFEPATH": "1"}, status=1).err

    assert f"{project.lock_file} is not used: -I, -P and PYTHONSAFEPATH say" in said
    assert "set ENVKNIT_LOCK" in said


def test_a_wrapper_that_runs_a_script_from_elsewhere_is_told_of_its_lock(project: Project) -> None:
    app = project.write("app.py", "import alpha")
    wrapper = project.machine.root / "wrapper.py"
    wrapper.write_text("import runpy, sys; runpy.run_path(sys.argv[1])")

    said = project.machine.run(wrapper, app, status=1).err

    assert f"{project.lock_file} is not used: a program that runs another looks in the working folder" in said


def test_a_script_of_the_interpreter_is_told_of_the_lock_that_it_does_not_take(project: Project) -> None:
    tool = Path(sys.executable).parent / "envknit-test-hint"
    tool.write_text("import alpha")
    try:
        said = project.run(tool, status=1).err
    finally:
        tool.unlink()

    assert f"{project.lock_file} is not used: a script in an interpreter's own bin takes no lock" in said


def test_where_envknit_is_gone_the_view_still_serves_and_the_hint_says_so(project: Project, machine: Machine) -> None:
    host = machine.root / "host"
    machine.run("-m", "venv", "--without-pip", host)
    (site,) = host.glob("lib/python*/site-packages")
    for name in HOOK:
        shutil.copy(Path(sysconfig.get_path("purelib"), name), site)
    (plan,) = machine.home.glob("plans/*/*/*/trees/*/plan")
    plan.chmod(0o644)
    rows = plan.read_text().splitlines(keepends=True)
    plan.write_text("".join("runtime\t/nowhere\n" if row.startswith("runtime\t") else row for row in rows))
    project.write("app.py", "import alpha; print(alpha.VERSION)\nimport nowhere")

    ran = project.run(host / "bin" / "python", "app.py", status=1)

    assert ran.out == "1.0\n"
    assert "envknit is not where it was when this lock was installed" in ran.err
