"""The resolution of one environment: for all targets at once, or in parts where it must be."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from envknit.errors import ResolutionError
from envknit.files.filenames import parse_version
from envknit.files.model import Environment
from envknit.resolve.explain import explain, explain_depth
from envknit.resolve.forks import Fork, joined, parts_of
from envknit.resolve.graph import Graph
from envknit.resolve.judge import Judge, Rules
from envknit.resolve.markers import all_of
from envknit.resolve.pins import Pins
from envknit.resolve.requirements import asked_for, read
from envknit.resolve.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from packaging.version import Version

    from envknit.files.project import Project, RequestedEnvironment
    from envknit.index.index import Index
    from envknit.reporter import Reporter
    from envknit.resolve.provider import Clash

    Answer = tuple[Graph, dict[str, str]]

_MOST_ROUNDS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Failure:
    """No set of versions was found; `clashes` are the conflicts that were met, the most telling first."""

    error: ResolutionError
    clashes: Sequence[Clash] = ()


class Resolution:
    """The resolution of one environment.

    Args:
        project: what is asked for.
        index: where projects come from.
        old: the environment in the lock so far; its pins stay where they still fit.
        updated: names whose pins do not stay.
        split: whether any name may have several versions at once where it must.
        reporter: hears of progress.
    """

    def __init__(
        self,
        project: Project,
        index: Index,
        old: Environment,
        *,
        updated: Collection[str],
        split: bool,
        reporter: Reporter,
    ) -> None:
        self._project = project
        self._index = index
        self._old = old
        self._updated = updated
        self._reporter = reporter
        self._was_split = set(split_names(old, project.targets))
        self._splittable = None if split or project.split is None else project.split | self._was_split

    def lock(self, wanted: RequestedEnvironment) -> tuple[Environment, dict[str, ResolutionError]]:
        """Lock an environment; of its groups and extras those that can be.

        Returns:
            The environment, and why there is no answer for some of its groups and extras (`group lint`).

        Raises:
            ResolutionError: there is none for what it always needs.
        """
        wanted = replace(wanted, python_version=wanted.python_version or self._usual_python_version())
        unlocked: dict[str, ResolutionError] = {}
        try:
            answer = self._answer(wanted)
        except ResolutionError:
            if not (wanted.groups or wanted.extras):
                raise
            answer, unlocked = self._one_by_one(wanted)
        made = Environment(
            name=wanted.name,
            python_version=wanted.python_version,
            requirements=wanted.requirements,
            groups=dict(wanted.groups),
            extras=dict(wanted.extras),
            constraints=wanted.constraints,
            overrides=wanted.overrides,
            node_version=wanted.node_version,
            unlocked=tuple(sorted(unlocked)),
            pins=Pins(self._index, self._old, self._updated, self._reporter).make(*answer),
        )
        return made, unlocked

    def _usual_python_version(self) -> str:
        """Return the Pythons to lock for where nobody says: as before, if that suits this one; else it and newer."""
        from packaging.specifiers import SpecifierSet  # loaded where a lock is made

        before = self._old.python_version
        if before and SpecifierSet(before).contains(platform.python_version(), prereleases=True):
            return before
        return f">=3.{sys.version_info[1]}"

    def _one_by_one(self, wanted: RequestedEnvironment) -> tuple[Answer, dict[str, ResolutionError]]:
        """Resolve without groups and extras, then with one more after the other as long as that goes well."""
        unlocked: dict[str, ResolutionError] = {}
        able = replace(wanted, groups={}, extras={})
        answer = self._answer(able)
        for kind in ("extra", "group"):
            field = f"{kind}s"
            for name, requirements in getattr(wanted, field).items():
                change: dict[str, Any] = {field: {**getattr(able, field), name: requirements}}
                more = replace(able, **change)
                try:
                    answer, able = self._answer(more), more
                except ResolutionError as error:
                    unlocked[f"{kind} {name}"] = error
        return answer, unlocked

    def _answer(self, wanted: RequestedEnvironment) -> Answer:
        """Choose candidates, and give a marker to each of several versions that are for different targets."""
        targets = Targets.of(self._project.targets, wanted.python_version)
        return joined(self._forks(wanted, targets, "", []), targets)

    def _forks(self, wanted: RequestedEnvironment, targets: Targets, marker: str, before: Sequence[Fork]) -> list[Fork]:
        """Resolve for some targets, those on which a marker holds, after others were."""
        from envknit.resolve.split_resolution import Splitting  # loaded where a lock is made

        judge = Judge(
            self._index,
            targets,
            roots=list(asked_for(wanted, targets)),
            constraints=list(read(wanted.constraints, targets)),
            kept=self._kept(targets, before),
            rules=Rules(
                resolution=self._project.resolution,
                prerelease=self._project.prerelease,
                exclude_newer=self._project.exclude_newer,
                overrides=wanted.overrides,
            ),
            reporter=self._reporter,
        )
        splitting = Splitting(judge, accepted=self._splittable, reporter=self._reporter)
        # What was split is looked at as such first: that one version will not do is proven sooner so.
        first = self._was_split and (marker or not any(pin.marker for pin in self._old.pins))
        answer = (splitting.find() if first else None) or self._search(judge, wanted, marker)
        if isinstance(answer, Graph):
            return [Fork(marker=marker, graph=answer)]
        found: list[Fork] = []
        for part in parts_of(answer.clashes, judge):
            whole = all_of([marker, part]) or ""
            found += self._forks(wanted, targets.restricted(part), whole, [*before, *found])
        return found or [Fork(marker=marker, graph=splitting.instead_of(answer.error))]

    def _kept(self, targets: Targets, before: Sequence[Fork]) -> dict[str, set[Version]]:
        """Return the versions to keep where they fit: those of the previous lock, and those of other targets."""
        kept: dict[str, set[Version]] = {}
        for pin in self._old.pins:
            version = parse_version(pin.version)
            if version is not None and pin.name not in self._updated and targets.where(pin.marker):
                kept.setdefault(pin.name, set()).add(version)
        for fork in before:
            for candidate in fork.graph.needed():
                if candidate.release.links[
                    0
                ].answers:  # of one source; what another has of that version is not the same
                    continue
                kept.setdefault(candidate.name, set()).add(candidate.version)
        return kept

    def _search(self, judge: Judge, wanted: RequestedEnvironment, marker: str) -> Graph | _Failure:
        from resolvelib import resolvers

        from envknit.resolve.provider import (
            HopelessError,
            Provider,
            Search,
            Watcher,
        )

        provider = Provider(judge)
        watcher = Watcher(provider, self._reporter)
        try:
            # Without its `Resolver`, which does not end where two projects that nobody needs any more need each other.
            state = Search(provider, watcher).resolve(judge.roots, max_rounds=_MOST_ROUNDS)
            return Graph(state.mapping, judge.roots, judge.dependencies, judge.targets)
        except resolvers.ResolutionImpossible as cause:
            clash = watcher.telling_clash(list(cause.causes))
        except HopelessError as cause:
            clash = next(each for each in watcher.clashes if each.information is cause.clash)
        except resolvers.ResolutionTooDeep:
            return _Failure(error=explain_depth(_MOST_ROUNDS, provider, wanted))
        error = explain(clash.information, provider, watcher, wanted, marker)
        return _Failure(error=error, clashes=[clash, *reversed(watcher.clashes)])


def split_names(environment: Environment, platforms: tuple[str, ...]) -> Iterator[str]:
    """Give the names of which several pins stand side by side on some target."""
    seen: dict[str, int] = {}
    counts = Counter(pin.name for pin in environment.pins)
    for pin in (pin for pin in environment.pins if counts[pin.name] > 1):
        where = Targets.of(platforms, environment.python_version).where(pin.marker)
        if seen.get(pin.name, 0) & where:
            yield pin.name
        seen[pin.name] = seen.get(pin.name, 0) | where
