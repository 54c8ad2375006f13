"""Start a shell in which an environment is active; leave it with `exit`.

The start-up files of bash, zsh and fish run first, so that what they put on PATH does not hide the environment.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.parser import add_environment
from envknit.cli.place import find_place
from envknit.errors import InstallError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen

EXAMPLE = "envknit shell --env ml"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "the environment to use (default: default)")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.cli.prefix import activated, find_prefix  # `--help` looks at no store

    prefix = find_prefix(find_place(arguments), arguments.env)
    program = os.environ.get("SHELL") or shutil.which("sh") or "/bin/sh"
    screen.close()
    sys.stdout.flush()
    options, variables = _behind_start_up_files(Path(program).name, prefix)
    try:
        os.execve(program, [program, *options], activated(prefix) | variables)
    except OSError as error:
        raise InstallError(f"the shell cannot be run: {error.strerror}", shell=program, hint="set SHELL") from error


def _behind_start_up_files(shell: str, prefix: Path) -> tuple[list[str], dict[str, str]]:
    """Return the options and variables that make a shell activate the prefix behind its own start-up files."""
    from envknit.cli.env import lines_for
    from envknit.view.scripts import ACTIVATE

    if shell == "fish":
        return ["--init-command", lines_for("fish", prefix)], {}
    if shell == "zsh":  # reads its files in ZDOTDIR: ours, which read the person's
        own = {"_ENVKNIT_ZDOTDIR": os.environ.get("ZDOTDIR", ""), "_ENVKNIT_ACTIVATE": str(prefix / "bin" / "activate")}
        return ["-i"], {"ZDOTDIR": str(Path(ACTIVATE, "zsh")), **own}
    if shell == "bash":
        read, write = os.pipe()
        os.write(write, f"[ -f ~/.bashrc ] && . ~/.bashrc\n{lines_for('bash', prefix)}\n".encode())
        os.close(write)
        os.set_inheritable(read, True)  # noqa: FBT003 - its only parameter
        return ["--rcfile", f"/dev/fd/{read}", "-i"], {}
    return [], {}
