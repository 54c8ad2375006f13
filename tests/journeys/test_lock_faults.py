"""Locking and installing where indexes lie, stall or leave out, and where sdists must be built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit import LoopbackIndex, make_sdist
from kit.wheels import make_wheel

if TYPE_CHECKING:
    from kit import Machine

SLOW = 40  # seconds that the index takes for what nobody needs any more

pytestmark = pytest.mark.ends


@pytest.mark.parametrize("verb", [("lock",), ("add", "chain")])
def test_a_command_ends_when_it_has_told_its_error(
    machine: Machine, index: LoopbackIndex, verb: tuple[str, ...]
) -> None:
    index.publish("ok", "1.0", requires=["slow"])
    index.publish("slow", "1.0")
    index.publish("chain", "1.0", requires=["nowhere"])
    index.fail("slow", "/files/slow-*", times=99, seconds=SLOW)
    ran = machine.project(["ok", *(["chain"] if verb == ("lock",) else [])]).envknit(*verb, status=3)

    assert "no index has a package named nowhere" in ran.err
    assert ran.seconds < SLOW / 2


def test_an_install_ends_when_one_download_failed_though_another_is_stuck(
    machine: Machine, index: LoopbackIndex
) -> None:
    for name in ("bad", "stuck"):
        index.publish(name, "1.0")
    project = machine.project(["bad", "stuck"])
    project.envknit("lock")
    index.fail("corrupt", "/files/bad-*")
    index.fail("slow", "/files/stuck-*", times=9, seconds=SLOW)
    ran = project.envknit("install", status=4)

    assert "bad-1.0-py3-none-any.whl is not the file it should be" in ran.err
    assert ran.seconds < SLOW / 2


def test_an_sdist_is_built_alike_for_the_lock_and_for_the_store(machine: Machine) -> None:
    project = machine.project(["sd"], more="indexes: [wheels]\n")
    wheels = project.root / "wheels"
    wheels.mkdir()
    (wheels / "builddep-1.0-py3-none-any.whl").write_bytes(make_wheel("builddep", "1.0"))
    backend = (
        "import pathlib, shutil, builddep\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        "    (wheel,) = pathlib.Path(__file__).parent.glob('*.whl')\n"
        "    shutil.copy(wheel, folder)\n"
        "    return wheel.name\n"
    )
    sdist = make_sdist("sd", "1.0", dynamic=True, backend=backend, build_requires=["builddep"])
    (wheels / "sd-1.0.tar.gz").write_bytes(sdist)

    project.envknit("lock")
    project.envknit("install")

    assert machine.run("-c", "import sd; print(sd.__version__)", cwd=project.root).out == "1.0\n"


def test_a_lock_that_was_made_from_what_an_index_invented_is_not_installed(
    machine: Machine, index: LoopbackIndex
) -> None:
    index.pep658 = True
    wheel = make_wheel("a", "1.0")
    index.add("a-1.0-py3-none-any.whl", wheel, metadata=b"Name: a\nVersion: 1.0\nRequires-Dist: backdoor\n\n")
    index.publish("backdoor", "1.0")
    project = machine.project(["a"])
    project.envknit("lock")
    ran = project.envknit("install", status=4)

    assert "a 1.0 is not what was locked" in ran.err
    assert "it does not require backdoor, which was locked" in ran.err


def test_a_cache_that_cannot_be_written_is_left_out(machine: Machine, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    machine.home.write_text("a file where the store should be", encoding="utf-8")
    ran = machine.project(["a"]).envknit("lock")

    assert "is not used" in ran.err
    assert "a 1.0" in ran.out


def test_an_index_that_was_not_asked_is_named_where_no_version_fits(machine: Machine, index: LoopbackIndex) -> None:
    with LoopbackIndex() as second:
        index.publish("torchx", "2.1")
        second.publish("torchx", "2.0+cpu")
        more = f"indexes: ['{index.url}', '{second.url}']\n"
        ran = machine.project(["torchx==2.0+cpu"], more=more).envknit("lock", status=3)
        assert f"not asked, since an earlier index has torchx: {second.url}" in ran.err

        more = f"indexes: ['{second.url}', '{index.url}']\n"
        machine.project(["torchx==2.0+cpu"], name="other", more=more).envknit("lock")


def test_every_environment_of_a_lock_is_compared_with_what_its_wheels_say(
    machine: Machine, index: LoopbackIndex
) -> None:
    for name in ("a", "b"):
        index.publish(name, "1.0", requires=["b"] if name == "a" else [])
    project = machine.project(["a"], environments={"zzz": ["a"]})
    project.envknit("lock")
    text = project.lock_file.read_text(encoding="utf-8")
    edges = [line for line in text.splitlines() if "name: b" in line and "version" in line]
    assert len(edges) == 2, text
    # The edge of the first environment goes; the second stands
    project.lock_file.write_text(
        text.replace(edges[0], "", 1).replace("        dependencies:\n\n", "", 1), encoding="utf-8"
    )
    ran = project.envknit("install", status=4)

    assert "it requires b, and nothing of that name was locked" in ran.err
