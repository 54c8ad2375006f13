"""Choose a version of everything that the project needs, and write the lock.

What the lock holds stays as it is wherever the requirements still allow it, and no index is asked where it answers them
all; `--update` and `--upgrade` let go of it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envknit.cli.changes import as_data, as_lines, changes
from envknit.cli.parser import add_environment, add_json, add_script
from envknit.cli.place import find_place
from envknit.errors import ProjectError
from envknit.files.model import PRERELEASES, RESOLUTIONS
from envknit.plan import home

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Collection, Mapping, Sequence

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen
    from envknit.errors import ResolutionError
    from envknit.files.model import Lock

EXAMPLE = "envknit lock --update flask"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "lock only this environment, others stay as they are (may be repeated)", many=True)
    add_script(parser)
    parser.add_argument(
        "--update", metavar="PKG", action="append", default=[], help="let this package move (may be repeated)"
    )
    parser.add_argument("--upgrade", action="store_true", help="let every package move")
    parser.add_argument(
        "--split", action="store_true", help="accept several versions of a package where one cannot satisfy everything"
    )
    parser.add_argument("--resolution", choices=RESOLUTIONS, help="which of the versions that fit to take")
    parser.add_argument("--prerelease", choices=PRERELEASES, help="when to take pre-releases")
    parser.add_argument("--exclude-newer", metavar="TIME", help="take nothing uploaded after this date or time")
    parser.add_argument("--offline", action="store_true", help="ask no index; use what the cache holds")
    parser.add_argument("--dry-run", action="store_true", help="show what would change; write nothing")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the lock would change; write nothing")
    add_json(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.files.written_lock import holds  # `--help` needs no YAML

    place = find_place(arguments)
    seen = _facts_of(place)
    previous = read_previous(place)
    failures: dict[str, ResolutionError] = {}
    lock = resolve_place(
        place, previous, screen, environments=arguments.env, update=arguments.update, upgrade=arguments.upgrade,
        split=arguments.split, offline=arguments.offline, settings=_settings(arguments), failures=failures,
    )  # fmt: skip
    if failures.keys() >= lock.environments.keys() | set(arguments.env or ()):
        raise next(iter(failures.values()))
    rewritten = not holds(place.lock, lock)
    found = changes(previous, lock)
    write = not (arguments.dry_run or arguments.check)
    if write:
        rewritten = save(place, lock)
    if arguments.json:
        screen.data(as_data(found, rewritten=rewritten) | ({"not_locked": sorted(failures)} if failures else {}))
    else:
        for line in as_lines(lock, found, screen, rewritten=rewritten):
            screen.say(line)
        screen.say(_closing(place, rewritten=rewritten, write=write))
    if seen and not (rewritten and not write):
        _remember(place, lock, seen, screen)
    for label, error in failures.items():
        if not arguments.json:
            screen.say(f"not locked: {label}")
        screen.fail(error)
    if arguments.check:
        return int(rewritten)
    return 3 if failures else 0


def _facts_of(place: Place) -> bytes:
    """Return what decides which project the working folder has, where that is this one and no other; else nothing."""
    from envknit.cli.settled import project_facts  # `--help` needs none

    with suppress(OSError):
        if place.project == place.nearest and place.root == Path.cwd():
            return project_facts()
    return b""


def _remember(place: Place, lock: Lock, facts: bytes, screen: Screen) -> None:
    """Let the next `lock` be short, where it would find nothing to do."""
    from envknit.cli.settled import remember
    from envknit.files.written_lock import render_lock
    from envknit.resolve.current import is_settled

    project = place.load()
    if project.alone and is_settled(project, lock):
        lines = [
            *as_lines(lock, changes(lock, lock), screen, rewritten=False),
            _closing(place, rewritten=False, write=False),
        ]
        remember(render_lock(lock).encode(), facts, "".join(f"{line}\n" for line in lines))


def _settings(arguments: Namespace) -> dict[str, str]:
    """Return what options say in place of the project."""
    from envknit.files.values import Value
    from envknit.projects.settings import read_time

    found = {key: getattr(arguments, key) for key in ("resolution", "prerelease") if getattr(arguments, key)}
    if arguments.exclude_newer:
        option = Value(data=arguments.exclude_newer, file="--exclude-newer", error=ProjectError, kind="option")
        found["exclude_newer"] = read_time(option)
    return found


def read_previous(place: Place) -> Lock | None:
    """Read the lock of a place, from which the next one starts; None where there is none, or an empty file."""
    # Empty: `touch`, or a write that a power cut ended
    return place.read() if place.lock.exists() and (place.lock.stat().st_size or not place.lock.is_file()) else None


def resolve_place(
    place: Place,
    previous: Lock | None,
    screen: Screen,
    *,
    environments: Sequence[str] | None = None,
    update: Collection[str] = (),
    upgrade: bool = False,
    split: bool = False,
    offline: bool = False,
    settings: Mapping[str, Any] | None = None,
    failures: dict[str, ResolutionError] | None = None,
) -> Lock:
    """Resolve the project of a place with the index that it uses; what is settled is not looked at again."""
    from envknit.resolve.current import is_settled

    project = replace(place.load(), **(settings or {}))
    if previous and not (update or upgrade or split) and is_settled(project, previous):
        return previous
    from envknit.index.index import open_index  # loads the HTTP client
    from envknit.index.sourced import bind_sources, bound_indexes
    from envknit.resolve.backend import completed
    from envknit.resolve.resolver import resolve  # loads the resolver

    bound = bound_indexes(project)
    with open_index(
        project.indexes, project.root, home=Path(home()), bound=bound, offline=offline, reporter=screen
    ) as index:
        project = completed(project, index.builder, screen)
        released = (
            {pin.name for old in previous.environments.values() for pin in old.pins} if previous and upgrade else ()
        )
        bind_sources(project, index, previous, [*update, *released])
        lock = resolve(
            project,
            index,
            previous=previous,
            environments=environments,
            update=update,
            update_all=upgrade,
            split=split,
            reporter=screen,
            failures=failures,
        )
    if all(len({pin.name for pin in made.pins}) == len(made.pins) for made in lock.environments.values()):
        return lock  # nothing is split
    from envknit.install.split_try import try_splits  # loads what installs

    return try_splits(lock, previous, project, place.lock, offline=offline, reporter=screen, failures=failures)


def save(place: Place, lock: Lock) -> bool:
    """Write the lock of a place; returns whether its bytes changed."""
    from envknit.files.written_lock import write_lock

    return write_lock(place.lock, lock)


def _closing(place: Place, *, rewritten: bool, write: bool) -> str:
    if not rewritten:
        return f"{place.lock.name} is up to date"
    if not write:
        return f"{place.lock.name} would change"
    return f"wrote {place.lock}; next: envknit install"
