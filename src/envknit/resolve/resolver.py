"""From a project to a lock: one resolution for each environment."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any

from envknit.errors import ProjectError, ResolutionError
from envknit.files.model import Environment, Lock
from envknit.naming import canonical_name
from envknit.reporter import Reporter
from envknit.resolve.pins import Pins
from envknit.resolve.requirements import asked_for
from envknit.resolve.resolution import Resolution
from envknit.resolve.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from envknit.files.project import Project, RequestedEnvironment
    from envknit.index.index import Index
    from envknit.resolve.graph import Graph
    from envknit.resolve.requirements import Requirement


_ASKED = ("requirements", "groups", "extras", "constraints", "overrides")
_SETTINGS = (
    *("targets", "system_site_packages", "startup", "default_groups"),
    *("exclude_newer", "resolution", "prerelease"),
)


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
        work = _Work(project, index, old, updated=updated, split=split, reporter=reporter)
        try:
            done[name] = work.lock(project.environments[name], failures)
        except ResolutionError as error:
            if failures is None:
                raise
            failures[name] = error
            if name in before:
                done[name] = before[name]
    return Lock(environments=dict(sorted(done.items())), **{key: getattr(project, key) for key in _SETTINGS})


@dataclass(frozen=True, slots=True)
class _Work:
    """The work on one environment."""

    project: Project
    index: Index
    old: Environment
    _: KW_ONLY
    updated: Collection[str]
    split: bool
    reporter: Reporter

    def lock(self, wanted: RequestedEnvironment, failures: dict[str, ResolutionError] | None) -> Environment:
        """Lock an environment; of its groups and extras those that can be."""
        unlocked: dict[str, ResolutionError] = {}
        wanted = replace(wanted, python_version=wanted.python_version or self._usual_python_version())
        try:
            answer = self._resolve(wanted)
        except ResolutionError:
            if not (wanted.groups or wanted.extras):
                raise
            answer, unlocked = self._one_by_one(wanted)
        for label, error in unlocked.items():
            if failures is not None:
                failures[f"{wanted.name}, {label}"] = error
            elif label not in self.old.unlocked:
                raise error
        asked: dict[str, Any] = {
            key: dict(value) if isinstance(value, Mapping) else value
            for key, value in ((key, getattr(wanted, key)) for key in _ASKED)
        }
        return Environment(
            name=wanted.name,
            python_version=wanted.python_version,
            unlocked=tuple(sorted(unlocked)),
            pins=Pins(self.index, self.old, self.updated, self.reporter).make(*answer),
            **asked,
        )

    def _usual_python_version(self) -> str:
        """Return the Pythons to lock for where nobody says: as before, if that suits this one; else it and newer."""
        from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - loaded where a lock is made

        before = self.old.python_version
        if before and SpecifierSet(before).contains(platform.python_version(), prereleases=True):
            return before
        return f">=3.{sys.version_info[1]}"

    def _resolve(self, wanted: RequestedEnvironment) -> tuple[Graph, dict[str, str]]:
        work = Resolution(
            self.project,
            wanted,
            self.index,
            self.old,
            updated=self.updated,
            split=self.split,
            reporter=self.reporter,
        )
        return work.run()

    def _one_by_one(
        self, wanted: RequestedEnvironment
    ) -> tuple[tuple[Graph, dict[str, str]], dict[str, ResolutionError]]:
        """Resolve without groups and extras, then with one more after the other as long as that goes well."""
        unlocked: dict[str, ResolutionError] = {}
        able = replace(wanted, groups={}, extras={})
        answer = self._resolve(able)
        for kind in ("extra", "group"):
            field = f"{kind}s"
            for name, requirements in getattr(wanted, field).items():
                change: dict[str, Any] = {field: {**getattr(able, field), name: requirements}}
                more = replace(able, **change)
                try:
                    answer, able = self._resolve(more), more
                except ResolutionError as error:
                    unlocked[f"{kind} {name}"] = error
        return answer, unlocked


def is_current(project: Project, lock: Lock) -> bool:
    """Whether a lock was made from what the project asks for now; needs no index."""
    unknown = project.dynamic
    asked = {name: _asked(wanted, unknown) for name, wanted in project.environments.items()}
    locked = {name: _asked(made, unknown) for name, made in lock.environments.items()}
    pythons = {name: wanted.python_version for name, wanted in project.environments.items() if wanted.python_version}
    if any(name in locked and lock.environments[name].python_version != python for name, python in pythons.items()):
        return False
    return asked == locked and all(getattr(project, key) == getattr(lock, key) for key in _SETTINGS)


def _asked(environment: RequestedEnvironment | Environment, unknown: Collection[str]) -> dict[str, object]:
    """Return what an environment was asked for, but for the fields that only a build backend knows."""
    return {field: getattr(environment, field) for field in _ASKED if field not in unknown}


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
