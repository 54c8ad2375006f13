"""From a project to a lock: what stays, what is the same, what is refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from envknit.errors import PackageIndexError, ProjectError, ResolutionError
from envknit.files.lockfile import parse_lock
from envknit.files.model import Environment, Lock
from envknit.files.project import Project, RequestedEnvironment
from envknit.files.written_lock import render_lock
from envknit.index.index import open_index
from envknit.reporter import Reporter
from envknit.resolve.current import is_current
from envknit.resolve.resolver import resolve
from kit import LoopbackIndex

if TYPE_CHECKING:
    from pathlib import Path


def project(root: Path, **packages: list[str]) -> Project:
    environments = {
        name: RequestedEnvironment(name=name, requirements=tuple(sorted(asked))) for name, asked in packages.items()
    }
    return Project(path=root / "envknit.yaml", environments=environments)


def lock(root: Path, index: LoopbackIndex, wanted: Project, **options: object) -> Lock:
    with open_index((index.url,), root, home=root / "store") as opened:
        return resolve(wanted, opened, **options)  # type: ignore[arg-type]


def pins(made: Lock, environment: str = "default") -> dict[str, str]:
    return {pin.name: pin.version for pin in made.environments[environment].pins}


def test_the_same_input_gives_the_same_bytes_whatever_the_order_of_the_index(tmp_path: Path) -> None:
    texts = set()
    for turn in range(3):
        with LoopbackIndex(json=turn == 2, pep658=turn == 1) as index:
            versions = [("a", "1.0"), ("a", "1.1"), ("b", "1.0"), ("b", "2.0")]
            for name, version in versions if turn else reversed(versions):
                index.publish(name, version, requires=["b"] if name == "a" else [])
                index.publish(name, version, tags="cp311-cp311-win_amd64", requires=["b"] if name == "a" else [])
                index.publish_sdist(name, version, requires=["b"] if name == "a" else [])
            made = lock(tmp_path / str(turn), index, project(tmp_path, default=["a"], other=["b<2"]))
            texts.add(render_lock(made))
    sizeless = {"\n".join(line.partition(", size")[0] for line in text.splitlines()).replace("}", "") for text in texts}
    assert len(sizeless) == 1


def test_locking_again_changes_nothing(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0", requires=["b; sys_platform == 'win32'"])
    index.publish("b", "1.0")
    wanted = project(tmp_path, default=["a"])
    first = lock(tmp_path, index, wanted)
    index.publish("b", "2.0")

    assert render_lock(lock(tmp_path, index, wanted, previous=first)) == render_lock(first)


def test_sizes_that_were_known_stay_known(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    wanted = project(tmp_path, default=["a"])
    index.json = True
    first = lock(tmp_path, index, wanted)
    index.json = False

    assert lock(tmp_path, index, wanted, previous=first) == first
    assert first.environments["default"].pins[0].files[0].size is not None


def test_files_of_every_platform_and_the_sdist_are_locked(tmp_path: Path, index: LoopbackIndex) -> None:
    for tags in ("cp311-cp311-win_amd64", "py3-none-any", "cp39-cp39-manylinux_2_17_s390x"):
        index.publish("a", "1.0", tags=tags)
    index.publish_sdist("a", "1.0")
    made = lock(tmp_path, index, project(tmp_path, default=["a"]))

    assert [file.name for file in made.environments["default"].pins[0].files] == [
        "a-1.0-cp311-cp311-win_amd64.whl",
        "a-1.0-cp39-cp39-manylinux_2_17_s390x.whl",
        "a-1.0-py3-none-any.whl",
        "a-1.0.tar.gz",
    ]


def test_other_environments_keep_their_pins(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    wanted = project(tmp_path, default=["a"], ml=["a"])
    first = lock(tmp_path, index, wanted)
    index.publish("a", "2.0")

    made = lock(tmp_path, index, wanted, previous=first, environments=["ml"], update_all=True)

    assert (pins(made), pins(made, "ml")) == ({"a": "1.0"}, {"a": "2.0"})
    assert list(lock(tmp_path, index, project(tmp_path, ml=["a"]), previous=first).environments) == ["ml"]


def test_environments_and_names_that_do_not_exist_are_refused(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    wanted = project(tmp_path, default=["a"])

    with pytest.raises(ProjectError, match="no environment `ml`"):
        lock(tmp_path, index, wanted, environments=["ml"])
    with pytest.raises(ProjectError, match="b is neither asked for nor locked"):
        lock(tmp_path, index, wanted, update=["b"])


def test_a_file_that_was_replaced_on_the_index_is_refused_until_it_is_meant(tmp_path: Path) -> None:
    wanted = project(tmp_path, default=["a"])
    with LoopbackIndex() as index:
        index.publish("a", "1.0")
        first = lock(tmp_path, index, wanted)
    with LoopbackIndex() as index:
        file = index.publish("a", "1.0", {"a/evil.py": ""})
        with pytest.raises(PackageIndexError, match="other bytes than those in the lock"):
            lock(tmp_path, index, wanted, previous=first)
        made = lock(tmp_path, index, wanted, previous=first, update=["a"])
        assert made.environments["default"].pins[0].files[0].sha256 == file.sha256


def test_what_the_index_does_not_hash_is_downloaded_and_hashed(tmp_path: Path) -> None:
    class Heard(Reporter):
        warnings: list[str] = []  # noqa: RUF012 - one test, one list

        def warn(self, text: str) -> None:
            self.warnings.append(text)

    with LoopbackIndex(hashes=False) as index:
        file = index.publish("a", "1.0")
        made = lock(tmp_path, index, project(tmp_path, default=["a"]), reporter=Heard())

    assert made.environments["default"].pins[0].files[0].sha256 == file.sha256
    assert Heard.warnings == ["the index states no sha256 of a-1.0-py3-none-any.whl; it was downloaded and hashed"]


def test_a_lock_without_a_stated_python_is_for_the_running_one_and_newer(tmp_path: Path, index: LoopbackIndex) -> None:
    made = lock(tmp_path, index, project(tmp_path, default=[]))

    assert made.environments["default"].python_version == f">=3.{sys.version_info[1]}"
    assert made.environments["default"].pins == ()


def test_a_lock_without_a_stated_python_stays_for_those_it_was_for(tmp_path: Path, index: LoopbackIndex) -> None:
    for before, after in ((">=3.8", ">=3.8"), ("<3.5", f">=3.{sys.version_info[1]}")):
        old = Lock(environments={"default": Environment(name="default", python_version=before)})
        made = lock(tmp_path, index, project(tmp_path, default=[]), previous=old)

        assert made.environments["default"].python_version == after


def test_a_lock_is_current_until_the_project_says_something_else(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    made = lock(tmp_path, index, project(tmp_path, default=["a"]))

    assert is_current(project(tmp_path, default=["a"]), made)
    assert not is_current(project(tmp_path, default=["a>=1"]), made)
    assert not is_current(project(tmp_path, default=["a"], ml=[]), made)
    other = RequestedEnvironment(name="default", requirements=("a",), python_version=">=3.8")
    assert not is_current(Project(path=tmp_path / "envknit.yaml", environments={"default": other}), made)


def test_metadata_is_fetched_ahead_and_only_for_what_is_likely(tmp_path: Path, index: LoopbackIndex) -> None:
    for version in range(1, 30):
        index.publish("a", f"{version}.0", requires=["b"])
        index.publish("b", f"{version}.0")
    lock(tmp_path, index, project(tmp_path, default=["a"]))

    assert index.count("/simple/*") == 2
    assert index.count("/files/*") == 2


def test_an_explanation_says_nothing_of_internals(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0", requires=["b<2"])
    index.publish("b", "2.0")
    with pytest.raises(ResolutionError) as caught:
        lock(tmp_path, index, project(tmp_path, default=["a", "b>=2"]))

    assert "object at" not in str(caught.value)
    assert "Requirement(" not in str(caught.value)
    assert caught.value.facts["environment"] == "default"
    assert caught.value.hint
    assert caught.value.__cause__ is None


def test_a_search_that_never_ends_is_given_up(
    tmp_path: Path, index: LoopbackIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envknit.resolve.resolution._MOST_ROUNDS", 1)
    index.publish("a", "1.0", requires=["c<2"])
    index.publish("b", "1.0", requires=["c>=2"])
    for version in ("1.0", "2.0"):
        index.publish("c", version)
    with pytest.raises(ResolutionError, match="no set of versions was found in 1 steps"):
        lock(tmp_path, index, project(tmp_path, default=["a", "b"]))


def test_files_that_spell_one_version_differently_are_one_pin_that_can_be_read_again(tmp_path: Path) -> None:
    texts = set()
    for versions in (("1.0", "1.0.0"), ("1.0.0", "1.0")):
        with LoopbackIndex() as index:
            for version in versions:
                index.publish("a", version)
            made = lock(tmp_path, index, project(tmp_path, default=["a"]))
        texts.add(render_lock(made))
        assert pins(made) == {"a": "1.0.0"}
        assert len(made.environments["default"].pins[0].files) == 2
        assert parse_lock(render_lock(made).encode(), "envknit.lock.yaml") == made
    assert len(texts) == 1


def test_a_size_that_no_file_has_is_not_believed(tmp_path: Path) -> None:
    with LoopbackIndex(json=True) as index:
        index.publish("a", "1.0").size = 10**30
        made = lock(tmp_path, index, project(tmp_path, default=["a"]))

    assert made.environments["default"].pins[0].files[0].size is None
    assert parse_lock(render_lock(made).encode(), "envknit.lock.yaml") == made


def test_a_lock_with_forks_is_made_the_same_again(tmp_path: Path, index: LoopbackIndex) -> None:
    for version in ("1.0", "1.5", "2.0", "2.5"):
        index.publish("a", version, requires=["b"])
        index.publish("b", version)
    asked = project(tmp_path, default=['a<2; sys_platform == "linux"', 'a>=2; sys_platform != "linux"', "b"])
    first = lock(tmp_path, index, asked)
    for version in ("1.6", "2.6"):
        index.publish("a", version, requires=["b"])
        index.publish("b", version)

    again = lock(tmp_path, index, asked, previous=first)
    moved = lock(tmp_path, index, asked, previous=first, update=["a"])

    assert render_lock(again) == render_lock(first)
    assert [(pin.name, pin.version) for pin in first.environments["default"].pins] == [
        ("a", "1.5"),
        ("a", "2.5"),
        ("b", "2.5"),
    ]
    assert {pin.version for pin in moved.environments["default"].pins} == {"1.6", "2.6", "2.5"}
    assert parse_lock(render_lock(first).encode(), "envknit.lock.yaml") == first


def test_one_environment_that_cannot_be_locked_leaves_the_others_alone(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0")
    asked = project(tmp_path, default=["a"], broken=["a>=2"])
    failures: dict[str, ResolutionError] = {}

    made = lock(tmp_path, index, asked, failures=failures)

    assert pins(made) == {"a": "1.0"}
    assert list(failures) == ["broken"]
    assert "no version of a is >=2" in str(failures["broken"])
    assert not is_current(asked, made)
    with pytest.raises(ResolutionError, match="no version of a is >=2"):
        lock(tmp_path, index, asked)


def test_a_group_or_extra_that_cannot_be_locked_leaves_the_others_alone(tmp_path: Path, index: LoopbackIndex) -> None:
    for name in ("a", "b", "c"):
        index.publish(name, "1.0")
    wanted = RequestedEnvironment(
        name="default",
        requirements=("a",),
        groups={"dev": ("b",), "lint": ("nosuch",)},
        extras={"x": ("c",), "y": ("a>=2",)},
    )
    asked = Project(path=tmp_path / "envknit.yaml", environments={"default": wanted})
    failures: dict[str, ResolutionError] = {}

    made = lock(tmp_path, index, asked, failures=failures)

    assert pins(made) == {"a": "1.0", "b": "1.0", "c": "1.0"}
    assert set(failures) == {"default, group lint", "default, extra y"}
    assert made.environments["default"].unlocked == ("extra y", "group lint")
    assert is_current(asked, made)
    assert parse_lock(render_lock(made).encode(), "envknit.lock.yaml") == made
    with pytest.raises(ResolutionError, match="no version of a is >=2"):
        lock(tmp_path, index, asked)
    assert lock(tmp_path, index, asked, previous=made) == made


def test_what_an_extra_adds_for_a_group_is_under_that_group(tmp_path: Path, index: LoopbackIndex) -> None:
    index.publish("a", "1.0", requires=["b ; extra == 'x'"], extras=["x"])
    index.publish("b", "1.0")
    wanted = RequestedEnvironment(
        name="default", requirements=("a",), groups={"dev": ('a[x]; sys_platform == "linux"',)}
    )
    asked = Project(path=tmp_path / "envknit.yaml", environments={"default": wanted})

    a, b = lock(tmp_path, index, asked).environments["default"].pins

    assert a.roots == ("", '"dev" in dependency_groups and sys_platform == "linux"')
    assert [edge.marker for edge in a.dependencies] == ['"dev" in dependency_groups and sys_platform == "linux"']
    assert (a.dev, b.dev) == (False, True)


def test_other_rules_let_every_pin_move(tmp_path: Path, index: LoopbackIndex) -> None:
    for version in ("1.0", "2.0"):
        index.publish("a", version)
    asked = project(tmp_path, default=["a"])
    first = lock(tmp_path, index, asked)

    lowest = lock(tmp_path, index, replace(asked, resolution="lowest"), previous=first)

    assert (pins(first), pins(lowest)) == ({"a": "2.0"}, {"a": "1.0"})
    assert not is_current(asked, lowest)
    assert is_current(replace(asked, resolution="lowest"), parse_lock(render_lock(lowest).encode(), "x"))
