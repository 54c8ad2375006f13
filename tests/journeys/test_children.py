"""Processes that an active process starts: docs/explanation/startup.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.planned import make_plan
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Machine, Project

MODULE = "import os\nVERSION = '1.0'\ndef double(x): return 2 * x\n"


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    """A project whose lock has alpha 1.0, installed."""
    project = machine.project(name="one")
    make_plan(project, {"alpha==1.0": {"alpha.py": MODULE}})
    return project


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_multiprocessing_children_see_the_lock_even_after_chdir(project: Project, method: str) -> None:
    def program(method):
        import multiprocessing
        import os

        import alpha

        if __name__ == "__main__":
            os.chdir("/")
            with multiprocessing.get_context(method).Pool(2) as pool:
                print(pool.map(alpha.double, [1, 2, 3]))

    assert project.code(source_of(program, method=method)).out == "[2, 4, 6]\n"


def test_a_process_pool_executor_sees_the_lock(project: Project) -> None:
    def program():
        import concurrent.futures
        import multiprocessing
        import os

        import alpha

        if __name__ == "__main__":
            os.chdir("/")
            context = multiprocessing.get_context("spawn")
            with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
                print(pool.submit(alpha.double, 21).result())

    assert project.code(program).out == "42\n"


def test_a_subprocess_with_code_sees_the_lock_from_another_folder(project: Project) -> None:
    def program():
        import subprocess
        import sys

        def run(*a):
            return subprocess.run([sys.executable, *a], cwd="/", capture_output=True, text=True).stdout.strip()

        print(run("-c", "import alpha; print(alpha.VERSION)"))
        print(run("-m", "alpha") == "", run("-m", "timeit", "-n1", "-r1", "-s", "import alpha", "1") != "")

    assert project.code(program).out == "1.0\nTrue True\n"


def test_a_child_keeps_the_plan_of_its_parent_when_the_lock_changes_meanwhile(project: Project) -> None:
    def program():
        import pathlib
        import subprocess
        import sys

        pathlib.Path("envknit.lock.yaml").write_text("changed: by a pull\n")
        print(subprocess.run([sys.executable, "-c", "import alpha; print(alpha.VERSION)"], capture_output=True).stdout)

    assert project.code(program).out == "b'1.0\\n'\n"


def test_a_child_sees_a_lock_that_was_installed_meanwhile(project: Project) -> None:
    """As `uvicorn --reload` and `python -m flask run --debug` start their servers again."""
    before = project.lock_file.read_text()
    make_plan(project, {"alpha==2.0": {"alpha.py": "VERSION = '2.0'\n"}}, lock=f"{before}# again\n")
    after = project.lock_file.read_text()
    project.lock_file.write_text(before)

    def program(after):
        import multiprocessing
        import os
        import pathlib
        import subprocess
        import sys

        import alpha

        if __name__ == "__main__":
            pathlib.Path("envknit.lock.yaml").write_text(after)
            os.chdir("/")
            subprocess.run([sys.executable, "-c", "import alpha; print(alpha.VERSION)"])
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(eval, ["__import__('alpha').VERSION"]), alpha.VERSION)

    assert project.code(source_of(program, after=after)).out == "2.0\n['2.0'] 1.0\n"


def test_a_child_in_another_projects_script_gets_that_projects_lock(project: Project, machine: Machine) -> None:
    other = machine.project(name="two")
    make_plan(other, {"alpha==2.0": {"alpha.py": "VERSION = '2.0'\n"}})
    other.write("app.py", "import alpha; print(alpha.VERSION)")
    source = f"import subprocess, sys; subprocess.run([sys.executable, {str(other.root / 'app.py')!r}])"

    assert project.code(source).out == "2.0\n"


def test_a_child_of_another_build_of_python_does_not_inherit(project: Project) -> None:
    def program():
        import os
        import subprocess
        import sys

        os.environ["ENVKNIT_ACTIVE"] = "cpython-27:" + os.environ["ENVKNIT_ACTIVE"].partition(":")[2]
        child = "import importlib.util; print(importlib.util.find_spec('alpha'))"
        subprocess.run([sys.executable, "-c", child], cwd="/")

    assert project.code(program).out == "None\n"


def test_a_child_that_ignores_the_environment_does_not_inherit(project: Project) -> None:
    def program():
        import subprocess
        import sys

        child = "import importlib.util; print(importlib.util.find_spec('alpha'))"
        subprocess.run([sys.executable, "-E", "-c", child], cwd="/")

    assert project.code(program).out == "None\n"


def test_a_child_may_be_told_another_environment_of_its_parents_lock(project: Project) -> None:
    make_plan(project, {"alpha==3.0": {"alpha.py": "VERSION = '3.0'\n"}}, environment="ml")

    def program():
        import os
        import subprocess
        import sys

        show = [sys.executable, "-c", "import alpha; print(alpha.VERSION)"]
        subprocess.run(show, cwd="/", env=os.environ | {"ENVKNIT_ENV": "ml"})

    make_plan(project, {"alpha==1.0": {"alpha.py": MODULE}}, lock=project.lock_file.read_text())

    assert project.code(program).out == "3.0\n"


def test_what_is_inherited_cannot_name_a_file_outside_the_store(project: Project) -> None:
    for forged in ("..", "a/b", ""):
        chosen = {"ENVKNIT_ACTIVE": f"cpython-x:{forged}:default:/x"}
        assert project.run("-c", "import alpha", env=chosen).err == ""


def test_the_plan_in_use_is_held_open(project: Project) -> None:
    def program():
        import os

        links = [
            os.readlink(f"/proc/self/fd/{fd}")
            for fd in os.listdir("/proc/self/fd")
            if os.path.islink(f"/proc/self/fd/{fd}")
        ]
        print(sum(link.endswith("/plan") for link in links))

    assert project.code(program).out == "1\n"
