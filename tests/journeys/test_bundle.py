"""A bundle that is made here and installed elsewhere: another Python, another store, another path, no index."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.install.target import this_target
from envknit.pythons import find_python

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.once

HERE = next((tag.platform for tag in this_target().accepted if tag.platform.startswith("manylinux_2_")), "")
MAIN = "def main():\n    import sys, beta\n    print(beta.__version__, sys.version_info[1])\n"


@pytest.fixture(name="project")
def _project(machine: Machine, index: LoopbackIndex) -> Project:
    scripts = {"console_scripts": {"say": "app:main"}}
    index.publish("app", "1.0", {"app/__init__.py": MAIN}, requires=["beta"], entry_points=scripts)
    index.publish("beta", "1.0")
    index.publish("tool", "1.0")
    index.publish_sdist("built", "1.0", {"built.py": "x = 1\n"})
    project = machine.project(["app"], dev=["tool"], python_version=">=3.10")
    project.lock()
    return project


def elsewhere(machine: Machine) -> dict[str, str | None]:
    """Return the variables of a machine that has another store and no index."""
    return {"ENVKNIT_HOME": str(machine.root / "other" / "store"), "PIP_INDEX_URL": None, "PIP_NO_INDEX": "1"}


def bundle(project: Project, *options: str, name: str = "app.tar.gz") -> Path:
    project.envknit("bundle", "-o", project.machine.root / name, *options)
    return project.machine.root / name


@pytest.mark.parametrize("name", ["app.tar", "app.tar.xz"])
def test_a_bundle_installs_with_another_store_and_no_index(project: Project, name: str) -> None:
    made = bundle(project, name=name)
    there, env = project.machine.root / "there", elsewhere(project.machine)
    said = project.machine.envknit("-C", there, "unbundle", made, env=env).out

    assert "installed default: 3 pins, 3 new entries in the store" in said
    assert project.lock_file.read_bytes() == (there / "envknit.lock.yaml").read_bytes()
    wanted = f"1.0 {sys.version_info[1]}\n"
    assert wanted == project.machine.run("-c", "import app; app.main()", cwd=there, env=env).out
    programs = Path(said.strip().rpartition("programs of default: ")[2])
    assert wanted == project.machine.run(programs / "say", env=env).out
    assert "everything is installed" in project.machine.envknit("install", cwd=there, env=env).out
    assert not list(Path(str(env["ENVKNIT_HOME"]), "cache/artifacts").iterdir())


def test_a_bundle_packed_with_zstd_where_this_python_can(project: Project) -> None:
    ran = project.envknit("bundle", "-o", "app.tar.zst", status=None)
    if ran.status:
        assert "error: this Python cannot pack or unpack .tar.zst" in ran.err
        assert "zstd" in ran.err
    else:
        env = elsewhere(project.machine)
        project.machine.envknit("-C", "there", "unbundle", project.root / "app.tar.zst", env=env)


def test_the_same_lock_gives_the_same_bytes_wherever_it_lies(project: Project) -> None:
    first = bundle(project)
    moved = project.machine.root / "moved"
    shutil.move(project.root, moved)
    project.machine.envknit("bundle", "-q", "-o", "second.tar.gz", cwd=moved, env={"ENVKNIT_HOME": str(moved / "s")})

    assert first.read_bytes() == (moved / "second.tar.gz").read_bytes()
    assert 0o644 == first.stat().st_mode & 0o777 & ~os.umask(os.umask(0o22)) | 0o44


def test_a_bundle_without_dev_is_installed_without_dev(project: Project) -> None:
    made = bundle(project, "--no-dev")
    there, env = project.machine.root / "there", elsewhere(project.machine)
    project.machine.envknit("-C", there, "unbundle", made, env=env)

    project.machine.run("-c", "import app", cwd=there, env=env)
    project.machine.run("-c", "import tool", cwd=there, env=env, status=1)


def test_what_has_no_wheel_is_built_here_and_locked_as_the_wheel_that_it_became(
    machine: Machine, index: LoopbackIndex
) -> None:
    index.publish_sdist("built", "1.0", {"built.py": "x = 1\n"})
    project = machine.project(["built"])
    project.lock()
    made = bundle(project, name="app.tar")
    there, env = machine.root / "there", elsewhere(machine)
    machine.envknit("-C", there, "unbundle", made, env=env)

    machine.run("-c", "import built", cwd=there, env=env)
    with tarfile.open(made) as archive:
        wheels = [member.name for member in archive if member.name.startswith("wheels/")]
        read = archive.extractfile(wheels[0])
        assert read
        assert hashlib.sha256(read.read()).hexdigest() == wheels[0].removeprefix("wheels/")
    assert wheels[0].removeprefix("wheels/") in (there / "envknit.lock.yaml").read_text()


@pytest.mark.skipif(not HERE, reason="no platform that has a name among wheels")
def test_a_bundle_made_with_one_python_runs_with_another(project: Project) -> None:
    other = next(
        (found for version in ("3.11", "3.12", "3.10") if version != f"3.{sys.version_info[1]}"
         if (found := find_python(version)) and found.implementation == "cpython"), None
    )  # fmt: skip
    if other is None:
        pytest.skip("there is one Python here alone")
    minor = other.version.rpartition(".")[0]
    made = bundle(project, "--platform", HERE, "--python", minor)
    there, env = project.machine.root / "there", elsewhere(project.machine)
    there.mkdir()

    said = project.machine.envknit("-C", there, "--python", other.executable, "unbundle", made, env=env).out
    programs = Path(said.strip().rpartition("programs of default: ")[2])
    assert f"1.0 {minor.partition('.')[2]}\n" == project.machine.run(programs / "say", env=env).out
    refused = project.machine.envknit("-C", there / "2", "unbundle", made, env=env, status=None)
    assert refused.status in {0, 4}  # pure packages: any Python will do


def test_a_bundle_for_another_machine_is_refused_here_and_fills_a_store_for_it(
    project: Project, index: LoopbackIndex
) -> None:
    for machine_name in ("x86_64", "aarch64"):
        index.publish(
            "fast", "1.0", {f"fast-{machine_name}.txt": ""}, tags=f"cp313-cp313-manylinux_2_17_{machine_name}"
        )
    project.write("envknit.yaml", "environments: {default: {python_version: '>=3.13', packages: [fast]}}")
    project.lock()
    arm = ["--platform", "manylinux_2_28_aarch64", "--python", "3.13"]
    made = bundle(project, *arm)
    env = elsewhere(project.machine)

    said = project.machine.envknit("-C", "there", "unbundle", made, env=env, status=4).err
    assert "error: the bundle is not for this interpreter" in said
    assert "made for: cpython-313-aarch64-linux-gnu" in said
    assert not (project.machine.root / "there").exists()
    said = project.machine.envknit("-C", "there", "unbundle", made, *arm, env=env).out
    assert "for Python 3.13 of cpython-313-aarch64-linux-gnu: 1 pin" in said


def test_another_lock_in_the_folder_stays_and_is_told(project: Project) -> None:
    made = bundle(project)
    there = project.machine.root / "there"
    there.mkdir()
    (there / "envknit.lock.yaml").write_text("# mine\n")

    said = project.machine.envknit("-C", there, "unbundle", made, status=2).err
    assert "error: another lock than that of the bundle lies here" in said
    assert "# mine\n" == (there / "envknit.lock.yaml").read_text()


def test_a_folder_with_a_lock_alone_is_a_place_though_a_project_lies_above_it(project: Project) -> None:
    made = bundle(project)
    inner = project.root / "deploy"
    project.machine.envknit("-C", inner, "unbundle", made)

    facts = json.loads(project.machine.envknit("status", "--json", cwd=inner, status=None).out)
    assert str(inner / "envknit.lock.yaml") == facts["lock"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-o", "app.zip"], "the name of a bundle says how it is packed"),
        (["-o", "nowhere/app.tar"], "No such file or directory"),
        (["-o", "app.tar", "--env", "typo"], "the lock holds no environment 'typo'"),
        (["-o", "app.tar", "--platform", "plan9"], "there is no platform 'plan9'"),
        (["-o", "app.tar", "--platform", "manylinux_2_28_x86_64", "--python", "3.9"], "is no CPython 3.10 or newer"),
        ([], "the following arguments are required: -o/--output"),
    ],
)
def test_what_cannot_be_bundled_is_told_and_leaves_no_file(project: Project, options: list[str], told: str) -> None:
    ran = project.envknit("bundle", *options, status=None)

    assert ran.status in {2, 4}
    assert ran.err.startswith("error: ") or "\nerror: " in ran.err
    assert told in ran.err
    assert "has a fault" not in ran.err
    assert {"envknit.yaml", "envknit.lock.yaml"} == {path.name for path in project.root.iterdir()}
