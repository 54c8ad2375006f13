"""Which processes take a lock, and which: the cases that docs/explanation/startup.md decides."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.view.runtime import HOOK
from kit.planned import make_plan
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Machine, Project

WHO = "import alpha; print(alpha.VERSION)"


def _alpha(version: str) -> dict[str, str]:
    return {"alpha.py": f"VERSION = {version!r}\n"}


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    """A project whose lock has alpha 1.0, installed."""
    project = machine.project()
    make_plan(project, {"alpha==1.0": _alpha("1.0")})
    project.write("app.py", WHO)
    return project


@pytest.mark.parametrize("runner", ["pdb -c continue", "cProfile", "profile", "trace --trackcalls", "unittest"])
def test_the_script_that_a_module_runs_decides_from_anywhere(project: Project, runner: str) -> None:
    app = project.write("test_app.py", WHO)
    name, *options = runner.split()

    said = project.machine.run("-m", name, *options, app, status=None).out

    assert "1.0" in said.split()


def test_a_module_that_only_a_lock_can_have_runs_a_script_from_anywhere(project: Project) -> None:
    runner = {"runner/__main__.py": "import runpy, sys; runpy.run_path(sys.argv[1])", "alpha.py": "VERSION = '1.0'\n"}
    make_plan(project, {"alpha==1.0": runner})
    app = project.write("app.py", WHO)

    assert "1.0\n" == project.machine.run("-m", "runner", app).out


def test_what_a_runner_hands_to_a_module_is_not_its_script(project: Project, machine: Machine) -> None:
    other = machine.project(name="other")
    make_plan(other, {"alpha==2.0": _alpha("2.0"), "tool==1.0": {"tool.py": WHO}})
    app = project.write("app.py", WHO)

    assert "2.0\n" in other.run("-m", "cProfile", "-m", "tool", app).out


def test_a_debugger_of_an_editor_takes_the_lock_of_the_script_that_it_runs(project: Project) -> None:
    debugger = project.machine.root / "extensions" / "debugpy"
    debugger.mkdir(parents=True)
    (debugger / "__main__.py").write_text("import runpy, sys; runpy.run_path(sys.argv[-1])")
    app = project.write("app.py", WHO)

    assert "1.0\n" == project.machine.run("extensions/debugpy", "--connect", "127.0.0.1:1", app).out


def hooked(machine: Machine, folder: Path) -> Path:
    """Make a virtual environment with the hook and a tool of its own in it; returns the tool."""
    machine.run("-m", "venv", "--without-pip", folder)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in HOOK:
        shutil.copy(Path(sysconfig.get_path("purelib"), name), site)
    (site / "mine.py").write_text("WHO = 'the tool'\n")
    tool = folder / "bin" / "mytool"
    tool.write_text(f"#!{folder}/bin/python\nimport mine; print(mine.WHO)\n")
    tool.chmod(0o755)
    return tool


def test_the_tools_of_a_virtual_environment_within_a_project_stay_its_own(project: Project) -> None:
    tool = hooked(project.machine, project.root / ".venv")

    assert project.run(tool).out == "the tool\n"
    assert project.machine.run(tool, cwd=Path("/")).out == "the tool\n"
    assert project.run(tool.parent / "python", "app.py").out == "1.0\n"


def test_a_program_under_a_lock_can_start_the_tools_of_its_interpreter(project: Project) -> None:
    tool = hooked(project.machine, project.machine.root / "host")
    project.write("start.py", f"import alpha, subprocess; subprocess.run([{str(tool)!r}], check=True)")

    assert project.run(tool.parent / "python", "start.py").out == "the tool\n"


def test_a_child_of_another_virtual_environment_does_not_get_its_parents_lock(project: Project) -> None:
    other = hooked(project.machine, project.machine.root / "other").parent / "python"
    source = (
        f"import alpha, subprocess; subprocess.run([{str(other)!r}, '-c', 'import mine; print(mine.WHO)'], cwd='/')"
    )

    assert project.code(source).out == "the tool\n"


def test_a_child_that_runs_a_script_of_the_project_sees_a_lock_that_was_installed_meanwhile(project: Project) -> None:
    first = project.lock_file.read_text()
    make_plan(project, {"alpha==2.0": _alpha("2.0")})
    second = project.lock_file.read_text()
    project.lock_file.write_text(first)

    def program(second, who):
        import pathlib
        import subprocess
        import sys

        import alpha

        pathlib.Path("envknit.lock.yaml").write_text(second)
        print(alpha.VERSION, flush=True)
        subprocess.run([sys.executable, "child.py"])
        subprocess.run([sys.executable, "-c", who])

    project.write("child.py", WHO)

    assert project.code(source_of(program, second=second, who=WHO)).out == "1.0\n2.0\n2.0\n"


def test_a_child_in_the_project_keeps_the_environment_of_its_parent(project: Project) -> None:
    make_plan(project, {"alpha==3.0": _alpha("3.0")}, environment="ml", lock=project.lock_file.read_text())

    def program():
        import os
        import subprocess
        import sys

        del os.environ["ENVKNIT_ENV"]
        subprocess.run([sys.executable, "child.py"])

    project.write("child.py", WHO)

    assert project.code(program, env={"ENVKNIT_ENV": "ml"}).out == "3.0\n"


def test_a_script_in_the_store_belongs_to_no_project_that_lies_above_the_store(machine: Machine) -> None:
    above = machine.project(name=".")
    project = machine.project(name="below")
    make_plan(project, {"alpha==1.0": {**_alpha("1.0"), "tool/__main__.py": "import alpha; print(alpha.VERSION)"}})
    make_plan(above, {"alpha==9.0": _alpha("9.0")})

    def program():
        import os
        import subprocess
        import sys

        import alpha

        tool = os.path.join(os.path.dirname(os.path.realpath(alpha.__file__)), "tool")
        subprocess.run([sys.executable, tool], cwd="/")

    assert project.code(program).out == "1.0\n"


def test_a_tool_that_only_the_lock_has_is_the_lock_s(project: Project) -> None:
    tools = {f"{name}/__main__.py": f"print('the {name} of the lock')" for name in ("pip", "virtualenv")}
    make_plan(project, {"tools==1.0": tools})

    assert project.run("-m", "virtualenv").out == "the virtualenv of the lock\n"
    assert project.run("-m", "pip", "--version").out.startswith("pip ")


def test_a_folder_that_is_named_like_a_tool_is_no_tool(project: Project) -> None:
    script = project.write("my-packages/uv/app.py", WHO)

    assert project.machine.run(script).out == "1.0\n"


def test_a_file_that_is_named_python3_makes_no_bin(project: Project) -> None:
    (project.machine.root / "elsewhere").mkdir()
    script = project.machine.root / "elsewhere" / "app.py"
    script.write_text(WHO)
    script.with_name("python3").write_text("")

    assert project.run(script).out == "1.0\n"


def test_a_build_without_isolation_has_what_its_parent_has(project: Project) -> None:
    def program(who):
        import os
        import subprocess
        import sys

        import alpha

        os.environ["_PYPROJECT_HOOKS_BUILD_BACKEND"] = "x"
        subprocess.run([sys.executable, "-c", who])
        os.environ["PIP_BUILD_TRACKER"] = "x"
        subprocess.run([sys.executable, "-c", "import importlib.util; print(importlib.util.find_spec('alpha'))"])

    assert project.code(source_of(program, who=WHO)).out == "1.0\nNone\n"


def test_a_project_file_is_no_lock(project: Project) -> None:
    said = project.run("app.py", env={"ENVKNIT_LOCK": str(project.file)}, status=1).err

    assert f"{project.file} is a project file, not a lock" in said


@pytest.mark.parametrize("home", ["store", "~nobody-of-that-name/x"])
def test_a_store_that_is_not_named_absolutely_is_none(project: Project, home: str) -> None:
    shutil.copytree(project.machine.home, project.root / home, symlinks=True)

    said = project.run("app.py", env={"ENVKNIT_HOME": home}, status=1).err

    assert "set ENVKNIT_HOME to an absolute path" in said


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root to mount")
def test_the_command_line_says_that_a_search_stops_at_a_mount(project: Project) -> None:
    (project.root / "mounted").mkdir()
    python = project.machine.python
    script = f"mount -t tmpfs none mounted && cd mounted && {python} -m envknit doctor; {python} -m envknit status"
    unshare = shutil.which("unshare") or ""

    ran = project.machine.run(unshare, "-m", "sh", "-c", script, cwd=project.root, status=None)
    if "here uses" not in ran.out:
        pytest.skip("may not mount here")

    assert f"set ENVKNIT_LOCK={project.lock_file}" in ran.out
    assert ", active" not in ran.out


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to become another user")
def test_a_plan_that_somebody_else_may_write_is_not_used(project: Project) -> None:
    (plan,) = project.machine.home.glob("plans/*/*/*/trees/*/plan")
    plan.chmod(0o666)

    assert "must be yours, and writable by nobody else" in project.run("app.py", status=1).err


def test_ignored_variables_are_named_where_they_are_the_reason(project: Project) -> None:
    said = project.run("-E", "app.py", env={"HOME": str(project.machine.root)}, status=1).err

    assert "ENVKNIT_HOME is ignored here" in said


def test_a_project_module_named_envknit_does_not_take_the_lock_away(project: Project) -> None:
    project.write("envknit.py", "MINE = True\n")

    assert project.code("import envknit, alpha; print(envknit.MINE, alpha.VERSION)").out == "True 1.0\n"


def test_the_prefix_is_the_view_s_as_in_a_virtual_environment(project: Project) -> None:
    def program():
        import site
        import sys
        import sysconfig

        assert sys.prefix == sys.exec_prefix == sysconfig.get_config_var("base") != sys.base_prefix
        assert site.PREFIXES == [sys.prefix] and site.ENABLE_USER_SITE is False
        assert sysconfig.get_path("purelib") == site.getsitepackages()[0] == sys.path[-2]
        print(sys.base_prefix, sys.executable)

    assert project.code(program).out == f"{sys.base_prefix} {sys.executable}\n"


def test_a_sysconfig_that_was_loaded_before_names_the_view_too(project: Project) -> None:
    tool = hooked(project.machine, project.machine.root / "host")
    (site,) = tool.parents[1].glob("lib/python*/site-packages")
    (site / "aaa.pth").write_text("import sysconfig; sysconfig.get_config_vars()\n")
    source = (
        "import sys, sysconfig; print(sysconfig.get_path('data') == sysconfig.get_config_var('base') == sys.prefix)"
    )
    project.write("app.py", source)

    assert project.run(tool.parent / "python", "app.py").out == "True\n"
