"""Show why a package is in the lock: the chains from what was asked for down to it.

The exit status is 1 if no environment that was looked at has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.cli.graph import Graph
from envknit.cli.parser import add_json, add_script
from envknit.cli.place import environment_of, find_place
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen
    from envknit.files.model import Pin

EXAMPLE = "envknit why markupsafe"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("package", metavar="PACKAGE", help="the name of a package")
    parser.add_argument("-e", "--env", metavar="NAME", help="look only into this environment (default: all)")
    add_json(parser)
    add_script(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    place = find_place(arguments)
    lock = place.read()
    name = canonical_name(arguments.package)
    names = [arguments.env] if arguments.env else sorted(lock.environments)
    found = {env: Graph(environment_of(lock, env, place.lock)).chains(name) for env in names}
    found = {env: chains for env, chains in found.items() if chains}
    if arguments.json:
        screen.data({env: [[_text(pin) for pin in chain] for chain in chains] for env, chains in found.items()})
    elif not found:
        screen.show(f"{name} is not in {place.lock.name}")
    else:
        for env, chains in found.items():
            screen.show(f"{env}:")
            for chain in chains:
                screen.show("  " + " -> ".join(map(_text, chain)))
    return 0 if found else 1


def _text(pin: Pin) -> str:
    return f"{pin.name} {pin.version}"
