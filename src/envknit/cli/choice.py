"""Which interpreter a command works with: `--python`, else one that `.python-version` and the environment agree on."""

from __future__ import annotations

import platform
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.settled import WISH
from envknit.errors import EnvknitError, UnsupportedPlatformError
from envknit.managers import how_to_get, numbers
from envknit.plan import ABI
from envknit.pythons import OLDEST, Interpreter, begins, find_pythons
from envknit.regular import read_regular

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen

# Verbs that ask a lock which Python its environment is for, and those that ask the project
_BY_LOCK = frozenset({"env", "install", "run", "shell", "view"})
_BY_PROJECT = frozenset({"add", "lock", "remove", "sync"})
_MINORS = range(8, 20)  # of Python 3, in which a version is looked for that two conditions agree on
_PATCHES = range(40)
_MOST_SEEN = 12


class Wish:
    """What a `.python-version` asks for.

    Args:
        text: `3.12`, `3.12.1`, `3.13t`.
        file: where it stands.
    """

    def __init__(self, text: str, file: Path) -> None:
        self.text = text
        self.file = file

    def fits(self, version: str) -> bool:
        """Tell whether a version is one of those that it asks for."""
        return begins(version, self.text)

    @property
    def free_threaded(self) -> bool:
        """Whether it asks for a build without the GIL."""
        return self.text.endswith("t")


def read_wish(folder: Path, screen: Screen | None = None) -> Wish | None:
    """Read the nearest `.python-version`, of a folder or one above it; None where it names no version.

    Args:
        folder: where to begin.
        screen: is told of a file that cannot be understood, and so does not count.
    """
    file = _nearest(folder)
    if file is None:
        return None
    try:
        lines = read_regular(file).decode(errors="replace").splitlines()
    except OSError:
        lines = ["?"]
    words = [line.split()[0] for line in lines if line.split() and not line.lstrip().startswith("#")]
    text = version_of(words[0]) if words else ""
    if text == "" and words and words[0] != "system" and screen is not None:
        screen.warn(f"{file} names no version of CPython; it does not count")  # what it holds may be for no log
    return Wish(text, file) if text else None


def _nearest(folder: Path) -> Path | None:
    try:
        return next((each / WISH for each in (folder, *folder.parents) if (each / WISH).is_file()), None)
    except OSError:  # a folder above that may not be looked into
        return None


def version_of(word: str) -> str:
    """Read a version as pyenv, uv, mise and asdf write it; a name in pyenv's folder of versions is no version."""
    for start in ("cpython@", "cpython-", "python-", "python"):
        word = word.removeprefix(start)
    version, _, build = word.partition("-")[0].partition("+")
    found = numbers(version)
    plain = ".".join(map(str, found))
    free = "t" if version == f"{plain}t" or build == "freethreaded" else ""
    return f"{plain}{free}" if version in (plain, f"{plain}t") and 0 < len(found) <= 3 else ""


@cache
def running() -> Interpreter:
    """Return the interpreter that runs this command."""
    return Interpreter(sys.implementation.name, platform.python_version(), ABI, sys.executable, "running")


def interpreter_for(arguments: Namespace, screen: Screen) -> str | None:
    """Return the path of the interpreter that a command is to run in; None where this one will do.

    Cost: a look for `.python-version` and at the plan; where those do not settle it, the lock or the project is read,
    and the interpreters of this machine are asked.

    Raises:
        UnsupportedPlatformError: none of those that were found will do.
    """
    if arguments.verb not in _BY_LOCK | _BY_PROJECT or getattr(arguments, "action", None):
        return None
    from envknit.cli.place import find_place, script_place  # not for verbs that work in any Python

    try:
        script = _script_of(arguments)
        place = script_place(script) if script else find_place(arguments)
        name, specifier, wish = _asked_of(arguments, place, screen, by_project=bool(script))
        found = running() if specifier is None else choose(specifier, wish, name)
    except UnsupportedPlatformError:
        if arguments.verb != "lock":  # which asks indexes: any Python will do
            raise
        return None
    except EnvknitError:
        return None  # the verb says what is wrong with the project or the lock
    return None if found.is_same(running()) else found.executable


def _script_of(arguments: Namespace) -> Path | None:
    """Return the script that `run` is given, where it says what it needs (PEP 723)."""
    words = [word for word in getattr(arguments, "command", None) or () if word != "--"]
    script = Path(arguments.project, words[0]).absolute() if words else None
    if script is None or script.suffix not in (".py", ".pyw") or not script.is_file():
        return None
    from envknit.projects.script import read_block  # most commands are no scripts

    return script if read_block(script) is not None else None


