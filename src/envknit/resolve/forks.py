"""Forks: where one version of each project cannot satisfy all targets, parts of them get answers of their own.

A lock is made for all targets at once. Only where that fails, and a clash between requirements does not hold on all of
them (`a<2` on Linux, `a>=2` elsewhere), the targets fall into parts, and each is resolved by itself; what an earlier
part has chosen comes first in the next, so that the answers differ no more than they must.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from math import comb
from operator import or_
from typing import TYPE_CHECKING

from envknit.errors import ResolutionError
from envknit.resolve.graph import Graph
from envknit.resolve.markers import ALWAYS, all_of, any_of, literals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from envknit.resolve.judge import Candidate, Judge
    from envknit.resolve.provider import Clash
    from envknit.resolve.requirements import Requirement
    from envknit.resolve.targets import Targets

_MOST_LITERALS = 4  # side by side in one alternative of a marker; nobody writes more
_MOST_TRIED = 30_000  # ways to put them side by side; the words of many markers would make millions


@dataclass(frozen=True, kw_only=True, slots=True)
class Fork:
    """An answer for a part of the targets: those on which a marker holds (`""`: all)."""

    marker: str
    graph: Graph


def parts_of(clashes: Iterable[Clash], judge: Judge) -> list[str]:
    """Part the targets by the first clash that does not hold on all of them.

    Returns:
        A marker for each part, that with the oldest Python first; nothing where all clashes hold everywhere: no part
        would fare better then.

    Cost: a look for one candidate for each way in which the clashing requirements meet on some target.
    """
    everywhere = judge.targets.everywhere
    for clash in clashes:
        chosen = {candidate.identifier: candidate for candidate in clash.chosen}
        graph = Graph(chosen, judge.roots, judge.dependencies, judge.targets)
        asked = [(each, everywhere) for each in (*judge.roots, *judge.constraints(clash.name))]
        for candidate in chosen.values():
            asked += [(each, graph.where(candidate.identifier)) for each in judge.dependencies(candidate)]
        askers = [(each, needed) for each, needed in asked if each.name == clash.name]
        parts = _parts([(each, each.where & needed) for each, needed in askers], judge)
        if len(parts) < 2 and not all(each.where & needed for each, needed in askers):
            # What is asked where nobody needs it clashes with nothing: without it the search would go on elsewhere.
            vain = (each.where for each, needed in asked if each.where != everywhere and not each.where & needed)
            parts = next(([where, everywhere & ~where] for where in vain), [])
        if len(parts) > 1:
            texts = [each.marker for each, _ in (*askers, *asked)]
            return [express(where, everywhere, texts, judge.targets) for where in parts]
    return []


def _parts(askers: Sequence[tuple[Requirement, int]], judge: Judge) -> list[int]:
    """Part the targets so that on each as many requirements as possible can be answered together."""
    start: tuple[Requirement, ...] = ()
    classes = {start: judge.targets.everywhere}  # by the requirements that meet there
    for asked, where in askers:
        classes = {
            key: bits
            for there, before in classes.items()
            for key, bits in (((*there, asked), before & where), (there, before & ~where))
            if bits
        }
    if not any(_agree(there, where, judge) for there, where in classes.items()):
        return []
    parts: list[tuple[set[Requirement], int]] = []
    for more, bits in sorted(classes.items(), key=lambda item: (-len(item[0]), item[1] & -item[1])):
        for position, (there, where) in enumerate(parts):
            if _agree(there.union(more), where | bits, judge):
                parts[position] = (there.union(more), where | bits)
                break
        else:
            parts.append((set(more), bits))
    return sorted((where for _, where in parts), key=lambda where: (judge.targets.lowest_minor(where), where & -where))


def _agree(requirements: Iterable[Requirement], where: int, judge: Judge) -> bool:
    """Whether a candidate answers all these requirements on these targets."""
    narrowed = [replace(each, where=each.where & where) for each in requirements]
    return not narrowed or next(judge.matches(narrowed), None) is not None


def express(where: int, among: int, texts: Iterable[str], targets: Targets) -> str:
    """Write a marker that holds on some targets, and on no others of those among which it must tell them.

    Args:
        where: the targets on which it holds.
        among: all that matter.
        texts: markers in whose words it is written if possible.
        targets: what all this is about.

    Cost: grows with the third power of the comparisons in the texts.
    """
    if not among & ~where:
        return ALWAYS
    for words, most in (
        ((word for text in texts for word in sorted(literals(text))), _MOST_TRIED),
        (targets.literals(), 0),
    ):
        pool: dict[int, str] = {}
        for word in words:
            pool.setdefault(targets.where(word) & among, word)
        if found := _cover(where & among, among, pool, most):
            return found
    raise AssertionError(where)  # the literals of the targets tell any two of them from each other


def _cover(where: int, among: int, pool: dict[int, str], most: int) -> str | None:
    """Find the fewest comparisons, alternatives of some side by side, that hold exactly there; greedily."""
    ways: list[str | None] = []
    left = where
    for size in range(1, _MOST_LITERALS + 1):
        if most and comb(len(pool), size) > most:
            return None
        fitting = []
        for chosen in combinations(pool, size):
            bits = among
            for each in chosen:
                bits &= each
            if bits & left and not bits & ~where:
                fitting.append((bits, [pool[each] for each in chosen]))
        for bits, words in sorted(fitting, key=lambda item: (-item[0].bit_count(), item[1])):
            if bits & left:
                left &= ~bits
                ways.append(all_of(words))
        if not left:
            return any_of(ways)
    return None


def joined(forks: Sequence[Fork], targets: Targets) -> tuple[Graph, dict[str, str]]:
    """Join the answers for parts of the targets to one for all.

    Returns:
        The answer, in which several versions of a project are copies, and what needs one is told by markers which;
        and the marker of each copy, by its identifier.
    """
    if len(forks) == 1:
        return forks[0].graph, {}
    return _Joint(forks, targets).graph()


class _Joint:
    """Joins forks."""

    def __init__(self, forks: Sequence[Fork], targets: Targets) -> None:
        self._forks = forks
        self._targets = targets
        self._texts = [fork.marker for fork in forks]
        self._versions: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))  # and where each is chosen
        self._meant: dict[tuple[object, ...], dict[str, tuple[Requirement, int]]] = defaultdict(dict)
        sources: dict[tuple[str, str], str] = {}
        for fork in forks:
            for candidate in self._needed(fork):
                self._versions[candidate.name][str(candidate.version)] |= targets.where(fork.marker)
                source = candidate.release.links[0].source
                if sources.setdefault((candidate.name, str(candidate.version)), source) != source:
                    raise ResolutionError(
                        f"two sources of {candidate.name} have the same version {candidate.version}, "
                        "and a lock tells pins from each other by their versions",
                        hint="give one of them a local version, as in: 1.0+cpu",
                    )

    def graph(self) -> tuple[Graph, dict[str, str]]:
        """Join them."""
        chosen: dict[str, Candidate] = {}
        for fork in self._forks:
            self._collect("", fork.graph.roots, fork)
            for candidate in self._needed(fork):
                copy = self._copy(candidate)
                chosen[copy.identifier] = copy
                self._collect(copy.identifier, fork.graph.requirements_of(candidate), fork)
        told: dict[object, list[Requirement]] = defaultdict(list)
        for (parent, *_), ways in self._meant.items():
            told[parent] += self._told(ways)
        graph = Graph(chosen, told[""], lambda candidate: told[candidate.identifier], self._targets)
        return graph, {each.identifier: self._marker(each) for each in chosen.values() if each.copy and not each.extra}

    def _needed(self, fork: Fork) -> Iterator[Candidate]:
        return (each for each in fork.graph.chosen.values() if fork.graph.where(each.identifier))

    def _copy(self, candidate: Candidate) -> Candidate:
        several = len(self._versions[candidate.name]) > 1
        return replace(candidate, copy=str(candidate.version) if several else "")

    def _collect(self, parent: str, requirements: Iterable[Requirement], fork: Fork) -> None:
        """Note which copy each requirement means in a fork, and where that is."""
        for each in requirements:
            child = fork.graph.chosen.get(each.identifier)
            if child is not None and fork.graph.where(child.identifier):
                ways = self._meant[parent, each.name, each.extra, each.text, each.marker, each.given]
                copy = self._copy(child).copy
                where = ways[copy][1] if copy in ways else 0
                ways[copy] = replace(each, copy=copy), where | self._targets.where(fork.marker)

    def _told(self, ways: dict[str, tuple[Requirement, int]]) -> Iterator[Requirement]:
        """Give a requirement for each copy that it means in some fork, with a marker that says where."""
        among = reduce(or_, (where for _, where in ways.values()))
        for each, where in ways.values():
            among_these = among & self._targets.where(each.marker)
            condition = express(where & among_these, among_these, self._texts, self._targets)
            yield replace(each, marker=all_of([each.marker, condition]) or ALWAYS)

    def _marker(self, candidate: Candidate) -> str:
        versions = self._versions[candidate.name]
        return express(versions[str(candidate.version)], reduce(or_, versions.values()), self._texts, self._targets)
