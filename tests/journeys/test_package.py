"""What an installation of envknit puts where."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import files
from pathlib import Path

import pytest

from envknit.view.runtime import HOOK

ROOT = Path(__file__).parents[2]


def test_an_installation_has_the_hook_at_the_root_of_site_packages() -> None:
    installed = {str(file) for file in files("envknit") or ()}

    assert {*HOOK} <= installed


@pytest.mark.skipif(sys.version_info < (3, 15), reason="this Python reads no .start files (PEP 829)")
@pytest.mark.parametrize("doors", [["envknit.start"], ["envknit.pth"], ["envknit.pth", "envknit.start"]])
def test_either_door_starts_envknit_once(tmp_path: Path, doors: list[str]) -> None:
    venv.create(tmp_path, symlinks=True)
    (there,) = tmp_path.glob("lib/python*/site-packages")
    here = Path(sysconfig.get_path("purelib"))
    for name in [*doors, *(file for file in HOOK if file.endswith(".py"))]:
        shutil.copy(here / name, there / name)
    with (there / "_envknit_bootstrap.py").open("a") as file:
        file.write("\n_start_for_real = _start\ndef _start():\n    print('started')\n    _start_for_real()\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "ENVKNIT", "PYTHON"))}
    command = [tmp_path / "bin/python", "-c", "import _envknit_bootstrap as b; print(b.problem)"]
    said = subprocess.run(command, check=True, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True).stdout

    assert said == "started\nNone\n"


def test_the_package_says_that_it_is_typed() -> None:
    import envknit

    assert (Path(envknit.__file__).parent / "py.typed").exists()


@pytest.mark.network
def test_an_editable_install_activates_too(tmp_path: Path) -> None:
    venv.create(tmp_path, symlinks=True)
    python = str(tmp_path / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "-e", ROOT]
    subprocess.run(pip, check=True, cwd=tmp_path)
    code = "import envknit, sys; print('_envknit_bootstrap' in sys.modules, envknit.__file__)"
    said = subprocess.run([python, "-c", code], check=True, cwd=tmp_path, stdout=subprocess.PIPE, text=True).stdout

    assert f"True {ROOT / 'src' / 'envknit' / '__init__.py'}\n" == said


def test_python_m_envknit_is_the_command(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "envknit", "--version"], check=True, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ).stdout

    assert said.startswith("envknit ")


def test_a_working_folder_does_not_become_the_tool(tmp_path: Path) -> None:
    for name in ("argparse.py", "yaml.py", "packaging.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module')")

    subprocess.run(
        [sys.executable, "-m", "envknit", "hook", "status"], check=True, cwd=tmp_path, stdout=subprocess.PIPE
    )


@pytest.mark.once
@pytest.mark.network
def test_the_demo_shows_what_it_says() -> None:
    done = subprocess.run(
        ["sh", "scripts/demo"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHON": sys.executable},
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "click 8.0.4\n" in done.stdout
    assert "click 8.1.7\n" in done.stdout
    assert done.stdout.endswith("== Done\n")
