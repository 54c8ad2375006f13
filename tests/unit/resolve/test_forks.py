"""Forks against a search that tries everything, on random graphs, and the markers that they are told with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.markers import Marker

from envknit.errors import ResolutionError
from envknit.files.lockfile import parse_lock
from envknit.files.project import Project, RequestedEnvironment
from envknit.files.written_lock import render_lock
from envknit.resolve.forks import express
from envknit.resolve.resolver import resolve
from envknit.resolve.split_search import ROOT
from envknit.resolve.targets import Targets
from kit.brute_force import asked_on, is_solvable
from kit.graphs import TARGETS, Graph, GraphIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envknit.files.model import Environment, Lock

SLOWLY = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
MARKERS = (
    *("", "", "; sys_platform == 'linux'", "; sys_platform != 'linux'", "; sys_platform == 'win32'"),
    *("; python_version < '3.12'", "; python_version >= '3.12'"),
    "; sys_platform == 'darwin' and python_version >= '3.12'",
)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph in which much excludes each other, often under markers."""
    versions = {name: draw(st.integers(1, 2)) for name in ("a", "b", "c", "d")}

    def requirement(names: str) -> str:
        name = draw(st.sampled_from(names))
        specifier = draw(st.sampled_from(("", "==1", "==2") if versions[name] == 2 else ("", "==1")))
        return name + specifier + draw(st.sampled_from(MARKERS))

    packages = {
        name: {
            str(v): [requirement("abcd".replace(name, "")) for _ in range(draw(st.integers(0, 2)))]
            for v in range(1, n + 1)
        }
        for name, n in versions.items()
    }
    return Graph(packages, [requirement("abcd") for _ in range(draw(st.integers(1, 4)))])


def lock(graph: Graph) -> Lock:
    wanted = RequestedEnvironment(
        name="default", python_version=">=3.11,<3.13", requirements=tuple(sorted(graph.requirements))
    )
    project = Project(path=Path("envknit.yaml"), environments={"default": wanted}, targets=TARGETS.platforms)
    index: Any = GraphIndex(graph)
    return resolve(project, index)


def on(environment: Environment, target: Mapping[str, str]) -> dict[str, list[str]]:
    """Walk a lock as an interpreter of a target does: the versions of each name."""
    known = {(pin.name, pin.version): pin for pin in environment.pins}
    waiting = [pin for pin in environment.pins if any(holds(marker, target) for marker in pin.roots)]
    found: dict[str, list[str]] = {}
    for pin in waiting:
        if pin.version not in found.setdefault(pin.name, []):
            assert holds(pin.marker, target)
            found[pin.name].append(pin.version)
            waiting += [known[edge.name, edge.version] for edge in pin.dependencies if holds(edge.marker, target)]
    return found


def holds(marker: str, target: Mapping[str, str]) -> bool:
    return not marker or Marker(marker).evaluate(dict(target))


@pytest.mark.once
@SLOWLY
@given(graphs())
def test_a_lock_is_right_on_every_target_and_there_is_one_wherever_every_target_has_an_answer(graph: Graph) -> None:
    try:
        made = lock(graph)
    except ResolutionError:
        assert not all(is_solvable(graph, target) for target in TARGETS.variables)
        return
    environment = made.environments["default"]
    for target in TARGETS.variables:
        chosen = on(environment, target)
        assert all(len(versions) == 1 for versions in chosen.values())
        for pin in [(ROOT, ""), *((name, versions[0]) for name, versions in chosen.items())]:
            for name, accepted in asked_on(graph, pin, target):
                assert chosen[name][0] in accepted
    if is_solvable(graph, None):
        assert len(environment.pins) == len({pin.name for pin in environment.pins})
    assert parse_lock(render_lock(made).encode(), "envknit.lock.yaml").environments["default"].pins == environment.pins


@given(st.integers(1, (1 << len(TARGETS.variables)) - 1))
def test_any_set_of_targets_has_a_marker(where: int) -> None:
    assert TARGETS.where(express(where, TARGETS.everywhere, [], TARGETS)) == where


@pytest.mark.parametrize(
    ("marker", "texts", "told"),
    [
        ("sys_platform == 'win32'", ["sys_platform == 'linux'"], 'sys_platform == "win32"'),
        ("sys_platform != 'win32'", ["sys_platform == 'win32'"], 'sys_platform != "win32"'),
        ("python_version < '3.12'", [], 'python_version < "3.12"'),
        ("python_version in '3.10,3.11'", ["python_version < '3.12'"], 'python_version < "3.12"'),
        ("os_name == 'posix' or python_version >= '3.12'", [], 'sys_platform != "win32" or python_version >= "3.12"'),
    ],
)
def test_a_part_is_told_in_the_words_that_are_there_or_in_plain_ones(marker: str, texts: list[str], told: str) -> None:
    targets = Targets.of((), ">=3.10,<3.14")

    assert express(targets.where(marker), targets.everywhere, texts, targets) == told
