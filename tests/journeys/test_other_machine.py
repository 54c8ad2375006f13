"""Stores that are filled here for another machine: other wheels, another Python, another path, and nobody to ask."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.install.target import this_target
from envknit.plan import Plan
from envknit.pythons import find_python

if TYPE_CHECKING:
    from envknit.pythons import Interpreter
    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.once

ARM = "manylinux_2_28_aarch64"
HERE = next((tag.platform for tag in this_target().accepted if tag.platform.startswith("manylinux_2_")), "")
MAIN = "def main():\n    import sys, beta\n    print(beta.__version__, sys.version_info[:2])\n"


@pytest.fixture(name="project")
def _project(machine: Machine, index: LoopbackIndex) -> Project:
    scripts = {"console_scripts": {"say": "app:main"}}
    requires = ["beta", "arm-only; platform_machine == 'aarch64'"]
    index.publish("app", "1.0", {"app/__init__.py": MAIN}, requires=requires, entry_points=scripts)
    index.publish("beta", "1.0")
    for number, abi in ((312, "x86_64-linux-gnu"), (312, "aarch64-linux-gnu"), (313, "aarch64-linux-gnu")):
        machine_name = abi.partition("-")[0]
        files: dict[str, bytes | str] = {
            "fast/__init__.py": "",
            f"fast/_core.cpython-{number}-{abi}.so": b"\x7fELF",
            f"_fast.cpython-{number}-{abi}.so": b"\x7fELF",
        }
        tags = f"cp{number}-cp{number}-manylinux_2_17_{machine_name}"
        index.publish("arm-only", "1.0", files, tags=tags)
    project = machine.project(["app"], python_version=">=3.10")
    project.lock()
    return project


@pytest.fixture(name="other", scope="module")
def _other() -> Interpreter:
    """Another CPython of this machine than the one that runs the tests."""
    for version in ("3.11", "3.12", "3.13", "3.10"):
        found = find_python(version) if not sys.version.startswith(version) else None
        if found is not None and found.implementation == "cpython":
            return found
    pytest.skip("there is one Python here alone")


def test_a_store_is_filled_with_the_wheels_and_the_plan_of_another_machine(project: Project) -> None:
    said = project.envknit("install", "--platform", ARM, "--python", "3.13").out

    assert "installed default for Python 3.13 of cpython-313-aarch64-linux-gnu: 3 pins" in said
    (link,) = (project.machine.home / "plans/2/cpython-313-aarch64-linux-gnu").glob("*/environments/default")
    plan = Plan.read(str(link.resolve() / "plan"))
    pin = plan.pins["arm-only", "1.0"]
    assert (True, ("_fast", "fast")) == (pin.native, pin.imports)
    assert "cp313-cp313-manylinux_2_17_aarch64" in pin.folder
    assert sorted(path.name for path in (link / "lib/python3.13/site-packages").glob("*fast*")) == [
        "_fast.cpython-313-aarch64-linux-gnu.so",
        "fast",
    ]
    assert "/usr/local/bin/python3.13" == str((link / "bin/python").readlink())
    assert "home = /usr/local/bin\n" in (link / "pyvenv.cfg").read_text()


def test_what_is_installed_for_another_machine_is_not_active_here(project: Project) -> None:
    project.envknit("install", "--platform", ARM, "--python", "3.13")
    project.run("-c", "import app", status=1)
    project.install()

    assert "1.0" in project.run("-c", "import app; app.main()").out
    project.envknit("install", "--platform", ARM, "--python", "3.13")
    project.envknit("install", "--platform", HERE or ARM)
    assert "1.0" in project.run("-c", "import app; app.main()").out
    assert "everything is installed" in project.envknit("install").out
    project.envknit("verify", "--all")
    project.envknit("store", "gc")
    assert "1.0" in project.run("-c", "import app; app.main()").out


@pytest.mark.skipif(not HERE, reason="no platform that has a name among wheels")
def test_a_store_for_another_python_works_at_another_path_with_no_index(
    project: Project, other: Interpreter, tmp_path: Path
) -> None:
    made = tmp_path / "made here"
    program = Path(other.executable).resolve()
    python = program.with_name(f"python{'.'.join(other.version.split('.')[:2])}")
    project.envknit("install", "--platform", HERE, "--python", python, env={"ENVKNIT_HOME": str(made)})
    moved = tmp_path / "there" / "store"
    moved.parent.mkdir()
    made.rename(moved)
    shutil.rmtree(project.machine.home, ignore_errors=True)

    (view,) = moved.glob(f"plans/2/{other.abi}/*/environments/default")
    env = {"ENVKNIT_HOME": str(moved), "PIP_INDEX_URL": "http://127.0.0.1:9/"}
    wanted = f"1.0 {tuple(map(int, other.version.split('.')[:2]))}\n"
    assert wanted == project.run(view / "bin/python", "-c", "import app; app.main()", env=env).out
    assert wanted == project.run(view / "bin/say", env=env).out


@pytest.mark.skipif(not HERE, reason="no platform that has a name among wheels")
def test_a_store_works_in_a_container_without_network_in_which_nothing_lies_where_it_lay(
    project: Project, other: Interpreter, tmp_path: Path
) -> None:
    store, root, work = tmp_path / "store", tmp_path / "root", project.machine.root
    python = f"{Path(other.executable).resolve().parent}/python{'.'.join(other.version.split('.')[:2])}"
    project.envknit("install", "--platform", HERE, "--python", python, env={"ENVKNIT_HOME": str(store)})
    root.mkdir()
    (view,) = store.glob("plans/2/*/*/environments/default")
    inside = f"/mnt/{view.relative_to(store)}/bin/say"
    # The machine's programs are there, but another folder has the store, and neither home, project nor network is left
    steps = [
        "mount --make-rprivate /",
        f"mount --rbind / {root}",
        f"mount --bind {store} {root}/mnt",
        f"mount -t tmpfs none {root}{work}",
        f"exec chroot {root} /usr/bin/env -i PATH=/usr/bin:/bin HOME=/ {inside}",
    ]
    if not Path("/mnt").is_dir() or project.machine.run("/usr/bin/unshare", "-mn", "/bin/true", status=None).status:
        pytest.skip("this user cannot make a container")

    ran = project.machine.run("/usr/bin/unshare", "-mn", "/bin/sh", "-ec", " && ".join(steps))
    assert f"1.0 {tuple(map(int, other.version.split('.')[:2]))}\n" == ran.out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--platform", "plan9"], "there is no platform 'plan9'"),
        (["--platform", ARM, "--python", "2.7"], "'2.7' is no CPython 3.10 or newer"),
        (["--platform", ARM, "--python", "3.11"], "arm-only 1.0 has no wheel for Python 3.11 of cpython-311-aarch64"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_placed(project: Project, options: list[str], told: str) -> None:
    assert f"error: {told}" in project.envknit("install", *options, status=4).err
    assert not list(project.machine.home.glob("plans/*/*"))
