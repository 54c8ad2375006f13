"""Metadata of an sdist: what its PKG-INFO states for good, else what its build backend says in a child process."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from envknit.index.metadata import UnusableMetadataError, is_static

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_UNPACKED = 4 << 30
_MOST_PKG_INFO = 8 << 20
_LAST_LINES = 20  # of a failed build's output, for the message


def static_metadata(sdist: Path, filename: str) -> bytes | None:
    """Return the PKG-INFO of an sdist where it may be believed without a build (PEP 643), else None."""
    try:
        if filename.endswith(".zip"):
            with zipfile.ZipFile(sdist) as archive:
                names = [name for name in archive.namelist() if _is_pkg_info(name)]
                data = archive.read(names[0]) if names else b""
        else:
            data = _tar_pkg_info(sdist)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError) as cause:
        raise UnusableMetadataError(f"{filename} is not an sdist: {cause}") from cause
    return data if data and is_static(data) else None


def _tar_pkg_info(sdist: Path) -> bytes:
    with tarfile.open(sdist, "r:gz") as archive:
        for member in archive:
            if _is_pkg_info(member.name) and member.isfile() and member.size <= _MOST_PKG_INFO:
                file = archive.extractfile(member)
                return file.read() if file else b""
    return b""


def _is_pkg_info(name: str) -> bool:
    return name.count("/") == 1 and name.endswith("/PKG-INFO")


def built_metadata(sdist: Path, filename: str, *, indexes: Sequence[str], find_links: Sequence[str]) -> bytes:
    """Ask an sdist's build backend for its metadata, in a child process with build requirements of its own.

    Args:
        sdist: the file.
        filename: its name on the index.
        indexes: where build requirements come from.
        find_links: folders and pages where they come from as well.

    Raises:
        UnusableMetadataError: it cannot be unpacked or its backend fails; with the end of what it printed.

    Cost: starts pip and the backend; seconds.
    """
    with tempfile.TemporaryDirectory(prefix="envknit-") as scratch:
        source, out = Path(scratch, "source"), Path(scratch, "out")
        source.mkdir()
        out.mkdir()
        unpack_sdist(sdist, filename, source)
        roots = list(source.iterdir())
        if len(roots) != 1:
            raise UnusableMetadataError(f"{filename} does not hold one folder")
        done = subprocess.run(
            [sys.executable, "-m", "envknit.index.build_metadata", str(roots[0]), str(out)],
            cwd=out, env=build_environment(indexes, find_links), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
        )  # fmt: skip
        found = sorted(out.glob("*.dist-info/METADATA"))
        if done.returncode or not found:
            end = "\n    ".join(done.stdout.splitlines()[-_LAST_LINES:])
            raise UnusableMetadataError(f"{filename} could not be built\n    {end}")
        return found[0].read_bytes()


def build_environment(indexes: Sequence[str], find_links: Sequence[str]) -> dict[str, str]:
    """Make the variables for a build: no lock is active in it, and its pip looks where the project does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ENVKNIT")}
    environment |= {"ENVKNIT": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_FIND_LINKS": " ".join(find_links)}
    if not indexes:
        return environment | {"PIP_NO_INDEX": "1"}
    environment.pop("PIP_NO_INDEX", None)
    return environment | {"PIP_INDEX_URL": indexes[0], "PIP_EXTRA_INDEX_URL": " ".join(indexes[1:])}


def unpack_sdist(sdist: Path, filename: str, into: Path) -> None:
    """Unpack an sdist into an empty folder, and nothing of it anywhere else (PEP 706).

    Raises:
        UnusableMetadataError: it is damaged, too large, or has a member that leads out of the folder.
    """
    try:
        if filename.endswith(".zip"):
            _unpack_zip(sdist, into)
        else:
            _unpack_tar(sdist, into)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError) as cause:
        raise UnusableMetadataError(f"{filename} cannot be unpacked: {cause}") from cause


def _unpack_zip(sdist: Path, into: Path) -> None:
    with zipfile.ZipFile(sdist) as archive:
        members = archive.infolist()
        _check([(member.filename, member.file_size) for member in members])
        archive.extractall(into, members)  # noqa: S202 - zipfile keeps every member within the folder


def _unpack_tar(sdist: Path, into: Path) -> None:
    with tarfile.open(sdist, "r:gz") as archive:
        members = archive.getmembers()
        _check([(member.name, member.size) for member in members])
        if hasattr(tarfile, "data_filter"):
            archive.extractall(into, members, filter="data")
            return
        # Without PEP 706 (3.10 before 3.10.12) what is no plain file or folder stays out.
        plain = [member for member in members if member.isfile() or member.isdir()]
        for member in plain:
            member.mode = (member.mode & 0o755) | (0o700 if member.isdir() else 0o600)
        archive.extractall(into, plain)  # noqa: S202 - every member was checked above


def _check(members: Sequence[tuple[str, int]]) -> None:
    if sum(size for _, size in members) > _MOST_UNPACKED:
        raise UnusableMetadataError("it unpacks to more than 4 GiB")
    for name, _ in members:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
            raise UnusableMetadataError(f"its member {name} leads out of its folder")
