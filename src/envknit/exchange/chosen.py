"""What an export writes: the pins of one environment, each with the condition under which it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.errors import LockError
from envknit.files.sources import parse_source
from envknit.files.values import Value
from envknit.install.choose import needed_pins
from envknit.resolve.forks import express
from envknit.resolve.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envknit.files.model import Environment, Lock, Pin
    from envknit.files.sources import Source
    from envknit.install.selection import Selection


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """One pin of an export.

    Args:
        pin: what the lock holds.
        marker: a PEP 508 marker, `""`: always.
    """

    pin: Pin
    marker: str = ""

    @property
    def source(self) -> Source | None:
        """The place that a person named for it; None where it comes from an index, so that its name says enough."""
        if not self.pin.source or self.pin.source.startswith("index+"):
            return None
        return parse_source(self.pin.source, Value(data=self.pin.source, file="", error=LockError, kind="lock"))

    @property
    def requirement(self) -> str:
        """The pin as pip reads it in a requirements file, without the marker; a path is relative to the lock."""
        source = self.source
        if source is None:
            return f"{self.pin.name}=={self.pin.version}"
        subdirectory = f"#subdirectory={source.subdirectory}" if source.subdirectory else ""
        if source.kind == "git":
            return f"{self.pin.name} @ git+{source.location}@{source.commit}{subdirectory}"
        if source.kind == "url":
            return f"{self.pin.name} @ {source.location}{subdirectory}"
        place = source.location if source.location.startswith(("/", "~", "..")) else f"./{source.location}"
        return f"{'-e ' if source.editable else ''}{place}{subdirectory}"


def choose_all(lock: Lock, environment: Environment, selection: Selection) -> list[Chosen]:
    """Return what is needed on any target of a lock, each pin with a marker that says on which.

    The project itself is not among them: who has the file has the project.

    Args:
        lock: says which targets there are.
        environment: which of its environments.
        selection: which groups and extras of that.

    Cost: one walk through the graph for each target; a lock for every platform has about a hundred.
    """
    targets = Targets.of(lock.targets, environment.python_version)
    where: dict[Pin, int] = {}
    for position, target in enumerate(targets.variables):
        for pin, _ in needed_pins(environment, selection, lock.default_groups, target):
            where[pin] = where.get(pin, 0) | 1 << position
    # In the words of the lock where they will do; groups and extras are settled by the selection
    texts = {edge.marker for pin in where for edge in pin.dependencies} | {text for pin in where for text in pin.roots}
    words = sorted(text for text in texts if text and "dependency_groups" not in text and "extras" not in text)
    return [
        Chosen(pin=pin, marker=express(bits, targets.everywhere, words, targets))
        for pin, bits in sorted(where.items(), key=lambda item: (item[0].name, item[0].version))
        if pin.source.partition("#")[0] != "file:."
    ]


def refuse_split(environment: Environment, chosen: Sequence[Chosen]) -> None:
    """Refuse a package that stands in two versions at once, which only envknit can install.

    Raises:
        LockError: there is one; it is named with its versions.
    """
    split = {pin.name for pin in environment.pins if not pin.marker}
    for name in sorted(split):
        versions = [one.pin.version for one in chosen if one.pin.name == name]
        if len(versions) > 1:
            raise LockError(
                f"{name} is split, so no other tool can install this lock",
                environment=environment.name,
                versions=", ".join(versions),
                hint="a bill of materials can hold both: envknit export --format cyclonedx",
            )
