"""List the packages of an environment with their versions, as the lock has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.cli.graph import Graph
from envknit.cli.parser import add_environment, add_json, add_script
from envknit.cli.place import environment_of, find_place

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen

EXAMPLE = "envknit list --env ml"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "the environment to list (default: default)")
    add_script(parser)
    add_json(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    place = find_place(arguments)
    graph = Graph(environment_of(place.read(), arguments.env, place.lock))
    pins = graph.pins.values()
    if arguments.json:
        screen.data([{"name": pin.name, "version": pin.version, "direct": pin.direct, "dev": pin.dev} for pin in pins])
        return 0
    width = max((len(pin.name) for pin in pins), default=0)
    for pin in pins:
        asked = " (asked for)" if pin.direct else ""
        beside = graph.beside(pin.name, pin.version)
        screen.show(f"{pin.name:<{width}}  {pin.version}{beside}{asked}{' (dev)' if pin.dev else ''}")
    return 0
