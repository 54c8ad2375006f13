"""Put what the lock says into the store, and let plain Python in this folder see it.

The lock is not changed. Running it again is cheap: where nothing is to do, it looks and leaves. With `--platform` the
store is filled for another machine, to which it can be copied: `--python` is the version there, or its path there.
"""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

from envknit.cli.parser import add_environment, add_script
from envknit.cli.place import find_place
from envknit.cli.screen import size
from envknit.cli.view import refresh
from envknit.install.selection import USUAL, Selection
from envknit.naming import canonical_name
from envknit.reporter import count

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping, Sequence

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen
    from envknit.install.target import Target

EXAMPLE = "envknit install --no-dev --offline"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "install this environment (may be repeated; default: all for this Python)", many=True)
    add_script(parser)
    add_installing(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    place = find_place(arguments)
    place.require_lock()
    warn_if_outdated(place, screen)
    install_from(place, arguments, screen)
    return 0


def add_installing(parser: ArgumentParser) -> None:
    """Declare what `install_from` asks the arguments for."""
    add_selection(parser)
    add_platform(parser)
    parser.add_argument("--offline", action="store_true", help="ask no index; use what the cache and the store hold")
    parser.add_argument("--no-compile", action="store_true", help="leave modules to be compiled at their first import")


def install_from(place: Place, arguments: Namespace, screen: Screen) -> None:
    """Install the lock of a place as the arguments say."""
    install_place(
        place,
        screen,
        environments=arguments.env,
        selection=selection_of(arguments),
        offline=arguments.offline,
        compile_bytecode=not arguments.no_compile,
        here_only=bool(arguments.python or arguments.platform),
        target=target_of(arguments),
    )
    if not (arguments.python or arguments.platform):
        _warn_of_another_python(arguments, place, screen)


def _warn_of_another_python(arguments: Namespace, place: Place, screen: Screen) -> None:
    """Warn where the `python` of the person's shell is another than ours, and does not see what was installed.

    Cost: one start of Python where it is another, else a look at PATH.
    """
    from envknit.cli.situation import ask_python, is_ours, usual_python  # `--help` needs none of it

    usual = usual_python()
    if usual is None or is_ours(usual):
        return
    shell = ask_python(arguments)
    if not shell.uses(place.lock):
        which = f"{shell.version}, {shell.python}"
        screen.warn(
            f"`{shell.command}` in your shell is another Python ({which}), which does not see it;"
            f" use `envknit run`, or run: envknit --python {shlex.quote(shell.python)} doctor"
        )


def add_selection(parser: ArgumentParser) -> None:
    """Declare which groups and extras are meant."""
    names: dict[str, Any] = {"metavar": "NAME", "action": "append", "default": []}
    parser.add_argument("--extra", **names, help="with this extra of the project (may be repeated)")
    parser.add_argument("--all-extras", action="store_true", help="with every extra of the project")
    parser.add_argument("--group", **names, help="with this group, too (may be repeated)")
    parser.add_argument("--all-groups", action="store_true", help="with every group")
    parser.add_argument("--no-group", **names, help="without this group (may be repeated)")
    parser.add_argument("--no-dev", action="store_true", help="without the group `dev`")
    parser.add_argument("--only-group", **names, help="this group alone, without the project (may be repeated)")


def add_platform(parser: ArgumentParser) -> None:
    """Declare `--platform`, which makes `--python` a version or a path of another machine."""
    text = "for another machine, named as wheels do: manylinux_2_28_aarch64"
    parser.add_argument("--platform", metavar="TAG", help=text)


def target_of(arguments: Namespace) -> Target | None:
    """Return the interpreter of another machine that the arguments mean; None: the one that runs this."""
    if not arguments.platform:
        return None
    from envknit.install.target import Target  # `--help` needs none of it

    return Target.of(arguments.platform, arguments.python or f"3.{sys.version_info[1]}")


def selection_of(arguments: Namespace) -> Selection:
    """Return which groups and extras the arguments mean."""

    def names(given: list[str], *more: str) -> tuple[str, ...]:
        return tuple(sorted({*map(canonical_name, given), *more}))

    return Selection(
        extras=names(arguments.extra, *(["*"] if arguments.all_extras else [])),
        groups=names(arguments.group, *(["*"] if arguments.all_groups else [])),
        without=names(arguments.no_group, *(["dev"] if arguments.no_dev else [])),
        only=names(arguments.only_group),
    )


def install_place(
    place: Place,
    screen: Screen,
    *,
    environments: Sequence[str] | None = None,
    selection: Selection = USUAL,
    offline: bool = False,
    compile_bytecode: bool = True,
    here_only: bool = False,
    target: Target | None = None,
) -> None:
    """Install the lock of a place, and say what was done.

    Environments for other Pythons are installed by this same command in those, unless `here_only` says that the person
    named the one that is meant.
    """
    from envknit.install.installed import find_installed  # `--help` needs none of it

    began = time.perf_counter()
    done = None if target else find_installed(place.lock, environments, selection)
    if done:
        screen.say("everything is installed")
    else:
        from envknit.install.taken_back import take_back  # as above

        done = None if target else take_back(place.lock, environments, selection)
        if done is None:
            from envknit.install.flow import install  # heavy, and needed only where there is work

            done = install(
                place.lock,
                place.load_if_any(),
                environments=environments,
                selection=selection,
                offline=offline,
                compile_bytecode=compile_bytecode,
                reporter=screen,
                target=target,
            )
        seconds = time.perf_counter() - began
        news = f"{count(done.placed, 'new entry')} in the store, {size(done.downloaded)} downloaded"
        names = ", ".join(done.views) + (f" for {target}" if target else "")
        screen.say(f"installed {names}: {count(done.pins, 'pin')}, {news}, {seconds:.1f} s")
    if target is None:
        refresh(place)
    if done.skipped and here_only:
        screen.warn("; ".join(left_out(done.skipped)))
    elif done.skipped:
        from envknit.cli.elsewhere import install_elsewhere  # most projects are for one Python

        options = [
            *shlex.split(str(selection)),
            *(["--offline"] * offline),
            *(["--no-compile"] * (not compile_bytecode)),
        ]
        install_elsewhere(place, done.skipped, options, screen)


def left_out(skipped: Mapping[str, str]) -> list[str]:
    """Say of each environment which Pythons it is for."""
    return [f"environment {name!r} is for Python {python}, and is left out here" for name, python in skipped.items()]


def warn_if_outdated(place: Place, screen: Screen) -> None:
    """Warn where the project asks for what the lock does not answer.

    Only a project file newer than its lock is read: a warm install must not pay for YAML.
    """
    if place.project and place.project.stat().st_mtime > place.lock.stat().st_mtime:
        from envknit.cli.situation import is_outdated

        if is_outdated(place, place.read()):
            screen.warn("the project file asks for something else than the lock answers; run: envknit lock")
