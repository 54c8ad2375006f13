"""Install what a bundle holds, with no network and no index: its lock is written into the folder, and installed.

To unbundle is to trust the lock in the bundle, as `install` is. Every wheel is hashed, and has to be one that the lock
names. With `--platform` and `--python` the store is filled for another machine, to which it can be copied.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.install import add_platform, target_of
from envknit.files.project import LOCK_FILE
from envknit.plan import home
from envknit.reporter import count
from envknit.store.roots import view_link

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen

EXAMPLE = "envknit -C /srv/app unbundle app.tar.gz"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("bundle", metavar="FILE", help="what `envknit bundle` wrote")
    add_platform(parser)
    parser.add_argument("--no-compile", action="store_true", help="leave modules to be compiled at their first import")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.exchange.unbundle import unbundle  # heavy, and `--help` needs none of it

    target = target_of(arguments)
    done = unbundle(
        Path(arguments.bundle).absolute(),
        Path(arguments.project).absolute(),
        target=target,
        compile_bytecode=not arguments.no_compile,
        reporter=screen,
    )
    names = ", ".join(done.views) + (f" for {target}" if target else "")
    screen.say(f"installed {names}: {count(done.pins, 'pin')}, {count(done.placed, 'new entry')} in the store")
    for name, view in done.views.items():
        link = view if target else view_link(home(), str(Path(arguments.project).absolute() / LOCK_FILE), name)
        screen.say(f"programs of {name}: {link}/bin")
    return 0
