"""Splits over a real index: the scenarios again, and what only an index knows (pre-releases, yanks, previous locks)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from envknit.errors import ProjectError, ResolutionError
from envknit.files.lockfile import parse_lock
from envknit.files.written_lock import render_lock
from envknit.index.index import open_index
from envknit.projects.load import load_project
from envknit.reporter import Reporter
from envknit.resolve.resolver import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envknit.files.model import Lock, Pin
    from kit import LoopbackIndex

FOLDER = Path(__file__).parents[2] / "scenarios" / "split"
SCENARIOS = {
    f"{file.stem}: {name}": scenario
    for file in sorted(FOLDER.glob("*.yaml"))
    for name, scenario in yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader).items()
}


class Heard(Reporter):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Desk:
    """A project folder and an index to resolve it with."""

    def __init__(self, index: LoopbackIndex, folder: Path) -> None:
        self.index = index
        self.folder = folder
        self.heard = Heard()

    def offer(self, offers: Mapping[str, Sequence[str]]) -> None:
        """Publish `name version` with these requirements."""
        for candidate, requires in offers.items():
            name, version = candidate.split(" ")
            extras = set(re.findall(r'extra == "(\w+)"', str(requires)))
            self.index.publish(name, version, {f"{name.replace('-', '_')}.py": ""}, requires=requires, extras=extras)

    def lock(self, *asks: str, previous: Lock | None = None, accept: bool = False, **more: Any) -> Lock:
        """Lock the environment `default`."""
        options = {key: more.pop(key) for key in ("update", "update_all") if key in more}
        environment = {"packages": list(asks), "python_version": ">=3.10", **more.pop("environment", {})}
        path = self.folder / "envknit.yaml"
        path.write_text(yaml.safe_dump({"environments": {"default": environment}, **more}), encoding="utf-8")
        with open_index((self.index.url,), self.folder, home=self.folder / "store") as opened:
            lock = resolve(load_project(path), opened, previous=previous, split=accept, reporter=self.heard, **options)
        assert lock == parse_lock(render_lock(lock).encode(), "envknit.lock.yaml")
        return lock


@pytest.fixture(name="desk")
def _desk(index: LoopbackIndex, tmp_path: Path) -> Desk:
    return Desk(index, tmp_path)


def versions(lock: Lock) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pin in lock.environments["default"].pins:
        found.setdefault(pin.name, []).append(pin.version)
    return found


def pin(lock: Lock, name: str, version: str) -> Pin:
    (found,) = [pin for pin in lock.environments["default"].pins if (pin.name, pin.version) == (name, version)]
    return found


def sees(lock: Lock, name: str, version: str, other: str) -> str:
    return next(edge.version for edge in pin(lock, name, version).dependencies if edge.name == other)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_comes_out_over_an_index_as_it_says(scenario: dict[str, Any], desk: Desk) -> None:
    desk.offer(scenario["offers"])
    more = {"targets": scenario.get("targets", ["linux-x86_64", "macos-arm64", "windows-amd64"])}
    more["environment"] = {"python_version": ">=3.10,<3.14"}
    if scenario["split"] == "impossible":
        with pytest.raises(ResolutionError):
            desk.lock(*scenario["asks"], accept=True, **more)
        return
    if scenario["split"]:
        with pytest.raises(ResolutionError) as refused:
            desk.lock(*scenario["asks"], **more)
        told = refused.value.facts["smallest_split"] + refused.value.facts.get("duplicated_with_it", "")
        assert sorted(scenario["split"]) == sorted(re.findall(r"^    (\S+) t", told, re.MULTILINE))
    lock = desk.lock(*scenario["asks"], accept=True, **more)
    found = versions(lock)
    assert {name: sorted(there) for name, there in scenario["split"].items()} == {
        name: sorted(there) for name, there in found.items() if len(there) > 1
    }
    for name, version in scenario.get("pins", {}).items():
        assert [version] == found[name]
    for link in scenario.get("links", ()):
        who, what = link.split(" -> ")
        name, version = what.split(" ")
        if who == "project":
            assert pin(lock, name, version).direct
        else:
            asker, _, exactly = who.partition(" ")
            exactly = exactly or found[asker][0]
            assert version == sees(lock, asker, exactly, name)


def test_only_the_resident_is_direct(desk: Desk) -> None:
    desk.offer({"a 1": ["lib<2"], "lib 1": [], "lib 2": []})
    lock = desk.lock("a", "lib>=2", accept=True)
    assert pin(lock, "lib", "2").direct
    assert not pin(lock, "lib", "1").direct


def test_a_copy_that_only_dev_packages_need_is_a_dev_pin(desk: Desk) -> None:
    desk.offer({"a 1": ["lib<2"], "b 1": ["lib>=2"], "lib 1": [], "lib 2": []})
    lock = desk.lock("b", accept=True, environment={"dev_packages": ["a"]})
    assert pin(lock, "lib", "1").dev
    assert not pin(lock, "lib", "2").dev


def test_edges_of_copies_keep_their_markers(desk: Desk) -> None:
    desk.offer({"a 1": ['lib<2; sys_platform == "win32"'], "b 1": ["lib>=2"], "lib 1": [], "lib 2": []})
    lock = desk.lock("a", "b", accept=True)
    (edge,) = pin(lock, "a", "1").dependencies
    assert ("1", 'sys_platform == "win32"') == (edge.version, edge.marker)


def test_what_is_split_on_some_targets_only_stays_so_and_says_where(desk: Desk) -> None:
    desk.offer({"a 1": ['lib<2; sys_platform == "win32"'], "b 1": ["lib>=2"], "lib 1": [], "lib 2": []})
    first = desk.lock("a", "b", accept=True)

    assert pin(first, "lib", "1").marker == 'sys_platform == "win32"'
    assert pin(first, "lib", "2").marker == ""
    assert desk.lock("a", "b", previous=first) == first


def test_parts_of_the_targets_may_be_split_and_others_not(desk: Desk) -> None:
    desk.offer({"b 1": ["lib<2"], "c 1": ["lib>=2,<3"], "lib 1": [], "lib 2": [], "lib 3": []})
    asks = ('b; sys_platform == "linux"', 'c; sys_platform == "linux"', 'lib>=3; sys_platform != "linux"')
    with pytest.raises(ResolutionError) as refused:
        desk.lock(*asks)
    assert refused.value.facts["where"] == 'sys_platform == "linux"'
    lock = desk.lock(*asks, accept=True)

    assert versions(lock)["lib"] == ["1", "2", "3"]
    assert pin(lock, "lib", "3").marker == 'sys_platform != "linux"'
    assert (sees(lock, "b", "1", "lib"), sees(lock, "c", "1", "lib")) == ("1", "2")
    assert desk.lock(*asks, previous=lock) == lock


def test_a_pre_release_is_no_way_out_unless_there_is_nothing_else(desk: Desk) -> None:
    desk.offer({"a 1": ["lib>=2"], "b 1": ["lib<2"], "lib 1": [], "lib 2": [], "lib 3rc1": []})
    assert ["1", "2"] == versions(desk.lock("a", "b", accept=True))["lib"]
    assert ["1", "3rc1"] == versions(desk.lock("a", "b", "lib>=3rc1", accept=True))["lib"]


def test_a_yanked_version_is_no_copy_unless_it_is_pinned(index: LoopbackIndex, desk: Desk) -> None:
    desk.offer({"a 1": ["lib>=2"], "b 1": ["lib<2"], "c 1": ["lib==1.5"], "lib 1": [], "lib 2": []})
    index.publish("lib", "1.5", {"lib.py": ""}, yanked="bad")
    assert ["1", "2"] == versions(desk.lock("a", "b", accept=True))["lib"]
    assert "1.5" in versions(desk.lock("a", "b", "c", accept=True))["lib"]


def test_constraints_hold_for_every_copy(desk: Desk) -> None:
    desk.offer({"a 1": ["lib>=2"], "b 1": ["lib<2"], "lib 1": [], "lib 2": [], "lib 3": []})
    lock = desk.lock("a", "b", accept=True, environment={"constraints": ["lib<3"]})
    assert ["1", "2"] == versions(lock)["lib"]


def test_copies_stay_where_the_previous_lock_had_them(desk: Desk) -> None:
    desk.offer({"a 1": ["lib>=2"], "b 1": ["lib<2"], "lib 1": [], "lib 2": []})
    before = desk.lock("a", "b", accept=True)
    desk.offer({"lib 1.1": [], "lib 2.1": []})
    assert before == desk.lock("a", "b", previous=before)
    assert ["1.1", "2.1"] == versions(desk.lock("a", "b", previous=before, update=["lib"]))["lib"]
    assert ["1.1", "2.1"] == versions(desk.lock("a", "b", previous=before, update_all=True))["lib"]


def test_a_split_ends_where_one_version_will_do(desk: Desk) -> None:
    desk.offer({"a 1": ["lib>=2"], "b 1": ["lib<2"], "lib 1": [], "lib 2": []})
    before = desk.lock("a", "b", accept=True)
    desk.offer({"b 2": ["lib"]})
    assert {"a": ["1"], "b": ["2"], "lib": ["2"]} == versions(desk.lock("a", "b", previous=before))
    assert {"a": ["1"], "lib": ["2"]} == versions(desk.lock("a", previous=before))


def test_what_was_split_once_does_not_excuse_other_names(desk: Desk) -> None:
    desk.offer({"a 1": ["lib>=2"], "b 1": ["lib<2"], "lib 1": [], "lib 2": []})
    desk.offer({"c 1": ["other==1"], "d 1": ["other==2"], "other 1": [], "other 2": []})
    before = desk.lock("a", "b", accept=True)
    with pytest.raises(ResolutionError) as refused:
        desk.lock("a", "b", "c", "d", previous=before)
    assert "other" in refused.value.facts["smallest_split"]
    assert "split: [lib, other]" in refused.value.hint


def test_metadata_that_cannot_be_read_is_passed_over(desk: Desk) -> None:
    desk.offer({"a 1": ["lib>=2"], "b 2": ["lib<2", "b (>=1"], "b 1": ["lib<2"], "lib 1": [], "lib 2": []})
    assert ["1"] == versions(desk.lock("a", "b", accept=True))["b"]


def test_a_project_says_which_names_it_accepts(desk: Desk) -> None:
    desk.offer({"a 1": ["lib>=2"], "b 1": ["lib<2"], "lib 1": [], "lib 2": []})
    assert ["1", "2"] == versions(desk.lock("a", "b", split=["Lib"]))["lib"]
    assert ["1", "2"] == versions(desk.lock("a", "b", split="auto"))["lib"]
    with pytest.raises(ResolutionError, match="lib twice"):
        desk.lock("a", "b", split=["other"])
    with pytest.raises(ProjectError, match="neither `auto` nor a list"):
        desk.lock("a", "b", split="always")
