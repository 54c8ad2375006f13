"""Show which locked packages have newer versions on the index.

Newer is what the environment's lowest Python can use; pre-releases count where one is locked. `lock --update PACKAGE`
moves one of them, as far as the requirements allow.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.parser import add_environment, add_json
from envknit.cli.place import environment_of, find_place
from envknit.plan import home

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from packaging.version import Version

    from envknit.cli.screen import Screen
    from envknit.files.model import Environment, Pin
    from envknit.index.index import Link
    from envknit.resolve.targets import Targets

EXAMPLE = "envknit outdated --direct"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "the environment to look at (default: default)")
    parser.add_argument("--direct", action="store_true", help="only what the project itself asks for")
    add_json(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.index.index import open_index  # loads the HTTP client
    from envknit.index.sourced import bound_indexes
    from envknit.resolve.targets import Targets

    place = find_place(arguments)
    lock = place.read()
    environment = environment_of(lock, arguments.env, place.lock)
    project = place.load_if_any()
    pins = [pin for pin in environment.pins if pin.files and not pin.source and (pin.direct or not arguments.direct)]
    targets = Targets.of(lock.targets, environment.python_version)
    screen.stage("Asking the index", steps=len(pins))
    indexes, bound = (project.indexes, bound_indexes(project)) if project else ((), {})
    with open_index(indexes, place.root, home=Path(home()), bound=bound, reporter=screen) as index:
        index.prefetch({pin.name for pin in pins})
        found = []
        for pin in pins:
            newest = _newest(index.links(pin.name), pin, targets)
            found += [(pin, newest)] if newest else []
            screen.step(pin.name)
    if arguments.json:
        screen.data([{"name": pin.name, "locked": pin.version, "newest": str(newest)} for pin, newest in found])
        return 0
    names = max((len(pin.name) for pin, _ in found), default=0)
    versions = max((len(pin.version) for pin, _ in found), default=0)
    for pin, newest in found:
        held = _held(environment, pin, newest)
        screen.show(
            f"{pin.name:<{names}}  {pin.version:<{versions}}  -> {newest}{f' (held by {held})' if held else ''}"
        )
    screen.say("next: envknit lock --upgrade, and envknit install" if found else "nothing newer is on the index")
    return 0


def _newest(links: Iterable[Link], pin: Pin, targets: Targets) -> Version | None:
    """Return the newest version that the targets can use; None where the pin is that or a newer one."""
    from packaging.version import Version

    from envknit.files.filenames import version_in

    locked = Version(pin.version)
    offered = {
        version
        for link in links
        if link.yanked is None and (version := version_in(link.filename, pin.name)) and version > locked
        if (locked.is_prerelease or not version.is_prerelease)
        and targets.accepts_python(link.requires_python, targets.everywhere)
    }
    return max(offered, default=None)


def _held(environment: Environment, pin: Pin, newest: Version) -> str:
    """Return the project's own requirement that excludes the newest version, if one does."""
    from packaging.requirements import Requirement

    from envknit.naming import canonical_name

    texts = [*environment.requirements, *environment.constraints]
    texts += [text for named in (environment.groups, environment.extras) for more in named.values() for text in more]
    own = [wanted for wanted in map(Requirement, texts) if canonical_name(wanted.name) == pin.name]
    return next((str(wanted) for wanted in own if not wanted.specifier.contains(newest, prereleases=True)), "")