def _asked_of(
    arguments: Namespace, place: Place, screen: Screen, *, by_project: bool
) -> tuple[str, str | None, Wish | None]:
    """Return the environment that counts, which Pythons it is for (None: this one will do), and what is wished for."""
    name = (arguments.env[0] if isinstance(arguments.env, list) else arguments.env) or "default"
    tells = arguments.verb in _BY_PROJECT or arguments.verb == "install"
    wish = read_wish(place.root, screen if tells else None)
    if by_project or arguments.verb in _BY_PROJECT:
        environments = {each: asked.python_version for each, asked in place.load().environments.items()}
    else:
        from envknit.cli.situation import plan_of

        if place.lock.exists() and (wish is None or _fits(running(), None, wish)) and plan_of(place, name):
            return name, None, wish
        environments = {each: made.python_version for each, made in place.read().environments.items()}
    if name not in environments:
        name = "default" if "default" in environments else min(environments)
    if wish and not agree(environments[name], wish):
        if tells and name == "default":
            rest = f"but environment {name!r} is for {environments[name]}, which counts"
            screen.warn(f"{wish.file} asks for Python {wish.text}, {rest}")
        wish = None
    return name, environments[name], wish


def choose(specifier: str, wish: Wish | None, name: str) -> Interpreter:
    """Choose an interpreter: this one where it will do, else the first that is found.

    Args:
        specifier: which Pythons an environment is for.
        wish: what `.python-version` asks for.
        name: the environment, for messages.

    Raises:
        UnsupportedPlatformError: none will do; it names those that were seen, and how to get one.
    """
    accepts = accepting(specifier)
    if _fits(running(), accepts, wish):
        return running()
    free = wish.free_threaded if wish else False
    for found in find_pythons(lambda each: accepts(each) and (wish is None or wish.fits(each)), free_threaded=free):
        if found.is_supported:
            return found
    raise _none_fits(specifier, wish, name)


def accepting(specifier: str) -> Callable[[str], bool]:
    """Return what tells whether a version is among those of a specifier; `""` is all."""
    if not specifier:
        return lambda _: True
    from packaging.specifiers import SpecifierSet  # 19 ms, where the running Python does not settle it

    allowed = SpecifierSet(specifier)
    return cache(lambda version: allowed.contains(version, prereleases=True))


def agree(specifier: str, wish: Wish) -> bool:
    """Tell whether there is a version that an environment accepts and `.python-version` asks for."""
    accepts = accepting(specifier)
    whole = wish.text.removesuffix("t")
    if whole.count(".") == 2:
        return accepts(whole)
    return any(accepts(version) for version in _versions() if wish.fits(version))


def _fits(python: Interpreter, accepts: Callable[[str], bool] | None, wish: Wish | None) -> bool:
    if wish and not (wish.fits(python.version) and wish.free_threaded == python.is_free_threaded):
        return False
    return accepts is None or accepts(python.version)


def _versions() -> list[str]:
    return [f"3.{minor}.{patch}" for minor in _MINORS for patch in _PATCHES]


def _none_fits(specifier: str, wish: Wish | None, name: str) -> UnsupportedPlatformError:
    wanted = wish.text if wish else _nameable(specifier)
    asks = f"{wish.file}: {wish.text}" if wish else f"environment {name!r}: {specifier}"
    seen = [f"{each.version} ({each.executable})" for each in find_pythons()]
    more = f", and {len(seen) - _MOST_SEEN} more" if len(seen) > _MOST_SEEN else ""
    command = how_to_get("python", wanted) if wanted else ""
    get = f"run: {command}" if command else f"install Python {wanted}"
    if not wanted:
        get = f"let the project ask for others than {specifier}: no version that envknit knows is among these"
    return UnsupportedPlatformError(
        f"there is no Python {wanted or specifier} on this machine that answers",
        asked_for_by=asks,
        seen=(", ".join(seen[:_MOST_SEEN]) + more) or "none",
        hint=f"{get}; or name one with --python PATH",
    )


def _nameable(specifier: str) -> str:
    """Name what a version manager can install: a minor, or one version where its newest will not do; `""`: nothing."""
    fitting = list(filter(accepting(specifier), (each for each in _versions() if numbers(each) >= OLDEST)))
    if not fitting:
        return ""
    minor = fitting[0].rpartition(".")[0]
    newest = [version for version in fitting if begins(version, minor)][-1]
    return minor if newest == f"{minor}.{_PATCHES[-1]}" else newest
