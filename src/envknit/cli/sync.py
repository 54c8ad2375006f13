"""Lock where the lock is out of date, then install: what to run after a pull, or after an edit of the project file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.cli.changes import as_lines, changes
from envknit.cli.install import add_installing, install_from
from envknit.cli.lock import read_previous, resolve_place, save
from envknit.cli.parser import add_environment, add_script
from envknit.cli.place import find_place
from envknit.errors import LockError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen

EXAMPLE = "envknit sync --locked"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "install this environment (may be repeated; default: all)", many=True)
    add_script(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--locked", action="store_true", help="exit with 1 if the lock is out of date; do not lock")
    which.add_argument("--frozen", action="store_true", help="do not look whether the lock is out of date")
    add_installing(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    place = find_place(arguments)
    if not arguments.frozen and place.project is not None and not _relock(place, arguments, screen):
        said = "the project file asks for something else than the lock answers"
        screen.fail(
            LockError(
                said if place.lock.exists() else "this project has no lock", lock=place.lock, hint="run: envknit lock"
            )
        )
        return 1
    place.require_lock()
    install_from(place, arguments, screen)
    return 0


def _relock(place: Place, arguments: Namespace, screen: Screen) -> bool:
    """Lock where the lock is out of date; False where `--locked` forbids it."""
    from envknit.resolve.current import is_current  # `--frozen` compares nothing

    previous = read_previous(place)
    if previous is not None and is_current(place.load(), previous):
        return True
    if arguments.locked:
        return False
    lock = resolve_place(place, previous, screen, offline=arguments.offline)
    for line in as_lines(lock, changes(previous, lock), screen, rewritten=save(place, lock)):
        screen.say(line)
    return True
