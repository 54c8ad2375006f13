"""Write the lock in a form that other tools read: a requirements file, pylock.toml, or a bill of materials.

What is written is one environment with its chosen groups and extras, for every platform and Python of the lock.
`pip install -r` and `uv pip install -r` take the first two.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.install import add_selection, selection_of
from envknit.cli.parser import add_environment
from envknit.cli.place import environment_of, find_place
from envknit.errors import ProjectError
from envknit.plan import home

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen
    from envknit.exchange.chosen import Chosen
    from envknit.files.model import Lock

EXAMPLE = "envknit export --format requirements --no-dev -o requirements.txt"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--format",
        choices=["requirements", "pylock", "cyclonedx"],
        default="requirements",
        help="requirements file (default), pylock.toml of PEP 751, or CycloneDX 1.6 in JSON",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="where to (default: standard output)")
    parser.add_argument("--no-hashes", action="store_true", help="leave the hashes out of a requirements file")
    add_environment(parser, "the environment to write (default: default)")
    add_selection(parser)
    parser.add_argument("--offline", action="store_true", help="ask no index; use what the cache holds")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.exchange.chosen import choose_all, refuse_split  # `--help` needs no library

    place = find_place(arguments)
    lock = place.read()
    environment = environment_of(lock, arguments.env, place.lock)
    selection = selection_of(arguments)
    selection.check(lock, [environment], str(place.lock))
    chosen = choose_all(lock, environment, selection)
    if arguments.format == "cyclonedx":
        from envknit.exchange.cyclonedx import write_cyclonedx

        text = write_cyclonedx(place.root.name, chosen)
    else:
        refuse_split(environment, chosen)
        text = _text(chosen, arguments, screen, place, lock)
    if not arguments.output:
        screen.show(text.rstrip("\n"))
        return 0
    _write(Path(arguments.output), text)
    screen.say(f"wrote {arguments.output}")
    return 0


def _text(chosen: list[Chosen], arguments: Namespace, screen: Screen, place: Place, lock: Lock) -> str:
    if arguments.format == "requirements":
        from envknit.exchange.requirements_out import can_be_hashed, write_requirements

        hashed = can_be_hashed(chosen)
        if not hashed and not arguments.no_hashes:
            screen.warn("the hashes are left out: pip takes none for folders and commits, and then for nothing else")
        return write_requirements(chosen, hashes=hashed and not arguments.no_hashes)
    from envknit.exchange.pylock import write_pylock
    from envknit.index.index import open_index  # loads the HTTP client
    from envknit.install.sources import bound_indexes

    project = place.load_if_any()
    indexes = project.indexes if project else ()
    bound = bound_indexes(lock)
    folder = Path(arguments.output).absolute().parent if arguments.output else Path.cwd()
    with open_index(
        indexes, place.root, home=Path(home()), bound=bound, offline=arguments.offline, reporter=screen
    ) as index:
        index.prefetch([one.pin.name for one in chosen if one.source is None])
        python_version = lock.environments[arguments.env].python_version
        return write_pylock(chosen, index.links, python_version, root=place.root, folder=folder)


def _write(path: Path, text: str) -> None:
    from envknit.files.atomic import place as place_file

    try:
        place_file(path.absolute(), text.encode())
    except OSError as cause:
        raise ProjectError(f"the file cannot be written: {cause.strerror}", file=path) from cause
