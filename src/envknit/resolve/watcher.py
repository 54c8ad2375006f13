"""What happens while resolvelib works, remembered for the provider, for forks and for the explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resolvelib import BaseReporter

from envknit.resolve.judge import Candidate
from envknit.resolve.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from resolvelib.resolvers import Criterion
    from resolvelib.structs import State

    from envknit.reporter import Reporter
    from envknit.resolve.provider import Askers, Information, Provider


@dataclass(frozen=True, kw_only=True, slots=True)
class Clash:
    """Requirements of one project that nothing answers together, and what was chosen when they met."""

    information: list[Information]
    chosen: tuple[Candidate, ...] = ()

    @property
    def name(self) -> str:
        """The project."""
        return self.information[0].requirement.name


class Watcher(BaseReporter[Requirement, Candidate, str]):
    """Hears what resolvelib does: counts conflicts for the provider, and remembers them."""

    def __init__(self, provider: Provider, reporter: Reporter) -> None:
        self._provider = provider
        self._reporter = reporter
        self._chosen: Collection[Candidate] = ()
        self.clashes: list[Clash] = []
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
        self.clashes.append(Clash(information=clash, chosen=(*self._chosen, candidate)))
        if all(parent in (None, candidate) for _, parent in clash):
            self._provider.doom(candidate, clash, self.askers)

    def pinning(self, candidate: Candidate) -> None:
        """Tell of progress."""
        if not candidate.extra:
            self._reporter.advance("resolving", 1)

    def ending_round(self, index: int, state: State[Requirement, Candidate, str]) -> None:  # noqa: ARG002 - resolvelib's
        """Remember what is chosen now."""
        self._chosen = state.mapping.values()

    def telling_clash(self, causes: Sequence[Information]) -> Clash:
        """Find the conflict that tells most.

        resolvelib is left with its last one, which is about the oldest versions that it tried. The first one over the
        same project is about the newest, and one between requirements says more than an old sdist that cannot be built.
        """
        names = {cause.requirement.name for cause in causes} | {cause.parent.name for cause in causes if cause.parent}
        for clash in self.clashes:
            if clash.name in names and not any(cause.requirement.refusal for cause in clash.information):
                return clash
        return Clash(information=list(causes))
