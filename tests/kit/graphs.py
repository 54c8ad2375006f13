"""Dependency graphs as data: what an index would offer, without an index."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.version import Version

from envknit.index.links import Link
from envknit.index.metadata import Metadata
from envknit.resolve.split_search import ROOT, Dependency
from envknit.resolve.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass
class Graph:
    """Names to versions to requirement texts; a `Catalogue` for the search of splits.

    A requirement may have extras and markers, as in a wheel's metadata: `other[fast]>=2; extra == "all"`.
    """

    packages: Mapping[str, Mapping[str, Sequence[str]]]
    requirements: Sequence[str]
    targets: Targets = field(default_factory=lambda: TARGETS, repr=False)

    def candidates(self, name: str) -> Sequence[str]:
        return self._candidates.get(name, ())

    @cached_property
    def _candidates(self) -> dict[str, list[str]]:
        return {name: sorted(there, key=Version, reverse=True) for name, there in self.packages.items()}

    @cache  # noqa: B019 - as long as the graph
    def dependencies(self, name: str, version: str, extra: str) -> Sequence[Dependency] | None:
        texts = self.requirements if name == ROOT else self.packages[name][version]
        return [need for text in texts if (need := self._dependency(text, extra)) is not None]

    def _dependency(self, text: str, extra: str) -> Dependency | None:
        requirement, accepted = self._read(text)
        marker = requirement.marker
        if marker is not None:
            asked = {value for value in ("", extra) if any(self._holds(requirement, value, at) for at in self._at)}
            if not asked or (extra and "" in asked):
                return None
        elif extra:
            return None
        return Dependency(name=requirement.name, versions=accepted, extras=frozenset(requirement.extras))

    @cache  # noqa: B019 - as above
    def _read(self, text: str) -> tuple[Requirement, tuple[str, ...]]:
        requirement = Requirement(text)
        versions = self.candidates(requirement.name)
        return requirement, tuple(v for v in versions if requirement.specifier.contains(v, prereleases=True))

    @property
    def _at(self) -> Sequence[dict[str, str]]:
        return self.targets.variables

    @staticmethod
    def _holds(requirement: Requirement, extra: str, environment: dict[str, str]) -> bool:
        return requirement.marker is not None and requirement.marker.evaluate({**environment, "extra": extra})

    def __hash__(self) -> int:
        return id(self)


TARGETS = Targets.of(("linux-x86_64", "macos-arm64", "windows-amd64"), ">=3.11,<3.13")


class GraphIndex:
    """Offers the packages of a graph as an `Index` does, each version as one wheel for every platform."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def links(self, name: str, source: str = "") -> tuple[Link, ...]:  # noqa: ARG002 - no graph has sources
        return tuple(
            Link(name=name, filename=f"{name}-{version}-py3-none-any.whl", url="file:///", sha256="0" * 64)
            for version in self._graph.packages.get(name, ())
        )

    def metadata(self, link: Link) -> Metadata:
        requires = self._graph.packages[link.name][str(link.version)]
        return Metadata(name=link.name, version=str(link.version), requires_dist=tuple(map(Requirement, requires)))

    def links_soon(self, name: str) -> Future[tuple[Link, ...]]:
        return _done(self.links(name))

    def metadata_soon(self, link: Link) -> Future[Metadata]:
        return _done(self.metadata(link))

    def prefetch(self, names: Sequence[str]) -> None:
        pass


def _done(result: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(result)
    return future
