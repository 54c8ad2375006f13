"""The console script: answers `install` and `lock` where nothing is to do before it loads the command line.

They are what hooks, task runners and CI repeat, and loading argparse, pathlib, dataclasses and what reads projects
costs ten times the looking. Whatever is not plain here goes the whole way, which gives the same answer.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from _envknit_bootstrap import LOCK_NAME

_PLAIN = (["install"], ["lock"], ["lock", "--check"])


def main() -> int:
    """Run the command line of this process; returns the exit status."""
    with suppress(OSError):  # the whole way tells what the disk or the terminal refuses
        if (said := _short_answer()) is not None:
            if "-q" not in sys.argv:
                sys.stdout.write(said)
                sys.stdout.flush()
            return 0
    try:
        from envknit.cli.main import main as whole  # all that the short way spares

        return whole()
    except KeyboardInterrupt:  # before the command line could tell it, or while it did
        os.write(2, b"\nerror: interrupted\n")
        os._exit(130)
    except Exception as error:  # noqa: BLE001 - what fails before a screen is there is told by nobody else
        return _tell(error)


def _short_answer() -> str | None:
    """Return what the whole way would say, where nothing is to do and that is plain to see; else None."""
    given = [word for word in sys.argv[1:] if word != "-q"]
    if sys.stdout is None or given not in _PLAIN:
        return None
    if given == ["install"]:
        return "everything is installed\n" if _is_plain() and _is_installed() else None
    from envknit.cli.settled import recall  # for this question alone

    return recall()


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
    from envknit.cli.settled import PROJECTS, WISH, here_and_above  # for this question alone

    try:
        folders = [*here_and_above()]
        changed = [os.stat(name).st_mtime for name in PROJECTS if os.path.isfile(name)]
        if not changed or max(changed) > os.stat(LOCK_NAME).st_mtime:
            return False
    except OSError:
        return False
    odd = (os.path.join(folder, WISH) for folder in folders)
    roots = (os.path.join(folder, name) for folder in folders[1:] for name in PROJECTS)
    return not any(map(os.path.lexists, (*odd, *roots))) and _is_usual()


def _is_usual() -> bool:
    """Tell whether `python` in the person's shell is the interpreter that runs this, or there is none."""
    own = os.path.realpath(os.path.dirname(sys.executable))
    for name in ("python", "python3"):
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return os.path.realpath(folder) == own
    return True
