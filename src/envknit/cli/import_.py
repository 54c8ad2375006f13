"""Take over what another tool wrote down: its requirements into the project file, its pins into the lock.

Reads requirements files (`-r`, `-c`, hashes, options), poetry.lock, pdm.lock, uv.lock, Pipfile and its lock,
pylock.toml and the pip part of conda's environment.yml; without a name, whichever of them the folder holds. A
pyproject.toml (also one of Poetry), setup.cfg or setup.py needs no import: it is the project file. The versions and
hashes of a lock are kept; what cannot be kept is named.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.edits import edit, finish
from envknit.cli.parser import add_environment
from envknit.cli.place import Place, find_place
from envknit.errors import ProjectError
from envknit.files.project import LOCK_FILE, PROJECT_FILE
from envknit.naming import canonical_name
from envknit.projects.where import Where

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen
    from envknit.exchange.foreign import Foreign
    from envknit.files.model import Lock

EXAMPLE = "envknit import requirements.txt"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", metavar="FILE", nargs="*", help="a file of another tool (default: those of the folder)")
    add_environment(parser, "the environment that it becomes (default: default)")
    parser.add_argument("--group", metavar="NAME", help="the dependency group that its requirements become")
    finish(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.exchange.carried import check_hashes, differences, start_from  # loads `packaging`

    foreign = _read(arguments)
    place, made = _place(arguments, foreign)

    def change() -> None:
        if not made:
            _ask(place, foreign, arguments, screen)

    def accept(lock: Lock) -> None:
        environment = lock.environments[arguments.env]
        check_hashes(foreign, environment)
        for text in (*foreign.notes, *differences(foreign, environment)):
            screen.warn(text)

    try:
        return edit(place, change, arguments, screen, start=start_from(foreign, arguments.env), accept=accept)
    except BaseException:
        if made:
            (place.root / PROJECT_FILE).unlink(missing_ok=True)
        raise


def _read(arguments: Namespace) -> Foreign:
    from envknit.exchange.detect import find_files, reader_of

    folder = Path(arguments.project).absolute()
    paths = [folder / name for name in arguments.file] or find_files(folder)
    first, *others = [reader_of(path)(path) for path in paths]
    for other in others:
        first.join(other)
    if arguments.group:
        texts = [text for group in first.requirements.values() for text in group]
        first.requirements = {canonical_name(arguments.group): texts}
    for texts in first.requirements.values():
        for text in [text for text in texts if _is_place(text)]:
            texts.remove(text)
            first.note(f"`{text}` is a place, not a name: run envknit add {text.removeprefix('-e ')}")
    return first


def _is_place(text: str) -> bool:
    return text.startswith(("-e ", ".", "/")) or (" @ " not in text and "/" in text)


def _place(arguments: Namespace, foreign: Foreign) -> tuple[Place, bool]:
    """Find the project, or write one into the folder; tells whether it was written."""
    from envknit.exchange.written import write_project
    from envknit.files.atomic import place as place_file

    folder = Path(arguments.project).absolute()
    try:
        found = find_place(arguments)
    except ProjectError:
        if not folder.is_dir():
            raise
    else:
        if found.root == folder and found.project is not None:
            return found, False
    if not any(foreign.requirements.values()):
        raise ProjectError(
            "a lock says what was chosen, not what was asked for, and there is no project file beside it",
            file=foreign.origin,
            hint="import its project as well: pyproject.toml, Pipfile or a requirements file",
        )
    text = write_project(foreign, arguments.env, f">={sys.version_info[0]}.{sys.version_info[1]}")
    try:
        place_file(folder / PROJECT_FILE, text.encode())
    except OSError as cause:
        raise ProjectError(f"the project file cannot be written: {cause.strerror}", folder=folder) from cause
    return Place(root=folder, project=folder / PROJECT_FILE, lock=folder / LOCK_FILE), True


def _ask(place: Place, foreign: Foreign, arguments: Namespace, screen: Screen) -> None:
    """Add to a project file that is there already."""
    from envknit.projects.edit import add_requirement  # loads the YAML editor

    path = place.load().path
    for group, texts in foreign.requirements.items():
        for text in texts:
            add_requirement(path, text, Where(arguments.env, group))
    for key, texts in (("constraints", foreign.constraints), ("indexes", foreign.indexes)):
        for text in texts:
            screen.warn(f"{text} is not taken over: name it under `{key}` in {path.name} if it is still wanted")
