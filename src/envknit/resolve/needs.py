"""Needs: what somebody asks of one project, be it the person or another candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.naming import canonical_name
from envknit.resolve.markers import mentions_extra, without_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from envknit.index.metadata import Metadata
    from envknit.resolve.targets import Targets


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Need:
    """One project with one extra (`""`: the project itself), which versions will do, and where it is needed.

    Args:
        name: canonical name.
        extra: canonical extra.
        specifier: which versions will do.
        exact: the one version that will do: an extra needs its own project so.
        marker: on which targets, without `extra`; `""`: on all.
        here: whether the running interpreter is among them.
        text: how it was written, for explanations.
        dev: whether it comes out of the dev packages of the project.
        refusal: why the candidate that has this need cannot be used at all; no version satisfies such a need.
        copy: which copy of the project is meant, by its version; `""` where there is only one.
    """

    name: str
    specifier: SpecifierSet
    extra: str = ""
    exact: Version | None = None
    marker: str = ""
    here: bool = True
    text: str = ""
    dev: bool = False
    refusal: str = ""
    copy: str = ""

    @property
    def identifier(self) -> str:
        """What resolvelib knows it by."""
        return identify(self.name, self.extra, self.copy)


def identify(name: str, extra: str, copy: str = "") -> str:
    """Name a project with an extra: `uvicorn[standard]`; or a copy of it, by its version: `uvicorn 0.30[standard]`."""
    name = f"{name} {copy}" if copy else name
    return f"{name}[{extra}]" if extra else name


def needs_of(
    requirement: Requirement, marker: str, targets: Targets, *, here: bool, dev: bool = False
) -> Iterator[Need]:
    """Split a requirement into one need of the project and one of each extra; none where its marker never holds."""
    if not targets.where(marker):
        return
    here = here and targets.holds_here(marker)
    for extra in ("", *sorted({canonical_name(extra) for extra in requirement.extras})):
        yield Need(
            name=canonical_name(requirement.name),
            extra=extra,
            specifier=requirement.specifier,
            marker=marker,
            here=here,
            text=_text(requirement),
            dev=dev,
        )


def dependencies_of(metadata: Metadata, extra: str, targets: Targets, *, here: bool) -> Iterator[Need]:
    """Give the needs of a candidate; those of an extra are only what it adds to its project.

    Args:
        metadata: of the candidate.
        extra: which extra of it, or `""`.
        targets: what the lock is for.
        here: whether the candidate itself is needed by the running interpreter.
    """
    for requirement in metadata.requires_dist:
        if requirement.url is not None or (extra and not mentions_extra(requirement.marker)):
            continue
        marker = without_extra(requirement.marker, extra)
        if marker is not None:
            yield from needs_of(requirement, marker, targets, here=here)


def _text(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{canonical_name(requirement.name)}{extras}{requirement.specifier}"
