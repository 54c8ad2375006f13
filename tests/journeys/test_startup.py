"""When Python starts: which lock is found, what activates, what stays out, what children get."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import sysconfig
import zipapp
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.plan import SITE_PACKAGES, root_folder
from kit import UNMEASURED
from kit.planned import make_plan

if TYPE_CHECKING:
    from kit import Machine, Project

WHO = "import alpha; print(alpha.VERSION)"


def _alpha(version: str) -> dict[str, str]:
    return {"alpha/__init__.py": f"VERSION = {version!r}\n", "alpha/late.py": "NAME = __name__\n"}


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    """A project whose lock has alpha 1.0, installed."""
    project = machine.project(name="one")
    make_plan(project, {"alpha==1.0": _alpha("1.0")})
    project.write("app.py", WHO)
    return project


@pytest.fixture(name="other")
def _other(machine: Machine) -> Project:
    """A second project, with alpha 2.0."""
    other = machine.project(name="two")
    make_plan(other, {"alpha==2.0": _alpha("2.0")})
    other.write("app.py", WHO)
    return other


def test_a_script_sees_its_own_projects_lock_from_any_folder(project: Project, other: Project) -> None:
    assert project.run("app.py").out == "1.0\n"
    assert project.run(other.root / "app.py").out == "2.0\n"
    assert other.run(project.root / "app.py").out == "1.0\n"
    sub = other.write("deep/down/tool.py", WHO)
    assert project.run(sub).out == "2.0\n"


@pytest.mark.parametrize("arguments", [("-c", WHO), ("-m", "app"), ("app.py",), (".",)])
def test_every_way_to_start_python_in_the_project_sees_the_lock(project: Project, arguments: tuple[str, ...]) -> None:
    project.write("__main__.py", WHO)

    assert project.run(*arguments).out == "1.0\n"


def test_a_program_on_standard_input_sees_the_lock(project: Project) -> None:
    assert project.run(stdin=WHO).out == "1.0\n"
    assert project.run("-", stdin=WHO).out == "1.0\n"


def test_a_symlinked_script_belongs_to_the_project_it_lies_in(project: Project, other: Project) -> None:
    link = other.root / "link.py"
    link.symlink_to(project.root / "app.py")

    assert other.run("link.py").out == "1.0\n"


def test_a_zipapp_sees_the_lock_of_the_folder_it_lies_in(project: Project, other: Project) -> None:
    source = project.machine.root / "source"
    source.mkdir()
    (source / "__main__.py").write_text(WHO)
    zipapp.create_archive(source, project.root / "app.pyz")

    assert other.run(project.root / "app.pyz").out == "1.0\n"


def test_a_script_outside_any_project_uses_the_working_folder(project: Project) -> None:
    script = project.machine.root / "elsewhere.py"
    script.write_text(WHO)

    assert project.run(script).out == "1.0\n"


def test_a_script_in_an_interpreters_own_bin_does_not_use_the_working_folder(project: Project) -> None:
    script = Path(sys.executable).parent / "envknit-test-tool"
    script.write_text("import importlib.util; print(importlib.util.find_spec('alpha'))")
    try:
        assert project.run(script).out == "None\n"
    finally:
        script.unlink()


@pytest.mark.parametrize("flag", ["-I", "-P"])
def test_isolated_and_safe_path_runs_do_not_trust_the_working_folder(project: Project, flag: str) -> None:
    if flag == "-P" and sys.version_info < (3, 11):
        pytest.skip("-P came with Python 3.11")
    look = "import importlib.util; print(importlib.util.find_spec('alpha'))"
    without_home = {"ENVKNIT_HOME": None, "HOME": str(project.machine.root)}
    (project.machine.root / ".envknit").symlink_to(project.machine.home)

    assert project.run(flag, "-c", look, env=without_home).out == "None\n"
    assert project.run(flag, project.root / "app.py", env=without_home).out == "1.0\n"


def test_ignored_environment_means_no_variable_of_envknit_counts(project: Project, other: Project) -> None:
    here = {"HOME": str(project.machine.root), "ENVKNIT_LOCK": str(other.lock_file), "ENVKNIT": "0"}
    (project.machine.root / ".envknit").symlink_to(project.machine.home)

    assert project.run("-E", "app.py", env=here).out == "1.0\n"


def test_no_user_site_changes_nothing_and_no_site_turns_the_hook_off(project: Project) -> None:
    assert project.run("-s", "app.py").out == "1.0\n"
    assert "No module named 'alpha'" in project.run("-S", "app.py", status=1).err


def test_the_variable_names_the_lock_and_the_environment(project: Project, other: Project) -> None:
    text = other.lock_file.read_text()
    make_plan(other, {"alpha==3.0": _alpha("3.0")}, environment="ml", lock=text)
    chosen = {"ENVKNIT_LOCK": str(other.lock_file), "ENVKNIT_ENV": "ml"}

    assert project.run("app.py", env=chosen).out == "3.0\n"
    assert project.run("app.py", env={"ENVKNIT_LOCK": str(other.lock_file)}).out == "2.0\n"


def test_zero_turns_it_off(project: Project) -> None:
    assert "No module named 'alpha'" in project.run("app.py", env={"ENVKNIT": "0"}, status=1).err


@pytest.mark.parametrize("module", ["pip", "venv", "ensurepip"])
def test_tools_that_manage_environments_are_left_alone(project: Project, module: str) -> None:
    project.write("sitecustomize.py", "import atexit, sys; atexit.register(lambda: print('PREFIX', sys.prefix))")

    ran = project.run("-m", module, "--help", env={"PYTHONPATH": str(project.root)})

    assert f"PREFIX {sys.prefix}\n" in ran.out


def test_the_pip_of_the_host_works_in_a_locked_project(project: Project) -> None:
    assert project.run("-m", "pip", "--version").out.startswith("pip ")
    assert project.run(Path(sys.executable).with_name("pip"), "--version").out.startswith("pip ")
    assert project.run("-Impip", "--version").out.startswith("pip ")


def test_the_file_that_pip_runs_in_other_interpreters_is_left_alone(project: Project) -> None:
    runner = Path(sysconfig.get_path("purelib"), "pip", "__pip-runner__.py")

    assert "six" not in project.run(runner, "list", "--path", project.root).out
    assert "alpha" not in project.run(runner, "list").out


def test_a_build_backend_is_left_alone(project: Project) -> None:
    look = "import sys; print(any('plans' in p for p in sys.path))"
    for variable in ("_PYPROJECT_HOOKS_BUILD_BACKEND", "PIP_BUILD_TRACKER"):
        assert project.run("-c", look, env={variable: "x"}).out == "False\n"


def test_the_view_stands_behind_the_standard_library_and_the_host_is_gone(project: Project) -> None:
    out = project.code("import json, sys; print(json.dumps(sys.path))").out
    path = json.loads(out)

    view = make_plan(project, {"alpha==1.0": _alpha("1.0")}).parent
    assert path[0] == str(project.root)
    assert path[-3].endswith("lib-dynload")
    assert path[-2:] == [str(view / SITE_PACKAGES), str(project.machine.home / "packages/site-packages")]
    assert sysconfig.get_path("purelib") not in path


def test_the_host_stays_behind_the_lock_where_the_project_says_so(machine: Machine) -> None:
    project = machine.project()
    make_plan(project, {"alpha==1.0": _alpha("1.0"), "pytest==0.0": {"pytest.py": "MINE = True\n"}}, site_visible=True)
    ran = project.code("import alpha, pytest, packaging; print(pytest.MINE, packaging.__name__)")

    assert ran.out == "True packaging\n"


def test_envknit_itself_stays_importable(project: Project) -> None:
    assert project.code("import envknit; print(envknit.__version__)").out == "0.1.0\n"


def test_precedence_is_that_of_site_packages(machine: Machine) -> None:
    project = machine.project()
    files = {"tests/__init__.py": "WHO = 'wheel'\n", "local.py": "WHO = 'wheel'\n", "colorsys.py": "WHO = 'wheel'\n"}
    make_plan(project, {"greedy==1.0": files})
    project.write("tests/__init__.py", "WHO = 'project'\n")
    elsewhere = machine.root / "pythonpath"
    elsewhere.mkdir()
    (elsewhere / "local.py").write_text("WHO = 'PYTHONPATH'\n")
    source = "import tests, local, colorsys; print(tests.WHO, local.WHO, hasattr(colorsys, 'WHO'))"

    ran = project.code(source, env={"PYTHONPATH": str(elsewhere)})

    assert ran.out == "project PYTHONPATH False\n"


def test_a_missing_name_is_explained_and_the_host_does_not_answer(project: Project) -> None:
    ran = project.code("import nowhere", status=1)

    assert "ModuleNotFoundError: No module named 'nowhere'" in ran.err
    assert f"environment 'default' of {project.lock_file} has nothing that provides 'nowhere'" in ran.err
    assert "python -m envknit add" in ran.err
    assert "_envknit_bootstrap" not in ran.err


def test_asking_whether_a_name_exists_is_answered_with_none(project: Project) -> None:
    source = "import importlib.util, sys; print(importlib.util.find_spec('pytest'), 'pytest' in sys.modules)"

    assert project.code(source).out == "None False\n"


def test_finders_that_came_later_are_asked_before_a_name_is_given_up(project: Project) -> None:
    def program():
        import importlib.abc
        import importlib.machinery
        import sys

        class Late(importlib.abc.MetaPathFinder, importlib.abc.Loader):
            def find_spec(self, name, path, target=None):
                return importlib.machinery.ModuleSpec(name, self) if name == "invented" else None

            def create_module(self, spec):
                return None

            def exec_module(self, module):
                module.FOUND = True

        sys.meta_path.append(Late())
        import invented

        print(invented.FOUND)

    assert project.code(program).out == "True\n"


def test_a_name_of_another_platforms_standard_library_gets_no_hint(project: Project) -> None:
    ran = project.code("import winreg", status=1)

    assert "envknit" not in ran.err.replace(str(project.root), "")


def test_a_lock_that_was_never_installed_activates_nothing_and_says_so_in_the_error(machine: Machine) -> None:
    project = machine.project()
    project.lock_file.write_text("anything: at all\n")

    ran = project.code("print('runs'); import alpha", status=1)

    assert ran.out == "runs\n"
    assert ran.err.count("was not installed here for this Python, or changed since") == 1
    assert "run: python -m envknit install" in ran.err


def test_a_terminal_gets_one_line_about_a_lock_that_is_not_installed(machine: Machine) -> None:
    project = machine.project()
    project.lock_file.write_text("anything: at all\n")
    project.write("app.py", "print('runs')")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        command = [sys.executable, "app.py"]
        done = subprocess.run(command, cwd=project.root, env=machine.env, stderr=theirs, stdout=-1, check=True)
        os.close(theirs)
        told = terminal.read(4096).decode().replace("\r\n", "\n")

    assert done.stdout == b"runs\n"
    assert told.count("\n") == 1
    assert told.startswith(f"envknit: {project.lock_file} was not installed here")
    assert told.endswith("run: python -m envknit install\n")


def test_a_lock_that_changed_since_activates_nothing(project: Project) -> None:
    project.lock_file.write_text(project.lock_file.read_text() + "# pulled\n")

    assert "changed since" in project.run("app.py", status=1).err


def test_a_file_with_the_same_key_but_other_bytes_is_not_trusted(project: Project) -> None:
    (copy,) = project.machine.home.glob("plans/*/*/*/lock")
    copy.write_text("other bytes\n")

    assert "was not installed here" in project.run("app.py", status=1).err


@pytest.mark.ends
def test_a_lock_is_compared_with_what_was_installed_at_its_path_and_else_found_by_its_bytes(
    project: Project, other: Project
) -> None:
    root = Path(root_folder(str(project.machine.home), str(project.lock_file)))
    root.mkdir(parents=True)
    its_view = make_plan(other, {"alpha==2.0": _alpha("2.0")}).parent
    (root / "default").symlink_to(os.path.relpath(its_view, root))

    assert project.run("app.py").out == "1.0\n"
    project.lock_file.write_text("anything: at all\n")
    assert "changed since" in project.run("app.py", status=1).err
    project.lock_file.write_bytes(other.lock_file.read_bytes())
    assert project.run("app.py").out == "2.0\n"


@pytest.mark.once
def test_a_script_that_comes_through_a_pipe_is_left_to_python_to_read(machine: Machine) -> None:
    folder = machine.root / "pipes"
    folder.mkdir()
    os.mkfifo(folder / "app.py")
    python = subprocess.Popen(
        [sys.executable, "app.py"], cwd=folder, env=machine.env, stdout=subprocess.PIPE, text=True
    )
    (folder / "app.py").write_text("print('whole')\n")

    assert python.communicate(timeout=60)[0] == "whole\n"


def test_a_lock_that_another_version_of_envknit_installed_says_so(project: Project) -> None:
    (project.machine.home / "plans/2").rename(project.machine.home / "plans/1")

    assert "was installed by another version of envknit; run: " in project.run("app.py", status=1).err


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_a_lock_that_is_no_file_does_not_stop_python(machine: Machine, kind: str) -> None:
    project = machine.project()
    if kind == "fifo":
        os.mkfifo(project.lock_file)
    elif kind == "folder":
        project.lock_file.mkdir()
    else:
        project.lock_file.symlink_to("/dev/zero")

    assert project.code("print('runs')", timeout=10).out == "runs\n"


@pytest.mark.parametrize("damage", ["", "envknit-plan 3\nend\n", "envknit-plan 2\nabi\tx\n", "\0\xff"])
def test_a_damaged_plan_does_not_stop_python_and_is_told(project: Project, damage: str) -> None:
    (plan,) = project.machine.home.glob("plans/*/*/*/trees/*/plan")
    plan.chmod(0o644)
    plan.write_text(damage, encoding="latin-1")

    ran = project.code("print('runs'); import alpha", status=1)

    assert ran.out == "runs\n"
    assert f"envknit: {project.lock_file} cannot be used: " in ran.err
    assert "run: python -m envknit install" in ran.err


def test_a_store_that_others_may_write_is_not_used(project: Project) -> None:
    project.machine.home.chmod(0o777)

    assert "must be yours, and writable by nobody else" in project.run("app.py", status=1).err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to become another user")
def test_a_store_of_another_user_is_not_used(project: Project) -> None:
    os.chown(project.machine.home, 12345, 12345)

    assert "must be yours" in project.run("app.py", status=1).err


def test_an_environment_that_is_not_installed_is_named(project: Project) -> None:
    ran = project.run("app.py", env={"ENVKNIT_ENV": "ml"}, status=1)

    assert "environment 'ml'" in ran.err
    assert "--env ml" in ran.err


def test_an_environment_cannot_name_a_path(project: Project) -> None:
    ran = project.run("app.py", env={"ENVKNIT_ENV": "../../evil"}, status=1)

    assert "is not the name of an environment" in ran.err


def test_a_deleted_working_folder_does_not_stop_python(machine: Machine) -> None:
    gone = machine.root / "gone"
    gone.mkdir()
    code = "import os, subprocess, sys; os.rmdir(os.getcwd()); subprocess.run([sys.executable, '-c', 'print(1)'])"

    assert machine.run("-c", code, cwd=gone).out == "1\n"


def test_a_pin_that_the_store_lost_is_named_and_nothing_else_answers(project: Project) -> None:
    (entry,) = project.machine.home.glob("packages/site-packages/alpha-*")
    shutil.rmtree(entry)

    ran = project.run("app.py", status=1)

    assert "the store lost" in ran.err
    assert "run: python -m envknit install" in ran.err


def test_a_start_loads_one_module_and_two_more_for_a_lock(machine: Machine, project: Project) -> None:
    show = "import sys; print(*sorted(sys.modules))"
    off = set(machine.run("-S", "-c", show, env=UNMEASURED).out.split())
    plain = set(machine.run("-c", show, env={**UNMEASURED, "ENVKNIT": "0"}).out.split())
    nothing = set(machine.run("-c", show, env=UNMEASURED).out.split())
    locked = set(project.run("-c", show, env=UNMEASURED).out.split())

    assert "_envknit_bootstrap" not in off
    assert nothing == plain
    assert locked == {*plain, "_envknit_plans", "_envknit_activation"}
    heavy = {"re", "json", "pathlib", "typing", "threading", "importlib.util"}
    if sys.version_info >= (3, 15):
        heavy -= {"re", "importlib.util"}  # `site` needs `pkgutil` for every `.start` file (PEP 829)
    assert not heavy & locked


def test_the_first_call_of_start_counts(project: Project) -> None:
    def program():
        import sys

        import _envknit_bootstrap as b

        before = list(sys.path), list(sys.meta_path), list(sys.path_hooks)
        b.start()
        b.start()
        print((list(sys.path), list(sys.meta_path), list(sys.path_hooks)) == before)

    assert project.code(program).out == "True\n"


def test_the_start_file_names_what_the_pth_file_calls() -> None:
    from pkgutil import resolve_name

    import _envknit_bootstrap

    folder = Path(sysconfig.get_path("purelib"))
    (entry,) = (folder / "envknit.start").read_text(encoding="utf-8-sig").split()
    line = (folder / "envknit.pth").read_text(encoding="utf-8-sig").strip()

    assert callable(resolve_name(entry))
    assert line == f"import {entry.partition(':')[0]}; {entry.replace(':', '.')}()"
