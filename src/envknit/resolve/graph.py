"""From resolvelib's answer to pins: who is needed where, the edges between them, and their markers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.files.model import Edge
from envknit.resolve.markers import ALWAYS, NEVER, all_of, any_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from envknit.resolve.needs import Need
    from envknit.resolve.provider import Candidate
    from envknit.resolve.targets import Targets

_ROOT = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arc:
    """One identifier needs another, under a marker, on these targets."""

    parent: str
    child: str
    marker: str
    where: frozenset[int]


class Graph:
    """Which candidates of a resolution are needed, on which targets, by whom.

    Args:
        chosen: resolvelib's answer: identifier to candidate.
        roots: what the person asked for.
        needs_of: gives the needs of a candidate.
        targets: what the lock is for.
    """

    def __init__(
        self,
        chosen: Mapping[str, Candidate],
        roots: Iterable[Need],
        needs_of: Callable[[Candidate], Iterable[Need]],
        targets: Targets,
    ) -> None:
        self._targets = targets
        self._roots = list(roots)
        self._arcs = [
            self._arc(candidate.identifier, need) for candidate in chosen.values() for need in needs_of(candidate)
        ]
        self._conditions: dict[str, str | None] = {}
        self._active = self._spread(self._roots)
        self._active_without_dev = self._spread(root for root in self._roots if not root.dev)
        self._into: dict[str, list[_Arc]] = defaultdict(list)
        for arc in (*self._arcs, *(self._arc(_ROOT, root) for root in self._roots)):
            self._into[arc.child].append(arc)
        self._candidates = chosen

    def _arc(self, parent: str, need: Need) -> _Arc:
        return _Arc(parent=parent, child=need.identifier, marker=need.marker, where=self._targets.where(need.marker))

    def _spread(self, roots: Iterable[Need]) -> dict[str, frozenset[int]]:
        """Find the targets on which each identifier is needed."""
        out: dict[str, list[_Arc]] = defaultdict(list)
        for arc in self._arcs:
            out[arc.parent].append(arc)
        active: dict[str, frozenset[int]] = defaultdict(frozenset)
        waiting = [self._arc(_ROOT, root) for root in roots]
        active[_ROOT] = self._targets.everywhere
        while waiting:
            arc = waiting.pop()
            reached = active[arc.parent] & arc.where
            if not reached <= active[arc.child]:
                active[arc.child] |= reached
                waiting += out[arc.child]
        return active

    def needed(self) -> list[Candidate]:
        """Return the candidates that some target needs, without extras, by name."""
        found = [c for c in self._candidates.values() if not c.extra and self._active[c.identifier]]
        return sorted(found, key=lambda candidate: (candidate.name, candidate.version))

    @property
    def chosen(self) -> Collection[Candidate]:
        """All candidates, those with extras too."""
        return self._candidates.values()

    def is_dev(self, candidate: Candidate) -> bool:
        """Whether only dev packages need it."""
        return not self._active_without_dev[candidate.project]

    def roots(self, candidate: Candidate) -> tuple[str, ...]:
        """Return the markers under which the person asked for it."""
        name = candidate.project
        markers = {
            self._plain(root.marker, self._targets.everywhere) for root in self._roots if root.identifier == name
        }
        return tuple(sorted(markers))

    def edges(self, candidate: Candidate) -> tuple[Edge, ...]:
        """Return its edges; what its extras add is among them, under the conditions they are asked for."""
        name = candidate.project
        active = self._active[name]
        found: dict[str, list[_Arc]] = defaultdict(list)
        for arc in self._arcs:
            child = self._candidates[arc.child].project
            if self._candidates[arc.parent].project == name and child != name and arc.where & self._active[arc.parent]:
                found[child].append(arc)
        edges = []
        for child, arcs in found.items():
            where = frozenset[int]().union(*(arc.where & self._active[arc.parent] for arc in arcs))
            marker = ALWAYS if where >= active else self._marker(name, arcs)
            end = self._candidates[child]
            edges.append(Edge(name=end.name, version=str(end.version), marker=marker))
        return tuple(sorted(edges))

    def _marker(self, name: str, arcs: Collection[_Arc]) -> str:
        return _normal(any_of(sorted(filter(None, (self._whole_marker(name, arc) for arc in arcs)))))

    def _whole_marker(self, name: str, arc: _Arc) -> str | None:
        marker = self._plain(arc.marker, self._active[arc.parent])
        if arc.parent == name or self._active[arc.parent] >= self._active[name]:
            return marker
        return all_of([self._condition(arc.parent, ()), marker])

    def _condition(self, identifier: str, above: tuple[str, ...]) -> str | None:
        """Say in a marker when an identifier is needed at all: whoever asks for it is needed, and its marker holds."""
        if identifier == _ROOT or self._active[identifier] == self._targets.everywhere:
            return ALWAYS
        if identifier in above:
            return NEVER
        path = (*above, identifier)
        ways = [
            all_of([self._condition(arc.parent, path), self._plain(arc.marker, self._active[arc.parent])])
            for arc in self._into[identifier]
            if arc.where & self._active[arc.parent]
        ]
        return any_of(sorted(ways, key=str))

    def _plain(self, marker: str, active: frozenset[int]) -> str:
        return ALWAYS if self._targets.where(marker) >= active else marker


def _normal(marker: str | None) -> str:
    if not marker:
        return ALWAYS
    from packaging.markers import Marker  # noqa: PLC0415 - loaded where a lock is made

    return str(Marker(marker))
