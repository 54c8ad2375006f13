"""Try, when a lock is made, whether the guests of its splits can be guests: one that cannot is no answer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from envknit.errors import EnvknitError, InstallError, ResolutionError
from envknit.files.filenames import is_pure
from envknit.index.index import open_index
from envknit.install.choose import accepts_interpreter, choose
from envknit.install.fetch import Fetcher
from envknit.install.flow import placed_pin
from envknit.install.planner import make_plan
from envknit.install.sources import Sources, as_built, bound_indexes
from envknit.resolve.resolution import split_names
from envknit.store.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envknit.files.model import Environment, Lock
    from envknit.files.project import Project
    from envknit.index.index import Index
    from envknit.install.choose import ChosenPin
    from envknit.reporter import Reporter


def try_splits(
    lock: Lock,
    previous: Lock | None,
    project: Project,
    path: Path,
    *,
    offline: bool,
    reporter: Reporter,
    failures: dict[str, ResolutionError] | None,
) -> Lock:
    """Import the guests of a new lock, if they may have extension modules and the project does not allow them.

    Args:
        lock: what was resolved.
        previous: the lock so far; its guests were tried before.
        project: where it was locked from, for its indexes.
        path: of the lock file.
        offline: only what the store and the cache hold.
        reporter: hears of progress, and of what cannot be tried here: that is tried when it is installed.
        failures: gets what cannot be, by environment, which then stays as it was; None: the first one is raised.

    Raises:
        ResolutionError: a guest cannot do without its extension modules.

    Cost: nothing without such guests; else they and what they depend on are put into the store, and imported.
    """
    done = dict(lock.environments)
    before = previous.environments if previous else {}
    for name, environment in lock.environments.items():
        guests, unknown = _guests(lock, environment, before.get(name))
        if unknown:
            reporter.warn(
                f"{name}: whether {', '.join(unknown)} can be split shows where it is installed: not needed here"
            )
        if not guests:
            continue
        reporter.stage(f"Trying {name}")
        try:
            _try(lock, name, guests, project, path, offline=offline, reporter=reporter)
        except ResolutionError as error:
            if failures is None:
                raise
            failures[name] = error
            del done[name]
            if name in before:
                done[name] = before[name]
    return replace(lock, environments=done)


def _guests(lock: Lock, environment: Environment, before: Environment | None) -> tuple[list[ChosenPin], list[str]]:
    """List the guests that are to be tried, with what they depend on; and the names that are split elsewhere alone."""
    names = {*split_names(environment, lock.targets)} - {*lock.native, *lock.pure}
    old = {*split_names(before, lock.targets)} if before else set()
    tried = {(pin.name, pin.version) for pin in before.pins if pin.name in old} if before else set()
    pins = [pin for pin in environment.pins if pin.name in names and (pin.name, pin.version) not in tried]
    doubted = {(pin.name, pin.version) for pin in pins if not any(is_pure(file.name) for file in pin.files)}
    if not doubted:
        return [], []
    chosen: dict[tuple[str, str], ChosenPin] = {}
    if accepts_interpreter(environment.python_version):
        with suppress(InstallError):  # told by `install`, to whom it matters
            chosen = {(each.pin.name, each.pin.version): each for each in choose(environment)}
    todo = [key for key in doubted if key in chosen and not chosen[key].resident]
    unknown = sorted({name for name, _ in doubted} - {key[0] for key, each in chosen.items() if not each.resident})
    for key in todo:
        todo += [needed for needed in chosen[key].dependencies if needed not in todo]
    return [chosen[key] for key in sorted(todo)], unknown


def _try(
    lock: Lock,
    environment: str,
    guests: Sequence[ChosenPin],
    project: Project,
    path: Path,
    *,
    offline: bool,
    reporter: Reporter,
) -> None:
    store, sources = Store().open(), Sources(path.parent)

    def open_indexes(told: Reporter) -> Index:
        bound = bound_indexes(lock)
        return open_index(project.indexes, path.parent, home=store.root, bound=bound, offline=offline, reporter=told)

    with store.installing():
        fetcher = Fetcher(store, open_indexes, reporter, sources, None, None)
        try:
            found = [sources.found(each) for each in guests]
            folders = fetcher.fetch(found, offline=offline)
        except EnvknitError as error:
            names = ", ".join(sorted({each.pin.name for each in guests if not each.resident}))
            reporter.warn(f"whether {names} can stand beside another copy shows at install: {error.message}")
            return
        pins = as_built([placed_pin(each, folders, fetcher, str(path), reporter) for each in found])
        try:
            make_plan(lock, environment, pins, store=store, lock_path=path, sources=sources)
        except InstallError as error:
            raise ResolutionError(error.message, hint=error.hint, **error.facts) from error
