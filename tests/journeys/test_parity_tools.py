"""Tools that read folders and paths, under a lock: they say what they say in a virtual environment."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from kit import Machine
from kit.debugger import Debugger

if TYPE_CHECKING:
    from kit import Project, Ran
    from kit.programs import Program

pytestmark = [pytest.mark.network, pytest.mark.once]

PACKAGES = (
    "basedpyright", "build", "coverage", "cython", "debugpy", "dill", "furo", "importlib_metadata<10", "ipython",
    "ipywidgets", "jedi", "jupyterlab", "mypy", "ninja", "nox", "numpy", "pre-commit", "pyinstaller", "pylint",
    "pytest-cov", "pyyaml", "requests", "setuptools<80", "sphinx", "tox", "virtualenv", "werkzeug", "zipp",
    "zope.interface", "zope.event",
)  # fmt: skip
WRONG = "import requests\n\nNAME: str = requests.get('http://x', timeout=1).status_code\n"


@pytest.fixture(name="project", scope="module")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One project that has all of these tools."""
    return Machine(tmp_path_factory.mktemp("tools") / "machine", None).project(PACKAGES).ready()


def run(project: Project, *arguments: str | Program, status: int | None = 0) -> Ran:
    """Run `python` with these arguments, at most two minutes."""
    return project.run(*arguments, status=status, timeout=120, env={"PYTHONDONTWRITEBYTECODE": None})


def test_type_checkers_and_pylint_find_types_and_names(project: Project) -> None:
    project.write("wrong.py", WRONG)

    said = run(project, "-m", "mypy", "wrong.py", status=1).out
    assert "Found 1 error in 1 file" in said
    assert 'expression has type "int", variable has type "str"' in said
    found = json.loads(run(project, "-m", "basedpyright", "--outputjson", "--level", "error", "wrong.py", status=1).out)
    assert [error["rule"] for error in found["generalDiagnostics"]] == ["reportAssignmentType"]
    said = run(project, "-m", "pylint", "--disable=C", "wrong.py").out
    assert "rated at 10.00/10" in said


def test_completion_knows_names_of_packages_and_of_what_is_in_them(project: Project) -> None:
    source = """
        import jedi
        print([c.name for c in jedi.Interpreter("import nump", [{}]).complete()])
        print("Session" in [c.name for c in jedi.Script("from requests import Sess").complete()])
        import sys
        from IPython.core.completerlib import module_list, try_import
        print(any("requests" in module_list(path) for path in sys.path), "get" in try_import("requests"))
    """

    assert run(project, "-c", "\n".join(map(str.strip, source.splitlines()))).out == "['numpy']\nTrue\nTrue True\n"


def test_coverage_measures_the_program_alone(project: Project) -> None:
    project.write("measured.py", "import requests\ntry:\n    import nowhere\nexcept ImportError:\n    pass\n")
    run(project, "-m", "coverage", "run", "measured.py")
    lines = run(project, "-m", "coverage", "report").out.splitlines()
    assert [line.split()[0] for line in lines if line and not line.startswith("-")] == ["Name", "measured.py", "TOTAL"]

    project.write("test_measured.py", "import requests\ndef test(): pass\n")
    said = run(project, "-m", "pytest", "-q", "--cov", "--cov-fail-under=100", "test_measured.py").out
    assert "Total coverage: 100.00%" in said


def test_libraries_are_told_from_a_person_s_own_code(project: Project) -> None:
    source = "import dill, yaml, werkzeug.debug.tbtools as t; print(len(dill.dumps(yaml)) < 100)"

    assert run(project, "-c", source).out == "True\n"


@pytest.mark.parametrize("just_my_code", [True, False])
def test_a_debugger_steps_over_libraries_where_only_ones_own_code_counts(
    project: Project, *, just_my_code: bool
) -> None:
    script = project.write("debugged.py", "import requests\ncode = requests.codes\nrequests.session()\nprint('over')\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "debugpy", "--listen", str(port), "--wait-for-client", script]
    # From elsewhere: the lock is that of the script
    with subprocess.Popen(command, cwd="/", env=project.machine.env, stdout=subprocess.PIPE, text=True) as process:
        debugger = Debugger(port)
        file, line = debugger.step_in(script, 3, just_my_code=just_my_code)
        debugger.close()  # the adapter ends with its client, and holds stdout until then
        assert ("over\n", None) == process.communicate(timeout=60)

    if just_my_code:
        assert (str(script), 4) == (file, line)
    else:
        assert "/site-packages/requests/" in file


def test_cython_finds_declarations_and_data_files_lie_under_the_prefix(project: Project) -> None:
    project.write("c.pyx", "cimport numpy as cnp\n")
    run(project, "-m", "cython", "c.pyx")

    assert (project.root / "c.c").stat().st_size > 1000
    assert "1." in run(project, "-m", "ninja", "--version").out


def test_pkg_resources_and_the_backport_of_metadata_give_what_is_locked(project: Project) -> None:
    def program():
        import importlib.metadata as m

        import importlib_metadata as im
        import zope.interface

        before = m.version("zipp")
        import warnings

        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "pkg_resources is deprecated")
        import pkg_resources

        print(m.version("zipp") == before == pkg_resources.get_distribution("zipp").version)
        print(im.distribution("requests").origin, type(im.distribution("zipp")).__module__)

    assert run(project, "-W", "error::UserWarning", "-c", program).out == "True\nNone importlib_metadata\n"


