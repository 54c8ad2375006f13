"""Write a project file into a folder that has none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen

EXAMPLE = "envknit init && envknit add flask"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    running = f">={sys.version_info[0]}.{sys.version_info[1]}"
    parser.add_argument(
        "--python-version",
        metavar="SPECIFIER",
        default=running,
        help="which Pythons the project is for (default: the running one and newer)",
    )


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.files.edit import create_project  # noqa: PLC0415 - loads the YAML editor

    made = create_project(Path(arguments.project).absolute(), arguments.python_version)
    screen.say(f"wrote {made}")
    screen.say("next: envknit add PACKAGE")
    return 0
