"""From the candidates that were chosen to pins: who is needed where, the edges between them, and their markers."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.files.model import Edge
from envknit.resolve.markers import ALWAYS, all_of, any_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from envknit.resolve.judge import Candidate
    from envknit.resolve.requirements import Requirement
    from envknit.resolve.targets import Targets

_PROJECT = ""
DEV = "'dev' in dependency_groups"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arc:
    """One identifier needs another, under a marker, on these targets."""

    parent: str
    child: str
    marker: str
    where: int


class Graph:
    """Which candidates of a resolution are needed, on which targets, by whom.

    Args:
        chosen: the answer: identifier to candidate.
        roots: what the person asked for.
        requirements_of: gives the requirements of a candidate.
        targets: what the lock is for.
    """

    def __init__(
        self,
        chosen: Mapping[str, Candidate],
        roots: Iterable[Requirement],
        requirements_of: Callable[[Candidate], Iterable[Requirement]],
        targets: Targets,
    ) -> None:
        self._targets = targets
        self._candidates = chosen
        self._roots = list(roots)
        self._out: dict[str, list[_Arc]] = {
            candidate.identifier: [self._arc(candidate.identifier, asked) for asked in requirements_of(candidate)]
            for candidate in chosen.values()
        }
        self._active = self._spread(self._roots)
        self._active_without_dev = self._spread(root for root in self._roots if root.given != DEV)
        self._known_conditions: dict[str, str] | None = None

    def _arc(self, parent: str, asked: Requirement) -> _Arc:
        where = self._targets.where(asked.marker)
        return _Arc(parent=parent, child=asked.identifier, marker=asked.marker, where=where)

    def _spread(self, roots: Iterable[Requirement]) -> dict[str, int]:
        """Find the targets on which each identifier is needed."""
        active: dict[str, int] = defaultdict(int)
        active[_PROJECT] = self._targets.everywhere
        waiting = [self._arc(_PROJECT, root) for root in roots]
        while waiting:
            arc = waiting.pop()
            if new := active[arc.parent] & arc.where & ~active[arc.child]:
                active[arc.child] |= new
                waiting += self._out[arc.child]
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

    def root_markers(self, candidate: Candidate) -> tuple[str, ...]:
        """Return the markers under which the person asked for it, with the group or extra that asks."""
        name, everywhere = candidate.project, self._targets.everywhere
        markers = {
            _normal(all_of([root.given, self._plain(root.marker, everywhere)]))
            for root in self._roots
            if root.identifier == name
        }
        return tuple(sorted(markers))

    def edges(self, candidate: Candidate) -> tuple[Edge, ...]:
        """Return its edges; what its extras add is among them, under the conditions they are asked for."""
        name = candidate.project
        found: dict[str, list[_Arc]] = defaultdict(list)
        for parent in self._candidates.values():
            if parent.project == name:
                for arc in self._out[parent.identifier]:
                    child = self._candidates[arc.child].project
                    if child != name and arc.where & self._active[arc.parent]:
                        found[child].append(arc)
        edges = []
        for child, arcs in found.items():
            where = 0
            for arc in arcs:
                where |= arc.where & self._active[arc.parent]
            marker = self._marker(name, arcs) if self._active[name] & ~where else ALWAYS
            end = self._candidates[child]
            edges.append(Edge(name=end.name, version=str(end.version), marker=marker))
        return tuple(sorted(edges))

    def _marker(self, name: str, arcs: Collection[_Arc]) -> str:
        return _normal(any_of(sorted(filter(None, (self._whole_marker(name, arc) for arc in arcs)))))

    def _whole_marker(self, name: str, arc: _Arc) -> str | None:
        marker = self._plain(arc.marker, self._active[arc.parent])
        if not self._active[name] & ~self._active[arc.parent]:
            return marker
        return all_of([self._conditions[arc.parent], marker])

    @property
    def _conditions(self) -> dict[str, str]:
        """Say in a marker when each identifier is needed at all: OR over parents of (its condition AND the marker).

        Cost: linear in the arcs for each target; a way that reaches no target that another one has not is left out.
        """
        if self._known_conditions is None:
            ways: dict[str, list[str | None]] = defaultdict(list)
            reached: dict[str, int] = defaultdict(int)
            start: tuple[str, ...] = ()
            waiting = deque((self._arc(_PROJECT, root), start, self._targets.everywhere) for root in self._roots)
            while waiting:
                arc, markers, where = waiting.popleft()
                where &= arc.where & ~reached[arc.child]
                if where:
                    reached[arc.child] |= where
                    marker = self._plain(arc.marker, self._active[arc.parent])
                    markers = (*markers, marker) if marker and marker not in markers else markers
                    ways[arc.child].append(all_of(markers))
                    waiting += ((following, markers, where) for following in self._out[arc.child])
            everywhere = self._targets.everywhere
            self._known_conditions = {
                identifier: ALWAYS
                if self._active[identifier] == everywhere
                else any_of(sorted(found, key=str)) or ALWAYS
                for identifier, found in ways.items()
            }
        return self._known_conditions

    def _plain(self, marker: str, active: int) -> str:
        return marker if active & ~self._targets.where(marker) else ALWAYS


def _normal(marker: str | None) -> str:
    if not marker:
        return ALWAYS
    from packaging.markers import Marker  # noqa: PLC0415 - loaded where a lock is made

    return str(Marker(marker))