def test_documentation_is_built_with_a_theme(project: Project) -> None:
    project.write("docs/conf.py", "project = 'x'\nextensions = ['sphinx.ext.autodoc']\nhtml_theme = 'furo'\n")
    project.write("docs/index.rst", "Hi\n==\n\n.. automodule:: requests.api\n   :members: get\n")

    run(project, "-m", "sphinx", "-q", "-W", "-b", "html", "docs", "docs/out")

    assert "Sends a GET request" in (project.root / "docs" / "out" / "index.html").read_text()


def test_tools_that_make_environments_make_them(project: Project) -> None:
    project.write("noxfile.py", "import nox\n@nox.session\ndef t(s):\n    s.run('python', '-V')\n")
    assert "was successful" in run(project, "-m", "nox").err
    project.write("tox.ini", "[tox]\nno_package = true\n[testenv]\ncommands = python -V\n")
    assert "congratulations" in run(project, "-m", "tox", "-e", "py").out
    run(project, "-m", "virtualenv", "-q", "made")
    inside = project.machine.run(project.root / "made" / "bin" / "python", "-c", "import sys; print(sys.prefix)")
    assert inside.out == f"{project.root / 'made'}\n"

    # A Python that is in no virtual environment itself, as in most containers
    base = os.path.realpath(sys.executable)
    site = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    project.write("hooked/sitecustomize.py", site)
    program = "import virtualenv; virtualenv.cli_run(['again'])"
    project.machine.run(base, "-c", program, cwd=project.root, env={"PYTHONPATH": str(project.root / "hooked")})
    assert (project.root / "again/bin/python").exists()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_pre_commit_makes_the_environments_of_its_hooks(project: Project) -> None:
    hook = "{id: x, name: x, language: python, entry: python -V, additional_dependencies: [], always_run: true}"
    project.write(".pre-commit-config.yaml", f"repos: [{{repo: local, hooks: [{hook}]}}]\n")
    git = shutil.which("git") or ""
    project.machine.run(git, "init", "-q", cwd=project.root)

    project.machine.run(git, "add", ".pre-commit-config.yaml", cwd=project.root)
    assert "Passed" in run(project, "-m", "pre_commit", "run", "-a").out


def test_a_build_without_isolation_has_the_locked_backend(project: Project) -> None:
    project.write("pk/hello.py", "x = 1\n")
    backend = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    project.write("pk/pyproject.toml", backend + '[project]\nname = "hello"\nversion = "1"\n')

    assert "Successfully built hello-1" in run(project, "-m", "build", "-n", "-w", "pk").out


def test_a_program_is_frozen_with_its_packages(project: Project) -> None:
    project.write("frozen.py", "import yaml\nprint(yaml.safe_load('[1]'))\n")
    run(project, "-m", "PyInstaller", "--log-level", "ERROR", "-y", "--distpath", "dist", "frozen.py")

    assert project.machine.run(project.root / "dist" / "frozen" / "frozen").out == "[1]\n"


def test_jupyterlab_has_its_page_and_the_extensions_of_other_packages(project: Project) -> None:
    assert (
        "@jupyter-widgets/jupyterlab-manager"
        in project.envknit("run", "--", "jupyter", "labextension", "list", timeout=120).err
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ServerApp.token="]
    import subprocess

    environment = {**project.machine.env, "HOME": str(project.machine.root)}
    with subprocess.Popen(
        [project.machine.python, *command], cwd=project.root, env=environment, stderr=subprocess.DEVNULL
    ) as server:
        page = ""
        deadline = time.monotonic() + 60
        while not page and time.monotonic() < deadline:
            with suppress(OSError):
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/lab", timeout=10).read().decode()
            time.sleep(0.5)
        server.kill()

    assert "JupyterLab Error" not in page
    assert len(page) > 2000


def test_a_stable_python_of_the_environment_serves_a_type_checker_from_elsewhere(project: Project) -> None:
    project.envknit("view")
    project.write("wrong.py", WRONG)
    host = {"ENVKNIT": "0", "PATH": os.environ["PATH"]}

    said = project.machine.run(
        project.root / ".venv" / "bin" / "python", "-m", "mypy", "wrong.py", cwd=project.root, env=host, status=1
    )

    assert "Found 1 error in 1 file" in said.out
