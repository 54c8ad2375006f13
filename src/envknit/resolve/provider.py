"""What resolvelib asks and tells while it works: which candidates match, what to decide next, what clashed."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from resolvelib import AbstractProvider, BaseReporter
from resolvelib.resolvers import Resolution

from envknit.resolve.judge import Candidate, is_pinned
from envknit.resolve.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from resolvelib.resolvers import Criterion
    from resolvelib.structs import RequirementInformation, State

    from envknit.index.metadata import Metadata
    from envknit.reporter import Reporter
    from envknit.resolve.judge import Judge
    from envknit.resolve.releases import Release

    Information = RequirementInformation[Requirement, Candidate]
    Askers = dict[str, list[tuple[Requirement, Candidate | None]]]

_MOST_AHEAD = 16  # how many older versions' metadata is fetched side by side while backtracking
_STUBBORN = 5  # conflicts that make a project one to decide early


@dataclass(frozen=True, kw_only=True, slots=True)
class Clash:
    """Requirements of one project that nothing answers together, and what was chosen when they met."""

    information: list[Information]
    chosen: tuple[Candidate, ...] = ()

    @property
    def name(self) -> str:
        """The project."""
        return self.information[0].requirement.name


@dataclass(slots=True)
class _Cursor:
    """Over the candidates of some requirements: the first, the first that is not ruled out, and the rest."""

    first: Candidate
    current: Candidate
    rest: Iterator[Candidate]


class HopelessError(Exception):
    """What the person asks for cannot be, whichever versions are chosen for the rest; `clash` is one conflict of it."""

    def __init__(self, clash: list[Information]) -> None:
        super().__init__()
        self.clash = clash


class LookAhead:
    """Guesses that the best candidate of each requirement is taken, in the index's threads.

    Args:
        judge: says which that is.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._seen: set[tuple[str, str]] = set()

    def follow(self, requirements: Iterable[Requirement]) -> None:
        """Begin to fetch what these requirements will very likely lead to, level by level."""
        for requirement in requirements:
            key = (requirement.identifier, str(requirement.specifier))
            if requirement.refusal or key in self._seen:
                continue
            self._seen.add(key)
            with contextlib.suppress(RuntimeError):  # the index was closed while a thread of it was here
                soon = self._judge.index.links_soon(requirement.name)
                soon.add_done_callback(lambda done, asked=requirement: self._guess(asked, done))  # type: ignore[misc]

    def _guess(self, requirement: Requirement, done: Future[Any]) -> None:
        if done.cancelled() or done.exception():
            return  # whoever needs the page hears of it
        with contextlib.suppress(StopIteration, RuntimeError):
            release = next(self._judge.matches([requirement], requirement.extra)).release
            if (soon := self._fetch(release)) is not None:
                soon.add_done_callback(lambda found: self._follow_metadata(requirement, found))

    def _follow_metadata(self, requirement: Requirement, done: Future[Metadata]) -> None:
        if not (done.cancelled() or done.exception()):
            self.follow(self._judge.expected(done.result(), requirement))

    def in_batches(self, candidates: Iterator[Candidate], tried: int) -> Iterator[Candidate]:
        """Give candidates as they are; the more were tried in vain, the more are fetched side by side."""
        size = min(_MOST_AHEAD, 1 << tried)
        while batch := list(islice(candidates, size)):
            if size > 1:
                for candidate in batch:
                    self._fetch(candidate.release)
            yield from batch
            size = min(_MOST_AHEAD, size * 2)

    def _fetch(self, release: Release) -> Future[Metadata] | None:
        link = release.metadata_link
        # The metadata of an sdist may take a build: not on a guess.
        return self._judge.index.metadata_soon(link) if link.is_wheel or link.metadata else None


