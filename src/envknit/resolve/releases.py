"""The releases of a project: its versions on the index, with their files, and why some are out of the question."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property, partial
from typing import TYPE_CHECKING

from envknit.files.filenames import is_pure, parse_version, wheel_tags
from envknit.index.listing import Listing
from envknit.resolve.targets import can_use_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from envknit.index.links import Link
    from envknit.resolve.requirements import Requirement
    from envknit.resolve.targets import Targets

_FEW = 50


class Release:
    """One version of a project with all its files; what it costs to judge is judged when asked for.

    Args:
        name: canonical name.
        files: gives all its files.
        targets: what the lock is for.
    """

    def __init__(self, name: str, files: Callable[[], Iterable[Link]], targets: Targets) -> None:
        self.name = name
        self._files = files
        self._targets = targets
        self._refusals: dict[tuple[tuple[str, ...], bool], str] = {}

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """All files, sorted by name."""
        return tuple(sorted(self._files(), key=_filename))

    @cached_property
    def version(self) -> Version:
        """The version; `1.0` and `1.0.0` are one (PEP 440): the lock has one spelling, whatever the index's order."""
        return max((link.version for link in self.links), key=str)

    @cached_property
    def yanked(self) -> str | None:
        """Why the version was yanked, where all its files were (PEP 592); else None."""
        if any(link.yanked is None for link in self.links):
            return None
        return next((link.yanked for link in self.links if link.yanked), "")

    def answers(self, source: str) -> bool:
        """Whether it comes from there; `""`: from anywhere."""
        return not source or source in self.links[0].answers

    @cached_property
    def usable_here(self) -> bool:
        """Whether the running interpreter can use one of the files, by their names."""
        return any(map(_is_usable_here, self.links))

    def refusal(self, requirement: Requirement) -> str:
        """Say why this version cannot answer a requirement, whichever versions that accepts; `""` where it can."""
        key = (self._targets.pythons_to_support(requirement.where), requirement.here)
        if key not in self._refusals:
            self._refusals[key] = self._refusal(requirement.where, here=requirement.here)
        return self._refusals[key]

    def _refusal(self, where: int, *, here: bool) -> str:
        accepted = [link for link in self.links if self._targets.accepts_python(link.requires_python, where)]
        if not accepted:
            wanted = sorted({link.requires_python for link in self.links})
            return f"requires Python {' or '.join(wanted)}"
        usable_here = any(map(_is_usable_here, accepted))
        if not usable_here and not any(link.is_wheel and self._targets.can_use(link.filename) for link in accepted):
            return f"has no sdist, and wheels for none of the targets ({self._pythons()})"
        if here and self._targets.runs_here and not usable_here:
            return f"has no sdist, and no wheel for this interpreter ({self._pythons()})"
        return ""

    def _pythons(self) -> str:
        return "they are for " + ", ".join(
            sorted({wheel_tags(link.filename)[0] for link in self.links if link.is_wheel})
        )

    @cached_property
    def metadata_link(self) -> Link:
        """The file to ask for metadata: a wheel before an sdist, a cheap one, the same on every machine if possible."""
        everywhere = self._targets.everywhere
        accepted = [link for link in self.links if self._targets.accepts_python(link.requires_python, everywhere)]
        return min(
            accepted or self.links,
            key=lambda link: (
                not link.is_wheel,
                not link.metadata,
                not is_pure(link.filename),
                not (link.is_wheel and can_use_here(link.filename)),
                link.filename,
            ),
        )


class Releases:
    """All versions of a project, newest first.

    Args:
        name: canonical name.
        links: all its files.
        targets: what the lock is for.
    """

    def __init__(self, name: str, links: Sequence[Link], targets: Targets) -> None:
        versions, files = (links.versions, links.of) if isinstance(links, Listing) else _grouped(links)
        self._rising = sorted(versions)
        self._name, self._files, self._targets = name, files, targets
        self._made: dict[Version, Release] = {}
        self._public = [_public(version) for version in self._rising]
        self._fitting: dict[SpecifierSet, frozenset[Version]] = {}

    def __iter__(self) -> Iterator[Release]:
        return map(self.__getitem__, reversed(self._rising))

    def __getitem__(self, version: Version) -> Release:
        if version not in self._made:  # threads that look ahead come here as well: there must be one object for each
            self._made.setdefault(version, Release(self._name, partial(self._files, version), self._targets))
        return self._made[version]

    def __len__(self) -> int:
        return len(self._rising)

    def of(self, versions: frozenset[Version]) -> Iterator[Release]:
        """Give these versions, newest first; the caller seldom needs more than one."""
        few = len(versions) < _FEW
        asked = (
            sorted(versions & self.versions, reverse=True)
            if few
            else filter(versions.__contains__, reversed(self._rising))
        )
        return map(self.__getitem__, asked)

    @cached_property
    def versions(self) -> frozenset[Version]:
        """All versions."""
        return frozenset(self._rising)

    def fitting(self, specifier: SpecifierSet) -> frozenset[Version]:
        """Return the versions that a specifier accepts, pre-releases included.

        Cost: a few comparisons for the bounds, and a check of each version between them.
        """
        if specifier not in self._fitting:
            first, end = self._between(specifier)
            self._fitting[specifier] = frozenset(
                version for version in self._rising[first:end] if specifier.contains(version, prereleases=True)
            )
        return self._fitting[specifier]

    def _between(self, specifier: SpecifierSet) -> tuple[int, int]:
        # Projects have thousands of versions (botocore), and backtracking asks for hundreds of narrow ranges of them.
        first, end = 0, len(self._rising)
        for clause in specifier:
            bound = None if clause.version.endswith("*") else parse_version(clause.version)
            if bound is None:
                continue
            if clause.operator in (">=", ">", "~=", "=="):
                first = max(first, bisect_left(self._public, _public(bound)))
            if clause.operator in ("<=", "<", "=="):
                end = min(end, bisect_right(self._public, _public(bound)))
        return first, end


def _grouped(links: Iterable[Link]) -> tuple[Iterable[Version], Callable[[Version], Iterable[Link]]]:
    grouped: dict[Version, list[Link]] = {}
    for link in links:
        files = grouped.setdefault(link.version, [])
        if not files or files[0].source == link.source:  # a release is of one source
            files.append(link)
    return grouped, grouped.__getitem__


def _is_usable_here(link: Link) -> bool:
    return not link.is_wheel or can_use_here(link.filename)


def _filename(link: Link) -> str:
    return link.filename


def _public(version: Version) -> Version:
    # `==1.0` and `<=1.0` accept `1.0+cpu`, which sorts behind `1.0` (PEP 440).
    return (parse_version(version.public) or version) if version.local else version
