"""Write a file that installs the lock on a machine without network or index: the lock and the wheels that it names.

By default it is for the interpreter that runs this; `--platform` and `--python` name others. The end of the file's name
says how it is packed: .tar, .tar.gz, .tar.xz, or .tar.zst (Python 3.14, or the package backports.zstd). The same lock
and wheels give the same bytes. `envknit unbundle` installs it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.install import add_selection, selection_of, warn_if_outdated
from envknit.cli.parser import add_environment, add_script
from envknit.cli.place import find_place
from envknit.cli.screen import size
from envknit.reporter import count

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen

EXAMPLE = "envknit bundle -o app.tar.gz --no-dev --platform manylinux_2_28_aarch64 --python 3.13"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the file to write")
    add_environment(parser, "take this environment (may be repeated; default: all)", many=True)
    add_script(parser)
    add_selection(parser)
    parser.add_argument(
        "--platform",
        metavar="TAG",
        action="append",
        default=[],
        help="for machines of this platform, named as wheels do: manylinux_2_28_aarch64 (may be repeated)",
    )
    parser.add_argument("--offline", action="store_true", help="ask no index; use what the cache holds")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.exchange.bundle import write_bundle  # loads the HTTP client
    from envknit.install.target import Target

    place = find_place(arguments)
    place.require_lock()
    warn_if_outdated(place, screen)
    python = arguments.python or f"3.{sys.version_info[1]}"
    output = Path(arguments.output).absolute()
    done = write_bundle(
        place.lock,
        output,
        place.load_if_any(),
        environments=arguments.env,
        selection=selection_of(arguments),
        targets=[Target.of(platform, python) for platform in arguments.platform],
        offline=arguments.offline,
        reporter=screen,
    )
    for title in done.built:
        screen.say(f"{title} was built here; the lock in the bundle names its wheel")
    screen.say(f"wrote {output}: {count(done.wheels, 'wheel')}, {size(done.size)}")
    return 0
