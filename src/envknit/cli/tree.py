"""Show what the project asked for, and what that depends on, as the lock has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envknit.cli.graph import Graph
from envknit.cli.parser import add_environment, add_json
from envknit.cli.place import environment_of, find_place

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
    parser.add_argument("--depth", type=int, metavar="N", help="show no more than N levels below what was asked for")
    add_json(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    place = find_place(arguments)
    graph = Graph(environment_of(place.read(), arguments.env, place.lock))
    if arguments.json:
        screen.data([_as_data(pin) for pin in graph.pins.values()])
        return 0
    shown: set[Key] = set()
    for pin in graph.roots:
        screen.show(f"{pin.name} {pin.version}{graph.beside(pin.name, pin.version)}{' (dev)' if pin.dev else ''}")
        for line in _below(graph, pin, "", shown, arguments.depth):
            screen.show(line)
    return 0


def _below(graph: Graph, pin: Pin, indent: str, shown: set[Key], depth: int | None) -> Iterator[str]:
    """Draw what a pin depends on; a pin that was drawn already is named once more, and not unfolded."""
    if depth == 0 or (pin.name, pin.version) in shown:
        return
    shown.add((pin.name, pin.version))
    for index, edge in enumerate(pin.dependencies):
        last = index == len(pin.dependencies) - 1
        key = (edge.name, edge.version)
        below = graph.pins.get(key)
        again = " (*)" if key in shown and below and below.dependencies else ""
        marker = f" [{edge.marker}]" if edge.marker else ""
        title = f"{edge.name} {edge.version}{graph.beside(*key)}"
        yield f"{indent}{'└── ' if last else '├── '}{title}{marker}{again}"
        if below:
            yield from _below(graph, below, indent + ("    " if last else "│   "), shown, depth and depth - 1)


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
