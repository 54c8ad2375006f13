"""The work of an install, where there is some; `sync.install` is the way in."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from envknit.errors import LockError
from envknit.files.lockfile import parse_lock
from envknit.index.index import open_index
from envknit.install.choose import ChosenPin, accepts_interpreter, choose
from envknit.install.fetch import Shopping
from envknit.install.planner import PlacedPin, compile_plan
from envknit.install.scripts import place_scripts
from envknit.install.sync import ALL, Installed
from envknit.plan import environment_file, plan_folder
from envknit.reporter import Reporter
from envknit.store.disk import disk_faults, write_atomically
from envknit.store.entry import read_entry, read_foreign
from envknit.store.roots import Root, read_root, root_path
from envknit.store.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envknit.files.model import Environment, Lock
    from envknit.files.project import Project
    from envknit.plan import Plan


def install_lock(
    path: str,
    project: Project | None,
    *,
    environments: Sequence[str] | None,
    dev: bool,
    offline: bool,
    compile_bytecode: bool,
    reporter: Reporter | None,
) -> Installed:
    """Install the environments of the lock at `path`; see `sync.install`."""
    reporter = reporter or Reporter()
    lock_bytes = _read(path)
    lock = parse_lock(lock_bytes, path)
    wanted, skipped = _select(lock, environments, path)
    for note in skipped:
        reporter.warn(note)
    store = Store().open()
    with store.installing():
        store.clean()
        chosen = {environment.name: choose(environment, dev=dev) for environment in wanted}
        indexes = project.indexes if project else ()
        shopping = Shopping(
            store,
            lambda told: open_index(indexes, Path(path).parent, home=store.root, offline=offline, reporter=told),
            reporter,
            build_indexes=[url for url in indexes if "://" in url],
        )
        folders = shopping.get([pin for pins in chosen.values() for pin in pins], offline=offline)
        plans, warnings = [], []
        for name, pins in chosen.items():
            reporter.stage(f"Planning {name}")
            placed = [_placed(pin, folders, store, path) for pin in pins]
            plan, said = compile_plan(lock, name, placed, store=store, lock_path=Path(path), dev=dev)
            plans.append(plan)
            warnings += said
        written = _write_plans(store, lock_bytes, plans, everything=environments is None)
        scripts = {}
        for plan in plans:
            folder, said = place_scripts(store, plan)
            scripts[plan.environment] = str(folder)
            warnings += said
        _register(store, path, written.values(), plan_folder(str(store.root), lock_bytes))
        if compile_bytecode:
            from envknit.install.bytecode import compile_plans  # noqa: PLC0415 - only where it was asked for

            compile_plans(store, plans, reporter)
    warnings = list(dict.fromkeys(warnings))
    for warning in warnings:
        reporter.warn(warning)
    return Installed(
        plans=written,
        scripts=scripts,
        pins=len({pin for plan in plans for pin in plan.pins}),
        placed=shopping.placed,
        downloaded=shopping.downloaded,
        warnings=warnings,
        skipped=skipped,
    )


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise LockError("there is no lock to install", lock=path, hint="run: envknit lock") from error


def _select(lock: Lock, names: Sequence[str] | None, path: str) -> tuple[list[Environment], list[str]]:
    """Pick the environments that were asked for and are for this interpreter, and say why others were left out."""
    for name in names or ():
        if name not in lock.environments:
            known = ", ".join(sorted(lock.environments)) or "none"
            raise LockError(f"the lock holds no environment {name!r}", lock=path, environments=known)
    wanted, skipped = [], []
    for name in names or sorted(lock.environments):
        environment = lock.environments[name]
        if accepts_interpreter(environment.python_version):
            wanted.append(environment)
            continue
        skipped.append(f"environment {name!r} is for Python {environment.python_version}, and is left out here")
    if skipped and (names or not wanted):
        raise LockError(skipped[0].replace(", and is left out here", ", not for this one"), lock=path)
    return wanted, skipped


def _placed(pin: ChosenPin, folders: dict[tuple[str, str], str], store: Store, path: str) -> PlacedPin:
    """Read the entry that a pin became, or the folder that a lock of the seeds' form names."""
    if pin.artifact is not None:
        return PlacedPin(chosen=pin, entry=read_entry(str(store.root), folders[pin.pin.name, pin.pin.version]))
    folder = os.path.abspath(os.path.expanduser(pin.pin.install_path))
    if not os.path.isdir(folder):
        raise LockError(f"{pin.pin.name} {pin.pin.version} is not where the lock says", lock=path, install_path=folder)
    return PlacedPin(chosen=pin, entry=read_foreign(folder))


def _write_plans(store: Store, lock_bytes: bytes, plans: Sequence[Plan], *, everything: bool) -> dict[str, str]:
    """Write plans beside a copy of the lock, which comes first: a plan without it is not trusted."""
    folder = Path(plan_folder(str(store.root), lock_bytes))
    written = {}
    with disk_faults(folder):
        write_atomically(folder / "lock", lock_bytes)
        for plan in plans:
            file = folder / environment_file(plan.environment)
            write_atomically(file, plan.render().encode())
            written[plan.environment] = str(file)
        if everything:
            write_atomically(folder / ALL, "".join(f"{plan.environment}\n" for plan in plans).encode())
    return written


def _register(store: Store, path: str, plans: Iterable[str], folder: str) -> None:
    """Register the lock, keeping plans of the same bytes that are there already (other environments, other Pythons)."""
    file = Path(root_path(str(store.root), path))
    names = {os.path.relpath(plan, store.root) for plan in plans}
    before = read_root(str(file))
    same_lock = os.path.basename(folder)
    for plan in before.plans if before else ():
        if plan.split("/")[2] == same_lock:
            names.add(plan)
        elif (store.root / plan).exists():
            os.utime(store.root / plan)  # it is superseded now, and gc counts from here
    root = Root(path, names, datetime.now(timezone.utc).date().isoformat())
    with disk_faults(file):
        write_atomically(file, root.render())
