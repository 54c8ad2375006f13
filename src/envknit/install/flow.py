"""Install: a lock in, the store filled, plans and views out. What is there already is found by `installed`, sooner."""

from __future__ import annotations

import os
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from envknit.errors import LockError
from envknit.files.atomic import write_atomically
from envknit.files.lockfile import parse_lock
from envknit.index.index import open_index
from envknit.install.agreement import outgrown
from envknit.install.choose import ChosenPin, PlacedPin, accepts_interpreter, choose
from envknit.install.fetch import Fetcher
from envknit.install.installed import ALL, Installed, find_installed
from envknit.install.planner import make_plan
from envknit.install.selection import USUAL
from envknit.install.sources import Sources, as_built, bound_indexes
from envknit.install.taken_back import register, take_back
from envknit.plan import ABI
from envknit.regular import read_regular
from envknit.reporter import Reporter
from envknit.store.disk import disk_faults, distrust, walk
from envknit.store.entry import read_foreign
from envknit.store.store import Store
from envknit.view.bytecode import Compiler, compile_missing
from envknit.view.place import folder_of_plans, place_views

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envknit.files.model import Environment, Lock
    from envknit.files.project import Project
    from envknit.index.index import Index
    from envknit.install.selection import Selection
    from envknit.install.target import Target
    from envknit.plan import Plan


def install(
    lock_path: str | os.PathLike[str],
    project: Project | None = None,
    *,
    environments: Sequence[str] | None = None,
    selection: Selection = USUAL,
    offline: bool = False,
    compile_bytecode: bool = True,
    aside: bool = False,
    reporter: Reporter | None = None,
    target: Target | None = None,
) -> Installed:
    """Install the environments of a lock.

    Args:
        lock_path: the lock file.
        project: where it was locked from, for its indexes.
        environments: which; all that are for this interpreter where it is not given.
        selection: which groups and extras of the project.
        offline: only what the store and the cache hold.
        compile_bytecode: whether every module is compiled now, instead of at its first import.
        aside: whether what is in use stays so, and the views are made beside it.
        reporter: hears of progress.
        target: the interpreter of another machine that it is for; None: the one that runs this.

    Raises:
        LockError: the lock cannot be read, or does not hold an environment that was asked for.
        InstallError: a pin has no artifact here, or one could not be downloaded, built, verified or placed.
        StoreError: the store is not this user's own, or is damaged.
    """
    if target is None:
        done = find_installed(lock_path, environments, selection) or take_back(lock_path, environments, selection)
        if done is not None:
            return done
    path = os.path.abspath(lock_path)
    if not {"\t", "\n"}.isdisjoint(path):
        raise LockError("the path of the lock has a tab or line break, which no plan can hold", lock=path)
    job = _Job(Store().open(), path, _read(path), environments, selection, target, reporter or Reporter())
    compiling = closing(Compiler(job.store)) if compile_bytecode and target is None else nullcontext()
    with job.store.installing(), compiling as compiler:
        return job.fill(project, compiler, offline=offline, aside=aside)


