"""The one judge of candidates: which versions answer which requirements, in which order, and what they need in turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from envknit.files.model import PRERELEASES, RESOLUTIONS
from envknit.index.metadata import UnusableMetadataError
from envknit.projects.settings import moment
from envknit.resolve.markers import without_extra
from envknit.resolve.releases import Releases
from envknit.resolve.requirements import Overrides, Requirement, applying, dependencies_of, identify

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from envknit.index.index import Index
    from envknit.index.links import Link
    from envknit.index.metadata import Metadata
    from envknit.reporter import Reporter
    from envknit.resolve.releases import Release
    from envknit.resolve.targets import Targets


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Candidate:
    """One version of a project, with one extra (`""`: the project itself).

    `copy` is its version where the answer holds other versions beside it, else `""`.
    """

    name: str
    extra: str
    release: Release
    copy: str = ""

    @property
    def version(self) -> Version:
        """The version."""
        return self.release.version

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How the person wants candidates chosen.

    Args:
        resolution: one of `RESOLUTIONS` (see files/model.py).
        prerelease: one of `PRERELEASES`.
        exclude_newer: the time after which nothing that was uploaded counts, as `files.settings.read_time` writes it;
            `""`: none.
        overrides: requirements that stand in place of whatever anything asks of their names.
    """

    resolution: str = RESOLUTIONS[0]
    prerelease: str = PRERELEASES[0]
    exclude_newer: str = ""
    overrides: Sequence[str] = ()


