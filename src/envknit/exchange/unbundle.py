"""Unbundle: a bundle in, its lock written and installed, with no index and no network.

A bundle may come from anybody, so it is read as wheels are: nothing in it chooses a path, every wheel is hashed and has
to be one that the lock names, and what it says of sizes is checked while it is unpacked. Then the wheels pass the gate
that all wheels pass. To unbundle is to trust the lock that is in it, as `install` is.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envknit.errors import InstallError, LockError
from envknit.exchange.archive import LOCK, NOTE, WHEELS, reading
from envknit.files.atomic import place
from envknit.files.lockfile import parse_lock
from envknit.files.project import LOCK_FILE
from envknit.install.choose import accepts_interpreter, choose
from envknit.install.flow import install
from envknit.install.selection import Selection
from envknit.install.target import this_target
from envknit.regular import make_private, read_regular
from envknit.store.disk import disk_faults
from envknit.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envknit.exchange.archive import ArchiveReader
    from envknit.files.model import Lock
    from envknit.install.installed import Installed
    from envknit.install.target import Target
    from envknit.reporter import Reporter

_MOST_NOTE = 1 << 20  # bytes
_MOST_LOCK = 32 << 20  # as of any lock


@dataclass(frozen=True, kw_only=True, slots=True)
class _Note:
    """What a bundle says that it was made for."""

    environments: tuple[str, ...]
    selection: Selection
    targets: tuple[str, ...]


def unbundle(
    path: Path,
    folder: Path,
    *,
    target: Target | None = None,
    compile_bytecode: bool = True,
    reporter: Reporter,
) -> Installed:
    """Install what a bundle holds.

    Args:
        path: the bundle.
        folder: where its lock belongs; it may hold the same lock, and no other.
        target: the interpreter of another machine that it is for; None: the one that runs this.
        compile_bytecode: whether every module is compiled now.
        reporter: hears of progress.

    Raises:
        InstallError: it is no whole bundle, is not for this interpreter, or holds what its lock does not name.
        LockError: its lock cannot be read, or another one lies in the folder.
    """
    store = Store().open()
    lock_path = folder / LOCK_FILE
    try:
        file = path.open("rb")
    except OSError as cause:
        raise InstallError(f"the bundle cannot be read: {cause.strerror}", file=path) from cause
    with file, reading(file, path) as archive:
        note = _read_note(archive)
        lock_bytes = _read(archive, LOCK, _MOST_LOCK)
        lock = parse_lock(lock_bytes, f"{path}: {LOCK}")
        _refuse_other_lock(lock_path, lock_bytes)
        with store.installing(), disk_faults(store.root):
            held = _keep_wheels(archive, lock, store, reporter)
    fitting = _refuse_other_target(lock, note, held, target or this_target(), path)
    folder.mkdir(parents=True, exist_ok=True)
    if not lock_path.exists():
        place(lock_path, lock_bytes)
    return install(
        lock_path,
        None,
        environments=None if len(fitting) == len(lock.environments) else fitting,
        selection=note.selection,
        offline=True,
        compile_bytecode=compile_bytecode,
        reporter=reporter,
        target=target,
    )


def _read(archive: ArchiveReader, name: str, most: int) -> bytes:
    """Read the next file, which must be this one."""
    found, size = next(archive, ("", 0))
    if found != name or size > most:
        raise archive.bad(f"{name} is not where it belongs")
    return b"".join(archive.pieces(size))


def _read_note(archive: ArchiveReader) -> _Note:
    try:
        told: Any = json.loads(_read(archive, NOTE, _MOST_NOTE))
        if told["bundle"] != 1:
            raise archive.bad("it was made by a newer envknit")
        chosen = {name: _texts(told["selection"][name]) for name in ("extras", "groups", "without", "only")}
        return _Note(
            environments=_texts(told["environments"]), selection=Selection(**chosen), targets=_texts(told["targets"])
        )
    except (KeyError, TypeError, ValueError, RecursionError) as cause:
        raise archive.bad(f"{NOTE} cannot be read") from cause


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError(value)
    return tuple(value)


def _refuse_other_lock(path: Path, lock_bytes: bytes) -> None:
    if os.path.lexists(path) and read_regular(path) != lock_bytes:
        raise LockError(
            "another lock than that of the bundle lies here",
            lock=path,
            hint="name an empty folder: envknit -C FOLDER unbundle FILE",
        )


def _keep_wheels(archive: ArchiveReader, lock: Lock, store: Store, reporter: Reporter) -> set[str]:
    """Put the wheels of a bundle where downloaded ones are kept, each under what it hashes to; returns the digests."""
    sizes = {
        file.sha256: file.size
        for environment in lock.environments.values()
        for pin in environment.pins
        for file in pin.files
        if file.is_wheel
    }
    reporter.stage("Unpacking the bundle")
    kept: set[str] = set()
    folder = store.root / "cache" / "artifacts"
    make_private(folder)
    with store.workspace() as workspace:
        for name, size in archive:
            sha256 = name.removeprefix(WHEELS)
            if not name.startswith(WHEELS) or sha256 not in sizes or sha256 in kept:
                raise archive.bad("it holds a file that its lock does not name, or one twice")
            if sizes[sha256] not in (None, size):
                raise archive.bad("a wheel is not as large as its lock says")
            part = workspace / str(len(kept))
            if _write(part, archive.pieces(size)) != sha256:
                raise InstallError("a wheel in the bundle is not the one that its lock names", sha256=sha256)
            part.replace(folder / sha256)
            kept.add(sha256)
            reporter.step(f"{len(kept)} wheels")
    return kept


def _write(path: Path, pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    with path.open("xb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def _refuse_other_target(lock: Lock, note: _Note, held: set[str], target: Target, path: Path) -> list[str]:
    """Return the environments of the bundle that are for an interpreter, where the bundle has all that they need."""
    known = [name for name in note.environments if name in lock.environments]
    fitting = [
        name for name in known if accepts_interpreter(lock.environments[name].python_version, target.host.version)
    ]
    note.selection.check(lock, [lock.environments[name] for name in fitting], str(path))
    absent = [
        f"{pin.pin.name} {pin.pin.version}"
        for name in fitting
        for pin in choose(lock.environments[name], note.selection, lock.default_groups, target)
        if pin.artifact is None or pin.artifact.sha256 not in held
    ]
    if absent or not fitting:
        raise InstallError(
            f"the bundle is not for {target}",
            bundle=path,
            made_for=", ".join(note.targets) or "nothing",
            missing=", ".join(absent[:8]) or "an environment for it",
            hint="make it with: envknit bundle --platform TAG --python VERSION",
        )
    return fitting
