"""A split in sentences: what is there twice, for whom, what comes with it, what is shared, where types will cross."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.resolve.split_search import ROOT

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from envknit.resolve.split import Split
    from envknit.resolve.split_search import Pin

_TIMES = {2: "twice", 3: "three times", 4: "four times"}


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
