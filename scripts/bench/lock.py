"""What it costs to find the smallest split: the search alone, in this process, on made graphs of 300 packages.

The graphs have 20 versions a package and ranges between them. Each conflict adds a library that two packages, somewhere
in the graph, want at versions that exclude each other. What a real lock pays besides is metadata from an index.
"""

from __future__ import annotations

import random
import sys
import time

from harness import ROOT, table, versions

sys.path.insert(0, str(ROOT / "tests"))

from envknit.resolve.split import smallest_split
from kit.graphs import Graph

PACKAGES = 300
VERSIONS = 20
CONFLICTS = (0, 1, 2, 4, 8)


def main(rounds: int) -> None:
    versions()
    found: dict[str, list[float]] = {_row(conflicts): [] for conflicts in CONFLICTS}
    proven: dict[str, list[float]] = {"no plain resolution": []}
    for seed in range(max(3, rounds // 5)):
        for conflicts in CONFLICTS:
            graph = make_graph(seed, conflicts)
            _warm(graph)
            began = time.perf_counter()
            split = smallest_split(graph)
            found[_row(conflicts)].append(time.perf_counter() - began)
            if split is None or len(split.copies) != conflicts:
                sys.exit(f"a graph of {conflicts} conflicts was split into {split and split.copies}")
            if conflicts == 1:
                began = time.perf_counter()
                if smallest_split(graph, allowed=()) is not None:
                    sys.exit("a conflict was resolved without a split")
                proven["no plain resolution"].append(time.perf_counter() - began)
    table(f"the smallest split of {PACKAGES} packages", {**found, **proven}, _row(0))


def make_graph(seed: int, conflicts: int) -> Graph:
    """Make a graph: later packages are what earlier ones depend on."""
    chance = random.Random(seed)
    names = [f"package-{number:03}" for number in range(PACKAGES)]
    packages: dict[str, dict[str, list[str]]] = {}
    for number, name in enumerate(names):
        below = chance.sample(names[number + 1 :], min(4, PACKAGES - number - 1))
        packages[name] = {
            str(version): [_range(chance, dependency, version) for dependency in below]
            for version in range(1, VERSIONS + 1)
        }
    asked = names[:20]
    for number in range(conflicts):
        library = f"library-{number}"
        packages[library] = {str(version): [] for version in range(1, VERSIONS + 1)}
        for name, wanted in zip(chance.sample(names[5:], 2), ("<10", ">=10"), strict=True):
            asked.append(name)
            for texts in packages[name].values():
                texts.append(library + wanted)
    return Graph(packages, asked)


def _range(chance: random.Random, name: str, version: int) -> str:
    low = max(1, version - chance.randint(2, VERSIONS))
    high = f",<={min(VERSIONS, version + chance.randint(0, 6))}" if chance.random() < 0.35 else ""
    return f"{name}>={low}{high}"


def _warm(graph: Graph) -> None:
    """Read all requirements once: parsing them is not what is measured."""
    for name, there in graph.packages.items():
        for version in there:
            graph.dependencies(name, version, "")


def _row(conflicts: int) -> str:
    return f"{conflicts} conflict{'' if conflicts == 1 else 's'}"
