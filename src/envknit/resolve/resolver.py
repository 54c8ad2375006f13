"""From a project to a lock: one resolution for each environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.errors import ProjectError, ResolutionError
from envknit.files.model import Environment, Lock
from envknit.naming import canonical_name
from envknit.reporter import Reporter
from envknit.resolve.current import SETTINGS
from envknit.resolve.requirements import asked_for
from envknit.resolve.resolution import Resolution
from envknit.resolve.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from envknit.files.project import Project
    from envknit.index.index import Index
    from envknit.resolve.requirements import Requirement


def resolve(
    project: Project,
    index: Index,
    *,
    previous: Lock | None = None,
    environments: Sequence[str] | None = None,
    update: Collection[str] = (),
    update_all: bool = False,
    split: bool = False,
    reporter: Reporter | None = None,
    failures: dict[str, ResolutionError] | None = None,
) -> Lock:
    """Choose a version of everything that a project needs, directly or not.

    Args:
        project: what is asked for.
        index: where it comes from.
        previous: the lock so far: its pins stay where they still fit.
        environments: which to resolve; the others keep what `previous` says. None: all.
        update: names whose pins do not stay.
        update_all: whether none stays.
        split: whether any name may have several versions where it must; else those that the project names, and those
            that have them in `previous`.
        reporter: hears of progress.
        failures: gets what could not be locked, by environment, or by environment and group or extra: an environment
            then stays as it was. None: the first failure is raised.

    Raises:
        ResolutionError: no set of versions fits; the message says why.
        PackageIndexError: an index does not answer.
        ProjectError: an environment or a name in `update` that does not exist.

    Cost: a page for every project met, metadata of every version tried; about a second for ten packages.
    """
    reporter = reporter or Reporter()
    chosen = _chosen(project, environments)
    names = frozenset(map(canonical_name, update))
    _check_names(names, project, previous, chosen)
    index.prefetch(sorted({root.name for name in chosen for root in _roots(project, name)}))
    before = previous.environments if previous else {}
    done = {name: before[name] for name in project.environments if name not in chosen and name in before}
    if previous and (previous.resolution, previous.prerelease) != (project.resolution, project.prerelease):
        update_all = True
    for name in chosen:
        reporter.stage(f"Resolving {name}")
        old = before.get(name, Environment(name=name))
        updated = frozenset(pin.name for pin in old.pins) if update_all else names
        work = Resolution(project, index, old, updated=updated, split=split, reporter=reporter)
        try:
            done[name], unlocked = work.lock(project.environments[name])
        except ResolutionError as error:
            if failures is None:
                raise
            failures[name] = error
            if name in before:
                done[name] = before[name]
            continue
        _hear_of(unlocked, old, failures)
    return Lock(environments=dict(sorted(done.items())), **{key: getattr(project, key) for key in SETTINGS})


def _hear_of(
    unlocked: dict[str, ResolutionError], old: Environment, failures: dict[str, ResolutionError] | None
) -> None:
    """Keep why groups and extras of an environment were not locked; where nobody does, the first new one is raised."""
    for label, reason in unlocked.items():
        if failures is not None:
            failures[f"{old.name}, {label}"] = reason
        elif label not in old.unlocked:
            raise reason


def _chosen(project: Project, environments: Sequence[str] | None) -> list[str]:
    for name in environments or ():
        if name not in project.environments:
            raise ProjectError(
                f"there is no environment `{name}`",
                project=project.path,
                hint=f"there are: {', '.join(sorted(project.environments))}",
            )
    return sorted(project.environments) if environments is None else sorted(set(environments))


def _check_names(update: Collection[str], project: Project, previous: Lock | None, chosen: Iterable[str]) -> None:
    known = {root.name for name in chosen for root in _roots(project, name)}
    known |= {pin.name for made in (previous.environments.values() if previous else ()) for pin in made.pins}
    for name in sorted(set(update) - known):
        raise ProjectError(f"{name} is neither asked for nor locked, so it cannot be updated", project=project.path)


def _roots(project: Project, name: str) -> Iterator[Requirement]:
    wanted = project.environments[name]
    yield from asked_for(wanted, Targets.of(project.targets, wanted.python_version))
