"""Other interpreters, asked and used through child processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from envknit.errors import UnsupportedPlatformError
from envknit.pythons import find_python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The command's own folders go last: whatever that interpreter has under the same names is not disturbed
_AGAIN = """\
import os, sys
kept = {kept!r}
os.environ.pop("ENVKNIT", None)
if kept is not None: os.environ["ENVKNIT"] = kept
sys.path.extend({folders!r})
from envknit.cli.main import main
sys.exit(main(sys.argv[1:], chosen=True))
"""


def ask(python: str, code: str, *flags: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Any:
    """Run code that prints JSON in an interpreter, and return what it printed.

    Raises:
        UnsupportedPlatformError: the interpreter cannot be run, or did not answer.
    """
    try:
        done = subprocess.run(
            [python, *flags, "-c", code], cwd=cwd, env=env, capture_output=True, text=True, timeout=30, check=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as cause:
        raise UnsupportedPlatformError("an interpreter does not answer", python=python, cause=cause) from cause


def find_interpreter(given: str) -> str:
    """Find what `--python` names: a path, a command, or a version such as `3.12`.

    Raises:
        UnsupportedPlatformError: there is none, or it is not a CPython that envknit supports.
    """
    found = find_python(given)
    if found is None:
        raise UnsupportedPlatformError(
            "no such interpreter, or it does not answer", python=given, hint="run: envknit python list"
        )
    if not found.is_supported:
        raise UnsupportedPlatformError(
            "not a CPython that envknit supports",
            python=found.executable,
            version=f"{found.implementation} {found.version}",
            hint="use CPython 3.10 or newer",
        )
    return found.executable


def run_again(python: str, argv: Sequence[str]) -> NoReturn:
    """Become this same command in another interpreter, with our own packages behind all of its own."""
    sys.stdout.flush()
    os.execve(python, *_command(python, argv))


def run_in(python: str, argv: Sequence[str]) -> int:
    """Run a command of ours in another interpreter, as `run_again` does, and return its exit status."""
    sys.stdout.flush()
    command, variables = _command(python, argv)
    return subprocess.run(command, env=variables, check=False).returncode


def _command(python: str, argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    modules = ("envknit", "_envknit_bootstrap", "packaging")
    folders = list(dict.fromkeys(_folder_of(name) for name in modules))
    code = _AGAIN.format(kept=os.environ.get("ENVKNIT"), folders=folders)
    # A lock that the working folder has must not become active in the tool itself
    return [python, "-c", code, *argv], {**os.environ, "ENVKNIT": "0"}


def _folder_of(name: str) -> str:
    """Return the folder that must be on `sys.path` for a module or package of ours."""
    file = Path(str(import_module(name).__file__))
    return str(file.parent.parent if file.name == "__init__.py" else file.parent)
