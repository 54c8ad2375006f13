"""What `add` and `remove` share: an edit of the project file that is undone if it cannot be locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.cli.changes import as_lines, changes
from envknit.cli.install import install_place
from envknit.cli.lock import resolve_place, save
from envknit.files.atomic import place as place_file

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen


def finish(parser: ArgumentParser) -> None:
    """Declare the arguments that both verbs have."""
    parser.add_argument(
        "--split", action="store_true", help="accept several versions of a package where one cannot satisfy everything"
    )
    parser.add_argument("--offline", action="store_true", help="ask no index; use what the cache and the store hold")
    parser.add_argument("--no-install", action="store_true", help="edit and lock, but install nothing")


def edit(place: Place, change: Callable[[], None], arguments: Namespace, screen: Screen) -> int:
    """Change the project file, lock and install; whatever stops the lock puts the project file back."""
    path = place.load().path
    before = path.read_bytes()
    previous = place.read() if place.lock.exists() else None
    try:
        change()
        lock = resolve_place(place, previous, screen, split=arguments.split, offline=arguments.offline)
    except BaseException:  # Ctrl-C too must not leave a project file that its lock does not answer
        if path.read_bytes() != before:
            place_file(path, before)
        raise
    rewritten = save(place, lock)
    for line in as_lines(lock, changes(previous, lock), rewritten=rewritten):
        screen.say(line)
    if not arguments.no_install:
        install_place(place, screen, offline=arguments.offline)
    return 0
