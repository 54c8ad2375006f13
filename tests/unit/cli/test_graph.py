from __future__ import annotations

from envknit.cli.changes import as_data, as_lines, changes
from envknit.cli.graph import Graph
from envknit.cli.screen import Screen
from envknit.files.model import Edge, Environment, Lock, Pin


def _pin(name: str, version: str = "1.0", *needs: str, asked: bool = False) -> Pin:
    edges = tuple(Edge(name=need, version="1.0") for need in needs)
    return Pin(name=name, version=version, dependencies=edges, roots=("",) if asked else ())


def _lock(**pins: Pin) -> Lock:
    return Lock(environments={"default": Environment(name="default", pins=tuple(pins.values()))})


def _chains(name: str, *pins: Pin) -> list[str]:
    graph = Graph(Environment(name="default", pins=pins))
    return [" ".join(pin.name for pin in chain) for chain in graph.chains(name)]


def test_a_chain_leads_from_what_was_asked_for_to_the_package() -> None:
    pins = (_pin("app", "1.0", "web", asked=True), _pin("web", "1.0", "text"), _pin("text"))

    assert ["app web text"] == _chains("text", *pins)


def test_each_root_gives_its_own_shortest_chain() -> None:
    pins = (_pin("a", "1.0", "c", "b", asked=True), _pin("b", "1.0", "c", asked=True), _pin("c"))

    assert ["a c", "b c"] == _chains("c", *pins)


def test_everything_that_asks_for_a_package_is_in_a_chain() -> None:
    pins = (_pin("app", "1.0", "web", "text", asked=True), _pin("web", "1.0", "text", "page"), _pin("text"))

    assert ["app text", "app web text"] == _chains("text", *pins)
    assert ["app"] == _chains("app", *pins)


def test_pins_that_depend_on_each_other_do_not_go_round() -> None:
    pins = (_pin("a", "1.0", "b", asked=True), _pin("b", "1.0", "a"))

    assert ["a b"] == _chains("b", *pins)
    assert ["a"] == _chains("a", *pins)
    assert [] == _chains("c", *pins)


def test_a_lock_that_records_no_roots_has_those_that_nobody_needs() -> None:
    graph = Graph(Environment(name="default", pins=(_pin("a", "1.0", "b"), _pin("b"))))

    assert ["a"] == [pin.name for pin in graph.roots]


def test_changes_are_told_by_name() -> None:
    before = _lock(a=_pin("a"), b=_pin("b", "1.0"), c=_pin("c"))
    after = _lock(b=_pin("b", "2.0"), c=_pin("c"), d=_pin("d"))
    found = changes(before, after)

    assert ["default: 3 pins", "  - a 1.0", "  ~ b 1.0 -> 2.0", "  + d 1.0"] == list(
        as_lines(after, found, Screen(), rewritten=True)
    )
    assert {"name": "b", "before": ["1.0"], "after": ["2.0"]} in as_data(found, rewritten=True)["environments"][
        "default"
    ]


def test_a_lock_whose_bytes_alone_changed_is_told_so() -> None:
    lock = _lock(a=_pin("a"))

    assert ["default: 1 pin, the same versions", "files, requirements or dependencies changed"] == list(
        as_lines(lock, changes(lock, lock), Screen(), rewritten=True)
    )
