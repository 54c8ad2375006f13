"""Show what the project asked for, and what that depends on, as the lock has it; or who asks for a package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envknit.cli.graph import Graph
from envknit.cli.parser import add_environment, add_json, add_script
from envknit.cli.place import environment_of, find_place
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from envknit.cli.graph import Key
    from envknit.cli.screen import Screen
    from envknit.files.model import Pin

EXAMPLE = "envknit tree --depth 1"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "the environment to show (default: default)")
    add_script(parser)
    parser.add_argument("--depth", type=int, metavar="N", help="show no more than N levels below what was asked for")
    parser.add_argument("--invert", metavar="PACKAGE", help="show what asks for this package, and what asks for that")
    add_json(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    place = find_place(arguments)
    graph = Graph(environment_of(place.read(), arguments.env, place.lock))
    if arguments.json:
        screen.data([_as_data(pin) for pin in graph.pins.values()])
        return 0
    inverted = canonical_name(arguments.invert) if arguments.invert else ""
    heads = [pin for pin in graph.pins.values() if pin.name == inverted] if inverted else graph.roots
    if inverted and not heads:
        screen.show(f"{inverted} is not in {place.lock.name}")
        return 1
    shown: set[Key] = set()
    for pin in heads:
        screen.show(f"{pin.name} {pin.version}{graph.beside(pin.name, pin.version)}{' (dev)' if pin.dev else ''}")
        for line in _below(graph, (pin.name, pin.version), "", shown, arguments.depth, inverted=bool(inverted)):
            screen.show(line)
    return 0


def _below(graph: Graph, key: Key, indent: str, shown: set[Key], depth: int | None, *, inverted: bool) -> Iterator[str]:
    """Draw what a pin depends on, or what asks for it; a pin that was drawn already is not unfolded again."""
    if depth == 0 or key in shown:
        return
    shown.add(key)
    steps = _steps(graph, key, inverted=inverted)
    for index, (name, version, marker) in enumerate(steps):
        last = index == len(steps) - 1
        again = " (*)" if (name, version) in shown and _steps(graph, (name, version), inverted=inverted) else ""
        title = f"{name} {version}{graph.beside(name, version)}{f' [{marker}]' if marker else ''}"
        yield f"{indent}{'└── ' if last else '├── '}{title}{again}"
        deeper = indent + ("    " if last else "│   ")
        yield from _below(graph, (name, version), deeper, shown, depth and depth - 1, inverted=inverted)


def _steps(graph: Graph, key: Key, *, inverted: bool) -> list[tuple[str, str, str]]:
    if inverted:
        return [(pin.name, pin.version, edge.marker) for pin, edge in graph.askers.get(key, ())]
    pin = graph.pins.get(key)
    return [(edge.name, edge.version, edge.marker) for edge in pin.dependencies] if pin else []


def _as_data(pin: Pin) -> dict[str, Any]:
    return {
        "name": pin.name,
        "version": pin.version,
        "direct": pin.direct,
        "dev": pin.dev,
        "dependencies": [
            {"name": edge.name, "version": edge.version, "marker": edge.marker} for edge in pin.dependencies
        ],
    }
