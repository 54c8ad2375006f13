"""What `add` and `remove` share: an edit of the project file that is undone if it cannot be locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.cli.changes import as_lines, changes
from envknit.cli.install import install_place
from envknit.cli.lock import read_previous, resolve_place, save
from envknit.files.atomic import place as place_file
from envknit.naming import canonical_name
from envknit.projects.where import Where
from envknit.regular import read_regular

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen
    from envknit.files.model import Lock


def finish(parser: ArgumentParser) -> None:
    """Declare the arguments that both verbs have."""
    parser.add_argument(
        "--split", action="store_true", help="accept several versions of a package where one cannot satisfy everything"
    )
    parser.add_argument("--offline", action="store_true", help="ask no index; use what the cache and the store hold")
    parser.add_argument("--no-install", action="store_true", help="edit and lock, but install nothing")


def add_where(parser: ArgumentParser) -> None:
    """Declare which list of the project file is meant."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--dev", dest="group", action="store_const", const="dev", help="the group `dev`")
    which.add_argument("--group", metavar="NAME", help="a dependency group, as in [dependency-groups]")
    which.add_argument("--extra", metavar="NAME", help="an extra of the project itself")


def where_of(arguments: Namespace) -> Where:
    """Return which list of the project file the arguments mean."""
    return Where(arguments.env, canonical_name(arguments.group or ""), canonical_name(arguments.extra or ""))


def edit(
    place: Place,
    change: Callable[[], None],
    arguments: Namespace,
    screen: Screen,
    *,
    start: Lock | None = None,
    accept: Callable[[Lock], None] | None = None,
) -> int:
    """Change the project file, lock and install; whatever stops the lock puts the project file back.

    Args:
        place: whose project file.
        change: makes the change.
        arguments: of the command line.
        screen: where to print.
        start: the lock to start from where the project has none.
        accept: looks at the new lock before it is written; what it raises stops it.
    """
    path = place.require_nearest()
    before = read_regular(path)
    previous = read_previous(place)
    try:
        change()
        lock = resolve_place(place, previous or start, screen, split=arguments.split, offline=arguments.offline)
        if accept:
            accept(lock)
        rewritten = save(place, lock)
    except BaseException:  # Ctrl-C too must not leave a project file that its lock does not answer
        if read_regular(path) != before:
            place_file(path, before)
        raise
    for line in as_lines(lock, changes(previous, lock), screen, rewritten=rewritten):
        screen.say(line)
    if not arguments.no_install:
        install_place(place, screen, offline=arguments.offline, here_only=bool(arguments.python))
    return 0