class Provider(AbstractProvider[Requirement, Candidate, str]):
    """Answers for one environment.

    Args:
        judge: knows the candidates.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.conflicts: Counter[str] = Counter()
        self._ahead = LookAhead(judge)
        self._roots: dict[str, list[Requirement]] = {}
        for requirement in judge.roots:
            self._roots.setdefault(requirement.identifier, []).append(requirement)
        self._doomed: dict[Candidate, list[Information]] = {}
        self._cursors: dict[tuple[Requirement, ...], _Cursor] = {}
        self._identifiers: dict[str, tuple[str, str]] = {}
        self._met: set[Candidate] = set()
        self._ahead.follow(judge.roots)

    def identify(self, requirement_or_candidate: Requirement | Candidate) -> str:
        """Return the name under which requirements and candidates of one project (with one extra) meet."""
        asked = requirement_or_candidate
        self._identifiers[asked.identifier] = asked.name, asked.extra
        return asked.identifier

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[str],
        resolutions: Mapping[str, Candidate],  # noqa: ARG002 - resolvelib's signature
        candidates: Mapping[str, Iterator[Candidate]],  # noqa: ARG002 - as above
        information: Mapping[str, Iterator[Information]],  # noqa: ARG002 - as above
        backtrack_causes: Sequence[Information],
    ) -> Iterable[str]:
        """Decide the projects of the latest conflict first: if it comes again, it comes soon."""
        causes = {cause.requirement.identifier for cause in backtrack_causes}
        causes |= {cause.parent.identifier for cause in backtrack_causes if cause.parent is not None}
        identifiers = list(identifiers)
        return [identifier for identifier in identifiers if identifier in causes] or identifiers

    def get_preference(
        self,
        identifier: str,
        resolutions: Mapping[str, Candidate],  # noqa: ARG002 - resolvelib's signature
        candidates: Mapping[str, Iterator[Candidate]],  # noqa: ARG002 - as above
        information: Mapping[str, Iterator[Information]],
        backtrack_causes: Sequence[Information],  # noqa: ARG002 - used by narrow_requirement_selection
    ) -> tuple[bool, int, bool, bool, bool, str]:
        """Order what is left: pinned, stubborn, bounded above, asked for by the person, bounded at all."""
        known = list(information[identifier])
        clauses = [clause for asked, _ in known for clause in asked.specifier]
        return (
            not any(asked.exact or is_pinned(asked.specifier) for asked, _ in known),
            -(self.conflicts[identifier] // _STUBBORN),
            not any(clause.operator in ("<", "<=", "~=", "==") for clause in clauses),
            not any(parent is None for _, parent in known),
            not clauses,
            identifier,
        )

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Requirement]],
        incompatibilities: Mapping[str, Iterator[Candidate]],
    ) -> Callable[[], Iterator[Candidate]]:
        """Give the candidates that fit, the preferred first; they are judged one by one as resolvelib takes them."""
        name, extra = self._identifiers[identifier]
        asked = list(requirements[identifier])
        if extra:
            asked += requirements.get(name, ())
        tried = {candidate.version for candidate in incompatibilities[identifier]}
        # Filtered now: resolvelib takes a criterion whose iterator runs dry later for a satisfied one.
        tried |= {doomed.version for doomed in self._doomed if doomed.identifier == identifier}
        return lambda: self._ahead.in_batches(self.judge.matches(asked, extra, tried), len(tried))

    def is_satisfied_by(self, requirement: Requirement, candidate: Candidate) -> bool:
        """Whether a candidate answers a requirement."""
        return self.judge.answers(candidate, requirement)

    def get_dependencies(self, candidate: Candidate) -> list[Requirement]:
        """Return the requirements of a candidate; a single one that nothing satisfies where it cannot be used."""
        found = self.judge.dependencies(candidate)
        if candidate not in self._met:
            self._met.add(candidate)
            self._ahead.follow(found)
        return found

    def doom(self, candidate: Candidate, clash: list[Information], askers: Askers) -> None:
        """Learn that a candidate cannot be joined with what the person asks for, whatever else is chosen.

        resolvelib would try it again after every step back. Here the news spreads to whoever needs that very project,
        and ends the search where it reaches the person's own requirement.

        Raises:
            HopelessError: no version is left of something that the person asks for.
        """
        news = [(candidate, clash)]
        while news:
            lost, why = news.pop()
            if lost in self._doomed:
                continue
            self._doomed[lost] = why
            own = self._roots.get(lost.identifier, [])
            if own and (first := self._first_of_doomed(lost, own)):
                raise HopelessError(self._doomed[first])
            for requirement, parent in askers.get(lost.identifier, ()):
                if parent is not None and parent not in self._doomed:
                    first = self._first_of_doomed(lost, [requirement, *own])
                    if first is not None:
                        news.append((parent, self._doomed[first]))

    def _first_of_doomed(self, lost: Candidate, requirements: Sequence[Requirement]) -> Candidate | None:
        """Return the first candidate for these requirements if all of them are doomed, else None."""
        key = tuple(requirements)
        if key not in self._cursors:
            matches = self.judge.matches(requirements, lost.extra)
            first = next(matches, lost)
            self._cursors[key] = _Cursor(first, first, matches)
        cursor = self._cursors[key]
        while cursor.current in self._doomed:  # the doomed stay so: the search goes on where it stood
            following = next(cursor.rest, None)
            if following is None:
                return cursor.first
            cursor.current = following
        return None

    def clash_of(self, candidate: Candidate) -> list[Information]:
        """Return why a candidate is doomed, where that was learnt; else nothing."""
        return self._doomed.get(candidate, [])


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
            self._reporter.step(f"{candidate.name} {candidate.version}")

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


class Search(Resolution[Requirement, Candidate, str]):
    """resolvelib's search, which remembers what it asks anew of every other project after each pin.

    Both answers follow from a criterion, which resolvelib replaces where it changes; a thousand pins would take a
    million of each. The methods are not public: where they get other names, the search is as slow as before, and right.
    """

    def __init__(self, provider: Provider, watcher: Watcher) -> None:
        super().__init__(provider, watcher)
        self._provider = provider
        self._satisfied: dict[str, tuple[Criterion[Requirement, Candidate], Candidate, bool]] = {}
        self._preferences: dict[str, tuple[Criterion[Requirement, Candidate], int, Any]] = {}

    def _is_current_pin_satisfying(self, name: str, criterion: Criterion[Requirement, Candidate]) -> bool:
        pin = self.state.mapping.get(name)
        if pin is None:
            return False
        known = self._satisfied.get(name)
        if known is None or known[0] is not criterion or known[1] is not pin:
            known = criterion, pin, super()._is_current_pin_satisfying(name, criterion)
            self._satisfied[name] = known
        return known[2]

    def _get_preference(self, name: str) -> Any:  # noqa: ANN401 - as resolvelib says
        criterion, conflicts = self.state.criteria[name], self._provider.conflicts[name]
        known = self._preferences.get(name)
        if known is None or known[0] is not criterion or known[1] != conflicts:
            known = criterion, conflicts, super()._get_preference(name)
            self._preferences[name] = known
        return known[2]
