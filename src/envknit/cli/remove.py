"""Ask for packages no more: edit the project file, lock and install."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from envknit.cli.edits import add_where, edit, finish, where_of
from envknit.cli.parser import add_environment, add_script
from envknit.cli.place import find_place

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen

EXAMPLE = "envknit remove requests"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", metavar="NAME", nargs="+", help="the name of a package that was asked for")
    add_environment(parser, "the environment to remove from (default: default)")
    add_script(parser)
    add_where(parser)
    finish(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.projects.edit import file_to_edit, remove_requirement  # loads the YAML editor

    place = find_place(arguments)
    where = where_of(arguments)
    place = replace(place, nearest=file_to_edit(place.require_nearest(), where))
    places = [where] if where.group or where.extra or arguments.script else [where, where._replace(group="dev")]

    def change() -> None:
        for name in arguments.name:
            remove_requirement(place.require_nearest(), name, *places)

    return edit(place, change, arguments, screen)
