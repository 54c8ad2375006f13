"""Environments for other Pythons than the one that runs this, installed by the same command in those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.cli.choice import agree, choose, read_wish
from envknit.cli.interpreter import run_in
from envknit.errors import InstallError, UnsupportedPlatformError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen
    from envknit.files.model import Environment
    from envknit.pythons import Interpreter


def interpreter_of(place: Place, name: str, specifier: str) -> Interpreter:
    """Return the interpreter that an environment of a place gets; raises as `choose`."""
    wish = read_wish(place.root)
    return choose(specifier, wish if wish and agree(specifier, wish) else None, name)


def python_of(place: Place, environment: Environment) -> Interpreter | None:
    """Return the interpreter that an environment of a lock gets; None where none will do."""
    try:
        return interpreter_of(place, environment.name, environment.python_version)
    except UnsupportedPlatformError:
        return None


def install_elsewhere(place: Place, skipped: Mapping[str, str], options: Sequence[str], screen: Screen) -> None:
    """Install the environments that are for other Pythons, where those are on this machine; else warn.

    Args:
        place: the project.
        skipped: environments, and which Pythons they are for.
        options: of `install`, for each of them.
        screen: is told of those that must be left out.

    Raises:
        InstallError: an install in another interpreter failed; it has said why.
    """
    chosen: dict[str, list[str]] = {}
    for name, specifier in skipped.items():
        if python := _found(place, name, specifier, screen):
            chosen.setdefault(python.executable, []).append(name)
    for executable, names in chosen.items():
        environments = [word for name in names for word in ("--env", name)]
        common = [*(["-q"] * screen.quiet), *(["-v"] * screen.verbose), "-C", str(place.root)]
        status = run_in(executable, [*common, "--python", executable, "install", *environments, *options])
        if status:
            raise InstallError(f"{', '.join(names)} could not be installed for {executable}, see above")


def _found(place: Place, name: str, specifier: str, screen: Screen) -> Interpreter | None:
    try:
        return interpreter_of(place, name, specifier)
    except UnsupportedPlatformError as error:
        screen.warn(f"environment {name!r} is left out: {error.message}; {error.hint}")
    return None
