"""`run`, `env`, `shell` and `view`: as an activated virtual environment that holds what the lock says."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.ends

APP = "import lib; print(lib.__version__)"


@pytest.fixture(name="project")
def _project(machine: Machine, index: LoopbackIndex) -> Project:
    """A project with a library and a console script, installed."""
    index.publish("lib", "1.0")
    index.publish("lib", "2.0")
    say = "import sys, lib\ndef main():\n    print('moo', lib.__version__)\n    sys.exit(7 if sys.argv[1:] else 0)\n"
    index.publish("say", "1.0", {"say.py": say}, entry_points={"console_scripts": {"say": "say:main"}})
    project = machine.project(["lib==1.0", "say"])
    project.write("app.py", APP)
    return project.ready()


def _base_python(project: Project) -> str:
    """Return the interpreter below the virtual environment of the machine, by its own name."""
    return project.machine.run("-c", "import os, sys; print(os.path.realpath(sys.executable))").out.strip()


def _hooked(project: Project) -> dict[str, str]:
    """Let an interpreter without envknit have it, as though it were installed there."""
    site = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    _program(project.machine.root / "hooked" / "sitecustomize.py", site)
    return {"PYTHONPATH": str(project.machine.root / "hooked")}


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_python_and_its_other_names_are_the_environment_s(project: Project) -> None:
    other = project.machine.root / "other"
    for name in ("python", "python3"):
        _program(other / name, "#!/bin/sh\necho another python\n")
    first = {"PATH": f"{other}:{project.machine.env['PATH']}"}
    project.write("Makefile", "test:\n\tpython app.py\n")
    _program(project.root / "tool", f"#!/usr/bin/env python3\n{APP}\n")
    launcher = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"  # opentelemetry-instrument and its like
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"

    for command in (
        ["python", "app.py"], [minor, "app.py"], ["sh", "-c", "python app.py"], ["./tool"],
        ["python", "-c", launcher, "python3", "app.py"], *([["make", "-s", "test"]] if shutil.which("make") else []),
    ):  # fmt: skip
        assert project.envknit("run", "--", *command, env=first).out == "1.0\n", command


@pytest.mark.parametrize("which", ["of a virtual environment", "of the view", "without an environment"])
def test_the_interpreter_below_has_another_name_as_in_a_virtual_environment(project: Project, which: str) -> None:
    program = "import os, sys; a, b = sys.executable, sys._base_executable; print(a != b, os.path.samefile(a, b))"
    if which == "of the view":
        said = project.envknit("run", "--", "python", "-c", program).out
    elif which == "without an environment":
        said = project.machine.run(_base_python(project), "-c", program, cwd=project.root, env=_hooked(project)).out
    else:
        said = project.code(program).out

    assert said == "True True\n"


def test_tools_of_other_environments_are_left_alone(project: Project) -> None:
    other = project.machine.root / "other"
    project.machine.run("-m", "venv", "--without-pip", other)
    (site,) = other.glob("lib/python*/site-packages")
    (site / "mine.py").write_text("print('my own')\n")
    tool = _program(other / "bin" / "tool", f"#!{other}/bin/python\nimport mine\n")

    assert project.envknit("run", "--", tool).out == "my own\n"
    assert project.envknit("run", "--", "sh", "-c", str(tool)).out == "my own\n"
    assert project.envknit("run", "--", "python", "-c", f"import lib, os; os.system({str(tool)!r})").out == "my own\n"


def test_nothing_but_what_activation_sets_is_set(project: Project) -> None:
    look = "import json, os, sys; print(json.dumps([dict(os.environ), sys.prefix]))"
    import json

    outer = {"ENVKNIT_LOCK": "/nowhere", "ENVKNIT_ENV": "none", "PYTHONHOME": "", "PYTHONPATH": "given"}
    variables, prefix = json.loads(project.envknit("run", "--", "python", "-c", look, env=outer).out)

    assert Path(variables["VIRTUAL_ENV"]).resolve() == Path(prefix)
    assert variables["PATH"].startswith(f"{variables['VIRTUAL_ENV']}/bin:")
    assert variables["PYTHONPATH"] == "given"
    assert "ENVKNIT_LOCK" not in variables
    assert "ENVKNIT_ENV" not in variables


@pytest.mark.once
def test_a_python_that_is_too_old_for_envknit_is_left_alone(project: Project) -> None:
    from envknit.pythons import find_python

    old = find_python("3.9")
    if old is None:
        pytest.skip("no Python 3.9 here")
    code = "try:\n    import nope\nexcept ImportError:\n    print('fallback')"

    ran = project.envknit("run", "--", old.executable, "-c", code)

    assert (ran.out, ran.err) == ("fallback\n", "")


def test_what_runs_sees_the_next_install(project: Project) -> None:
    script = """
        import subprocess, sys
        show = [sys.executable, "app.py"]
        subprocess.run(show)
        subprocess.run(["envknit", "add", "-q", "lib==2.0"], check=True)
        subprocess.run(show)
        subprocess.run(["say"])
    """
    project.write("session.py", script)
    tools = _program(project.machine.root / "tools" / "envknit", f'#!/bin/sh\nexec {sys.executable} -m envknit "$@"\n')
    path = f"{tools.parent}:{project.machine.env['PATH']}"

    assert project.envknit("run", "--", "python", "session.py", env={"PATH": path}).out == "1.0\n2.0\nmoo 2.0\n"


def test_a_script_that_starts_itself_again_sees_the_next_install(project: Project, index: LoopbackIndex) -> None:
    """As the reloaders of Flask and uvicorn do, which were started by `envknit run` or in an activated shell."""
    again = """
        import lib, os, subprocess, sys
        def main():
            print(lib.__version__, flush=True)
            if len(sys.argv) == 1:
                subprocess.run([os.environ["HOST"], "-m", "envknit", "add", "-q", "lib==2.0", "again"], check=True)
                subprocess.run([sys.executable, sys.argv[0], "script"], check=True)
                subprocess.run([sys.executable, "-c", "import lib; print(lib.__version__)"], check=True)
    """
    points = {"console_scripts": {"again": "again:main"}}
    index.publish("again", "1.0", {"again.py": textwrap.dedent(again)}, entry_points=points)
    project.envknit("add", "-q", "again")
    link = project.machine.root / "tools" / "again"
    link.parent.mkdir()

    host = {"HOST": sys.executable}
    assert project.envknit("run", "--", "again", env=host).out == "1.0\n2.0\n2.0\n"
    project.envknit("add", "-q", "lib==1.0")
    link.symlink_to(project.envknit("run", "--", "which", "again").out.strip())
    assert project.run(link, env=host).out.startswith("1.0\n")


def test_the_command_line_works_in_an_activated_shell(project: Project) -> None:
    inside = ("run", "--", "python", "-m", "envknit")

    assert "active" in project.envknit(*inside, "status").out
    assert "everything is installed" in project.envknit(*inside, "install").out
    assert "has a hook of its own" in project.envknit(*inside, "hook", "install", status=4).err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh", "direnv"])
def test_env_prints_what_a_shell_evaluates(project: Project, shell: str) -> None:
    said = project.envknit("env", "--shell", shell).out
    if shell == "direnv":
        assert "PATH_add " in said
    program = shutil.which("bash" if shell == "direnv" else shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    begin = "PATH_add() { PATH=$1:$PATH; }; " if shell == "direnv" else ""

    assert project.machine.run(program, "-c", f"{begin}{said}\nsay; say", cwd=project.root).out == "moo 1.0\n" * 2


def test_env_speaks_the_language_of_the_person_s_shell(project: Project) -> None:
    assert "activate.fish" in project.envknit("env", env={"SHELL": "/usr/bin/fish"}).out
    assert "activate.csh" in project.envknit("env", env={"SHELL": "/bin/csh"}).out
    assert project.envknit("env", env={"SHELL": "/bin/dash"}).out.rstrip().endswith("/bin/activate")


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_shell_starts_one_behind_what_its_own_start_up_files_do_to_path(project: Project, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    user = project.machine.root / "user"
    _program(user / "shims" / "say", "#!/bin/sh\necho a shim\n")
    for file in (".bashrc", ".zshrc"):
        (user / file).write_text('PATH="$HOME/shims:$PATH"\n')
    _program(user / ".config" / "fish" / "config.fish", "set -gx PATH $HOME/shims $PATH\n")

    ran = project.envknit("shell", env={"SHELL": program}, stdin="say\nexit 3\n", status=3)

    assert ran.out.endswith("moo 1.0\n")


def test_a_view_is_a_link_that_every_install_keeps_right(project: Project) -> None:
    project.envknit("view")
    link = project.root / ".venv"

    assert link.is_symlink()
    assert project.machine.run(link / "bin" / "python", "app.py", cwd=project.root).out == "1.0\n"
    project.envknit("add", "lib==2.0")
    assert project.machine.run(link / "bin" / "python", "app.py", cwd=project.root).out == "2.0\n"
    assert project.machine.run(link / "bin" / "say").out == "moo 2.0\n"

    moved = project.machine.root / "moved"
    project.machine.env["ENVKNIT_HOME"] = str(moved)
    project.install()
    assert str(moved) in str(link.readlink())


def test_a_folder_that_is_no_view_is_replaced_only_when_asked(project: Project) -> None:
    link = project.root / ".venv"
    (link / "lib").mkdir(parents=True)

    assert ".venv is there already" in project.envknit("view", status=2).err
    assert link.is_dir()
    project.envknit("view", "--force")
    assert link.is_symlink()
    project.envknit("view")
    assert f"removed {link}" in project.envknit("view", "--remove").out
    assert not link.is_symlink()

    link.symlink_to(project.machine.root)
    assert ".venv is there already" in project.envknit("view", status=2).err


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_ignores_the_link_and_no_file_of_the_project_changes(project: Project) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@y", *arguments]
        return subprocess.run(command, cwd=project.root, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "all")
    for _ in range(2):
        project.envknit("view")

    assert git("status", "--porcelain") == ""
    assert (project.root / ".git" / "info" / "exclude").read_text().count("/.venv\n") == 1


def test_a_view_without_an_install_says_what_to_run(project: Project) -> None:
    project.envknit("lock")
    project.write("envknit.lock.yaml", project.lock_file.read_text() + "# another\n")

    assert "hint: run: envknit install" in project.envknit("view", status=4).err
    assert not (project.root / ".venv").is_symlink()


@pytest.fixture(name="foreign")
def _foreign(project: Project) -> Path:
    """Another virtual environment, first on PATH and without the hook: what an editor activates, or pipx leaves."""
    other = project.machine.root / "foreign"
    project.machine.run("-m", "venv", "--without-pip", other)
    project.machine.env["PATH"] = f"{other}/bin:{project.machine.env['PATH']}"
    return other / "bin" / "python"


def test_status_and_doctor_speak_of_the_python_of_the_shell(project: Project, foreign: Path) -> None:
    said = project.envknit("status", status=1).out
    assert f"`python` is another: {sys.version.split()[0]} ({foreign})" in said
    assert f"next      envknit --python {foreign} hook install" in said
    said = project.envknit("doctor", status=1).out
    assert "plain `python` does not start envknit" in said
    assert f"run: envknit --python {foreign} hook install" in said
    assert f"envknit --python {foreign} doctor" in project.install().err

    project.envknit("--python", str(foreign), "hook", "install")

    assert project.machine.run(foreign, "app.py", cwd=project.root).out == "1.0\n"
    assert "active" in project.envknit("status").out
    assert "plain `python` here uses environment 'default'" in project.envknit("doctor").out


def test_hints_repeat_the_options_that_were_given(project: Project, foreign: Path) -> None:
    lock = project.lock_file.read_text()
    project.lock_file.write_text(lock + "# changed\n")
    options = ("--python", str(foreign), "-C", str(project.root))

    said = project.machine.envknit(*options, "run", "--", "say", status=4).err

    assert f"hint: run: envknit -C {project.root} --python {foreign} install" in said
    said = project.machine.envknit(*options, "status", status=1).out
    assert f"next      envknit -C {project.root} --python {foreign} install" in said
