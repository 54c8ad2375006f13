"""What the search for splits chooses from: the offers of the index, judged as in a plain resolution."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from envknit.resolve.graph import Graph
from envknit.resolve.needs import identify
from envknit.resolve.provider import Candidate, is_pinned
from envknit.resolve.split_search import ROOT, Wanted

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

    from packaging.version import Version

    from envknit.resolve.needs import Need
    from envknit.resolve.offers import Offer
    from envknit.resolve.provider import Provider
    from envknit.resolve.split import Split


class ProviderCatalogue:
    """A `Catalogue` (see resolve/split_search.py) over a provider.

    Args:
        provider: gives offers and needs.
        roots: what the person asks for.
        kept: versions of the previous lock, which come first where they fit.
    """

    def __init__(self, provider: Provider, roots: Sequence[Need], kept: Mapping[str, Collection[Version]]) -> None:
        self.provider = provider
        self.roots = roots
        self._kept = kept
        self._pinned = {need.name for need in roots if is_pinned(need.specifier)}
        self._versions: dict[Need, tuple[Version, ...]] = {}
        self._candidates: dict[tuple[str, Version], Candidate] = {}

    def candidates(self, name: str) -> Sequence[Version]:
        """Return the versions of a project, newest first."""
        return [offer.version for offer in self.provider.offers(name)]

    def wanted(self, name: str, version: Hashable, extra: str) -> Sequence[Wanted] | None:
        """Return what a candidate asks for, or what an extra adds; None where its metadata rules it out."""
        needs: Iterable[Need] = self.roots
        if name != ROOT:
            needs = self.provider.get_dependencies(self.candidate(name, cast("Version", version), extra))
        found = []
        for need in needs:
            if need.refusal:
                return None
            if need.exact is None:  # else the tie of an extra to its own project, which goes without saying here
                extras = frozenset([need.extra]) if need.extra else frozenset[str]()
                found.append(Wanted(name=need.name, versions=self._fitting(need), extras=extras))
        return found

    def candidate(self, name: str, version: Version, extra: str = "") -> Candidate:
        """Return the one candidate of that version, with that extra."""
        key = (identify(name, extra), version)
        if key not in self._candidates:
            self._candidates[key] = Candidate(name=name, extra=extra, offer=self.offer(name, version))
        return self._candidates[key]

    def offer(self, name: str, version: Version) -> Offer:
        """Return the files of a version."""
        (offer,) = self.provider.offers(name).of([version])
        return offer

    def _fitting(self, need: Need) -> tuple[Version, ...]:
        """Return the versions that will do: those of the previous lock first, pre-releases that nobody named last."""
        if need not in self._versions:
            limits = [need, *self.provider.constraints(need.name)]
            offers = self.provider.offers(need.name)
            fitting = offers.versions
            for limit in limits:
                fitting &= offers.fitting(limit.specifier)
            kept = self._kept.get(need.name, ())
            named = any(limit.specifier.prereleases for limit in limits)
            pinned = need.name in self._pinned or any(is_pinned(limit.specifier) for limit in limits)
            usable = [
                offer.version
                for offer in offers.of(fitting)
                if (pinned or offer.yanked is None or offer.version in kept) and not offer.refusal(here=need.here)
            ]
            usable.sort(key=lambda version: (version not in kept, version.is_prerelease and not named))
            self._versions[need] = tuple(usable)
        return self._versions[need]


def graph_of(split: Split, catalogue: ProviderCatalogue) -> Graph:
    """Make the graph of a split: each copy is a project of its own there, and each need means one of them."""
    copies = split.copies

    def copy_of(name: str, version: Hashable) -> str:
        return str(version) if name in copies else ""

    def needs_of(candidate: Candidate) -> list[Need]:
        plain = catalogue.candidate(candidate.name, candidate.version, candidate.extra)
        seen = {candidate.name: candidate.version, **split.links[candidate.name, candidate.version]}
        return [
            replace(need, copy=copy_of(need.name, seen[need.name]))
            for need in catalogue.provider.get_dependencies(plain)
        ]

    chosen = [
        replace(catalogue.candidate(name, cast("Version", version), extra), copy=copy_of(name, version))
        for (name, version), extras in split.pins.items()
        for extra in ("", *sorted(extras))
    ]
    own = split.links[ROOT, ""]
    return Graph(
        {candidate.identifier: candidate for candidate in chosen},
        [replace(need, copy=copy_of(need.name, own[need.name])) for need in catalogue.roots],
        needs_of,
        catalogue.provider.targets,
    )
