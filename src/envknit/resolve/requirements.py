"""Requirements: what somebody asks of one project, be it the person or another candidate."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from envknit.errors import ProjectError
from envknit.files.requested import source_of
from envknit.files.sources import ANY_INDEX
from envknit.files.values import Value
from envknit.http.urls import redacted
from envknit.naming import canonical_name
from envknit.resolve.markers import all_of, is_of_extra, without_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging import requirements as pep508
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from envknit.files.project import RequestedEnvironment
    from envknit.index.metadata import Metadata
    from envknit.resolve.targets import Targets


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Requirement:
    """One project with one extra (`""`: the project itself), which versions will do, and where it is needed.

    Args:
        name: canonical name.
        extra: canonical extra.
        specifier: which versions will do.
        exact: the one version that will do: an extra needs its own project so.
        marker: on which targets, without `extra`; `""`: on all.
        where: these targets, less those on which whoever has the requirement cannot be.
        here: whether the running interpreter is among them.
        text: how it was written, for explanations.
        given: which group or extra of the project asks for it, as a marker of lock files (PEP 751); `""`: none.
        refusal: why the candidate that has this requirement cannot be used at all; no version satisfies such a one.
        copy: which copy of the project is meant, by its version; `""` where there is only one.
        source: where it must come from, as the person wrote it; `""`: from wherever others say.
    """

    name: str
    specifier: SpecifierSet
    extra: str = ""
    exact: Version | None = None
    marker: str = ""
    where: int
    here: bool = True
    text: str = ""
    given: str = ""
    refusal: str = ""
    copy: str = ""
    source: str = ""

    @property
    def identifier(self) -> str:
        """What resolvelib knows it by."""
        return identify(self.name, self.extra, self.copy)


def identify(name: str, extra: str, copy: str = "") -> str:
    """Name a project with an extra: `uvicorn[standard]`; or a copy of it, by its version: `uvicorn 0.30[standard]`."""
    name = f"{name} {copy}" if copy else name
    return f"{name}[{extra}]" if extra else name


class Overrides:
    """Requirements of the person that stand in place of whatever anything asks of their names; extras stay asked for.

    Args:
        texts: what the person wrote.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._by_name: dict[str, list[pep508.Requirement]] = {}
        for text in texts:
            requirement, _ = _without_source(text)
            self._by_name.setdefault(canonical_name(requirement.name), []).append(requirement)

    def of(self, requirement: pep508.Requirement) -> Iterator[pep508.Requirement]:
        """Give what stands in place of a requirement; itself where nothing does."""
        from packaging.markers import Marker

        for other in self._by_name.get(canonical_name(requirement.name), [requirement]):
            merged = copy(other)
            merged.extras = other.extras | requirement.extras
            if other is not requirement and requirement.marker is not None:
                merged.marker = Marker(all_of([str(requirement.marker), str(other.marker or "")]) or "")
            yield merged

    def applied(self, metadata: Metadata) -> Metadata:
        """Return metadata with what stands in place of its requirements."""
        if all(canonical_name(requirement.name) not in self._by_name for requirement in metadata.requires_dist):
            return metadata
        return replace(metadata, requires_dist=tuple(chain.from_iterable(map(self.of, metadata.requires_dist))))


def asked_for(wanted: RequestedEnvironment, targets: Targets) -> Iterator[Requirement]:
    """Give what the person asks for in an environment, in its groups and extras too."""
    overrides = Overrides(wanted.overrides)
    yield from read(wanted.requirements, targets, overrides)
    for name, requirements in wanted.groups.items():
        yield from read(requirements, targets, overrides, given=f"'{name}' in dependency_groups")
    for name, requirements in wanted.extras.items():
        yield from read(requirements, targets, overrides, given=f"'{name}' in extras")


def read(
    texts: Iterable[str], targets: Targets, overrides: Overrides | None = None, *, given: str = ""
) -> Iterator[Requirement]:
    """Read what a person wrote, a group or extra of the project if `given` says so."""
    for text in texts:
        written, source = _without_source(text)
        for requirement in overrides.of(written) if overrides else [written]:
            marker = str(requirement.marker or "")
            for each in split_by_extra(requirement, marker, targets, where=targets.everywhere, here=True, given=given):
                yield replace(each, source=source, text=f"{each.text} {_origin(source)}") if source else each


def _origin(source: str) -> str:
    return "from any index" if source == ANY_INDEX else f"from {redacted(source.removeprefix('index+'))}"


def _without_source(text: str) -> tuple[pep508.Requirement, str]:
    """Read a requirement for its name and versions, and for its source."""
    from packaging.requirements import Requirement as Pep508  # loaded where a lock is made

    read = Pep508(text)
    read.specifier, source = source_of(read, Value(data=text, file="", error=ProjectError, kind="project"))
    read.url = None
    return read, str(replace(source, editable=False)) if source else ""


def split_by_extra(
    requirement: pep508.Requirement, marker: str, targets: Targets, *, where: int, here: bool, given: str = ""
) -> Iterator[Requirement]:
    """Split what was written into one requirement of the project and one of each extra; none where it never applies.

    Args:
        requirement: what was written.
        marker: its marker, without `extra`.
        targets: what the lock is for.
        where: the targets on which whoever asks can be.
        here: whether whoever asks is needed by the running interpreter.
        given: which group or extra of the project asks for it, as a marker of lock files.
    """
    where &= targets.where(marker)
    if not where:
        return
    here = here and targets.holds_here(marker)
    for extra in ("", *sorted({canonical_name(extra) for extra in requirement.extras})):
        yield Requirement(
            name=canonical_name(requirement.name),
            extra=extra,
            specifier=requirement.specifier,
            marker=marker,
            where=where,
            here=here,
            text=_text(requirement),
            given=given,
        )


def dependencies_of(metadata: Metadata, extra: str, targets: Targets, *, here: bool) -> Iterator[Requirement]:
    """Give the requirements of a candidate; those of an extra are only what it adds to its project.

    Args:
        metadata: of the candidate.
        extra: which extra of it, or `""`.
        targets: what the lock is for.
        here: whether the candidate itself is needed by the running interpreter.
    """
    where = targets.where_python(metadata.requires_python)
    for requirement, marker in applying(metadata, extra):
        if requirement.url is None:
            yield from split_by_extra(requirement, marker, targets, where=where, here=here)


def applying(metadata: Metadata, extra: str) -> Iterator[tuple[pep508.Requirement, str]]:
    """Give what a candidate requires, or what one of its extras adds, with what is left of the markers."""
    for requirement in metadata.requires_dist:
        marker = without_extra(requirement.marker, extra)
        if marker is not None and not (extra and not is_of_extra(requirement.marker)):
            yield requirement, marker


def _text(requirement: pep508.Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{canonical_name(requirement.name)}{extras}{requirement.specifier}"
