"""What is asked of the file system: whole files, whole trees, written out before they are seen, and clear faults."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
import threading
from contextlib import contextmanager

from envknit.errors import EnvknitError, InstallError, StoreError
from envknit.regular import make_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

_SPACE = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would be larger than this process may write",
}
_RIGHTS = {
    errno.EACCES: "is not writable",
    errno.EPERM: "is not writable",
    errno.EROFS: "is on a read-only file system",
}


def replace_link(path: Path, target: str, *, sync: bool = True) -> None:
    """Let a symbolic link lead to a target, in one step: readers see where it led before, or this.

    Args:
        path: of the link.
        target: where it shall lead.
        sync: whether the file system writes it now; else the caller has it write the folder.
    """
    if path.is_symlink() and os.readlink(path) == target:
        return
    make_private(path.parent)
    temporary = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    os.replace(temporary, path)
    if sync:
        sync_folder(path.parent)


def write_out(path: Path) -> None:
    """Have the file system that holds `path` write everything: one call instead of one a file."""
    if sys.platform != "linux":
        os.sync()
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(fd)


def walk(folder: str | os.PathLike[str], *, deepest_first: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk a tree as `os.walk` does, but raise where a folder cannot be listed: a part is worse than nothing."""
    yield from os.walk(os.fspath(folder), topdown=not deepest_first, onerror=_raise)


def remove_tree(folder: Path) -> None:
    """Remove a folder of read-only folders; never follows a link, and what has gone already is fine."""
    try:
        _make_removable(folder)
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass


def seal(folder: str | os.PathLike[str]) -> None:
    """Take the right to write from every folder of a tree, but for a `__pycache__` beside modules.

    Files are 0444 or 0555 already. What programs compile for themselves has its place as in site-packages: pytest's
    rewritten plugins, numba's functions, the bytecode of a Python without the hook.
    """
    folders = [os.fspath(folder)]
    for parent in folders:  # grows while it is walked; not `walk`, which follows each link to see where it leads
        if os.path.basename(parent) == "__pycache__":
            os.chmod(parent, 0o700)
            continue
        with os.scandir(parent) as found:
            inside = {item.name: item.is_dir(follow_symlinks=False) for item in found}
        folders += [os.path.join(parent, name) for name, is_folder in inside.items() if is_folder]
        if "__pycache__" not in inside and any(name.endswith(".py") and not inside[name] for name in inside):
            os.mkdir(os.path.join(parent, "__pycache__"), 0o700)
        os.chmod(parent, 0o555)  # noqa: S103 - the store's own folder is 0700


def distrust(path: str | os.PathLike[str]) -> str:
    """Say why others could have written a file or folder: `owner` or `others`; `""` where only this user and root can.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    found = os.lstat(path)
    if found.st_uid not in {os.geteuid(), 0}:
        return "owner"
    return "others" if found.st_mode & 0o022 and not stat.S_ISLNK(found.st_mode) else ""


def doubt_of(path: str) -> str:
    """Say why others could have put there what lies at a path; `""` where only this user and root could.

    Args:
        path: absolute, without links. All folders above count: who may write to one may rename what is below.
    """
    while True:
        try:
            found = os.lstat(path)
        except OSError as error:
            return f"{path}: {error.strerror}"
        if found.st_uid not in {os.geteuid(), 0}:
            return f"{path} belongs to another user"
        if found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:  # in `/tmp`, each may rename only what is theirs
            return f"others may write to {path}"
        if path == os.path.dirname(path):
            return ""
        path = os.path.dirname(path)


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses (a full disk, missing rights) into one error that names the place."""
    try:
        yield
    except EnvknitError:
        raise  # some are OSErrors too
    except OSError as error:
        if error.errno in _RIGHTS:
            hint = "set ENVKNIT_HOME to a folder of your own"
            raise StoreError(f"the store {_RIGHTS[error.errno]}", path=error.filename or path, hint=hint) from error
        raise disk_error(error, path) from error


def disk_error(error: OSError, path: Path | None = None) -> InstallError:
    """Describe what the operating system refused, for a person.

    Args:
        error: what it said.
        path: what was worked on, where the error names nothing.
    """
    place = error.filename or path
    facts: dict[str, Any] = {} if place is None else {"path": os.fsdecode(place) if isinstance(place, bytes) else place}
    if error.errno in _SPACE:
        hint = "make room on that disk; envknit store gc frees what no lock needs"
        return InstallError(_SPACE[error.errno], hint=hint, **facts)
    if error.errno is None:
        return InstallError(str(error), **facts)
    hint = "see to whom it belongs and who may write there" if error.errno in _RIGHTS else ""
    return InstallError(f"the file system refused: {error.strerror or error}", hint=hint, **facts)


def sync_folder(folder: Path) -> None:
    """Have the file system write a folder's list of names."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _make_removable(folder: Path) -> None:
    if stat.S_ISLNK(os.lstat(folder).st_mode):
        raise StoreError("a link lies where the store has a folder", path=folder)
    for parent, _, _ in os.walk(folder):  # each is made readable before it is listed
        os.chmod(parent, 0o700)


def _raise(error: OSError) -> None:
    raise error
