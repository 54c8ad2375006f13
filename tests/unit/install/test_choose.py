"""Which pins an interpreter needs, and which artifact of each."""

from __future__ import annotations

import platform
import sys

import pytest
from packaging.tags import sys_tags

from envknit.errors import InstallError, LockError
from envknit.files.model import Artifact, Edge, Environment, Pin
from envknit.install.choose import accepts_interpreter, choose, choose_artifact
from envknit.install.selection import USUAL, Selection
from envknit.install.target import this_target

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
BEST = str(next(iter(sys_tags())))
NEVER = 'sys_platform == "plan9"'
ALWAYS = f'python_version == "{HERE}"'


def file(name: str) -> Artifact:
    return Artifact(name=name, sha256="0" * 64)


def pin(name: str, *needs: Edge, **fields: object) -> Pin:
    return Pin(name=name, version="1", files=(file(f"{name}-1-py3-none-any.whl"),), dependencies=needs, **fields)  # type: ignore[arg-type]


def choose_here(pin: Pin) -> Artifact:
    return choose_artifact(pin, this_target())


def names(*pins: Pin, selection: Selection = USUAL) -> list[str]:
    return [chosen.pin.name for chosen in choose(Environment(name="default", pins=pins), selection)]


def test_the_wheel_with_the_best_tag_wins_over_others_and_over_the_sdist() -> None:
    files = [f"x-1-{tags}.whl" for tags in ("py3-none-any", BEST, "cp27-cp27m-win32")]
    chosen = choose_here(Pin(name="x", version="1", files=tuple(file(name) for name in [*files, "x-1.tar.gz"])))

    assert f"x-1-{BEST}.whl" == chosen.name


def test_of_equal_tags_the_higher_build_number_wins() -> None:
    files = [f"x-1{build}-py3-none-any.whl" for build in ("", "-2", "-10")]

    assert "x-1-10-py3-none-any.whl" == choose_here(Pin(name="x", version="1", files=tuple(map(file, files)))).name


def test_without_a_wheel_for_this_interpreter_the_sdist_is_taken() -> None:
    files = (file("x-1-cp27-cp27m-win32.whl"), file("x-1.zip"), file("x-1.tar.gz"))

    assert "x-1.tar.gz" == choose_here(Pin(name="x", version="1", files=files)).name


def test_without_any_artifact_the_error_lists_wheels_and_tags() -> None:
    with pytest.raises(InstallError) as caught:
        choose_here(Pin(name="x", version="1", files=(file("x-1-cp27-cp27m-win32.whl"),)))

    assert "x-1-cp27-cp27m-win32.whl" == caught.value.wheels
    assert BEST in str(caught.value.accepted_tags)


def test_a_file_that_is_called_a_wheel_and_is_none_is_a_lock_error() -> None:
    with pytest.raises(LockError, match="not a wheel"):
        choose_here(Pin(name="x", version="1", files=(file("x.whl"),)))


def test_pins_are_reached_from_roots_along_edges_whose_markers_hold() -> None:
    found = names(
        pin("app", Edge(name="lib", version="1"), Edge(name="old", version="1", marker=NEVER), roots=("",)),
        pin("lib", Edge(name="deep", version="1", marker=ALWAYS)),
        pin("deep", Edge(name="app", version="1")),
        pin("old"),
        pin("elsewhere", roots=(NEVER,)),
        pin("twice", roots=(NEVER, ALWAYS)),
    )

    assert ["app", "deep", "lib", "twice"] == found


def test_dev_pins_come_with_dev_only() -> None:
    pins = pin("app", roots=("",)), pin("tool", roots=("",), dev=True)

    assert ["app", "tool"] == names(*pins)
    assert ["app"] == names(*pins, selection=Selection(without=("dev",)))


def test_groups_and_extras_come_when_they_are_asked_for() -> None:
    roots = {
        "app": "",
        "test": "'dev' in dependency_groups",
        "docs": "'docs' in dependency_groups",
        "never": f"'docs' in dependency_groups and {NEVER}",
        "rich": "'cli' in extras",
    }
    pins = tuple(pin(name, roots=(marker,)) for name, marker in roots.items())
    environment = Environment(
        name="default", pins=pins, groups={"dev": ("test",), "docs": ("docs",)}, extras={"cli": ("rich",)}
    )

    def chosen(default_groups: tuple[str, ...] = ("dev",), **options: tuple[str, ...]) -> list[str]:
        return [one.pin.name for one in choose(environment, Selection(**options), default_groups)]

    assert ["app", "test"] == chosen()
    assert ["app", "docs", "test"] == chosen(groups=("docs",))
    assert ["app", "docs", "test"] == chosen(groups=("*",)) == chosen(default_groups=("*",))
    assert ["app", "rich"] == chosen(extras=("cli",), without=("dev",))
    assert ["app", "rich", "test"] == chosen(extras=("*",))
    assert ["docs"] == chosen(only=("docs",))
    assert ["app"] == chosen(default_groups=())


def test_dependencies_are_those_whose_markers_hold_here() -> None:
    app = pin("app", Edge(name="lib", version="1"), Edge(name="lib", version="2", marker=NEVER), roots=("",))
    chosen = choose(Environment(name="default", pins=(app, pin("lib"))))

    assert (("lib", "1"),) == chosen[0].dependencies


def test_an_edge_to_nowhere_is_a_lock_error() -> None:
    with pytest.raises(LockError, match="lib 2, which the lock does not hold"):
        names(pin("app", Edge(name="lib", version="2"), roots=("",)), pin("lib"))


def test_a_pin_that_names_a_folder_needs_no_artifact() -> None:
    chosen = choose(Environment(name="default", pins=(Pin(name="x", version="1", roots=("",), install_path="/x"),)))

    assert chosen[0].artifact is None


@pytest.mark.parametrize(
    ("python_version", "accepted"),
    [("", True), (HERE, True), (f"=={HERE}.*", True), (f"=={platform.python_version()}", True), ("3.7", False),
     (">=3.10,<4", True), ("<3.10", False)],
)  # fmt: skip
def test_a_python_version_accepts_or_refuses_this_interpreter(python_version: str, accepted: bool) -> None:  # noqa: FBT001 - a table
    assert accepted == accepts_interpreter(python_version)


def test_a_python_version_that_is_none_is_a_lock_error() -> None:
    with pytest.raises(LockError, match="not a version"):
        accepts_interpreter("three")
