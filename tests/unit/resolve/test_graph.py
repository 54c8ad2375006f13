"""From an answer to edges and markers."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envknit.files.model import Edge
from envknit.resolve.graph import Graph
from envknit.resolve.judge import Candidate
from envknit.resolve.requirements import Requirement
from envknit.resolve.targets import Targets

TARGETS = Targets.of((), ">=3.12")
RELEASE: Any = SimpleNamespace(version=Version("1"))


class Answer:
    """Candidates, all of version 1, and what they require, as they are added."""

    def __init__(self) -> None:
        self.chosen: dict[str, Candidate] = {}
        self.requirements: dict[str, list[Requirement]] = {}

    def add(self, name: str, *requirements: Requirement, extra: str = "") -> None:
        candidate = Candidate(name=name, extra=extra, release=RELEASE)
        self.chosen[candidate.identifier] = candidate
        self.requirements[candidate.identifier] = list(requirements)

    def graph(self, *roots: Requirement) -> Graph:
        return Graph(self.chosen, roots, lambda candidate: self.requirements[candidate.identifier], TARGETS)


def ask(name: str, extra: str = "", marker: str = "") -> Requirement:
    where = TARGETS.where(marker)
    return Requirement(name=name, specifier=SpecifierSet(), extra=extra, marker=marker, where=where)


def test_an_extra_deep_below_many_markers_costs_little_time_and_text() -> None:
    depth = 40
    answer = Answer()
    for layer in range(depth):
        below = [ask(f"{layer + 1}{side}", marker=f"python_version != '3.{side}'") for side in range(3)]
        last = [ask("z"), ask("z", "x", "python_version < '3.13'")]
        for side in range(3):
            answer.add(f"{layer}{side}", *(below if layer + 1 < depth else last))
    answer.add("z")
    answer.add("z", ask("z"), ask("q"), extra="x")
    answer.add("q")
    roots = [ask(f"0{side}", marker="sys_platform == 'win32'") for side in range(3)]
    began = time.process_time()

    (edge,) = answer.graph(*roots, ask("z")).edges(answer.chosen["z"])

    assert edge.name == "q"
    assert 'sys_platform == "win32"' in edge.marker
    assert 'python_version < "3.13"' in edge.marker
    assert len(edge.marker) < 300
    assert time.process_time() - began < 2


def test_extras_that_need_each_other_in_a_circle_have_a_condition() -> None:
    answer = Answer()
    answer.add("a")
    answer.add("b")
    answer.add("c")
    answer.add("a", ask("a"), ask("b", "y"), extra="x")
    answer.add("b", ask("b"), ask("a", "x"), ask("c"), extra="y")

    graph = answer.graph(ask("a"), ask("b"), ask("a", "x", "sys_platform == 'win32'"))

    assert graph.edges(answer.chosen["b"]) == (
        Edge(name="a", version="1", marker='sys_platform == "win32"'),
        Edge(name="c", version="1", marker='sys_platform == "win32"'),
    )
