"""Write a project file into a folder that has none; where there is one, say what it is and what comes next."""

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
    from envknit.exchange.detect import READERS  # `--help` needs none of it
    from envknit.files.project import LOCK_FILE, PROJECT_FILE
    from envknit.projects.edit import create_project  # loads the YAML editor
    from envknit.projects.load import project_file_in

    folder = Path(arguments.project).absolute()
    there = project_file_in(folder)
    if there is not None and there.name != PROJECT_FILE:
        # A file of ours beside it would hide what it asks for
        screen.say(f"{there.name} is the project file of this folder already")
        screen.say(f"next: envknit {'install' if (folder / LOCK_FILE).exists() else 'lock && envknit install'}")
        return 0
    made = create_project(folder, arguments.python_version)
    screen.say(f"wrote {made}")
    others = (name for name in READERS if (folder / name).is_file() and not name.endswith(".lock"))
    screen.say(f"next: envknit {next((f'import {name}' for name in others), 'add PACKAGE')}")
    return 0
