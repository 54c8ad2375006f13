"""The smallest split against a search that tries everything, on random graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envknit.errors import ResolutionError
from envknit.resolve.split import smallest_split
from envknit.resolve.split_search import ROOT
from kit.brute_force import cheapest_split, cost_of, is_answer
from kit.graphs import Graph

if TYPE_CHECKING:
    import random

SLOWLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
NAMES = ("a", "b", "c", "d", "e")
# By the number of versions that there are: each is satisfied by one of them, so most graphs are conflicts.
SPECIFIERS = {
    1: ("", "==1"),
    2: ("", "==1", "==2", "<2", ">=2"),
    3: ("", "==1", "==2", "==3", "<2", "<3", ">=2", ">=3", "!=2"),
}


@st.composite
def graphs(draw: st.DrawFn, *, most: int = 10, extras: bool = False) -> Graph:
    """Draw a graph of at most so many candidates; it may have cycles."""
    counts = draw(st.lists(st.integers(1, 3), min_size=2, max_size=len(NAMES)).filter(lambda found: sum(found) <= most))
    versions = dict(zip(NAMES, counts, strict=False))

    def requirement(*, of_extra: bool) -> str:
        name = draw(st.sampled_from(sorted(versions)))
        asked = draw(st.sampled_from(("", "", "[x]"))) if extras else ""
        marker = draw(st.sampled_from(("", "", '; extra == "x"'))) if extras and of_extra else ""
        return name + asked + draw(st.sampled_from(SPECIFIERS[versions[name]])) + marker

    packages = {
        name: {
            str(version): [requirement(of_extra=True) for _ in range(draw(st.integers(0, 4)))]
            for version in range(1, count + 1)
        }
        for name, count in versions.items()
    }
    return Graph(packages, [requirement(of_extra=False) for _ in range(draw(st.integers(1, 3)))])


@st.composite
def conflicts(draw: st.DrawFn) -> Graph:
    """Draw a graph in which applications want libraries, and libraries each other, at narrow ranges."""
    libraries = {name: draw(st.integers(2, 3)) for name in ("x", "y", "z")}

    def narrow(names: str) -> list[str]:
        return [
            name + draw(st.sampled_from(SPECIFIERS[libraries[name]][1:])) for name in names if draw(st.integers(0, 2))
        ]

    packages = {name: {"1": narrow("xyz")} for name in ("a", "b", "c")}
    for name, others in (("x", "yz"), ("y", "z"), ("z", "x")):
        packages[name] = {
            str(version): narrow(others) if draw(st.booleans()) else [] for version in range(1, libraries[name] + 1)
        }
    return Graph(packages, ["a", "b", "c"])


@settings(SLOWLY, max_examples=250)
@pytest.mark.once
@given(graphs())
def test_a_split_is_never_larger_than_the_smallest_there_is(graph: Graph) -> None:
    split = smallest_split(graph)
    assert cheapest_split(graph) == (None if split is None else cost_of(split))


@settings(SLOWLY, max_examples=150)
@pytest.mark.once
@given(conflicts())
def test_conflicts_are_solved_by_the_smallest_split(graph: Graph) -> None:
    split = smallest_split(graph)
    assert cheapest_split(graph) == (None if split is None else cost_of(split))


@settings(SLOWLY, max_examples=120)
@pytest.mark.once
@given(graphs(most=7, extras=True))
def test_extras_do_not_make_it_larger_either(graph: Graph) -> None:
    split = smallest_split(graph)
    assert cheapest_split(graph, extras=["x"]) == (None if split is None else cost_of(split))


@settings(SLOWLY, max_examples=200)
@pytest.mark.once
@given(conflicts() | graphs(most=15, extras=True))
def test_every_pin_is_linked_to_one_copy_of_each_name_that_satisfies_it(graph: Graph) -> None:
    split = smallest_split(graph)
    if split is None:
        return
    assert is_answer(graph, split.pins)
    assert {(ROOT, ""), *split.pins} == set(split.links)
    reached = {(name, version) for links in split.links.values() for name, version in links.items()}
    assert set(split.pins) == reached
    for pin, links in split.links.items():
        for extra in ("", *split.pins.get(pin, ())):
            for wanted in graph.dependencies(*pin, extra) or ():
                assert links[wanted.name] in wanted.versions
                assert wanted.extras <= split.pins[wanted.name, links[wanted.name]]
    assert set(split.links[ROOT, ""].items()) <= set(split.residents.items())
    assert {name for name, _ in split.pins} == set(split.residents)


@settings(SLOWLY, max_examples=100)
@pytest.mark.once
@given(conflicts() | graphs(most=15, extras=True), st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_said_does_not_matter(graph: Graph, chance: random.Random) -> None:
    def shuffled(items: dict[str, object]) -> dict[str, object]:
        return dict(chance.sample(list(items.items()), len(items)))

    packages = {
        name: shuffled({version: chance.sample(list(texts), len(texts)) for version, texts in there.items()})
        for name, there in shuffled(graph.packages).items()
    }
    other = Graph(packages, chance.sample(list(graph.requirements), len(graph.requirements)))
    assert smallest_split(graph) == smallest_split(other)


@settings(SLOWLY, max_examples=100)
@pytest.mark.once
@given(conflicts() | graphs(most=15, extras=True))
def test_only_allowed_names_are_split(graph: Graph) -> None:
    split = smallest_split(graph, allowed={"a", "c", "x", "y"})
    assert split is None or set(split.copies) <= {"a", "c", "x", "y"}
    free = smallest_split(graph)
    assert free is not None or split is None
    if free is not None and set(free.copies) <= {"a", "c", "x", "y"}:
        assert split is not None
        assert cost_of(free) == cost_of(split)


def test_a_search_that_takes_too_long_is_an_error_and_never_a_larger_split() -> None:
    graph = Graph({"a": {"1": ["c==1"]}, "b": {"1": ["c==2"]}, "c": {"1": [], "2": []}}, ["a", "b"])
    with pytest.raises(ResolutionError, match="given up") as raised:
        smallest_split(graph, steps=5)
    assert 5 == raised.value.facts["candidates_looked_at"]
