"""Print what a shell evaluates to have an environment first on its PATH, as `activate` of a virtual environment does.

eval "$(envknit env)"                     bash, zsh, sh
envknit env --shell fish | source         fish
eval "$(envknit env --shell direnv)"      in an .envrc
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from envknit.cli.parser import add_environment
from envknit.cli.place import find_place

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from pathlib import Path

    from envknit.cli.screen import Screen

EXAMPLE = "envknit env --shell fish | source"

SHELLS = ("bash", "zsh", "fish", "direnv")


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "the environment to use (default: default)")
    parser.add_argument("--shell", choices=SHELLS, help="whose language to print (default: that of $SHELL, else bash)")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.cli.prefix import find_prefix  # `--help` looks at no store

    shell = arguments.shell or os.path.basename(os.environ.get("SHELL", ""))  # noqa: PTH119 - a name, no path of ours
    screen.show(lines_for(shell, find_prefix(find_place(arguments), arguments.env)))
    return 0


def lines_for(shell: str, prefix: Path) -> str:
    """Return what a shell evaluates to activate a prefix; one that is not known speaks as bash does."""
    if shell == "direnv":
        folder = shlex.quote(str(prefix / "bin"))
        return f"export VIRTUAL_ENV={shlex.quote(str(prefix))}\nPATH_add {folder}\nunset PYTHONHOME"
    if shell == "fish":
        return f"source {shlex.quote(str(prefix / 'bin' / 'activate.fish'))}"
    return f". {shlex.quote(str(prefix / 'bin' / 'activate'))}"
