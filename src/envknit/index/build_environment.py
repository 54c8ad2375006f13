"""The environments that builds run in: pip makes one for each set of requirements, and each build gets a copy of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Variables that a build has no business with: envknit's and pip's own, and what is a secret by its name or value
_OWN = ("ENVKNIT", "PIP_", "UV_INDEX", "POETRY_HTTP", "TWINE_")
_SECRET_NAME = re.compile(
    r"(TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIALS?|PRIVATE_KEY|API_?KEY|ACCESS_KEY)($|_)", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"://[^/\s@]*:[^/\s@]*@")  # a login in a URL
_FOREIGN_PIP = Version("22.3")  # the first with `--python`
_IMPORT = "import importlib, sys; importlib.import_module(sys.argv[1])"  # leaves bytecode for all builds


class Needs(NamedTuple):
    """What is installed into an environment, one step after the other, and the backend that is there then."""

    backend: str
    requirements: tuple[frozenset[str], ...]


class Environments:
    """The environments of the builds of one command.

    A build may do to its environment what it likes: the next one has another copy.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._making: dict[Needs, threading.Lock] = {}
        self._made: dict[Needs, Path] = {}
        self._running: set[subprocess.Popen[str]] = set()

    def close(self) -> None:
        """End what is under way, with all that it started, and remove the environments: nobody waits any more."""
        for process in list(self._running):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        with self._guard:
            if self._folder is not None:
                shutil.rmtree(self._folder.name, ignore_errors=True)  # pip may still write there
                self._folder.cleanup()
            self._folder = None
            self._made.clear()

    def copy(self, needs: Needs, into: Path, told: Mapping[str, str]) -> None:
        """Give a build an environment of its own, in a folder that is not there yet.

        Args:
            needs: what it shall hold.
            into: the folder.
            told: variables for pip.

        Raises:
            CalledProcessError: pip could not install what is needed; with what it printed.

        Cost: a copy; the first of its kind starts pip.
        """
        with self._guard:
            making = self._making.setdefault(needs, threading.Lock())
        with making:
            made = self._made.get(needs) or self._make(needs, told)
            self._made[needs] = made
        shutil.copytree(made, into, symlinks=True)
        for script in (into / "bin").iterdir():  # those that pip made name the interpreter that they run
            if not script.is_symlink() and (text := script.read_bytes()).startswith(b"#!"):
                script.write_bytes(text.replace(os.fsencode(made), os.fsencode(into)))

    def run(self, command: Sequence[str | Path], cwd: Path, environment: Path, more: Mapping[str, str]) -> str:
        """Run a program in an environment; returns what it printed.

        Raises:
            CalledProcessError: its status is not 0; with what it printed.
        """
        path = os.pathsep.join([str(environment / "bin"), os.environ.get("PATH", os.defpath)])
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**_variables(), "PATH": path, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a group of its own, which `close` can end
        )
        self._running.add(process)
        try:
            told, _ = process.communicate()
        except BaseException:
            self.close()  # Ctrl-C does not reach another session
            raise
        finally:
            self._running.discard(process)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, told)
        return told

    def _make(self, needs: Needs, told: Mapping[str, str]) -> Path:
        import venv  # with what it loads, for commands that build alone

        with self._guard:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="envknit-")
            folder = Path(tempfile.mkdtemp(dir=self._folder.name))
        made, pip = folder / "environment", _foreign_pip()
        python = made / "bin" / "python"
        own: list[str | Path] = [python, "-Im", "pip"]
        *before, last = needs.requirements
        if before:
            self.copy(needs._replace(requirements=tuple(before)), made, told)
        else:
            venv.EnvBuilder(symlinks=True, with_pip=not pip).create(made)
            if not pip:  # `ensurepip` of Python 3.11 brings it
                self.run([*own, "uninstall", "-y", "setuptools"], folder, made, told)
        if last:
            wanted = folder / "requirements.txt"  # markers count there, and not on pip's command line
            wanted.write_text("\n".join(sorted(last)), encoding="utf-8")
            command = [*pip, "--python", python] if pip else own
            options = ["--use-pep517", "--no-warn-script-location", "--no-compile", "--no-input"]
            self.run([*command, "install", *options, "-r", wanted], folder, made, told)
            with suppress(subprocess.CalledProcessError):  # whether it works is for the build to say
                self.run([python, "-Ic", _IMPORT, needs.backend], folder, made, {})
        return made


def _foreign_pip() -> list[str | Path]:
    """Return how to run a pip that installs into the environment of another Python; nothing where there is none."""
    from importlib.metadata import PackageNotFoundError, version  # as above

    try:
        known = Version(version("pip")) >= _FOREIGN_PIP
    except PackageNotFoundError:
        known = False
    return [sys.executable, "-m", "pip"] if known else []


def _variables() -> dict[str, str]:
    """Return the variables of a build: no lock is active in it, and nothing in it is a secret."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith(_OWN) or _SECRET_NAME.search(name) or _SECRET_VALUE.search(value))
    }
    return kept | {"ENVKNIT": "0"}
