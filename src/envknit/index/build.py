"""Build a wheel from an sdist with `build`, in a child process and an environment of its own (PEP 517)."""

from __future__ import annotations

import os
import subprocess
import sys

from envknit.errors import InstallError, UnsafeWheelError
from envknit.index.metadata import UnusableMetadataError
from envknit.index.sdist import unpack_sdist

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LAST_LINES = 30  # of the builder's output, for the error


def build_wheel(sdist: Path, file_name: str, workspace: Path, *, indexes: Sequence[str] = ()) -> Path:
    """Build the wheel of an sdist for the interpreter that runs this.

    Args:
        sdist: the file, its digest checked by the caller.
        file_name: its name on the index, which says its format.
        workspace: a private folder; source, output and temporary files stay in it.
        indexes: where build requirements come from; pip's own configuration where none are given.

    Raises:
        InstallError: it could not be built; the message has the end of the builder's output.
        UnsafeWheelError: the sdist leads out of its folder.

    Cost: starts pip for the build requirements; seconds to hours.
    """
    source = workspace / "source"
    output = workspace / "dist"
    scratch = workspace / "tmp"
    for folder in (source, output, scratch):
        folder.mkdir(mode=0o700)
    root = _unpack(sdist, file_name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(output), str(root)]
    done = subprocess.run(
        command,
        cwd=scratch,  # `-m` puts it on sys.path, so it must hold nothing
        env=_clean_environment(scratch, indexes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    wheels = sorted(output.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise InstallError(
            f"{file_name} could not be built",
            output="\n    " + "\n    ".join(done.stdout.splitlines()[-_LAST_LINES:]),
            hint="its build may need a compiler or a library; or lock a version that has a wheel",
        )
    return wheels[0]


def _clean_environment(scratch: Path, indexes: Sequence[str]) -> dict[str, str]:
    """Return an environment in which no lock is active, and pip asks the project's indexes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ENVKNIT")}
    environment |= {"ENVKNIT": "0", "TMPDIR": str(scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if indexes:
        environment |= {"PIP_INDEX_URL": indexes[0], "PIP_EXTRA_INDEX_URL": " ".join(indexes[1:])}
    return environment


def _unpack(sdist: Path, file_name: str, into: Path) -> Path:
    """Unpack an sdist safely; returns its one folder (PEP 625)."""
    try:
        unpack_sdist(sdist, file_name, into)
    except UnusableMetadataError as error:
        raise UnsafeWheelError(str(error), sdist=file_name) from error
    found = list(into.iterdir())
    if len(found) != 1 or not found[0].is_dir():
        raise UnsafeWheelError("an sdist must hold one folder", sdist=file_name)
    return found[0]
