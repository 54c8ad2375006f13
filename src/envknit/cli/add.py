"""Ask for packages: edit the project file, lock and install.

If no set of versions satisfies the new requirements, the project file is put back byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.cli.edits import add_where, edit, finish, where_of
from envknit.cli.parser import add_environment
from envknit.cli.place import find_place

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen

EXAMPLE = "envknit add 'flask>=3' requests"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("requirement", metavar="REQUIREMENT", nargs="+", help="a requirement, as in `flask>=3`")
    add_environment(parser, "the environment to add to (default: default)")
    add_where(parser)
    finish(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.files.edit import add_requirement  # noqa: PLC0415 - loads the YAML editor

    place = find_place(arguments)
    where = where_of(arguments)

    def change() -> None:
        for requirement in arguments.requirement:
            add_requirement(place.load().path, requirement, where)

    return edit(place, change, arguments, screen)