@dataclass(frozen=True)
class _Job:
    """What of a lock is wanted, on its way into the store, into plans and into use."""

    store: Store
    path: str  # of the lock
    lock_bytes: bytes
    environments: Sequence[str] | None  # that were asked for
    selection: Selection
    target: Target | None
    reporter: Reporter

    def fill(self, project: Project | None, compiler: Compiler | None, *, offline: bool, aside: bool) -> Installed:
        """Fetch what the store lacks, and make plans and views of it."""
        lock = parse_lock(self.lock_bytes, self.path)
        wanted, skipped = _select(lock, self.environments, self.path, self.target)
        self.selection.check(lock, wanted, self.path)
        self.store.clean()
        indexes, bound = project.indexes if project else (), bound_indexes(lock)
        root = Path(self.path).parent
        sources = Sources(root)

        def open_indexes(told: Reporter) -> Index:
            return open_index(indexes, root, home=self.store.root, bound=bound, offline=offline, reporter=told)

        fetcher = Fetcher(self.store, open_indexes, self.reporter, sources, compiler, self.target)
        plans, warnings = self.plans(lock, wanted, sources, fetcher, offline=offline)
        if compiler is not None:
            folders = (pin.folder for plan in plans for pin in plan.pins.values())
            compile_missing(self.store, folders, compiler, self.reporter)
        if aside:
            views, said = place_views(self.store, self.lock_bytes, plans, aside=True)
        else:
            views, said = self.put_in_use(plans, skipped if self.environments is None else None)
        return Installed(
            views={environment: str(view) for environment, view in views.items()},
            pins=len({pin for plan in plans for pin in plan.pins}),
            placed=fetcher.placed,
            downloaded=fetcher.downloaded,
            warnings=_tell([*warnings, *said], self.reporter),
            skipped=skipped,
        )

    def plans(
        self, lock: Lock, wanted: Sequence[Environment], sources: Sources, fetcher: Fetcher, *, offline: bool
    ) -> tuple[list[Plan], list[str]]:
        """Choose artifacts, fetch what the store lacks, and make a plan for each environment."""
        chosen = {
            one.name: [*map(sources.found, choose(one, self.selection, lock.default_groups, self.target))]
            for one in wanted
        }
        overridden = {Requirement(text).name for one in wanted for text in one.overrides}
        folders = fetcher.fetch(
            [pin for pins in chosen.values() for pin in pins], offline=offline, overridden=overridden
        )
        plans: list[Plan] = []
        warnings: list[str] = []
        for name, pins in chosen.items():
            self.reporter.stage(f"Planning {name}")
            plan, said = make_plan(
                lock,
                name,
                as_built([placed_pin(pin, folders, fetcher, self.path, self.reporter) for pin in pins]),
                store=self.store,
                lock_path=Path(self.path),
                selection=self.selection,
                sources=sources,
                abi=self.target.abi if self.target else ABI,
            )
            plans.append(plan)
            warnings += [*said, *(f"{text}; run: envknit lock" for text in outgrown(plan, overridden, self.target))]
        return plans, warnings

    def put_in_use(self, plans: Sequence[Plan], others: Mapping[str, str] | None) -> tuple[dict[str, Path], list[str]]:
        """Place the views of plans, and note that they are those of the lock; returns views and sentences.

        `others` are the environments of the lock that are for other Pythons; None: only some of all were asked for.
        """
        folder = folder_of_plans(self.store, self.lock_bytes, self.path, plans[0].abi)
        with disk_faults(folder):
            write_atomically(folder / "lock", self.lock_bytes)  # comes first: a plan without it is not trusted
            views, clashes = place_views(self.store, self.lock_bytes, plans, self.target.host if self.target else None)
            if others is not None:
                rows = [
                    *(plan.environment for plan in plans),
                    *(f"{name}\t{python}" for name, python in others.items()),
                ]
                write_atomically(folder / ALL, "".join(f"{row}\n" for row in rows).encode())
            # The links of another machine's views are for the tools of that machine
            register(self.store, self.path, folder, {} if self.target else views)
        return views, clashes


def _tell(warnings: Sequence[str], reporter: Reporter) -> list[str]:
    told = list(dict.fromkeys(warnings))
    for warning in told:
        reporter.warn(warning)
    return told


def _read(path: str) -> bytes:
    try:
        return read_regular(path)
    except FileNotFoundError as error:
        raise LockError("there is no lock to install", lock=path, hint="run: envknit lock") from error
    except OSError as error:
        raise LockError(f"the lock file cannot be read: {error.strerror}", lock=path) from error


def _select(
    lock: Lock, names: Sequence[str] | None, path: str, target: Target | None
) -> tuple[list[Environment], dict[str, str]]:
    """Pick the environments that were asked for and are for the interpreter, and say which Pythons others want."""
    for name in names or ():
        if name not in lock.environments:
            known = ", ".join(sorted(lock.environments)) or "none"
            raise LockError(f"the lock holds no environment {name!r}", lock=path, environments=known)
    chosen = [lock.environments[name] for name in names or sorted(lock.environments)]
    python = target.host.version if target else None
    wanted = [one for one in chosen if accepts_interpreter(one.python_version, python)]
    skipped = {one.name: one.python_version for one in chosen if one not in wanted}
    if skipped and (names or not wanted):
        name, specifier = next(iter(skipped.items()))
        raise LockError(f"environment {name!r} is for Python {specifier}, not for this one", lock=path)
    return wanted, skipped


def placed_pin(
    pin: ChosenPin, folders: dict[tuple[str, str], str], fetcher: Fetcher, path: str, reporter: Reporter
) -> PlacedPin:
    """Read the entry that a pin became, or the folder that a lock of the older form names."""
    if pin.artifact is not None:
        return PlacedPin(chosen=pin, entry=fetcher.entry(folders[pin.pin.name, pin.pin.version]))
    folder = os.path.realpath(os.path.join(os.path.dirname(path), os.path.expanduser(pin.pin.install_path)))
    title = f"{pin.pin.name} {pin.pin.version}"
    if not os.path.isdir(folder):
        raise LockError(f"{title} is not where the lock says", lock=path, install_path=folder)
    entry = read_foreign(folder)
    paths = (os.path.join(parent, name) for parent, _, names in walk(folder) for name in ("", *names))
    if odd := next((inside for inside in paths if distrust(inside)), None):
        raise LockError(f"{title} lies in a folder that others may write to", lock=path, install_path=folder, found=odd)
    reporter.warn(f"{title} is {folder}, as the lock says: it has no hash, and may change at any time")
    return PlacedPin(chosen=pin, entry=entry)
