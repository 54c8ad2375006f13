"""The resolution of one environment: for all targets at once, or in parts where it must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.files.filenames import parse_version
from envknit.resolve.explain import explain, explain_depth
from envknit.resolve.forks import Fork, joined, parts_of
from envknit.resolve.graph import Graph
from envknit.resolve.judge import Judge, Rules
from envknit.resolve.markers import all_of
from envknit.resolve.requirements import asked_for, read
from envknit.resolve.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from packaging.version import Version

    from envknit.errors import ResolutionError
    from envknit.files.model import Environment
    from envknit.files.project import Project, RequestedEnvironment
    from envknit.index.index import Index
    from envknit.reporter import Reporter
    from envknit.resolve.provider import Clash

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
        wanted: the environment of it.
        index: where projects come from.
        old: the environment in the lock so far; its pins stay where they still fit.
        updated: names whose pins do not stay.
        split: whether any name may have several versions at once where it must.
        reporter: hears of progress.
    """

    def __init__(
        self,
        project: Project,
        wanted: RequestedEnvironment,
        index: Index,
        old: Environment,
        *,
        updated: Collection[str],
        split: bool,
        reporter: Reporter,
    ) -> None:
        self._wanted = wanted
        self._index = index
        self._reporter = reporter
        self._rules = Rules(
            resolution=project.resolution,
            prerelease=project.prerelease,
            exclude_newer=project.exclude_newer,
            overrides=wanted.overrides,
        )
        self._targets = Targets.of(project.targets, wanted.python_version)
        copies = [(pin.name, pin.marker) for pin in old.pins]
        self._was_split = {name for name, marker in copies if copies.count((name, marker)) > 1}
        self._splittable = None if split or project.split is None else project.split | self._was_split
        self._old = [pin for pin in old.pins if pin.name not in updated]

    def run(self) -> tuple[Graph, dict[str, str]]:
        """Resolve.

        Returns:
            The answer, and where a project has several versions for different targets, the marker of each.

        Raises:
            ResolutionError: no set of versions fits.
        """
        return joined(self._forks(self._targets, "", []), self._targets)

    def _forks(self, targets: Targets, marker: str, before: Sequence[Fork]) -> list[Fork]:
        """Resolve for some targets, those on which a marker holds, after others were."""
        from envknit.resolve.split_resolution import Splitting  # noqa: PLC0415 - loaded where a lock is made

        judge = Judge(
            self._index,
            targets,
            roots=list(asked_for(self._wanted, targets)),
            constraints=list(read(self._wanted.constraints, targets)),
            kept=self._kept(targets, before),
            rules=self._rules,
            reporter=self._reporter,
        )
        splitting = Splitting(judge, accepted=self._splittable, reporter=self._reporter)
        # What was split is looked at as such first: that one version will not do is proven sooner so.
        answer = (splitting.find() if self._was_split else None) or self._search(judge, marker)
        if isinstance(answer, Graph):
            return [Fork(marker=marker, graph=answer)]
        found: list[Fork] = []
        for part in parts_of(answer.clashes, judge):
            whole = all_of([marker, part]) or ""
            found += self._forks(targets.restricted(part), whole, [*before, *found])
        return found or [Fork(marker=marker, graph=splitting.instead_of(answer.error))]

    def _kept(self, targets: Targets, before: Sequence[Fork]) -> dict[str, set[Version]]:
        """Return the versions to keep where they fit: those of the previous lock, and those of other targets."""
        kept: dict[str, set[Version]] = {}
        for pin in self._old:
            version = parse_version(pin.version)
            if version is not None and targets.where(pin.marker):
                kept.setdefault(pin.name, set()).add(version)
        for fork in before:
            for candidate in fork.graph.needed():
                kept.setdefault(candidate.name, set()).add(candidate.version)
        return kept

    def _search(self, judge: Judge, marker: str) -> Graph | _Failure:
        from resolvelib import resolvers  # noqa: PLC0415 - as above

        from envknit.resolve.provider import (  # noqa: PLC0415 - as above
            HopelessError,
            Provider,
            Watcher,
        )

        provider = Provider(judge)
        watcher = Watcher(provider, self._reporter)
        self._reporter.begin("resolving", None)
        try:
            # Without its `Resolver`, which does not end where two projects that nobody needs any more need each other.
            state = resolvers.Resolution(provider, watcher).resolve(judge.roots, max_rounds=_MOST_ROUNDS)
            return Graph(state.mapping, judge.roots, judge.dependencies, judge.targets)
        except resolvers.ResolutionImpossible as cause:
            clash = watcher.telling_clash(list(cause.causes))
        except HopelessError as cause:
            clash = next(each for each in watcher.clashes if each.information is cause.clash)
        except resolvers.ResolutionTooDeep:
            return _Failure(error=explain_depth(_MOST_ROUNDS, provider, self._wanted))
        finally:
            self._reporter.finish("resolving")
        error = explain(clash.information, provider, watcher, self._wanted, marker)
        return _Failure(error=error, clashes=[clash, *reversed(watcher.clashes)])
