"""The console script: answers `envknit install` where nothing is to do before it loads the command line.

It is the command that hooks, task runners and CI repeat, and loading argparse, pathlib, dataclasses and what reads
projects costs ten times the looking. Whatever is not plain here goes the whole way, which gives the same answer.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from _envknit_bootstrap import LOCK_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = (["install"], ["-q", "install"], ["install", "-q"])
_PROJECTS = ("envknit.yaml", "pyproject.toml", "setup.cfg", "setup.py")


def main() -> int:
    """Run the command line of this process; returns the exit status."""
    with suppress(OSError):  # the whole way tells what the disk or the terminal refuses
        if sys.argv[1:] in _PLAIN and sys.stdout is not None and _is_plain() and _is_installed():
            if "-q" not in sys.argv:
                sys.stdout.write("everything is installed\n")
                sys.stdout.flush()
            return 0
    try:
        from envknit.cli.main import main as whole  # all that the short way spares

        return whole()
    except Exception as error:  # noqa: BLE001 - what fails before a screen is there is told by nobody else
        return _tell(error)


def _tell(error: Exception) -> int:
    """Tell what kept the command line from starting, as the command line would: with nothing but what is loaded."""
    if {"-v", "--verbose"} & set(sys.argv):
        import traceback  # for this case alone

        traceback.print_exc()
    what = "a module cannot be loaded" if isinstance(error, ImportError) else "the command line cannot start"
    hint = "see whether the disk answers; what envknit or Python was installed from is damaged, or gone"
    sys.stderr.write(f"error: {what}: {error}\nhint: {hint}\n")
    return 4


def _is_installed() -> bool:
    from envknit.errors import EnvknitError  # for this question alone, as what follows
    from envknit.install.installed import find_installed

    try:
        done = find_installed(LOCK_NAME)
    except EnvknitError:
        return False  # the whole way tells it
    if done is None or done.skipped:
        return False
    return not os.path.islink(".venv") or os.path.realpath(".venv") in map(os.path.realpath, done.views.values())


def _is_plain() -> bool:
    """Tell whether the working folder is a project by itself, whose file is no newer than its lock.

    Not where a folder above may be a workspace or names a Python, or where `python` in the person's shell is another:
    `install` warns of that.
    """
    try:
        here = os.getcwd()
        changed = [os.stat(name).st_mtime for name in _PROJECTS if os.path.isfile(name)]
        if not changed or max(changed) > os.stat(LOCK_NAME).st_mtime:
            return False
    except OSError:
        return False
    folders = [here, *_above(here)]
    odd = (os.path.join(folder, ".python-version") for folder in folders)
    roots = (os.path.join(folder, name) for folder in folders[1:] for name in _PROJECTS)
    return not any(map(os.path.lexists, (*odd, *roots))) and _is_usual()


def _above(folder: str) -> Iterator[str]:
    while (parent := os.path.dirname(folder)) != folder:
        yield parent
        folder = parent


def _is_usual() -> bool:
    """Tell whether `python` in the person's shell is the interpreter that runs this, or there is none."""
    own = os.path.realpath(os.path.dirname(sys.executable))
    for name in ("python", "python3"):
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return os.path.realpath(folder) == own
    return True
