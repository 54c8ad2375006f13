"""What happens while resolvelib works, remembered for the provider and for the explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resolvelib import BaseReporter

from envknit.resolve.judge import Candidate
from envknit.resolve.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Collection

    from resolvelib.resolvers import Criterion

    from envknit.reporter import Reporter
    from envknit.resolve.provider import Askers, Information, Provider


class Watcher(BaseReporter[Requirement, Candidate, str]):
    """Hears what resolvelib does: counts conflicts for the provider, and remembers them for the explanation."""

    def __init__(self, provider: Provider, reporter: Reporter) -> None:
        self._provider = provider
        self._reporter = reporter
        self.clashes: list[list[Information]] = []
        self.askers: Askers = {}

    def adding_requirement(self, requirement: Requirement, parent: Candidate | None) -> None:
        """Remember who asked for what."""
        self.askers.setdefault(requirement.identifier, []).append((requirement, parent))

    def resolving_conflicts(self, causes: Collection[Information]) -> None:
        """Count the projects of a conflict: stubborn ones are decided early."""
        self._provider.conflicts.update({cause.requirement.identifier for cause in causes})

    def rejecting_candidate(self, criterion: Criterion[Requirement, Candidate], candidate: Candidate) -> None:
        """Remember what a candidate could not be joined with."""
        clash = list(criterion.information)
        self.clashes.append(clash)
        if all(parent in (None, candidate) for _, parent in clash):
            self._provider.doom(candidate, clash, self.askers)

    def pinning(self, candidate: Candidate) -> None:
        """Tell of progress."""
        if not candidate.extra:
            self._reporter.advance("resolving", 1)
