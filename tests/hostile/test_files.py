"""What lies where a lock, a project, a plan or a store should be: nothing of it may hang or be called our fault."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.once

ANSWERS = {2, 4}  # the lock or the project; the store or the disk


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


def _socket(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(f"/proc/self/fd/{folder}/{path.name}")  # the name of a socket may have 107 bytes
    os.close(folder)


ODD: dict[str, Callable[[Path], object]] = {
    "FIFO": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "folder": lambda path: path.mkdir(),
    "socket": _socket,
    "two gigabytes of nothing": _sparse,
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to nowhere": lambda path: path.symlink_to("nowhere/at/all"),
    "bytes that are no text": lambda path: path.write_bytes(b"\xff\xfe\x00\x01" * 64),
    "something else": lambda path: path.write_text("- a list\n"),
}


@pytest.fixture(name="project")
def _project(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project without packages, and this very process in it."""
    project = machine.project()
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project.root)
    return project


@pytest.mark.parametrize("verb", ["lock", "install", "status", "tree", "run -- true", "verify", "add x", "why x"])
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.timeout(20)
def test_what_is_no_lock_is_one_error(
    kind: str, verb: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    ODD[kind](project.lock_file)
    before = project.file.read_bytes()

    status = main(verb.split())

    out, err = capsys.readouterr()
    is_missing = kind.startswith("link")  # it is written, or told as missing
    assert status in ({0, 1, 2, 3, 4} if is_missing else ANSWERS), (out, err)
    assert "error: " in err or is_missing
    assert "has a fault" not in err
    assert before == project.file.read_bytes()


@pytest.mark.parametrize("name", ["envknit.yaml", "pyproject.toml"])
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.timeout(20)
def test_what_is_no_project_is_one_error(
    kind: str, name: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.file.unlink()
    ODD[kind](project.root / name)

    assert main(["lock"]) in ANSWERS
    assert "has a fault" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.timeout(60)
def test_what_is_no_plan_stops_no_python(kind: str, machine: Machine) -> None:
    project = machine.project().ready()
    (plan,) = machine.home.glob("plans/*/*/*/trees/*/plan")
    plan.parent.chmod(0o700)
    plan.unlink()
    ODD[kind](plan)

    assert "alive\n" == project.run("-c", "print('alive')", timeout=20).out
    assert project.envknit("status", status=None, timeout=20).status in {0, 1, 2, 4}
    project.envknit("install")
    assert "True\n" == project.run("-c", "import _envknit_bootstrap as b; print(b.active is not None)").out


def test_a_deleted_working_folder_is_one_error(machine: Machine) -> None:
    gone = machine.root / "gone"
    gone.mkdir()
    program = (
        "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.executable, [sys.executable, '-m', 'envknit', 'status'])"
    )

    ran = machine.run("-c", program, cwd=gone, status=2)

    assert "error: the working folder is gone" in ran.err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_status_and_run_runs(closed: str, machine: Machine) -> None:
    project = machine.project().ready()

    for verb in ("status", "install", "run -- touch ran"):
        command = f"exec {sys.executable} -m envknit {verb} {closed}"
        subprocess.run(["sh", "-c", command], cwd=project.root, env=machine.env, check=True, capture_output=True)

    assert (project.root / "ran").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("line", ["status", "lock", "install", "why nosuch", "no-such-verb", "tree --no-such-option"])
def test_what_cannot_be_told_changes_no_status(line: str, machine: Machine, index: LoopbackIndex) -> None:
    index.publish("lib", "1.0", {"lib.py": ""})
    statuses = []
    for number, err in enumerate((os.devnull, "/dev/full")):
        project = machine.project(["lib"], name=f"p{number}")
        project.lock()
        command = ["sh", "-c", f"exec {sys.executable} -m envknit {line} 2>{err}"]
        env = {**machine.env, "PATH": f"/usr/bin:{machine.env['PATH']}"}  # another `python`, of which `install` warns
        ran = subprocess.run(command, cwd=project.root, env=env, check=False, stdout=subprocess.DEVNULL)
        statuses.append(ran.returncode)

    assert statuses[0] == statuses[1]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take UTF-8 only")
@pytest.mark.parametrize("name", [b"sur\xff\xfe", "\u00fcml\u00e4ut \U0001f40d".encode(), b"a'b\"c $(x)"])
def test_a_path_that_python_takes_works(name: bytes, machine: Machine) -> None:
    project = machine.project(name=os.fsdecode(name)).ready()

    project.envknit("status")
    assert "True\n" == project.run("-c", "import _envknit_bootstrap as b; print(b.active is not None)").out


@pytest.mark.parametrize("name", ["a\tb", "a\nb"])
def test_a_path_that_no_plan_can_hold_is_one_error_before_anything_is_written(name: str, machine: Machine) -> None:
    project = machine.project(name=name)
    project.lock()

    assert "tab or line break" in project.envknit("install", status=2).err
    assert [] == list(machine.home.glob("plans/*/*/*/views/*"))


@pytest.mark.parametrize("name", ["a:b", os.fsdecode(b"\xff"), "d/" * 700])
@pytest.mark.parametrize("line", ["install", "env create x"])
def test_a_store_whose_path_cannot_be_one_is_refused(name: str, line: str, machine: Machine) -> None:
    project = machine.project()
    project.lock()

    ran = project.envknit(*line.split(), env={"ENVKNIT_HOME": str(machine.root / name)}, status=4)

    assert "set ENVKNIT_HOME" in ran.err


def test_nothing_is_mended_in_a_folder_of_other_things(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    loose = project.root / "loose"
    loose.mkdir()
    loose.chmod(0o777)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENVKNIT_HOME", str(project.root))
        assert main(["verify", "--all", "--repair"]) == 4

    assert "a folder of other things" in capsys.readouterr().err
    assert loose.stat().st_mode & 0o777 == 0o777


def test_a_module_that_cannot_be_loaded_is_one_error(project: Project) -> None:
    program = "import sys; sys.modules['envknit.store.store'] = None; from envknit.cli.main import main"
    ran = project.run("-c", f"{program}; sys.exit(main(['store', 'stats']))", status=4)

    assert ran.err.startswith("error: a module cannot be loaded")


def test_ctrl_c_before_the_command_line_is_loaded_is_told_as_ever(project: Project) -> None:
    program = """\
import sys
from envknit.cli.start import main

class Interrupted:
    def find_spec(self, name, *_):
        if name == "envknit.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
main()
"""
    ran = project.run("-c", program, "status", status=130)

    assert "\nerror: interrupted\n" == ran.err


@pytest.mark.usefixtures("project")
def test_too_little_memory_is_one_error(capsys: pytest.CaptureFixture[str]) -> None:
    def spend(*_: object) -> None:
        bytearray(1 << 60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("envknit.cli.status.main", spend)
        assert main(["status"]) == 4
    assert "not enough memory" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["argparse", "envknit.cli.main", "envknit.cli.status"])
def test_a_command_line_that_cannot_start_is_one_error(module: str, project: Project) -> None:
    program = f"import sys; sys.modules[{module!r}] = None; from envknit.cli.start import main; sys.exit(main())"

    ran = project.run("-c", program, "status", status=4)
    assert ran.err.startswith("error: a module cannot be loaded: ")
    assert "Traceback" not in ran.err
    assert "Traceback" in project.run("-c", program, "status", "--verbose", status=4).err
