"""Markers, and the targets they are judged on."""

from __future__ import annotations

import platform
import sys

import pytest
from packaging.markers import Marker

from envknit.errors import ProjectError
from envknit.resolve.markers import all_of, any_of, without_extra
from envknit.resolve.targets import PLATFORMS, Targets, can_use_here

HERE = sys.version_info[1]


@pytest.mark.parametrize(
    ("marker", "extra", "left"),
    [
        ("extra == 'x'", "x", ""),
        ("extra == 'x'", "", None),
        ("extra == 'x'", "y", None),
        ("'x' == extra", "x", ""),
        ("extra == 'Fast.IO'", "fast-io", ""),
        ("extra != 'x'", "", ""),
        ("os_name == 'nt'", "x", 'os_name == "nt"'),
        ("os_name == 'nt' and extra == 'x'", "x", 'os_name == "nt"'),
        ("os_name == 'nt' and extra == 'x'", "", None),
        ("os_name == 'nt' or extra == 'x'", "", 'os_name == "nt"'),
        ("os_name == 'nt' or extra == 'x'", "x", ""),
        ("(os_name == 'a' or os_name == 'b') and extra == 'x'", "x", 'os_name == "a" or os_name == "b"'),
        (
            "(os_name == 'a' or os_name == 'b') and os_name != 'c' and extra == 'x'",
            "x",
            '(os_name == "a" or os_name == "b") and os_name != "c"',
        ),
        ("(extra == 'x' or extra == 'y') and os_name == 'nt'", "y", 'os_name == "nt"'),
    ],
)
def test_a_marker_gets_rid_of_its_extra(marker: str, extra: str, left: str | None) -> None:
    assert left == without_extra(Marker(marker), extra)


def test_markers_are_joined() -> None:
    assert all_of(["", 'a == "1"', 'b == "2" or c == "3"']) == 'a == "1" and (b == "2" or c == "3")'
    assert all_of(["a", None]) is None
    assert all_of([]) == ""
    assert any_of(["a", "b", None, "a"]) == "a or b"
    assert any_of(["a", ""]) == ""
    assert any_of([]) is None


def test_by_default_targets_are_every_platform_and_the_running_python() -> None:
    targets = Targets.of((), "")

    assert targets.platforms == tuple(PLATFORMS)
    assert list(targets.pythons) == list(range(HERE, 17))
    assert platform.python_version() in targets.lowest
    assert targets.runs_here


def test_a_specifier_opens_minors_and_patches() -> None:
    targets = Targets.of(("linux-x86_64",), ">=3.9.5,<3.11")

    assert list(targets.pythons) == [9, 10]
    assert "3.9.5" in targets.lowest
    assert targets.accepts_python(">=3.9.2", targets.everywhere)
    assert targets.accepts_python("", targets.everywhere)
    assert targets.accepts_python("nonsense", targets.everywhere)
    assert not targets.accepts_python("<3.9", targets.everywhere)


def test_only_the_pythons_of_the_targets_in_question_must_be_accepted() -> None:
    targets = Targets.of((), ">=3.9,<3.12")

    assert not targets.accepts_python(">=3.10", targets.everywhere)
    assert targets.accepts_python(">=3.10", targets.where('python_version >= "3.10"'))
    assert targets.where_python(">=3.9") == targets.everywhere
    assert targets.where_python(">=3.10") == targets.where('python_version >= "3.10"')


def test_no_python_is_an_error() -> None:
    with pytest.raises(ProjectError, match="no Python is accepted"):
        Targets.of((), "<3")


def test_a_marker_holds_on_some_targets() -> None:
    targets = Targets.of((), ">=3.9,<3.12")

    assert targets.where("") == targets.everywhere
    assert not targets.where('python_version < "3"')
    windows = targets.where('sys_platform == "win32"')
    assert windows
    assert not windows & targets.where('sys_platform != "win32"')
    assert windows | targets.where('sys_platform != "win32"') == targets.everywhere
    assert targets.where('python_full_version < "3.11.3" and python_version >= "3.11"')
    maybe = targets.where('platform_release >= "20"')
    assert maybe
    assert targets.everywhere & ~maybe


@pytest.mark.parametrize(
    ("wheel", "usable"),
    [
        ("a-1-py3-none-any.whl", True),
        ("a-1-py2.py3-none-any.whl", True),
        ("a-1-py2-none-any.whl", False),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("a-1-cp311-cp311-musllinux_1_2_aarch64.whl", True),
        ("a-1-cp311-cp311-macosx_11_0_arm64.whl", True),
        ("a-1-cp311-cp311-macosx_10_9_universal2.whl", True),
        ("a-1-cp311-cp311-win_amd64.whl", True),
        ("a-1-cp311-cp311-win32.whl", False),
        ("a-1-cp311-cp311-manylinux_2_17_s390x.whl", False),
        ("a-1-cp312-cp312-win_amd64.whl", False),
        ("a-1-cp310-cp310-win_amd64.whl", False),
        ("a-1-cp37-abi3-win_amd64.whl", True),
        ("a-1-cp312-abi3-win_amd64.whl", False),
        ("a-1-cp311-none-win_amd64.whl", True),
        ("a-1-py3-none-manylinux1_x86_64.whl", True),
        ("a-1-py310-none-any.whl", True),
        ("a-1-py312-none-any.whl", False),
        ("a-1-pp310-pypy310_pp73-win_amd64.whl", False),
    ],
)
def test_wheels_fit_targets_by_their_tags(wheel: str, *, usable: bool) -> None:
    assert usable is Targets.of((), "==3.11.*").can_use(wheel)


def test_wheels_fit_the_running_interpreter_by_its_own_tags() -> None:
    assert can_use_here("a-1-py3-none-any.whl")
    assert not can_use_here("a-1-cp27-cp27m-win32.whl")
