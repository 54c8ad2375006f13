"""What the search for splits chooses from: the candidates of an index, as the judge knows them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from envknit.resolve.graph import Graph
from envknit.resolve.split_search import ROOT, Dependency

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from packaging.version import Version

    from envknit.resolve.judge import Candidate, Judge
    from envknit.resolve.requirements import Requirement
    from envknit.resolve.split import Split


class JudgeCatalogue:
    """A `Catalogue` (see resolve/split_search.py) over a judge.

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
        return self.judge.candidate(self.judge.releases(name).by_version[cast("Version", version)], extra)


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
