"""What differs between two locks, for a person and for a script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envknit.cli.screen import GREEN, RED, YELLOW
from envknit.reporter import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envknit.cli.screen import Screen
    from envknit.files.model import Environment, Lock

_COLOURS = {"+": GREEN, "-": RED, "~": YELLOW}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One name of one environment: the versions before and after, empty where it came or went."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        if not self.before:
            return f"+ {self.name} {', '.join(self.after)}"
        if not self.after:
            return f"- {self.name} {', '.join(self.before)}"
        return f"~ {self.name} {', '.join(self.before)} -> {', '.join(self.after)}"


def changes(before: Lock | None, after: Lock) -> dict[str, list[Change]]:
    """Compare two locks: environment to the names that changed; an environment that went is compared with nothing."""
    old = before.environments if before else {}
    names = sorted({*old, *after.environments})
    return {name: list(_compare(old.get(name), after.environments.get(name))) for name in names}


def _compare(before: Environment | None, after: Environment | None) -> Iterator[Change]:
    old, new = _versions(before), _versions(after)
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield Change(name=name, before=old.get(name, ()), after=new.get(name, ()))


def _versions(environment: Environment | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pin in environment.pins if environment else ():
        found[pin.name] = (*found.get(pin.name, ()), pin.version)
    return found


def as_lines(lock: Lock, found: dict[str, list[Change]], screen: Screen, *, rewritten: bool) -> Iterator[str]:
    """Write changes for a person; `rewritten`: the lock's bytes differ, be it only in hashes or edges."""
    for name, rows in found.items():
        pins = len(lock.environments[name].pins) if name in lock.environments else 0
        yield f"{name}: {count(pins, 'pin')}{'' if rows else ', the same versions'}"
        yield from (screen.paint(f"  {row}", _COLOURS[str(row)[0]]) for row in rows)
    if rewritten and not any(found.values()):
        yield "files, requirements or dependencies changed"


def as_data(found: dict[str, list[Change]], *, rewritten: bool) -> dict[str, Any]:
    """Write changes for a script."""
    environments = {
        name: [{"name": row.name, "before": list(row.before), "after": list(row.after)} for row in rows]
        for name, rows in found.items()
    }
    return {"changed": rewritten, "environments": environments}
