"""Bundle: a lock in, one file out that installs it where nobody can be asked.

A bundle holds the wheels as they were downloaded, since their bytes are what the lock's hashes speak of: an unpacked
package could only be believed. Plans and views are made of them where they are unpacked. What has no wheel is built
here, and the lock in the bundle names the wheel that it became.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from envknit.errors import InstallError, LockError
from envknit.exchange.archive import LOCK, NOTE, WHEELS, writing
from envknit.files.atomic import placing
from envknit.files.filenames import version_in
from envknit.files.lockfile import parse_lock
from envknit.files.model import Artifact
from envknit.files.sources import parse_source
from envknit.files.values import Value
from envknit.files.written_lock import render_lock
from envknit.index.artifacts import sha256_of
from envknit.index.index import open_index
from envknit.install.choose import accepts_interpreter, choose
from envknit.install.fetch import Fetcher
from envknit.install.sources import Sources, bound_indexes
from envknit.install.target import this_target
from envknit.regular import read_regular
from envknit.store.disk import disk_faults
from envknit.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from envknit.files.model import Lock, Pin
    from envknit.files.project import Project
    from envknit.install.choose import ChosenPin
    from envknit.install.selection import Selection
    from envknit.install.target import Target
    from envknit.reporter import Reporter

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundled:
    """What a bundle holds: how many wheels, which pins were built for it, and its size in bytes."""

    wheels: int
    built: tuple[str, ...]
    size: int


def write_bundle(
    lock_path: Path,
    output: Path,
    project: Project | None,
    *,
    environments: Sequence[str] | None,
    selection: Selection,
    targets: Sequence[Target],
    offline: bool,
    reporter: Reporter,
) -> Bundled:
    """Write a bundle of a lock.

    Args:
        lock_path: the lock file.
        output: the file to write; the end of its name says how it is packed.
        project: where it was locked from, for its indexes.
        environments: which; all that are for one of the targets where it is not given.
        selection: which groups and extras of the project.
        targets: the interpreters that it is for; `()`: the one that runs this.
        offline: whether only the cache may be asked.
        reporter: hears of progress.

    Raises:
        LockError: the lock cannot be read, or does not hold what was asked for.
        InstallError: a wheel could not be had, is not for a target, or the file cannot be written.
    """
    lock_bytes = read_regular(lock_path)
    lock = parse_lock(lock_bytes, str(lock_path))
    targets = targets or (this_target(),)
    store, root = Store().open(), lock_path.parent
    sources = Sources(root)
    pins = _pins(lock, environments, selection, targets, sources, lock_path)
    indexes = project.indexes if project else ()
    fetcher = Fetcher(
        store,
        lambda told: open_index(
            indexes, root, home=store.root, bound=bound_indexes(lock), offline=offline, reporter=told
        ),
        reporter,
        sources,
    )
    with store.workspace() as workspace, closing(fetcher):
        found = fetcher.wheels(pins, workspace)
        built = {pin: _built(*found[_digest(pin)]) for pin in pins if _digest(pin) not in _digests(pin.pin)}
        for pin, wheel in built.items():
            _check_tags(pin, wheel, targets)
        wheels = {built[pin].sha256 if pin in built else _digest(pin): found[_digest(pin)][0] for pin in pins}
        if built:
            made = {(pin.pin.name, pin.pin.version): wheel for pin, wheel in built.items()}
            lock_bytes = render_lock(_with_wheels(lock, made)).encode()
        _write(output, _note(lock, environments, selection, targets), lock_bytes, wheels)
    return Bundled(
        wheels=len(wheels),
        built=tuple(sorted(f"{pin.pin.name} {pin.pin.version}" for pin in built)),
        size=output.stat().st_size,
    )


def _note(
    lock: Lock, environments: Sequence[str] | None, selection: Selection, targets: Sequence[Target]
) -> dict[str, Any]:
    """Say what the bundle was made for."""
    return {
        "bundle": 1,
        "environments": sorted({name for name, _ in _fitting(lock, environments, targets)}),
        "selection": {name: sorted(getattr(selection, name)) for name in ("extras", "groups", "without", "only")},
        "targets": sorted(target.abi for target in targets),
    }


def _fitting(lock: Lock, names: Sequence[str] | None, targets: Sequence[Target]) -> Iterator[tuple[str, Target]]:
    """Pair environments with the targets whose Python they accept."""
    for name in names or sorted(lock.environments):
        for target in targets:
            if accepts_interpreter(lock.environments[name].python_version, target.host.version):
                yield name, target


def _pins(
    lock: Lock,
    names: Sequence[str] | None,
    selection: Selection,
    targets: Sequence[Target],
    sources: Sources,
    path: Path,
) -> list[ChosenPin]:
    """Choose what the environments need on any of the targets, each artifact once."""
    for name in names or ():
        if name not in lock.environments:
            known = ", ".join(sorted(lock.environments))
            raise LockError(f"the lock holds no environment {name!r}", lock=path, environments=known)
    wanted = list(_fitting(lock, names, targets))
    if not wanted:
        raise LockError("no environment of the lock is for these interpreters", lock=path)
    selection.check(lock, [lock.environments[name] for name, _ in wanted], str(path))
    found: dict[str, ChosenPin] = {}
    for name, target in wanted:
        for pin in choose(lock.environments[name], selection, lock.default_groups, target):
            chosen = sources.found(_not_in_place(pin))
            if chosen.artifact is None:
                raise InstallError(
                    f"{pin.pin.name} {pin.pin.version} is a folder of this machine without a hash, which no bundle can"
                    " hold",
                    folder=pin.pin.install_path,
                )
            found.setdefault(chosen.artifact.sha256, chosen)
    return [found[sha256] for sha256 in sorted(found)]


def _not_in_place(chosen: ChosenPin) -> ChosenPin:
    """Let a folder that is used in place be built as others get it."""
    source = chosen.pin.source
    if not source.startswith("file:"):
        return chosen
    parsed = parse_source(source, Value(data=source, file="", error=LockError, kind="lock"))
    return replace(chosen, pin=replace(chosen.pin, source=str(replace(parsed, editable=False))))


def _digest(pin: ChosenPin) -> str:
    assert pin.artifact is not None  # noqa: S101 - `_pins` looked
    return pin.artifact.sha256


def _digests(pin: Pin) -> set[str]:
    """Return the digests by which a lock names the wheels of a pin."""
    return {file.sha256 for file in pin.files if file.is_wheel}


def _built(path: Path, name: str) -> Artifact:
    return Artifact(name=name, sha256=sha256_of(path), size=path.stat().st_size)


def _check_tags(pin: ChosenPin, wheel: Artifact, targets: Sequence[Target]) -> None:
    for target in targets:
        if target.rank_wheel(wheel.name) is None:
            raise InstallError(
                f"{pin.pin.name} {pin.pin.version} has no wheel for {target}, and what was built of it is for this"
                " machine",
                wheel=wheel.name,
                hint="make the bundle on such a machine, or lock a version that has a wheel for it",
            )


def _with_wheels(lock: Lock, built: Mapping[tuple[str, str], Artifact]) -> Lock:
    """Return a lock whose built pins are the wheels that they became, under the versions that these have."""

    def renamed(name: str, version: str) -> str:
        wheel = built.get((name, version))
        return str(version_in(wheel.name, name) or version) if wheel else version

    def made(pin: Pin) -> Pin:
        edges = tuple(replace(edge, version=renamed(edge.name, edge.version)) for edge in pin.dependencies)
        wheel = built.get((pin.name, pin.version))
        if wheel is None:
            return replace(pin, dependencies=edges)
        version = renamed(pin.name, pin.version)
        return replace(pin, version=version, files=(wheel,), source="", dependencies=edges)

    return replace(
        lock,
        environments={name: replace(one, pins=tuple(map(made, one.pins))) for name, one in lock.environments.items()},
    )


def _write(output: Path, note: dict[str, Any], lock_bytes: bytes, wheels: dict[str, Path]) -> None:
    with disk_faults(output.parent), placing(output) as file, writing(file, output.name) as archive:
        text = (json.dumps(note, indent=1, sort_keys=True) + "\n").encode()
        archive.add(NOTE, len(text), [text])
        archive.add(LOCK, len(lock_bytes), [lock_bytes])
        for sha256, path in sorted(wheels.items()):
            archive.add(f"{WHEELS}{sha256}", path.stat().st_size, _pieces(path))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece
