"""What resolvelib asks while it works: which versions fit, what they need, and what to look at next."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from itertools import chain, islice, tee
from typing import TYPE_CHECKING, Any

from resolvelib import AbstractProvider

from envknit.index.metadata import UnusableMetadataError
from envknit.resolve.needs import Need, dependencies_of, identify
from envknit.resolve.offers import Offer, Offers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version
    from resolvelib.structs import RequirementInformation

    from envknit.index.index import Index
    from envknit.index.links import Link
    from envknit.index.metadata import Metadata
    from envknit.reporter import Reporter
    from envknit.resolve.targets import Targets

    Information = RequirementInformation[Need, "Candidate"]
    Askers = dict[str, list[tuple[Need, "Candidate | None"]]]

_AHEAD = 16  # metadata of so many older versions is fetched at once while backtracking
_STUBBORN = 5  # conflicts that make a project one to decide early


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Candidate:
    """One version of a project, with one extra (`""`: the project itself).

    `copy` is its version where the answer holds other versions beside it, else `""`.
    """

    name: str
    extra: str
    offer: Offer
    copy: str = ""

    @property
    def version(self) -> Version:
        """The version."""
        return self.offer.version

    @property
    def identifier(self) -> str:
        """What resolvelib knows it by."""
        return identify(self.name, self.extra, self.copy)

    @property
    def project(self) -> str:
        """The identifier of the same without an extra."""
        return identify(self.name, "", self.copy)

    def __str__(self) -> str:
        return f"{identify(self.name, self.extra)} {self.version}"


@dataclass(slots=True)
class _Survivor:
    """How far a list of candidates is doomed: the first of it, the first that is not doomed, and the rest."""

    first: Candidate
    current: Candidate
    rest: Iterator[Candidate]


class HopelessError(Exception):
    """What the person asks for cannot be, whichever versions are chosen for the rest; `clash` is one conflict of it."""

    def __init__(self, clash: list[Information]) -> None:
        super().__init__()
        self.clash = clash


class Provider(AbstractProvider[Need, Candidate, str]):
    """Answers for one environment.

    Args:
        index: where projects come from.
        targets: what the lock is for.
        roots: what the person asks for.
        constraints: limits on projects that are needed for other reasons.
        preferred: versions to keep where they fit: those of the previous lock.
        reporter: hears of slow work.
    """

    def __init__(
        self,
        index: Index,
        targets: Targets,
        *,
        roots: Sequence[Need],
        constraints: Iterable[Need] = (),
        preferred: Mapping[str, Version] | None = None,
        reporter: Reporter,
    ) -> None:
        self.targets = targets
        self.conflicts: Counter[str] = Counter()
        self._index = index
        self._reporter = reporter
        self._preferred = preferred or {}
        self._constraints: dict[str, list[Need]] = {}
        for need in constraints:
            self._constraints.setdefault(need.name, []).append(need)
        self._offers: dict[str, Offers] = {}
        self._fits: dict[Need, frozenset[Version]] = {}
        self._roots: dict[str, list[Need]] = {}
        for need in roots:
            self._roots.setdefault(need.identifier, []).append(need)
        self._doomed: dict[Candidate, list[Information]] = {}
        self._survivors: dict[tuple[Need, ...], _Survivor] = {}
        self._candidates: dict[tuple[str, Version], Candidate] = {}
        self._needs: dict[Candidate, list[Need]] = {}
        self._identifiers: dict[str, tuple[str, str]] = {}
        self._read: set[Link] = set()
        self._seen_ahead: set[tuple[str, str]] = set()

    def identify(self, requirement_or_candidate: Need | Candidate) -> str:
        """Return the name under which needs and candidates of one project (with one extra) meet."""
        asked = requirement_or_candidate
        self._identifiers[asked.identifier] = asked.name, asked.extra
        return asked.identifier

    def clash_of(self, offer: Offer) -> list[Information]:
        """Return why an offer cannot be joined with what the person asks for, where that was learnt; else nothing."""
        candidate = self._candidates.get((identify(offer.name, ""), offer.version))
        return self._doomed.get(candidate, []) if candidate else []

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
        requirements: Mapping[str, Iterator[Need]],
        incompatibilities: Mapping[str, Iterator[Candidate]],
    ) -> Callable[[], Iterator[Candidate]]:
        """Give the candidates that fit, the preferred first; they are judged one by one as resolvelib takes them."""
        name, extra = self._identifiers[identifier]
        needs = list(requirements[identifier])
        if extra:
            needs += requirements.get(name, ())
        tried = {candidate.version for candidate in incompatibilities[identifier]}
        # Doomed as of now: resolvelib takes a criterion that runs out of candidates later for one that is answered.
        tried |= {doomed.version for doomed in self._doomed if doomed.identifier == identifier}
        return lambda: self._in_batches(self._matches(name, extra, needs, tried), min(_AHEAD, 1 << len(tried)))

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
            for need, parent in askers.get(lost.identifier, ()):
                if parent is not None and parent not in self._doomed:
                    first = self._first_of_doomed(lost, [need, *own])
                    if first is not None:
                        news.append((parent, self._doomed[first]))

    def _first_of_doomed(self, lost: Candidate, needs: Sequence[Need]) -> Candidate | None:
        """Return the first candidate for these needs if all of them are doomed, else None."""
        key = tuple(needs)
        if key not in self._survivors:
            matches = self._matches(lost.name, lost.extra, needs, set())
            first = next(matches, lost)
            self._survivors[key] = _Survivor(first, first, matches)
        survivor = self._survivors[key]
        while survivor.current in self._doomed:  # the doomed stay so: the search goes on where it stood
            following = next(survivor.rest, None)
            if following is None:
                return survivor.first
            survivor.current = following
        return None

    def _matches(self, name: str, extra: str, needs: Sequence[Need], tried: set[Version]) -> Iterator[Candidate]:
        if any(need.refusal for need in needs):
            return
        limits = [*needs, *self._constraints.get(name, ())]
        for group in self._groups(name, limits):
            usable = self._usable(group, needs, limits)
            first = next(usable, None)
            if first is None:
                continue
            for offer in chain([first], usable):
                if offer.version not in tried:
                    yield self._candidate(name, extra, offer)
            return

    def _in_batches(self, candidates: Iterator[Candidate], size: int) -> Iterator[Candidate]:
        # The more versions were of no use, the more will be looked at: their metadata is fetched side by side.
        while batch := list(islice(candidates, size)):
            if size > 1:
                self._fetch_ahead(candidate.offer for candidate in batch)
            yield from batch
            size = min(_AHEAD, size * 2)

    def _groups(self, name: str, limits: Sequence[Need]) -> Iterator[Iterator[Offer]]:
        """Give the offers that fit: those to choose from, then those for want of better (PEP 440: pre-releases)."""
        offers = self.offers(name)
        fitting = offers.versions
        for need in limits:
            fitting = fitting & (frozenset([need.exact]) if need.exact else self._fitting(need))
        kept = self._preferred.get(name)
        found = [offers.by_version[kept]] if kept in fitting else []
        rest = (offer for offer in offers.of(fitting) if offer.version != kept)
        if any(need.exact or need.specifier.prereleases for need in limits):
            yield chain(found, rest)
            return
        releases, others = tee(chain(found, rest))
        yield (offer for offer in releases if not offer.version.is_prerelease)
        yield (offer for offer in others if offer.version.is_prerelease)

    def _usable(self, offers: Iterable[Offer], needs: Sequence[Need], limits: Sequence[Need]) -> Iterator[Offer]:
        here = any(need.here for need in needs)
        pinned = any(need.exact or is_pinned(need.specifier) for need in limits)
        for offer in offers:
            kept = pinned or offer.version == self._preferred.get(offer.name)
            if (kept or offer.yanked is None) and not offer.refusal(here=here):
                yield offer

    def constraints(self, name: str) -> list[Need]:
        """Return the constraints on a project."""
        return self._constraints.get(name, [])

    def offers(self, name: str) -> Offers:
        """Return all versions of a project."""
        if name not in self._offers:
            self._offers.setdefault(name, Offers(name, self._index.links(name), self.targets))
        return self._offers[name]

    def _candidate(self, name: str, extra: str, offer: Offer) -> Candidate:
        key = (identify(name, extra), offer.version)
        # Threads that look ahead come here as well: there must be one object for each.
        return self._candidates.setdefault(key, Candidate(name=name, extra=extra, offer=offer))

    def is_satisfied_by(self, requirement: Need, candidate: Candidate) -> bool:
        """Whether a candidate answers a need."""
        if requirement.refusal or (requirement.exact and requirement.exact != candidate.version):
            return False
        if requirement.here and self.targets.runs_here and not candidate.offer.usable_here:
            return False
        return candidate.version in self._fitting(requirement)

    def _fitting(self, need: Need) -> frozenset[Version]:
        # Asked for every need in every round: a need is found by its identity, without hashing its specifier.
        if need not in self._fits:
            self._fits[need] = self.offers(need.name).fitting(need.specifier)
        return self._fits[need]

    def get_dependencies(self, candidate: Candidate) -> list[Need]:
        """Return the needs of a candidate; a single one that nothing satisfies where it cannot be used."""
        if candidate not in self._needs:
            needs = self._find_needs(candidate)
            for need in needs:
                self._look_ahead(need)
            self._needs[candidate] = needs
        return self._needs[candidate]

    def _find_needs(self, candidate: Candidate) -> list[Need]:
        from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - loaded where a lock is made

        try:
            metadata = self.metadata(candidate.offer)
        except UnusableMetadataError as cause:
            self._reporter.warn(f"{candidate} is passed over: {str(cause).splitlines()[0]}")
            return [Need(name=f"<{candidate}>", specifier=SpecifierSet(), refusal=str(cause))]
        if reason := self._refusal(metadata, candidate.extra):
            return [Need(name=f"<{candidate}>", specifier=SpecifierSet(), refusal=reason)]
        here = self.targets.runs_here and candidate.offer.usable_here
        needs = list(dependencies_of(metadata, candidate.extra, self.targets, here=here))
        if candidate.extra:
            text = f"{candidate.name}=={candidate.version}"
            tie = Need(
                name=candidate.name, specifier=SpecifierSet(), exact=candidate.version, here=here, text=text
            )  # fmt: skip
            return [tie, *needs]
        return needs

    def _refusal(self, metadata: Metadata, extra: str) -> str:
        if not self.targets.accepts_python(metadata.requires_python):
            return f"requires Python {metadata.requires_python}"
        for requirement in metadata.requires_dist:
            if requirement.url is not None and (requirement.marker is None or extra in str(requirement.marker)):
                return f"needs {requirement.name} from a URL, which envknit does not lock"
        return ""

    def metadata(self, offer: Offer) -> Metadata:
        """Return what an offer requires."""
        link = offer.metadata_link
        if not (link.is_wheel or link.metadata or link in self._read):
            self._read.add(link)
            self._reporter.stage(f"Reading {link.filename}")
        return self._index.metadata(link)

    def look_ahead(self, needs: Iterable[Need]) -> None:
        """Begin to fetch what these needs will very likely lead to, level by level, in the index's threads."""
        for need in needs:
            self._look_ahead(need)

    def _look_ahead(self, need: Need) -> None:
        key = (need.identifier, str(need.specifier))
        if need.refusal or key in self._seen_ahead:
            return
        self._seen_ahead.add(key)
        with contextlib.suppress(RuntimeError):  # the index was closed while a thread of it was here
            self._index.links_soon(need.name).add_done_callback(lambda done: self._guess(need, done))

    def _guess(self, need: Need, done: Future[Any]) -> None:
        if done.cancelled() or done.exception():
            return  # whoever needs the page hears of it
        with contextlib.suppress(StopIteration, RuntimeError):
            link = next(self._matches(need.name, need.extra, [need], set())).offer.metadata_link
            if link.is_wheel or link.metadata:
                self._index.metadata_soon(link).add_done_callback(lambda found: self._follow(need, found))

    def _follow(self, need: Need, done: Future[Metadata]) -> None:
        if done.cancelled() or done.exception():
            return
        for dependency in dependencies_of(done.result(), need.extra, self.targets, here=need.here):
            self._look_ahead(dependency)

    def _fetch_ahead(self, offers: Iterable[Offer]) -> None:
        for offer in offers:
            if offer.metadata_link.is_wheel or offer.metadata_link.metadata:
                self._index.metadata_soon(offer.metadata_link)


def is_pinned(specifier: SpecifierSet) -> bool:
    """Whether a specifier names one version, which it then may get although it was yanked (PEP 592)."""
    return any(
        clause.operator == "===" or (clause.operator == "==" and not clause.version.endswith("*"))
        for clause in specifier
    )
