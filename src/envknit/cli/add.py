"""Ask for packages: edit the project file, lock and install.

A requirement is a name with versions, a path, a git repository or a URL: `flask>=3`, `../lib`, `lib @ ../lib`,
`git+https://host/lib@v1`. If no set of versions satisfies the new requirements, the project file is put back byte for
byte.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.edits import add_where, edit, finish, where_of
from envknit.cli.parser import add_environment, add_script
from envknit.cli.place import find_place
from envknit.cli.shared import made_where_missing
from envknit.errors import ProjectError
from envknit.plan import home

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen
    from envknit.files.sources import Source

EXAMPLE = "envknit add 'flask>=3' requests"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "requirement", metavar="REQUIREMENT", nargs="+", help="a requirement, as in `flask>=3`; or a path or URL"
    )
    add_environment(parser, "the environment to add to (default: default)")
    add_script(parser)
    add_where(parser)
    parser.add_argument("--editable", action="store_true", help="use the folders that are named in place")
    finish(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    with made_where_missing(arguments.shared):
        return _add(find_place(arguments), arguments, screen)


def _add(place: Place, arguments: Namespace, screen: Screen) -> int:
    from envknit.projects.edit import add_requirement, file_to_edit  # loads the YAML editor

    where = where_of(arguments)
    file = file_to_edit(place.require_nearest(), where)
    place = replace(place, nearest=file)
    asked = [_Asked(text, place, arguments, screen) for text in arguments.requirement]

    def change() -> None:
        for one in asked:
            if one.is_the_project:
                screen.say(f"{one.requirement} is the project itself, which its environment has already")
            else:
                add_requirement(file, one.requirement, where, source=one.source)

    return edit(place, change, arguments, screen)


class _Asked:
    """One argument: the requirement, and where it comes from if that is no index."""

    def __init__(self, text: str, place: Place, arguments: Namespace, screen: Screen) -> None:
        from envknit.files.requested import is_location  # `--help` needs no more than the parser

        self.requirement, self.source = text, None
        self.is_the_project = False
        name, at, location = text.partition(" @ ")
        if at:
            self.requirement, self.source = name, self._source(location, place, arguments)
        elif is_location(text) or (arguments.editable and Path(arguments.project, text.partition("[")[0]).is_dir()):
            location, bracket, extras = text.partition("[") if text.endswith("]") else (text, "", "")
            self.source = self._source(location, place, arguments)
            name = _name_at(self.source, place, arguments, screen)
            self.requirement = name + bracket + extras
            own = [package.folder for package in place.load().packages if package.name in ("", name)]
            folder = self._from_root(self.source, place) if self.source.is_here else ""
            self.is_the_project = folder in own
        elif arguments.editable:
            raise ProjectError(f"`{text}` names no folder, so it cannot be used in place")

    @staticmethod
    def _source(location: str, place: Place, arguments: Namespace) -> Source:
        """Read a location as it was typed: relative to the working folder; in the file it is relative to that."""
        from envknit.files.sources import parse_source
        from envknit.files.values import Value

        value = Value(data=location, file="the command line", error=ProjectError, kind="argument")
        source = parse_source(location, value)
        if not source.is_here:
            if arguments.editable:
                raise ProjectError(f"`{location}` is no folder, so it cannot be used in place")
            return source
        typed = Path(source.location).expanduser()
        folder = typed if typed.is_absolute() else Path(arguments.project, typed).absolute()
        if not folder.exists():
            raise ProjectError("there is nothing at that path", path=folder)
        relative = os.path.relpath(folder, place.require_nearest().parent)
        location = str(folder) if typed.is_absolute() else Path(relative).as_posix()
        return replace(source, location=location, editable=arguments.editable)

    @staticmethod
    def _from_root(source: Source, place: Place) -> str:
        return Path(os.path.relpath(place.require_nearest().parent / source.location, place.root)).as_posix()


def _name_at(source: Source, place: Place, arguments: Namespace, screen: Screen) -> str:
    """Find out what is at a source, from its files or its build."""
    from envknit.index.index import open_index  # loads the HTTP client
    from envknit.index.sourced import name_at

    project = place.load()
    with open_index(
        project.indexes, project.root, home=Path(home()), offline=arguments.offline, reporter=screen
    ) as index:
        return name_at(source, index, place.require_nearest().parent)
