"""List and find the interpreters of this machine, and pin the one that a project uses.

They are looked for on PATH, among those that pyenv, mise, asdf and uv keep, and where systems have theirs. `pin` writes
`.python-version`, which those tools read as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.choice import Wish, agree, read_wish, running, version_of
from envknit.cli.elsewhere import interpreter_of
from envknit.cli.interpreter import find_interpreter
from envknit.cli.parser import ActionParser, add_environment, add_json
from envknit.cli.place import environment_of, find_place
from envknit.cli.settled import WISH
from envknit.errors import ProjectError
from envknit.pythons import find_python, find_pythons

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen

EXAMPLE = "envknit python pin 3.12"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action", parser_class=ActionParser)
    add_json(
        actions.add_parser("list", help="list the interpreters that were found, in the order in which they are chosen")
    )
    find = actions.add_parser("find", help="print the path of the interpreter that an environment or a version gets")
    find.add_argument(
        "version", metavar="VERSION", nargs="?", help="a version such as `3.12`, instead of the project's"
    )
    add_environment(find, "the environment that it is for (default: default)")
    pin = actions.add_parser("pin", help=f"write {WISH}; without VERSION, show what it says")
    pin.add_argument("version", metavar="VERSION", nargs="?", help="a version such as `3.12` or `3.12.1`")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    {"list": _list, "find": _find, "pin": _pin}[arguments.action](arguments, screen)
    return 0


def _list(arguments: Namespace, screen: Screen) -> None:
    found = list(find_pythons())
    rows = [
        {
            "version": each.version,
            "implementation": each.implementation,
            "free_threaded": each.is_free_threaded,
            "executable": each.executable,
            "origin": each.origin,
            "supported": each.is_supported,
        }
        for each in found
    ]
    if arguments.json:
        screen.data(rows)
        return
    for each in found:
        marks = [
            each.implementation if each.implementation != "cpython" else "",
            "free-threaded" if each.is_free_threaded else "",
            "" if each.is_supported else "not supported",
            "runs envknit" if each.is_same(running()) else "",
        ]
        notes = f"  ({', '.join(filter(None, marks))})" if any(marks) else ""
        screen.show(f"{each.version:<9}  {each.origin:<6}  {each.executable}{notes}")


def _find(arguments: Namespace, screen: Screen) -> None:
    if arguments.version:
        screen.show(find_interpreter(arguments.version))
        return
    place = find_place(arguments)
    screen.show(interpreter_of(place, arguments.env, _specifier(place, arguments.env)).executable)


def _specifier(place: Place, name: str) -> str:
    if place.project is None:
        return environment_of(place.read(), name, place.lock).python_version
    environments = place.load().environments
    if name not in environments:
        raise ProjectError(
            f"there is no environment `{name}`", project=place.project, hint=f"there are: {', '.join(environments)}"
        )
    return environments[name].python_version


def _pin(arguments: Namespace, screen: Screen) -> None:
    try:
        place = find_place(arguments)
    except ProjectError:
        place = None
    folder = place.root if place else Path(arguments.project).absolute()
    if not arguments.version:
        wish = read_wish(folder, screen)
        screen.show(f"{wish.text}  ({wish.file})" if wish else f"there is no {WISH}")
        return
    text = version_of(arguments.version)
    if not text:
        raise ProjectError(
            f"`{arguments.version}` is no version of Python", hint="write it as in: envknit python pin 3.12"
        )
    wish = Wish(text, folder / WISH)
    specifier = _specifier(place, "default") if place and place.project else ""
    if not agree(specifier, wish):
        raise ProjectError(
            f"environment 'default' is for Python {specifier}, so it cannot be pinned to {text}",
            project=place.project if place else None,
        )
    wish.file.write_text(f"{text}\n", encoding="utf-8")
    found = find_python(text)
    screen.say(f"wrote {wish.file}: {text}" + (f", which is {found.executable}" if found else ""))
    if found is None:
        screen.warn(f"no Python {text} is on this machine yet")
