"""Interpreters of other machines, described without being started."""

from __future__ import annotations

import sys

import pytest
from packaging.tags import sys_tags

from envknit.errors import LockError, UnsupportedPlatformError
from envknit.install.target import Target, this_target
from envknit.plan import ABI

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_this_interpreter_accepts_what_packaging_says() -> None:
    assert list(sys_tags()) == list(this_target().accepted)
    assert this_target().accepts("py2.py3-none-any")
    assert not this_target().accepts("py3-none-plan9")
    assert not this_target().accepts("nonsense")


@pytest.mark.skipif(not ABI.endswith("x86_64-linux-gnu"), reason="compares with this very machine")
def test_what_is_described_of_a_machine_like_this_is_what_this_one_says() -> None:
    glibc = next(tag.platform for tag in sys_tags() if tag.platform.startswith("manylinux_"))
    described, measured = Target.of(glibc, HERE), this_target()

    assert measured.abi == described.abi
    assert list(measured.accepted) == list(described.accepted)
    unknown = {"python_full_version", "implementation_version", "platform_release", "platform_version"}
    assert {name: value for name, value in measured.variables.items() if name not in unknown} == {
        name: value for name, value in described.variables.items() if name not in unknown
    }


@pytest.mark.parametrize(
    ("platform", "python", "abi", "best", "worse"),
    [
        ("manylinux_2_28_aarch64", "3.13", "cpython-313-aarch64-linux-gnu", "cp313-cp313-manylinux_2_28_aarch64",
         "cp39-abi3-manylinux2014_aarch64"),
        ("manylinux_2_12_x86_64", "3.11.4", "cpython-311-x86_64-linux-gnu", "cp311-cp311-manylinux_2_12_x86_64",
         "cp311-cp311-manylinux1_x86_64"),
        ("musllinux_1_2_x86_64", "3.12", "cpython-312-x86_64-linux-musl", "cp312-cp312-musllinux_1_2_x86_64",
         "cp312-none-musllinux_1_1_x86_64"),
        ("macosx_14_0_arm64", "3.13t", "cpython-313t-darwin", "cp313-cp313t-macosx_14_0_arm64",
         "cp313-cp313t-macosx_11_0_universal2"),
    ],
)  # fmt: skip
def test_a_target_takes_the_wheels_of_its_machine(platform: str, python: str, abi: str, best: str, worse: str) -> None:
    target = Target.of(platform, python)

    assert abi == target.abi
    assert target.rank(best) < target.rank(worse) < target.rank("py3-none-any")
    assert not target.accepts("cp313-cp313-win_amd64")
    assert not target.accepts("cp310-cp310-" + best.rpartition("-")[2])


def test_a_newer_glibc_than_that_of_the_machine_is_not_taken() -> None:
    assert not Target.of("manylinux_2_28_aarch64", "3.13").accepts("cp313-cp313-manylinux_2_31_aarch64")


def test_the_interpreter_lies_where_official_images_have_it_or_where_the_person_says() -> None:
    assert "/usr/local/bin/python3.13" == Target.of("manylinux_2_28_aarch64", "3.13").host.program
    named = Target.of("manylinux_2_28_aarch64", "/opt/py/bin/python3.13")
    assert ("/opt/py/bin/python3.13", "3.13.0", "3.13") == (*named.host[:2], named.host.minor)
    assert {"3.13.0", "aarch64", "linux"} <= set(named.variables.values())


@pytest.mark.parametrize("platform", ["linux", "win_amd64", "manylinux_2_28_vax", "manylinux_3_1_x86_64", "", "../x"])
def test_a_platform_that_is_none_is_told_with_examples(platform: str) -> None:
    with pytest.raises(UnsupportedPlatformError, match="there is no platform") as caught:
        Target.of(platform, "3.13")
    assert "manylinux_2_28_aarch64" in caught.value.hint


@pytest.mark.parametrize("python", ["3.9", "2.7", "pypy3.11", "python3.13", "3", "", "bin/python3.13", "4.0"])
def test_a_python_that_is_none_is_told_with_examples(python: str) -> None:
    with pytest.raises(UnsupportedPlatformError, match="is no CPython") as caught:
        Target.of("manylinux_2_28_aarch64", python)
    assert "--python 3.13" in caught.value.hint


def test_a_wheel_that_has_no_wheels_name_is_an_error_of_the_lock() -> None:
    with pytest.raises(LockError, match="not a wheel"):
        this_target().rank_wheel("x.whl")
