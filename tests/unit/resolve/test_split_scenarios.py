"""Conflict graphs as data: tests/scenarios/split."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from envknit.resolve.split import smallest_split
from envknit.resolve.split_search import ROOT
from envknit.resolve.targets import Targets
from kit.brute_force import cheapest_split, cost_of, is_answer
from kit.graphs import TARGETS, Graph

FOLDER = Path(__file__).parents[2] / "scenarios" / "split"
SCENARIOS = {
    f"{file.stem}: {name}": scenario
    for file in sorted(FOLDER.glob("*.yaml"))
    for name, scenario in yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader).items()
}


def graph_of(scenario: dict[str, Any]) -> Graph:
    packages: dict[str, dict[str, list[str]]] = {}
    for candidate, requirements in scenario["offers"].items():
        name, version = candidate.split(" ")
        packages.setdefault(name, {})[version] = requirements
    targets = Targets.of(tuple(scenario["targets"]), ">=3.11,<3.13") if "targets" in scenario else TARGETS
    return Graph(packages, scenario["asks"], targets)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_comes_out_as_it_says(scenario: dict[str, Any]) -> None:
    graph = graph_of(scenario)
    split = smallest_split(graph)
    if scenario["split"] == "impossible":
        assert split is None
        return
    assert split is not None
    assert scenario["split"] == split.copies
    for name, version in scenario.get("pins", {}).items():
        assert [version] == [there for pin, there in split.pins if pin == name]
    for link in scenario.get("links", ()):
        who, what = link.split(" -> ")
        name, version = what.split(" ")
        assert version == split.links[_pin(who, split.residents)][name]


def _pin(who: str, residents: Any) -> tuple[str, str]:
    name, _, version = who.partition(" ")
    return (ROOT, "") if name == "project" else (name, version or residents[name])


def extras_in(scenario: dict[str, Any]) -> list[str]:
    texts = [*scenario["asks"], *(text for texts in scenario["offers"].values() for text in texts)]
    named = [
        set(re.findall(r"[\[,](\w+)(?=[,\]])", text)) | set(re.findall(r'extra == "(\w+)"', text)) for text in texts
    ]
    return sorted(set().union(*named))


SMALL = {
    name: scenario
    for name, scenario in SCENARIOS.items()
    if len(scenario["offers"]) <= 12 and len(extras_in(scenario)) < 2
}


@pytest.mark.parametrize("scenario", SMALL.values(), ids=SMALL)
def test_no_split_of_a_small_scenario_is_smaller(scenario: dict[str, Any]) -> None:
    graph = graph_of(scenario)
    split = smallest_split(graph)
    assert cheapest_split(graph, extras_in(scenario)) == (cost_of(split) if split else None)
    assert split is None or is_answer(graph, split.pins)


def test_there_are_scenarios_enough() -> None:
    assert len(SCENARIOS) >= 40
