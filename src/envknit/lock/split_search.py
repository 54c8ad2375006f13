"""Search for pins that satisfy every requirement, where a name may have only so many copies.

One need is met after the other, newest candidate first. Where none can meet it, the reasons why each was refused make
a nogood: pins that can never stand together. The search goes back to the latest choice in it, and never makes that
combination again. A nogood also knows which limits it rests on; when nothing is left to go back to, these names are
the core: under these limits there is no answer, and only a further copy of one of them could give one.

Nothing here knows of an index or of the form of versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from envknit.errors import ResolutionError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    Atom = tuple[str, Hashable, str]  # a pin (its extra is ""), or a pin with one of its extras
    Nogood = tuple[frozenset[Atom], frozenset[str]]  # what cannot stand together, and the limits this rests on

ROOT = ""  # the name of the project itself
MOST_STEPS = 2_000_000  # a minute; a graph of 300 packages takes some thousands


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a pin asks for: one of these versions of a name, the best first, with these extras."""

    name: str
    versions: tuple[Hashable, ...]
    extras: frozenset[str] = frozenset()


class Catalogue(Protocol):
    """What there is to choose from."""

    def candidates(self, name: str) -> Sequence[Hashable]:
        """Return the versions of a name, the best first."""

    def wanted(self, name: str, version: Hashable, extra: str) -> Sequence[Wanted] | None:
        """Return what a candidate asks for, or what one of its extras adds; None where it cannot be used at all.

        The project itself has the name `ROOT`.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class JointNeed:
    """All that one pin, with its extras, asks of one name: it is linked to one pin that answers all of it."""

    given: frozenset[Atom]
    name: str
    versions: tuple[Hashable, ...]
    extras: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """An answer: each pin with the extras that someone asked of it."""

    pins: Mapping[tuple[str, Hashable], frozenset[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Core:
    """There is no answer, unless one of these names may have one copy more; where empty, not even then."""

    names: frozenset[str]


class Budget:
    """How much work a whole resolution may be: one step is one candidate looked at.

    Args:
        steps: the most steps.
    """

    def __init__(self, steps: int = MOST_STEPS) -> None:
        self.steps = steps
        self.used = 0

    def spend(self) -> None:
        """Count a step.

        Raises:
            ResolutionError: there were too many; nothing is known then.
        """
        self.used += 1
        if self.used > self.steps:
            raise ResolutionError(
                "the search for the smallest split was given up: too many combinations",
                candidates_looked_at=self.steps,
                hint="narrow it: ask for exact versions of the packages in conflict",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Choice:
    """A level of the search, and where the agenda stood before it."""

    atoms: tuple[Atom, ...]
    agenda: int
    at: int


def joint_needs(
    catalogue: Catalogue, pin: tuple[str, Hashable], extras: Iterable[str], fresh: Iterable[str] | None = None
) -> Iterator[JointNeed] | None:
    """Return what a pin with extras asks for, name by name in alphabetical order.

    Args:
        catalogue: what there is.
        pin: name and version.
        extras: all its extras; `""` is the pin without any.
        fresh: only names that these extras mention; None: all.

    Returns:
        The needs, or None where the candidate cannot be used.
    """
    asked: dict[str, list[tuple[str, Wanted]]] = {}
    for extra in sorted({"", *extras}):
        needs = catalogue.wanted(*pin, extra)
        if needs is None:
            return None
        for need in needs:
            asked.setdefault(need.name, []).append((extra, need))
    changed = None if fresh is None else set(fresh)
    return (
        _joined(pin, name, parts)
        for name, parts in sorted(asked.items())
        if changed is None or any(extra in changed for extra, _ in parts)
    )


def _joined(pin: tuple[str, Hashable], name: str, parts: list[tuple[str, Wanted]]) -> JointNeed:
    versions = parts[0][1].versions
    for _, need in parts[1:]:
        accepted = set(need.versions)
        versions = tuple(version for version in versions if version in accepted)
    if name == pin[0]:  # `demo[all]` asks for `demo[fast]`: of itself, never of another copy
        versions = (pin[1],) if pin[1] in versions else ()
    return JointNeed(
        given=frozenset({(*pin, ""), *((*pin, extra) for extra, _ in parts)}),
        name=name,
        versions=versions,
        extras=frozenset().union(*(need.extras for _, need in parts)),
    )


class Search:
    """One search under given limits; exact, and the same for the same input.

    Args:
        catalogue: what there is to choose from.
        copies: how many copies a name may have beyond one; names that are not in it: none.
        budget: counts the work.
    """

    def __init__(self, catalogue: Catalogue, copies: Mapping[str, int], budget: Budget) -> None:
        self._catalogue = catalogue
        self._copies = copies
        self._budget = budget
        self._pins: dict[str, dict[Hashable, set[str]]] = {}  # name -> its copies so far, with their extras
        self._levels: dict[Atom, int] = {(ROOT, "", ""): 0}  # what was chosen, and at which choice
        self._choices: list[_Choice] = []
        self._agenda: list[JointNeed] = []
        self._at = 0  # all needs before this one are met
        self._nogoods: dict[Atom, list[Nogood]] = {}

    def run(self) -> Found | Core:
        """Search.

        Raises:
            ResolutionError: it took too many steps.
        """
        self._agenda.extend(joint_needs(self._catalogue, (ROOT, ""), ()) or ())
        while (need := self._next_unmet()) is not None:
            core = self._meet(need)
            if core is not None:
                return core
        return Found(
            pins={
                (name, version): frozenset(extras)
                for name, copies in self._pins.items()
                for version, extras in copies.items()
            }
        )

    def _next_unmet(self) -> JointNeed | None:
        while self._at < len(self._agenda):
            need = self._agenda[self._at]
            if not any(self._meets(need, version) for version in self._pins.get(need.name, ())):
                return need
            self._at += 1
        return None

    def _meets(self, need: JointNeed, version: Hashable) -> bool:
        return version in need.versions and need.extras <= self._pins[need.name][version]

    def _meet(self, need: JointNeed) -> Core | None:
        """Choose for a need, or go back to an earlier choice; returns a core where there is none."""
        together = set(need.given)
        limits: set[str] = set()
        for version in self._options(need):
            self._budget.spend()
            atoms = [(need.name, version, extra) for extra in ("", *sorted(need.extras))]
            refused = self._refusal(need.name, version, {atom for atom in atoms if atom not in self._levels})
            if refused is None:
                self._choose(need, version, atoms)
                return None
            together |= refused[0].difference(atoms)
            limits |= refused[1]
        if self._is_full(need.name) and any(version not in self._pins[need.name] for version in need.versions):
            together |= {(need.name, version, "") for version in self._pins[need.name]}
            limits.add(need.name)
        return self._go_back(frozenset(together), frozenset(limits))

    def _options(self, need: JointNeed) -> list[Hashable]:
        """List the candidates for a need: copies that are there, then others, if there may be another copy."""
        there = self._pins.get(need.name, ())
        first = [version for version in need.versions if version in there]
        if self._is_full(need.name):
            return first
        return first + [version for version in need.versions if version not in there]

    def _is_full(self, name: str) -> bool:
        return len(self._pins.get(name, ())) > self._copies.get(name, 0)

    def _refusal(self, name: str, version: Hashable, fresh: set[Atom]) -> Nogood | None:
        """Tell why a candidate cannot be chosen now; None where nothing known speaks against it."""
        for atom in sorted(fresh, key=lambda atom: atom[2]):
            for nogood in self._nogoods.get(atom, ()):
                if all(other in self._levels or other in fresh for other in nogood[0]):
                    return nogood
        added = {extra for _, _, extra in fresh}
        extras = added.union(self._pins.get(name, {}).get(version, ()))
        needs = joint_needs(self._catalogue, (name, version), extras, added)
        if needs is None:
            return frozenset({(name, version, "")}), frozenset()
        for need in needs:
            if not need.versions:
                return need.given, frozenset()
            there = self._pins.get(need.name, ())
            if need.name != name and self._is_full(need.name) and not any(v in need.versions for v in there):
                return need.given | {(need.name, v, "") for v in there}, frozenset({need.name})
        return None

    def _choose(self, need: JointNeed, version: Hashable, atoms: list[Atom]) -> None:
        fresh = tuple(atom for atom in atoms if atom not in self._levels)
        self._choices.append(_Choice(atoms=fresh, agenda=len(self._agenda), at=self._at))
        for atom in fresh:
            self._levels[atom] = len(self._choices)
        added = {extra for _, _, extra in fresh}
        extras = self._pins.setdefault(need.name, {}).setdefault(version, set())
        extras |= added - {""}
        self._agenda.extend(joint_needs(self._catalogue, (need.name, version), extras, added) or ())

    def _go_back(self, together: frozenset[Atom], limits: frozenset[str]) -> Core | None:
        """Learn a nogood and undo the latest choice in it; returns a core where it holds no choice at all."""
        level = max(self._levels[atom] for atom in together)
        if level == 0:
            return Core(names=limits)
        for atom in together:
            if self._levels[atom]:
                self._nogoods.setdefault(atom, []).append((together, limits))
        while len(self._choices) >= level:
            choice = self._choices.pop()
            for name, version, extra in reversed(choice.atoms):
                del self._levels[name, version, extra]
                if extra:
                    self._pins[name][version].remove(extra)
                else:
                    del self._pins[name][version]
            del self._agenda[choice.agenda :]
            self._at = choice.at
        return None
