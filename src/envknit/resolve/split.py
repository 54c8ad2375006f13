"""The smallest split: which names need a second copy where one version of each cannot satisfy everything.

Unify first: a search that allows one copy of each name. Where it fails, its core names the limits that the proof
rests on; one of them must give. So the cheapest sets of further copies that answer every core found so far are tried,
each by a search of its own, until one succeeds. Fewer copies are never possible then: each cheaper set leaves some
core unanswered, and a core is a proof. Names outside of all cores are never split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.resolve.split_search import ROOT, Budget, Found, Requirements, Search

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

    from envknit.resolve.split_search import Catalogue, JointRequirement, Limit, Nogood, Pin

    Copies = tuple[Limit, ...]  # how many further copies each name may have, sorted by name
    Demand = tuple[Limit, ...]  # what a core asks for: one of these names must have that many further copies
    Free = tuple[Pin, str]  # a pin, and a name of which several copies would do for it


_TIMES = {2: "twice", 3: "three times", 4: "four times"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """An answer with as few copies as can be; without any, it is a plain resolution.

    Args:
        pins: each pin with its extras, by name; the resident copy first, then the best.
        links: each pin, and `(ROOT, "")` for the project, to the pins that it sees: name to version.
        residents: which copy of each name plain imports see: the one that the project asks for, else the best.
    """

    pins: Mapping[Pin, frozenset[str]]
    links: Mapping[Pin, Mapping[str, Hashable]]
    residents: Mapping[str, Hashable]

    @property
    def copies(self) -> dict[str, list[Hashable]]:
        """The names that were split, each with its versions, the resident first."""
        found: dict[str, list[Hashable]] = {}
        for name, version in self.pins:
            found.setdefault(name, []).append(version)
        return {name: versions for name, versions in found.items() if len(versions) > 1}


def smallest_split(catalogue: Catalogue, *, allowed: Collection[str] | None = None, steps: int = 0) -> Split | None:
    """Find the answer with the fewest copies beyond one of each name.

    Among equals it has the fewest names with copies; among these, the best candidates, name by name in alphabetical
    order.

    Args:
        catalogue: what there is to choose from.
        allowed: the names that may have copies; None: all, the empty set: a plain resolution.
        steps: the most candidates to look at; 0: as many as `MOST_STEPS`.

    Returns:
        The answer, or None where it is proven that there is none.

    Raises:
        ResolutionError: the search was given up; whether there is a smaller split is not known then.

    Cost: one search for each set of copies tried; a search is exponential at worst, and near linear in the pins where
    few of them are in conflict.
    """
    budget = Budget(steps) if steps else Budget()
    requirements = Requirements(catalogue)
    learned: list[Nogood] = []
    demands: list[Demand] = []
    answers: dict[Copies, Split] = {}
    while True:
        cheapest = _cheapest(demands)
        copies = next((each for each in cheapest if each not in answers), None)
        if copies is None:
            return _best(list(answers.values()), catalogue) if answers else None
        found = Search(requirements, dict(copies), learned, budget).run()
        if isinstance(found, Found):
            answers[copies] = link(found, requirements)
        else:
            raised = [(name, limit + 1) for name, limit in found.limits if allowed is None or name in allowed]
            demands.append(tuple(sorted(raised)))


def _cheapest(demands: Sequence[Demand]) -> list[Copies]:
    """List all ways to meet one part of each demand with the fewest copies, then the fewest names; sorted."""
    if not all(demands):
        return []
    most = sum(max(most for _, most in demand) for demand in demands)
    for total in range(most + 1):
        found: set[Copies] = set()
        _extend({}, total, demands, found, set())
        if found:
            fewest = min(map(len, found))
            return sorted(copies for copies in found if len(copies) == fewest)
    raise AssertionError  # meeting each demand by itself costs `most`


def _extend(
    copies: dict[str, int], left: int, demands: Sequence[Demand], found: set[Copies], seen: set[Copies]
) -> None:
    key = tuple(sorted(copies.items()))
    if key in seen:
        return
    seen.add(key)
    unmet = next((each for each in demands if all(copies.get(name, 0) < wanted for name, wanted in each)), None)
    if unmet is None:
        found.add(key)
        return
    for name, wanted in unmet:
        cost = wanted - copies.get(name, 0)
        if cost <= left:
            _extend({**copies, name: wanted}, left - cost, demands, found, seen)


def _best(answers: Sequence[Split], catalogue: Catalogue) -> Split:
    """Pick the answer whose candidates are the best, name by name; a name that an answer does without is best."""
    names = sorted({name for split in answers for name, _ in split.pins})

    def newness(split: Split) -> list[list[int]]:
        ranks: dict[str, list[int]] = {}
        for name, version in split.pins:
            ranks.setdefault(name, []).append(list(catalogue.candidates(name)).index(version))
        return [sorted(ranks.get(name, ())) for name in names]

    return min(answers, key=newness) if len(answers) > 1 else answers[0]


def link(found: Found, requirements: Requirements) -> Split:
    """Link each pin to one copy of each name that it asks for.

    That is the copy that all its users see, if it may have that one; else the resident where it will do, else the best.
    What nobody is linked to is left out, and so are extras that nobody asks for.
    """
    pins = dict(found.pins)
    seen: dict[Free, Hashable] = {}
    while True:
        residents = _residents(pins, requirements)
        links: dict[Pin, dict[str, Hashable]] = {}
        asked: dict[Pin, set[str]] = {}
        free: list[Free] = []
        todo: list[Pin] = [(ROOT, "")]
        for pin in todo:
            links[pin] = {}
            for requirement in requirements.of(pin, pins.get(pin, frozenset())) or ():
                order = [seen.get((pin, requirement.name)), residents.get(requirement.name)]
                version, *others = _fitting(requirement, order, pins, requirements)
                links[pin][requirement.name] = version
                if others and pin[0] != ROOT:
                    free.append((pin, requirement.name))
                target = (requirement.name, version)
                if target not in asked:
                    todo.append(target)
                asked.setdefault(target, set()).update(requirement.extras)
        reduced = {pin: frozenset(extras) for pin, extras in asked.items()}
        now = _seen_by_users(links, free, residents, seen)
        if (reduced, now) == (pins, seen):
            return Split(pins=_in_order(pins, residents, requirements), links=links, residents=residents)
        pins, seen = reduced, now


def _seen_by_users(
    links: Mapping[Pin, Mapping[str, Hashable]],
    free: Collection[Free],
    residents: Mapping[str, Hashable],
    before: Mapping[Free, Hashable],
) -> dict[Free, Hashable]:
    """Tell which copy the users of a pin see of a name that it may have several copies of; None: not all the same.

    Args:
        links: of all pins.
        free: the pins and names in question.
        residents: what the project sees, also of names that it does not ask for.
        before: what was found for the links before these; what changes from then on is settled as None.
    """
    users: dict[Pin, list[Pin]] = {}
    for user, names in links.items():
        for pin in names.items():
            users.setdefault(pin, []).append(user)
    undecided = {*free} - before.keys()
    found: dict[Free, Hashable] = {}
    for pin, name in free:
        versions: set[Hashable] = set()
        todo = [pin]
        for used in todo:
            for user in users[used]:
                if user[0] == ROOT:
                    versions.add(residents[name])
                elif user[0] == name:
                    versions.add(user[1])
                elif name in links[user] and (user, name) not in undecided:
                    versions.add(links[user][name])
                elif user not in todo:  # it sees what its own users see
                    todo.append(user)
        version = versions.pop() if len(versions) == 1 else None
        found[pin, name] = version if before.get((pin, name), version) == version else None
    return found


def _in_order(
    pins: Mapping[Pin, frozenset[str]], residents: Mapping[str, Hashable], requirements: Requirements
) -> dict[Pin, frozenset[str]]:
    def place(pin: Pin) -> tuple[str, bool, int]:
        name, version = pin
        return name, version != residents[name], list(requirements.catalogue.candidates(name)).index(version)

    return {pin: pins[pin] for pin in sorted(pins, key=place)}


def _residents(pins: Mapping[Pin, frozenset[str]], requirements: Requirements) -> dict[str, Hashable]:
    residents: dict[str, Hashable] = {}
    for requirement in requirements.of((ROOT, ""), frozenset()) or ():
        residents[requirement.name] = _fitting(requirement, (), pins, requirements)[0]
    for name in {name for name, _ in pins}.difference(residents):
        residents[name] = next(
            version for version in requirements.catalogue.candidates(name) if (name, version) in pins
        )
    return residents


def _fitting(
    requirement: JointRequirement,
    order: Sequence[Hashable],
    pins: Mapping[Pin, frozenset[str]],
    requirements: Requirements,
) -> list[Hashable]:
    """List the copies that meet a requirement: those of `order` first, then the best; the search met every one."""
    every = dict.fromkeys([*order, *requirements.catalogue.candidates(requirement.name)])
    return [
        version
        for version in every
        if version in requirement.accepted
        and (extras := pins.get((requirement.name, version))) is not None
        and requirement.extras <= extras
    ]


def describe(split: Split) -> dict[str, str]:
    """Describe a split as facts for an error."""
    causes, followers = _ranked(split)
    facts = {"smallest_split": _lines([_copies(split, name) for name in causes])}
    if followers:
        facts["duplicated_with_it"] = _lines([_copies(split, name) for name in followers])
    facts["stays_shared"] = ", ".join(f"{name} {version}" for name, version in _shared(split)) or "nothing below them"
    return facts


def crossings(split: Split) -> list[str]:
    """Say where objects of one copy will meet code that knows another.

    That is where a package works with one copy, and is used by code (the project's own included) that works with
    another one.
    """
    found = []
    for user, links in split.links.items():
        for used in links.items():
            for name in split.copies:
                inner, outer = split.links[used].get(name), user[1] if user[0] == name else links.get(name)
                if used[0] != name and inner is not None and outer not in (None, inner):
                    knows = "" if user[0] == name else f" with {name} {outer}"
                    found.append(
                        f"{_title(used)} works with {name} {inner}, and is used by {_who(user)}{knows}:"
                        f" where objects of {name} pass between them, types will not match"
                    )
    return sorted(found)


def _copies(split: Split, name: str) -> str:
    versions = split.copies[name]
    parts = []
    for version in versions:
        users = [_who(pin) for pin, links in sorted(split.links.items(), key=_place) if links.get(name) == version]
        plain = version == split.residents[name] and name not in split.links[ROOT, ""]
        parts.append(f"{version} for {_listed(users)}{' and for plain imports' if plain else ''}")
    return f"{name} {_TIMES.get(len(versions), f'{len(versions)} times')}: {'; '.join(parts)}"


def _ranked(split: Split) -> tuple[list[str], list[str]]:
    """Part the names that are split into those where the conflict begins, and those that follow from their copies."""
    names = set(split.copies)
    followers = []
    for name, versions in split.copies.items():
        users = {
            version: {pin[0] for pin, links in split.links.items() if links.get(name) == version}
            for version in versions
        }
        if sum(not askers <= names - {name} for askers in users.values()) < 2:
            followers.append(name)
    causes = [name for name in split.copies if name not in followers]
    return (causes, followers) if causes else (followers, [])


def _shared(split: Split) -> Iterator[tuple[str, Hashable]]:
    """List what several copies of one name, or what they depend on, have in common."""
    reached: dict[Pin, dict[str, int]] = {}
    for name, versions in split.copies.items():
        for version in versions:
            for pin in _below(split, (name, version)):
                counts = reached.setdefault(pin, {})
                counts[name] = counts.get(name, 0) + 1
    for pin, counts in sorted(reached.items(), key=lambda item: item[0][0]):
        if pin[0] not in split.copies and max(counts.values()) > 1:
            yield pin


def _below(split: Split, pin: Pin) -> set[Pin]:
    found: set[Pin] = set()
    todo = [pin]
    while todo:
        for below in split.links[todo.pop()].items():
            if below not in found:
                found.add(below)
                todo.append(below)
    return found


def _place(item: tuple[Pin, object]) -> tuple[str, str]:
    return item[0][0], str(item[0][1])


def _who(pin: Pin) -> str:
    return "your own code" if pin[0] == ROOT else _title(pin)


def _title(pin: Pin) -> str:
    return f"{pin[0]} {pin[1]}"


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _lines(sentences: Sequence[str]) -> str:
    return "".join(f"\n    {sentence}" for sentence in sentences)
