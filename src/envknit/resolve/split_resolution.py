"""Resolve one environment by splitting, where single versions cannot satisfy everything and the person accepts it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from envknit.errors import ResolutionError
from envknit.files.filenames import is_pure
from envknit.resolve.graph import Graph
from envknit.resolve.split import crossings, describe, smallest_split
from envknit.resolve.split_search import ROOT, Dependency

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from packaging.version import Version

    from envknit.reporter import Reporter
    from envknit.resolve.judge import Candidate, Judge
    from envknit.resolve.requirements import Requirement
    from envknit.resolve.split import Split


class JudgeCatalogue:
    """A `Catalogue` over a judge.

    Args:
        judge: knows the candidates.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._versions: dict[Requirement, tuple[Version, ...]] = {}

    def candidates(self, name: str) -> Sequence[Version]:
        """Return the versions of a project, newest first."""
        return [release.version for release in self.judge.releases(name)]

    def dependencies(self, name: str, version: Hashable, extra: str) -> Sequence[Dependency] | None:
        """Return what a candidate asks for, or what an extra adds; None where its metadata rules it out."""
        asked = self.judge.roots if name == ROOT else self.judge.dependencies(self.candidate(name, version, extra))
        found = []
        for requirement in asked:
            if requirement.refusal:
                return None
            if requirement.exact is None:  # else the tie of an extra to its own project, which goes without saying here
                extras = frozenset([requirement.extra]) if requirement.extra else frozenset[str]()
                if requirement not in self._versions:
                    self._versions[requirement] = self.judge.versions(requirement)
                found.append(Dependency(name=requirement.name, versions=self._versions[requirement], extras=extras))
        return found

    def candidate(self, name: str, version: Hashable, extra: str = "") -> Candidate:
        """Return the one candidate of that version, with that extra."""
        return self.judge.candidate(self.judge.releases(name)[cast("Version", version)], extra)


class Splitting:
    """Splits of one environment.

    Args:
        judge: knows the candidates.
        accepted: names of which the person accepts several copies; None: any.
        reporter: hears of what the person should know.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        accepted: Collection[str] | None,
        reporter: Reporter,
    ) -> None:
        self._catalogue = JudgeCatalogue(judge)
        self._accepted = accepted
        self._reporter = reporter

    def find(self) -> Graph | None:
        """Find the smallest answer with copies of accepted names alone; None where there is none."""
        self._reporter.stage("Looking for the smallest split")
        split = smallest_split(self._catalogue, allowed=self._accepted)
        if split is None:
            return None
        return self._told(split)

    def instead_of(self, error: ResolutionError) -> Graph:
        """Find an answer where a plain resolution has failed.

        Raises:
            ResolutionError: no split helps, or none that the person accepted; the error names the smallest there is.
        """
        self._reporter.stage("Looking for the smallest split")
        split = smallest_split(self._catalogue, allowed=self._accepted)
        if split is None and self._accepted is not None:
            split = smallest_split(self._catalogue)
        if split is None:
            raise error
        if not self._accepted_all(split):
            names = ", ".join(split.copies)
            raise ResolutionError(
                error.message,
                **error.facts,
                **describe(split),
                **self._doubts(split),
                hint="to accept it, run: envknit lock --split (`add` knows it too), "
                f"or write `split: [{names}]` into the project",
            )
        return self._told(split)

    def _accepted_all(self, split: Split) -> bool:
        return self._accepted is None or set(split.copies) <= set(self._accepted)

    def _told(self, split: Split) -> Graph:
        """Make the graph of a split; say where types will not match."""
        for sentence in crossings(split):
            self._reporter.warn(sentence)
        return graph_of(split, self._catalogue)

    def _doubts(self, split: Split) -> dict[str, str]:
        """Name the copies that may not be able to stand beside the resident of their name: their wheels are native."""
        titles = [
            f"{name} {version}"
            for name, versions in split.copies.items()
            for version in versions[1:]
            if not any(is_pure(link.filename) for link in self._catalogue.candidate(name, version).release.links)
        ]
        if not titles:
            return {}
        return {"extension_modules": f"whether {', '.join(titles)} can do without them is tried then"}


def graph_of(split: Split, catalogue: JudgeCatalogue) -> Graph:
    """Make the graph of a split: each copy is a project of its own there, and each requirement means one of them."""
    copies = split.copies

    def copy_of(name: str, version: Hashable) -> str:
        return str(version) if name in copies else ""

    def requirements_of(candidate: Candidate) -> list[Requirement]:
        plain = catalogue.candidate(candidate.name, candidate.version, candidate.extra)
        seen = {candidate.name: candidate.version, **split.links[candidate.name, candidate.version]}
        return [
            replace(requirement, copy=copy_of(requirement.name, seen[requirement.name]))
            for requirement in catalogue.judge.dependencies(plain)
        ]

    chosen = [
        replace(catalogue.candidate(name, version, extra), copy=copy_of(name, version))
        for (name, version), extras in split.pins.items()
        for extra in ("", *sorted(extras))
    ]
    own = split.links[ROOT, ""]
    return Graph(
        {candidate.identifier: candidate for candidate in chosen},
        [replace(root, copy=copy_of(root.name, own[root.name])) for root in catalogue.judge.roots],
        requirements_of,
        catalogue.judge.targets,
    )
