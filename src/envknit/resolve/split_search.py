"""Search for pins that satisfy every requirement, where a name may have only so many copies.

One requirement is met after another, newest candidate first. Where none can meet it, the reasons why each was refused
make a nogood: pins that can never stand together. The search goes back to the latest choice in it, and never makes
that combination again. A nogood also knows which limits it rests on; when nothing is left to go back to, these are the
core: under them there is no answer, and only a further copy of one of its names could give one.

Nothing here knows of an index or of the form of versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from envknit.errors import ResolutionError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    Pin = tuple[str, Hashable]
    Atom = tuple[str, Hashable, str]  # a pin (its extra is ""), or a pin with one of its extras
    Limit = tuple[str, int]  # a name, and how many copies beyond one it may have
    Nogood = tuple[frozenset[Atom], frozenset[Limit]]  # what cannot stand together, under these limits

ROOT = ""  # the name of the project itself
MOST_STEPS = 2_000_000  # a minute; a graph of 300 packages takes some thousands


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependency:
    """What a pin asks for: one of these versions of a name, the best first, with these extras."""

    name: str
    versions: tuple[Hashable, ...]
    extras: frozenset[str] = frozenset()


class Catalogue(Protocol):
    """What there is to choose from."""

    def candidates(self, name: str) -> Sequence[Hashable]:
        """Return the versions of a name, the best first."""

    def dependencies(self, name: str, version: Hashable, extra: str) -> Sequence[Dependency] | None:
        """Return what a candidate asks for, or what one of its extras adds; None where it cannot be used at all.

        The project itself has the name `ROOT`.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class JointRequirement:
    """All that one pin, with its extras, asks of one name: it is linked to one pin that answers all of it."""

    given: frozenset[Atom]
    name: str
    versions: tuple[Hashable, ...]
    accepted: frozenset[Hashable]
    extras: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """An answer: each pin with the extras that someone asked of it."""

    pins: Mapping[tuple[str, Hashable], frozenset[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Core:
    """There is no answer, unless one of these limits is raised by one; where empty, not even then."""

    limits: frozenset[Limit]


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


class Requirements:
    """What pins ask for, worked out once for each set of extras.

    Args:
        catalogue: what there is to choose from.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._known: dict[tuple[Pin, frozenset[str]], tuple[JointRequirement, ...] | None] = {}

    def of(self, pin: Pin, extras: frozenset[str]) -> tuple[JointRequirement, ...] | None:
        """Return what a pin with extras asks for, in alphabetical order; None where it cannot be used."""
        key = (pin, extras)
        if key not in self._known:
            self._known[key] = self._find(pin, extras)
        return self._known[key]

    def _find(self, pin: Pin, extras: frozenset[str]) -> tuple[JointRequirement, ...] | None:
        parts: dict[str, list[tuple[str, Dependency]]] = {}
        for extra in ("", *sorted(extras)):
            found = self.catalogue.dependencies(*pin, extra)
            if found is None:
                return None
            for wanted in found:
                parts.setdefault(wanted.name, []).append((extra, wanted))
        return tuple(_joined(pin, name, asked) for name, asked in sorted(parts.items()))


def _joined(pin: Pin, name: str, parts: list[tuple[str, Dependency]]) -> JointRequirement:
    versions = parts[0][1].versions
    for _, wanted in parts[1:]:
        accepted = set(wanted.versions)
        versions = tuple(version for version in versions if version in accepted)
    if name == pin[0]:  # `demo[all]` asks for `demo[fast]`: of itself, never of another copy
        versions = (pin[1],) if pin[1] in versions else ()
    return JointRequirement(
        given=frozenset({(*pin, ""), *((*pin, extra) for extra, _ in parts)}),
        name=name,
        versions=versions,
        accepted=frozenset(versions),
        extras=frozenset[str]().union(*(wanted.extras for _, wanted in parts)),
    )


class Search:
    """One search under given limits; exact, and the same for the same input.

    Args:
        requirements: what pins ask for.
        copies: how many copies a name may have beyond one; names that are not in it: none.
        learned: nogoods of earlier searches; new ones are added.
        budget: counts the work.
    """

    def __init__(
        self, requirements: Requirements, copies: Mapping[str, int], learned: list[Nogood], budget: Budget
    ) -> None:
        self._requirements = requirements
        self._copies = copies
        self._budget = budget
        self._pins: dict[str, dict[Hashable, set[str]]] = {}  # name -> its copies so far, with their extras
        self._levels: dict[Atom, int] = {(ROOT, "", ""): 0}  # what was chosen, and at which choice
        self._choices: list[_Choice] = []
        self._agenda: list[JointRequirement] = []
        self._asked: dict[str, list[JointRequirement]] = {}  # the same, by name
        self._at = 0  # all requirements before this one are met
        self._learned = learned
        self._nogoods: dict[Atom, list[Nogood]] = {}
        for nogood in learned:
            if all(copies.get(name, 0) <= limit for name, limit in nogood[1]):
                self._remember(nogood)

    def run(self) -> Found | Core:
        """Search.

        Raises:
            ResolutionError: it took too many steps.
        """
        self._ask(self._requirements.of((ROOT, ""), frozenset()) or ())
        while (requirement := self._next_unmet()) is not None:
            core = self._meet(requirement)
            if core is not None:
                return core
        return Found(
            pins={
                (name, version): frozenset(extras)
                for name, copies in self._pins.items()
                for version, extras in copies.items()
            }
        )

    def _ask(self, requirements: Iterable[JointRequirement]) -> None:
        for requirement in requirements:
            self._agenda.append(requirement)
            self._asked.setdefault(requirement.name, []).append(requirement)

    def _next_unmet(self) -> JointRequirement | None:
        while self._at < len(self._agenda):
            requirement = self._agenda[self._at]
            copies = self._pins.get(requirement.name, {})
            if not any(
                version in requirement.accepted and requirement.extras <= extras for version, extras in copies.items()
            ):
                return requirement
            self._at += 1
        return None

    def _meet(self, requirement: JointRequirement) -> Core | None:
        """Choose for a requirement, or go back to an earlier choice; returns a core where there is none."""
        versions, together, limits = self._options(requirement)
        for version in versions:
            self._budget.spend()
            atoms = [(requirement.name, version, extra) for extra in ("", *sorted(requirement.extras))]
            fresh = [atom[2] for atom in atoms if atom not in self._levels]
            refused = self._refusal(requirement.name, version, fresh)
            if refused is None:
                self._choose(requirement.name, version, fresh)
                return None
            together |= refused[0].difference(atoms)
            limits |= refused[1]
        return self._go_back(frozenset(together), frozenset(limits))

    def _options(self, requirement: JointRequirement) -> tuple[list[Hashable], set[Atom], set[Limit]]:
        """List the candidates for a requirement: copies that are there, then others, if there may be another copy.

        Returns:
            The candidates, and why there are no more: what speaks against the others, and the limits that make it so.
        """
        there = self._pins.get(requirement.name, {})
        first = [version for version in requirement.versions if version in there]
        others = [version for version in requirement.versions if version not in there]
        together: set[Atom] = set(requirement.given)
        limits: set[Limit] = set()
        if others and self._is_full(requirement.name):
            together |= {(requirement.name, version, "") for version in there}
            limits.add(self._limit(requirement.name))
            others = []
        elif not self._copies.get(requirement.name):  # the first copy is the only one: it must do for all who ask
            for asked in self._asked[requirement.name]:
                left = [version for version in others if version in asked.accepted]
                if len(left) < len(others):
                    together |= asked.given
                    limits.add(self._limit(requirement.name))
                    others = left
        return first + others, together, limits

    def _is_full(self, name: str) -> bool:
        return len(self._pins.get(name, ())) > self._copies.get(name, 0)

    def _limit(self, name: str) -> Limit:
        return name, self._copies.get(name, 0)

    def _refusal(self, name: str, version: Hashable, fresh: list[str]) -> Nogood | None:
        """Tell why a candidate cannot be chosen now; None where nothing known speaks against it."""
        atoms = {(name, version, extra) for extra in fresh}
        for extra in fresh:
            for nogood in self._nogoods.get((name, version, extra), ()):
                if all(atom in self._levels or atom in atoms for atom in nogood[0]):
                    return nogood
        requirements = self._requirements.of((name, version), self._with(name, version, fresh))
        if requirements is None:
            return frozenset({(name, version, "")}), frozenset()
        for requirement in requirements:
            if not requirement.versions:
                return requirement.given, frozenset()
            if requirement.name != name and (refusal := self._clash(requirement)) is not None:
                return refusal
        return None

    def _clash(self, requirement: JointRequirement) -> Nogood | None:
        """Tell whether what is chosen, or asked for, leaves nothing for one requirement more."""
        there = self._pins.get(requirement.name)
        if there and self._is_full(requirement.name):
            if requirement.accepted.isdisjoint(there):
                return requirement.given | {(requirement.name, version, "") for version in there}, frozenset(
                    [self._limit(requirement.name)]
                )
        elif not self._copies.get(requirement.name):
            left, given = requirement.accepted, requirement.given
            for asked in self._asked.get(requirement.name, ()):
                if not left <= asked.accepted:
                    left, given = left & asked.accepted, given | asked.given
                    if not left:
                        return given, frozenset([self._limit(requirement.name)])
        return None

    def _with(self, name: str, version: Hashable, fresh: Iterable[str]) -> frozenset[str]:
        there = self._pins.get(name, {}).get(version, ())
        return frozenset(there).union(fresh) - {""}

    def _choose(self, name: str, version: Hashable, fresh: list[str]) -> None:
        extras = self._with(name, version, fresh)
        atoms = tuple((name, version, extra) for extra in fresh)
        self._choices.append(_Choice(atoms=atoms, agenda=len(self._agenda), at=self._at))
        self._levels.update(dict.fromkeys(atoms, len(self._choices)))
        self._pins.setdefault(name, {})[version] = set(extras)
        new = set(atoms)
        self._ask(
            requirement
            for requirement in self._requirements.of((name, version), extras) or ()
            if not requirement.given.isdisjoint(new)
        )

    def _go_back(self, together: frozenset[Atom], limits: frozenset[Limit]) -> Core | None:
        """Learn a nogood and undo the latest choice in it; returns a core where it holds no choice at all."""
        level = max(self._levels[atom] for atom in together)
        if level == 0:
            return Core(limits=limits)
        self._learned.append((together, limits))
        self._remember((together, limits))
        while len(self._choices) >= level:
            choice = self._choices.pop()
            for name, version, extra in reversed(choice.atoms):
                del self._levels[name, version, extra]
                if extra:
                    self._pins[name][version].remove(extra)
                else:
                    del self._pins[name][version]
            while len(self._agenda) > choice.agenda:
                self._asked[self._agenda.pop().name].pop()
            self._at = choice.at
        return None

    def _remember(self, nogood: Nogood) -> None:
        for atom in nogood[0]:
            if atom[0] != ROOT:
                self._nogoods.setdefault(atom, []).append(nogood)
