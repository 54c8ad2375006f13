"""The equipment itself: what it makes is what pip would accept."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from installer.sources import WheelFile

from kit import LoopbackIndex, make_sdist, make_wheel, wheel_name

if TYPE_CHECKING:
    from pathlib import Path

    from kit import Machine


def _get(url: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.read()


def test_a_wheel_passes_the_checks_of_installer(tmp_path: Path) -> None:
    path = tmp_path / wheel_name("Some.Thing", "1.0")
    path.write_bytes(
        make_wheel(
            "Some.Thing", "1.0", requires=["six"], data={"scripts/go": "#!python\n"}, entry_points={"x": {"a": "b:c"}}
        )
    )

    with WheelFile.open(path) as wheel:
        wheel.validate_record()

        assert ("some_thing", "1.0") == (wheel.distribution.lower(), wheel.version)


def test_equal_wheels_are_equal_bytes() -> None:
    assert make_wheel("six", "1.0") == make_wheel("six", "1.0")


@pytest.mark.parametrize("json", [False, True])
def test_pip_installs_from_the_index(machine: Machine, index: LoopbackIndex, tmp_path: Path, *, json: bool) -> None:
    index.json = index.pep658 = json
    index.publish("alpha", "1.0", requires=["beta>=1"])
    index.publish("beta", "2.0")
    index.publish("beta", "3.0", yanked="broken")

    machine.run("-m", "pip", "install", "-q", "--target", tmp_path / "there", "alpha", env={"PIP_NO_CACHE_DIR": "1"})

    assert {"alpha", "beta", "alpha-1.0.dist-info", "beta-2.0.dist-info"} == {
        path.name for path in (tmp_path / "there").iterdir()
    }


def test_an_sdist_builds_without_an_index(machine: Machine, tmp_path: Path) -> None:
    sdist = tmp_path / "gamma-1.0.tar.gz"
    sdist.write_bytes(make_sdist("gamma", "1.0"))

    machine.run("-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path / "out", sdist)

    assert ["gamma-1.0-py3-none-any.whl"] == [path.name for path in (tmp_path / "out").iterdir()]


def test_a_range_is_a_piece_of_the_file(index: LoopbackIndex) -> None:
    file = index.publish("alpha", "1.0")
    url = f"{index.host}/files/{file.name}"

    assert file.data[-7:] == _get(url, Range="bytes=-7")
    assert file.data[2:5] == _get(url, Range="bytes=2-4")
    assert 2 == index.count("/files/*")


def test_a_fault_happens_as_often_as_asked(index: LoopbackIndex) -> None:
    index.publish("alpha", "1.0")
    index.fail("503", "/simple/alpha/", times=1)

    with pytest.raises(urllib.error.HTTPError) as caught:
        _get(f"{index.host}/simple/alpha/")
    caught.value.close()

    assert b"alpha-1.0" in _get(f"{index.host}/simple/alpha/")


def test_a_machine_has_an_environment_of_its_own(machine: Machine) -> None:
    ran = machine.run("-c", "import os; print(os.environ['ENVKNIT_HOME']); print('PYTHONPATH' in os.environ)")

    assert f"{machine.home}\nFalse\n" == ran.out


def test_an_unexpected_exit_status_shows_what_was_said(machine: Machine) -> None:
    with pytest.raises(AssertionError, match="ended with 3"):
        machine.run("-c", "raise SystemExit(3)")


def test_a_wheel_can_be_wrong_on_purpose(tmp_path: Path) -> None:
    path = tmp_path / wheel_name("bad", "1.0")
    path.write_bytes(make_wheel("bad", "1.0", overrides={"bad/__init__.py": "changed"}))

    with WheelFile.open(path) as wheel, pytest.raises(ValueError, match="bad"):
        wheel.validate_record()
