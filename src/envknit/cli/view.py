"""Let `.venv` in the project be an environment, for editors, type checkers and whatever else asks for such a folder.

It is a link to the environment's current view in the store: each `install` keeps it right, and removing it removes
nothing else. Git is told to ignore it in this clone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.parser import add_environment
from envknit.cli.place import find_place
from envknit.errors import InstallError, ProjectError
from envknit.regular import read_regular

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen

EXAMPLE = "envknit view"

NAME = ".venv"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "the environment to show (default: default)")
    parser.add_argument("--force", action="store_true", help=f"replace a {NAME} that is something else")
    parser.add_argument("--remove", action="store_true", help=f"remove the {NAME} that this command made")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    place = find_place(arguments)
    link = place.root / NAME
    if arguments.remove:
        if link.is_symlink() and is_ours(link):
            link.unlink()
            screen.say(f"removed {link}")
        else:
            screen.say(f"there is no {NAME} of envknit in {place.root}")
        return 0
    if link.is_symlink() or not link.exists():
        if link.is_symlink() and not is_ours(link) and not arguments.force:
            raise _refusal(link)
    elif arguments.force:
        shutil.rmtree(link) if link.is_dir() else link.unlink()
    else:
        raise _refusal(link)
    target = point(link, place, arguments.env)
    ignore(link)
    screen.say(f"{link} is environment {arguments.env!r}: {target}")
    return 0


def _refusal(link: Path) -> ProjectError:
    return ProjectError(
        f"{NAME} is there already, and none of envknit", folder=link, hint="run: envknit view --force, to replace it"
    )


def is_ours(link: Path) -> bool:
    """Tell whether a link leads to a view in some store: the present one, or where that was before."""
    target = Path(os.readlink(link))  # noqa: PTH115 - the text of the link, which may lead nowhere
    return "roots" in target.parts or "views" in target.parts


def point(link: Path, place: Place, environment: str) -> Path:
    """Let the link lead to the prefix of an environment; returns that.

    Raises:
        InstallError: the environment is not installed.
    """
    from envknit.cli.prefix import find_prefix  # `--help` looks at no store
    from envknit.store.disk import disk_faults, replace_link

    target = find_prefix(place, environment)
    with disk_faults(link):
        replace_link(link, str(target))
    return target


def refresh(place: Place) -> None:
    """After an install: let a `.venv` of ours lead to where its environment is now; the store may have moved."""
    link = place.root / NAME
    if link.is_symlink() and is_ours(link):
        shown = Path(os.readlink(link)).name  # noqa: PTH115 - as above
        environment = shown.rpartition("-")[0] if "views" in link.readlink().parts else shown
        with suppress(InstallError):  # another environment was installed than the one it shows
            point(link, place, environment)


def ignore(link: Path) -> None:
    """Have git ignore the link in this clone: a line in a `.gitignore` would be a change of the project."""
    git = shutil.which("git")
    if git is None or _git(git, link, "check-ignore", "-q", NAME).returncode != 1:  # 0: it is ignored, 128: no clone
        return
    asked = _git(git, link, "rev-parse", "--git-path", "info/exclude")
    prefix = _git(git, link, "rev-parse", "--show-prefix")
    if asked.returncode or prefix.returncode:
        return
    exclude = link.parent / asked.stdout.rstrip("\n")
    exclude.parent.mkdir(parents=True, exist_ok=True)
    text = os.fsdecode(read_regular(exclude)) if exclude.exists() else ""
    start = "" if not text or text.endswith("\n") else "\n"
    with exclude.open("a", encoding="utf-8") as file:
        file.write(f"{start}/{prefix.stdout.rstrip()}{NAME}\n")


def _git(git: str, link: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([git, *arguments], cwd=link.parent, capture_output=True, text=True, check=False)
