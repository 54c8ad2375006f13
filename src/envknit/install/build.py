"""Build a wheel from an sdist with `build`, in a child process and an environment of its own (PEP 517)."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import PurePosixPath

from envknit.errors import InstallError, UnsafeWheelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LARGEST = 4 << 30  # bytes unpacked
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
    _unpack(sdist, file_name, source)
    (root,) = _only_folder(source, file_name)
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


def _only_folder(source: Path, file_name: str) -> list[Path]:
    found = list(source.iterdir())
    if len(found) != 1 or not found[0].is_dir():
        raise InstallError("an sdist must hold one folder (PEP 625)", sdist=file_name)
    return found


def _unpack(sdist: Path, file_name: str, into: Path) -> None:
    try:
        if file_name.endswith(".zip"):
            _unpack_zip(sdist, into)
        else:
            _unpack_tar(sdist, into)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnsafeWheelError(f"the sdist cannot be unpacked: {error}", sdist=file_name) from error


def _unpack_zip(sdist: Path, into: Path) -> None:
    with zipfile.ZipFile(sdist) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > _LARGEST:
            raise UnsafeWheelError("the sdist would unpack to too much", sdist=sdist.name)
        for member in members:
            _refuse_path(member.filename)
            if stat.S_IFMT(member.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise UnsafeWheelError("the sdist has a link", member=member.filename)
        archive.extractall(into, members)  # noqa: S202 - every member was checked above


def _unpack_tar(sdist: Path, into: Path) -> None:
    """Unpack with the `data` filter of PEP 706; Pythons without it get the same rules by hand, without links."""
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
        if sum(member.size for member in members) > _LARGEST:
            raise UnsafeWheelError("the sdist would unpack to too much", sdist=sdist.name)
        if hasattr(tarfile, "data_filter"):
            archive.extractall(into, members, filter="data")
            return
        for member in members:
            _refuse_path(member.name)
            if not (member.isfile() or member.isdir()):
                raise UnsafeWheelError("the sdist has a link or a device", member=member.name)
            member.mode = member.mode & 0o755 | (0o700 if member.isdir() else 0o600)
            member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
        archive.extractall(into, members)  # noqa: S202 - every member was checked above


def _refuse_path(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name.partition("/")[0]:
        raise UnsafeWheelError("the sdist leads out of its folder", member=name)
