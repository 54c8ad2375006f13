"""The one room for builds: metadata, wheels and editable wheels of source folders, for `lock` and `install` alike."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.errors import InstallError
from envknit.index.sdist import unpack

if TYPE_CHECKING:
    from envknit.http.settings import PipSettings

_LAST_LINES = 30  # of the output of a build that failed, for the message

# Variables that a build has no business with: envknit's and pip's own, and what is a secret by its name or value
_OWN = ("ENVKNIT", "PIP_", "UV_INDEX", "POETRY_HTTP", "TWINE_")
_SECRET_NAME = re.compile(
    r"(TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIALS?|PRIVATE_KEY|API_?KEY|ACCESS_KEY)($|_)", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"://[^/\s@]*:[^/\s@]*@")  # a login in a URL


class Builder:
    """Builds wheels for the interpreter that runs this, each in a child process and an environment of its own.

    Build requirements come from where the project's packages come from. pip reads that from a configuration file: the
    environment of a backend holds no login (nor anything else that looks like a secret).

    Args:
        settings: where build requirements come from.
    """

    def __init__(self, settings: PipSettings) -> None:
        self._settings = settings
        self._running: set[subprocess.Popen[str]] = set()

    def close(self) -> None:
        """End the builds under way, with all that they started: nobody waits for them any more."""
        for process in list(self._running):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

    def metadata(self, source: Path, *, editable: bool = False) -> bytes:
        """Ask the backend of a source folder for its core metadata.

        Args:
            source: the folder that holds `pyproject.toml` or `setup.py`; backends may write into it.
            editable: whether it is to be installed in place.

        Raises:
            InstallError: the backend fails; with the end of what it printed.

        Cost: starts pip and the backend; seconds.
        """
        with tempfile.TemporaryDirectory(prefix="envknit-") as scratch:
            out = self._run("metadata", source, Path(scratch), editable=editable)
            found = sorted(out.glob("*.dist-info/METADATA"))
            if len(found) != 1:
                raise InstallError(f"the build backend of {source.name} gives no metadata", folder=source)
            return found[0].read_bytes()

    def wheel(self, source: Path, into: Path, *, editable: bool = False) -> Path:
        """Build the wheel of a source folder (PEP 517), or one that leads to the folder (PEP 660).

        Args:
            source: the folder that holds `pyproject.toml` or `setup.py`; backends may write into it.
            into: an existing folder for the wheel.
            editable: whether the folder is to be used in place.

        Raises:
            InstallError: the backend fails; with the end of what it printed.

        Cost: starts pip for the build requirements; seconds to hours.
        """
        if editable and _builds_at_import(source) and not shutil.which("ninja"):
            raise InstallError(
                f"{source.name} cannot be used in place: meson-python builds it again at every import, with a `ninja` "
                "that must not go when this build ends",
                folder=source,
                hint="put `ninja` on PATH; or, to have it copied: package = false, and no `editable` at its source",
            )
        with tempfile.TemporaryDirectory(prefix="envknit-", dir=into) as scratch:
            wheels = sorted(self._run("wheel", source, Path(scratch), editable=editable).glob("*.whl"))
            if len(wheels) != 1:
                raise InstallError(f"the build backend of {source.name} gives no wheel", folder=source)
            return wheels[0].replace(into / wheels[0].name)

    def metadata_of_sdist(self, archive: Path, filename: str, *, subdirectory: str = "") -> bytes:
        """Unpack an sdist or another source archive and ask its backend for metadata; see `metadata`."""
        with tempfile.TemporaryDirectory(prefix="envknit-") as scratch:
            return self.metadata(_source(archive, filename, Path(scratch), subdirectory))

    def wheel_of_sdist(self, archive: Path, filename: str, into: Path, *, subdirectory: str = "") -> Path:
        """Unpack an sdist or another source archive and build its wheel; see `wheel`."""
        with tempfile.TemporaryDirectory(prefix="envknit-", dir=into) as scratch:
            return self.wheel(_source(archive, filename, Path(scratch), subdirectory), into)

    def _run(self, wanted: str, source: Path, scratch: Path, *, editable: bool) -> Path:
        out, temporary = scratch / "out", scratch / "tmp"
        for folder in (out, temporary):
            folder.mkdir()
        configuration = scratch / "pip.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(self._settings.configuration(), encoding="utf-8")
        kind = "editable" if editable else "wheel"
        process = subprocess.Popen(
            [sys.executable, "-m", "envknit.index.build_child", wanted, kind, str(source), str(out)],
            cwd=temporary,  # `-m` puts it on sys.path, so it must hold nothing
            env=_environment() | {"PIP_CONFIG_FILE": str(configuration), "TMPDIR": str(temporary)},
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
            raise InstallError(
                f"{source.name} could not be built",
                output="\n    " + "\n    ".join(told.splitlines()[-_LAST_LINES:]),
                hint="its build may need a compiler, a library or another Python; or choose a version that has a wheel",
            )
        return out


def _builds_at_import(source: Path) -> bool:
    try:
        return b"mesonpy" in (source / "pyproject.toml").read_bytes()
    except OSError:
        return False


def _environment() -> dict[str, str]:
    """Return the variables of a build: no lock is active in it, and nothing in it is a secret."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith(_OWN) or _SECRET_NAME.search(name) or _SECRET_VALUE.search(value))
    }
    return kept | {"ENVKNIT": "0"}


def _source(archive: Path, filename: str, scratch: Path, subdirectory: str) -> Path:
    source = scratch / "source"
    source.mkdir()
    root = unpack(archive, filename, source)
    folder = (root / subdirectory).resolve()
    if not (folder.is_dir() and folder.is_relative_to(root.resolve())):
        raise InstallError(f"{filename} has no folder {subdirectory}")
    return folder
