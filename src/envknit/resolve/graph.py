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
    """One identifier needs another: under a marker, for a group or extra of the project (`given`), in these cases."""

    parent: str
    child: str
    marker: str
    given: str
    cases: int


class Graph:
    """Which candidates of a resolution are needed, on which targets, for what, by whom.

    A case is a target with nothing of the project chosen but one of its groups or extras, or none; a set of cases is an
    integer, one bit for each.

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
        self.chosen = chosen  # some of it may be needed no more
        self.roots = list(roots)
        self.requirements_of = requirements_of
        self._targets = targets
        self._sets = ["", *sorted({root.given for root in self.roots} - {""})]
        self._all = self._cases("", targets.everywhere)
        self._into_project = [self._arc(_PROJECT, root) for root in self.roots]
        self._out: dict[str, list[_Arc]] = {
            candidate.identifier: [self._arc(candidate.identifier, asked) for asked in requirements_of(candidate)]
            for candidate in chosen.values()
        }
        self._active = self._spread()
        self._known_conditions: dict[str, str] | None = None

    def _cases(self, given: str, where: int) -> int:
        """Return the cases of a group or extra on some targets; `""`: those of all of them."""
        size = len(self._targets.variables)
        slots = range(len(self._sets)) if not given else (self._sets.index(given),)
        return sum(where << slot * size for slot in slots)

    def _arc(self, parent: str, asked: Requirement) -> _Arc:
        cases = self._cases(asked.given, self._targets.where(asked.marker))
        return _Arc(parent=parent, child=asked.identifier, marker=asked.marker, given=asked.given, cases=cases)

    def _spread(self) -> dict[str, int]:
        """Find the cases in which each identifier is needed."""
        active: dict[str, int] = defaultdict(int)
        active[_PROJECT] = self._all
        waiting = list(self._into_project)
        while waiting:
            arc = waiting.pop()
            if new := active[arc.parent] & arc.cases & ~active[arc.child]:
                active[arc.child] |= new
                waiting += self._out.get(arc.child, ())
        return active

    def where(self, identifier: str) -> int:
        """Return the targets on which something is needed."""
        cases, size, found = self._active[identifier], len(self._targets.variables), 0
        while cases:
            found |= cases & self._targets.everywhere
            cases >>= size
        return found

    def needed(self) -> list[Candidate]:
        """Return the candidates that some target needs, without extras, by name."""
        found = [c for c in self.chosen.values() if not c.extra and self._active[c.identifier]]
        return sorted(found, key=lambda candidate: (candidate.name, candidate.version))

    def is_dev(self, candidate: Candidate) -> bool:
        """Whether only the group `dev` needs it."""
        cases = self._cases(DEV, self._targets.everywhere) if DEV in self._sets else 0
        return not self._active[candidate.project] & ~cases

    def root_markers(self, candidate: Candidate) -> tuple[str, ...]:
        """Return the markers under which the person asked for it, with the group or extra that asks."""
        arcs = [arc for arc in self._into_project if arc.child == candidate.project]
        return tuple(sorted({_normal(all_of(self._parts(arc))) for arc in arcs}))

    def edges(self, candidate: Candidate) -> tuple[Edge, ...]:
        """Return its edges; what its extras add is among them, under the conditions they are asked for."""
        name = candidate.project
        found: dict[str, list[_Arc]] = defaultdict(list)
        for parent in self.chosen.values():
            if parent.project == name:
                for arc in self._out[parent.identifier]:
                    if arc.cases & self._active[arc.parent] and self.chosen[arc.child].project != name:
                        found[self.chosen[arc.child].project].append(arc)
        edges = []
        for child, arcs in found.items():
            cases = 0
            for arc in arcs:
                cases |= arc.cases & self._active[arc.parent]
            marker = self._marker(name, arcs) if self._active[name] & ~cases else ALWAYS
            end = self.chosen[child]
            edges.append(Edge(name=end.name, version=str(end.version), marker=marker))
        return tuple(sorted(edges))

    def _marker(self, name: str, arcs: Collection[_Arc]) -> str:
        return _normal(any_of(sorted(filter(None, (self._whole_marker(name, arc) for arc in arcs)))))

    def _whole_marker(self, name: str, arc: _Arc) -> str | None:
        if not self._active[name] & ~self._active[arc.parent]:
            return all_of(self._parts(arc))
        return all_of([self._conditions[arc.parent], *self._parts(arc)])

    def _parts(self, arc: _Arc) -> tuple[str, ...]:
        """Return what an arc adds to the condition of its parent: what does not hold wherever that is needed."""
        always = not self._active[arc.parent] & ~self._cases("", self._targets.where(arc.marker))
        return tuple(filter(None, (arc.given, ALWAYS if always else arc.marker)))

    @property
    def _conditions(self) -> dict[str, str]:
        """Say in a marker when each identifier is needed at all: OR over parents of (its condition AND the marker).

        Cost: linear in the arcs for each case; a way that reaches no case that another one has not is left out.
        """
        if self._known_conditions is None:
            ways: dict[str, list[str | None]] = defaultdict(list)
            reached: dict[str, int] = defaultdict(int)
            start: tuple[str, ...] = ()
            waiting = deque((arc, start, self._all) for arc in self._into_project)
            while waiting:
                arc, markers, cases = waiting.popleft()
                cases &= arc.cases & ~reached[arc.child]
                if cases:
                    reached[arc.child] |= cases
                    markers = (*markers, *(part for part in self._parts(arc) if part not in markers))
                    ways[arc.child].append(all_of(markers))
                    waiting += ((following, markers, cases) for following in self._out[arc.child])
            self._known_conditions = {
                identifier: ALWAYS
                if self._active[identifier] == self._all
                else any_of(sorted(found, key=str)) or ALWAYS
                for identifier, found in ways.items()
            }
        return self._known_conditions


def _normal(marker: str | None) -> str:
    if not marker:
        return ALWAYS
    from packaging.markers import Marker  # loaded where a lock is made

    return str(Marker(marker))