class Judge:
    """Judges for one environment.

    Args:
        index: where projects come from.
        targets: what the lock is for.
        roots: what the person asks for.
        constraints: limits on projects that are needed for other reasons.
        kept: versions that come first where they fit: those of the previous lock.
        rules: how candidates are chosen.
        reporter: hears of slow work.
    """

    def __init__(
        self,
        index: Index,
        targets: Targets,
        *,
        roots: Sequence[Requirement],
        constraints: Iterable[Requirement] = (),
        kept: Mapping[str, Collection[Version]],
        rules: Rules,
        reporter: Reporter,
    ) -> None:
        self.index = index
        self.targets = targets
        self.roots = roots
        self._reporter = reporter
        self._kept = kept
        self._constraints: dict[str, list[Requirement]] = {}
        for requirement in constraints:
            self._constraints.setdefault(requirement.name, []).append(requirement)
        self.rules = rules
        self._newest = moment(rules.exclude_newer) if rules.exclude_newer else None
        self._overrides = Overrides(rules.overrides)
        self._pinned = {requirement.name for requirement in roots if is_pinned(requirement.specifier)}
        self._releases: dict[tuple[str, str], Releases] = {}
        self._fitting: dict[Requirement, frozenset[Version]] = {}
        self._candidates: dict[tuple[str, Release], Candidate] = {}
        self._dependencies: dict[Candidate, list[Requirement]] = {}
        self._read: set[Link] = set()
        self.too_new: dict[str, Link] = {}

    def releases(self, name: str, source: str = "") -> Releases:
        """Return all versions of a project, or those of one of the sources that it is bound to."""
        key = name, source
        if key not in self._releases:
            links = self.index.links(name, source)
            if self._newest:
                links = [link for link in links if not self._is_too_new(link, self._newest)]
            self._releases.setdefault(key, Releases(name, links, self.targets))
        return self._releases[key]

    def _is_too_new(self, link: Link, newest: datetime) -> bool:
        if not link.is_listed:
            return False
        try:
            too_new = datetime.fromisoformat(link.upload_time.replace("Z", "+00:00")) > newest
        except (TypeError, ValueError):  # the index states no time, or one without a zone
            too_new = True
        if too_new:
            self.too_new[link.name] = link
        return too_new

    def constraints(self, name: str) -> list[Requirement]:
        """Return the constraints on a project."""
        return self._constraints.get(name, [])

    def candidate(self, release: Release, extra: str = "") -> Candidate:
        """Return the one candidate of a release with an extra."""
        key = (identify(release.name, extra), release)
        # Threads that look ahead come here as well: there must be one object for each.
        return self._candidates.setdefault(key, Candidate(name=release.name, extra=extra, release=release))

    def matches(
        self, requirements: Sequence[Requirement], extra: str = "", tried: Collection[Version] = ()
    ) -> Iterator[Candidate]:
        """Give the candidates that answer all these requirements of one project, the best first.

        Pre-releases that nobody named are given only where there is no release (PEP 440).
        """
        if any(requirement.refusal for requirement in requirements):
            return
        for group in self._groups(requirements):
            first = next(group, None)
            if first is None:
                continue
            for release in chain([first], group):
                if release.version not in tried:
                    yield self.candidate(release, extra)
            return

    def versions(self, requirement: Requirement) -> tuple[Version, ...]:
        """Return the versions that answer one requirement by itself; pre-releases that it does not name come last."""
        return tuple(release.version for group in self._groups([requirement]) for release in group)

    def _groups(self, requirements: Sequence[Requirement]) -> Iterator[Iterator[Release]]:
        """Give the releases to choose from, then those for want of better; in each those of the previous lock first."""
        name = requirements[0].name
        where = 0
        for requirement in requirements:
            where |= requirement.where
        limits = [*requirements, *(limit for limit in self.constraints(name) if limit.where & where)]
        sources = {limit.source for limit in limits if limit.source}
        if len(sources) > 1:
            return
        releases = self.releases(name, *sources)
        fitting = releases.versions
        for limit in limits:
            fitting = fitting & self.fitting(limit)
        kept = fitting.intersection(self._kept.get(name, ()))
        pinned = name in self._pinned or any(limit.exact or is_pinned(limit.specifier) for limit in limits)
        for prereleases in self._choices(limits):
            yield (
                release
                for release in chain(releases.of(kept), self._in_order(releases, name, fitting - kept))
                if prereleases in (None, release.version.is_prerelease)
                and (pinned or release.yanked is None or release.version in kept)
                and not any(map(release.refusal, requirements))
            )

    def _choices(self, limits: Iterable[Requirement]) -> tuple[bool | None, ...]:
        """Say what to choose from, in turn: releases (False), pre-releases (True), or both at once (None)."""
        named = any(limit.exact or limit.specifier.prereleases for limit in limits)
        rule = self.rules.prerelease
        if rule == "allow" or (named and rule in ("explicit", "if-necessary-or-explicit")):
            return (None,)
        return (False,) if rule in ("disallow", "explicit") else (False, True)

    def _in_order(self, releases: Releases, name: str, versions: frozenset[Version]) -> Iterator[Release]:
        lowest = self.rules.resolution == "lowest" or (
            self.rules.resolution == "lowest-direct" and any(root.name == name for root in self.roots)
        )
        found = releases.of(versions)
        return reversed(list(found)) if lowest else found

    def fitting(self, requirement: Requirement) -> frozenset[Version]:
        """Return the versions that a requirement accepts, whether they can be used or not."""
        if requirement.exact:
            return frozenset([requirement.exact])
        # Asked for every requirement in every round: it is found by its identity, without hashing its specifier.
        if requirement not in self._fitting:
            releases = self.releases(requirement.name, requirement.source)
            self._fitting[requirement] = releases.fitting(requirement.specifier)
        return self._fitting[requirement]

    def fits(self, release: Release, requirement: Requirement) -> bool:
        """Whether a release is one that a requirement accepts, whether it can be used or not."""
        return release.version in self.fitting(requirement) and release.answers(requirement.source)

    def answers(self, candidate: Candidate, requirement: Requirement) -> bool:
        """Whether a candidate that was chosen answers one requirement more."""
        if requirement.refusal or not self.fits(candidate.release, requirement):
            return False
        return not candidate.release.refusal(requirement)

    def dependencies(self, candidate: Candidate) -> list[Requirement]:
        """Return what a candidate requires; a single requirement that nothing answers where it cannot be used."""
        if candidate not in self._dependencies:
            self._dependencies[candidate] = self._find_dependencies(candidate)
        return self._dependencies[candidate]

    def _find_dependencies(self, candidate: Candidate) -> list[Requirement]:
        from packaging.specifiers import SpecifierSet  # loaded where a lock is made

        everything = SpecifierSet()
        try:
            metadata = self.metadata(candidate.release)
            refusal = self._refusal(candidate, metadata)
        except UnusableMetadataError as cause:
            self._reporter.warn(f"{candidate} is passed over: {str(cause).splitlines()[0]}")
            refusal = str(cause)
        if refusal:
            where = self.targets.everywhere
            return [Requirement(name=f"<{candidate}>", specifier=everything, where=where, refusal=refusal)]
        here = self.targets.runs_here and candidate.release.usable_here
        found = list(dependencies_of(metadata, candidate.extra, self.targets, here=here))
        if not candidate.extra:
            return found
        own = Requirement(
            name=candidate.name,
            specifier=everything,
            exact=candidate.version,
            where=self.targets.where_python(metadata.requires_python),
            here=here,
            text=f"{candidate.name}=={candidate.version}",
        )
        return [own, *found]

    def _refusal(self, candidate: Candidate, metadata: Metadata) -> str:
        python = metadata.requires_python
        # What the index says of Python was judged with what is required; some indexes say nothing.
        if all(link.requires_python != python for link in candidate.release.links) and not self.targets.accepts_python(
            python, self.targets.everywhere
        ):
            return f"requires Python {python}"
        where = self.targets.where_python(python)
        for requirement, marker in applying(metadata, candidate.extra):
            if requirement.url is not None and self.targets.where(marker) & where:
                return f"needs {requirement.name} from a URL, which envknit does not lock"
        for line in metadata.unreadable:
            left = without_extra(line.marker, candidate.extra)
            if left is not None and self.targets.where(left) & where:
                raise UnusableMetadataError(f"its metadata holds `{line.text}`, which is no requirement")
        return ""

    def metadata(self, release: Release) -> Metadata:
        """Return what a release says of itself."""
        link = release.metadata_link
        if not (link.is_wheel or link.metadata or not link.is_listed or link in self._read):
            self._read.add(link)
            self._reporter.stage(f"Reading {link.filename}")
        return self._overrides.applied(self.index.metadata(link))

    def expected(self, metadata: Metadata, requirement: Requirement) -> Iterator[Requirement]:
        """Give what a candidate for a requirement will require, by its metadata."""
        metadata = self._overrides.applied(metadata)
        return dependencies_of(metadata, requirement.extra, self.targets, here=requirement.here)


def is_pinned(specifier: SpecifierSet) -> bool:
    """Whether a specifier names one version, which it then may get although it was yanked (PEP 592)."""
    return any(
        clause.operator == "===" or (clause.operator == "==" and not clause.version.endswith("*"))
        for clause in specifier
    )
