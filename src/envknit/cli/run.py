"""Run a command as in an activated virtual environment that holds what the lock says.

Its `python` and the console scripts of its packages come first on PATH, for the command and for all that it starts;
whatever else PATH has is as it was. The command takes the place of this process, so signals and its exit status are its
own. A script that says in a comment what it needs (PEP 723) is locked and installed first, in the cache where no lock
lies beside it.
"""

from __future__ import annotations

import os
import shutil
import sys
from argparse import REMAINDER
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.parser import add_environment
from envknit.cli.place import find_place
from envknit.cli.screen import Screen
from envknit.cli.script import ready_script
from envknit.errors import InstallError, ProjectError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "envknit run -- pytest -x"

_NOT_FOUND = 127  # as a shell reports it
_NOT_EXECUTABLE = 126


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "the environment to use (default: default)")
    parser.add_argument("--no-dev", action="store_true", help="without the group `dev`, which stays installed")
    parser.add_argument("command", metavar="-- COMMAND", nargs=REMAINDER, help="the command and its arguments")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.cli.prefix import activated, find_prefix, prefix_without  # `--help` looks at no store

    command = arguments.command[arguments.command[:1] == ["--"] :]
    if not command:
        raise ProjectError("no command to run", hint=f"write it behind two dashes, as in: {EXAMPLE}")
    place = ready_script(Path(arguments.project, command[0]), screen)
    where = place or find_place(arguments)
    if arguments.no_dev:
        quiet = screen if screen.verbose else Screen(quiet=True)  # what the command prints stays alone
        prefix = prefix_without(where, arguments.env, "dev", quiet)
    else:
        prefix = find_prefix(where, arguments.env)
    variables = activated(prefix)
    if place:
        command = ["python", *command]
    program = shutil.which(command[0], path=variables["PATH"])
    if program is None:
        screen.fail(InstallError("neither the lock's packages nor PATH have this command", command=command[0]))
        return _NOT_FOUND
    screen.close()
    if sys.stdout is not None:
        sys.stdout.flush()
    try:
        os.execve(program, command, variables)
    except OSError as error:
        screen.fail(InstallError(f"the command cannot be run: {error.strerror}", command=program))
        return _NOT_EXECUTABLE
