"""The smallest split by trying everything: slow, and too plain to be wrong."""

from __future__ import annotations

from itertools import chain, combinations, product
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from envknit.resolve.split_search import ROOT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from envknit.resolve.split import Split
    from kit.graphs import Graph

    Pins = Mapping[tuple[str, str], frozenset[str]]  # with the extras that are asked for


def cheapest_split(graph: Graph, extras: Sequence[str] = ()) -> tuple[int, int] | None:
    """Return the fewest copies beyond one of a name, and the fewest names that have any; None: no split helps."""
    costs = [cost_of(pins) for pins in _choices(graph, extras) if is_answer(graph, pins)]
    return min(costs, default=None)


def is_solvable(graph: Graph, target: Mapping[str, str] | None) -> bool:
    """Whether one version of each name can answer all that is asked on one target; None: on all of them at once."""
    names = sorted(graph.packages)
    return any(
        all(
            chosen.get(name) in accepted
            for pin in [(ROOT, ""), *((name, version) for name, version in chosen.items() if version)]
            for name, accepted in asked_on(graph, pin, target)
        )
        for versions in product(*([None, *graph.packages[name]] for name in names))
        for chosen in [dict(zip(names, versions, strict=True))]
    )


def asked_on(
    graph: Graph, pin: tuple[str, str], target: Mapping[str, str] | None
) -> Iterator[tuple[str, Collection[str]]]:
    """Give what a pin asks for on a target: a name, and which versions of it will do."""
    for text in graph.requirements if pin[0] == ROOT else graph.packages[pin[0]][pin[1]]:
        requirement = Requirement(text)
        if target is None or requirement.marker is None or requirement.marker.evaluate(dict(target)):
            yield requirement.name, [v for v in graph.packages[requirement.name] if v in requirement.specifier]


def cost_of(pins: Pins | Split) -> tuple[int, int]:
    """Return how many copies beyond one of a name there are, and how many names have any."""
    names = [name for name, _ in getattr(pins, "pins", pins)]
    return len(names) - len(set(names)), len({name for name in names if names.count(name) > 1})


def is_answer(graph: Graph, pins: Pins) -> bool:
    """Whether everything that the project and each pin ask for is there."""
    return all(
        any((name, version) in pins and wanted <= pins[name, version] for version in accepted)
        for pin, extras in chain([((ROOT, ""), frozenset())], pins.items())
        for name, (accepted, wanted) in _asked(graph, pin, extras).items()
    )


def _asked(graph: Graph, pin: tuple[str, str], extras: Iterable[str]) -> dict[str, tuple[set[str], set[str]]]:
    """Join what a pin asks of each name: one copy must answer all of it."""
    asked: dict[str, tuple[set[str], set[str]]] = {}
    for extra in ("", *extras):
        for need in graph.dependencies(*pin, extra) or ():
            accepted, wanted = asked.get(need.name, (set(need.versions), set()))
            asked[need.name] = (accepted & set(need.versions), wanted | need.extras)
    if pin[0] in asked:  # what asks for itself means this very pin
        asked[pin[0]] = (asked[pin[0]][0] & {pin[1]}, asked[pin[0]][1])
    return asked


def _choices(graph: Graph, extras: Sequence[str]) -> Iterator[Pins]:
    """Every set of pins with every set of extras."""
    nodes = [(name, version) for name, versions in graph.packages.items() for version in versions]
    states = [None, *map(frozenset, _subsets(extras))]
    for chosen in product(states, repeat=len(nodes)):
        yield {node: state for node, state in zip(nodes, chosen, strict=True) if state is not None}


def _subsets(items: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(items, size) for size in range(len(items) + 1))
