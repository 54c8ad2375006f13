"""Edits of a project file: which of its lists is meant, and what can be done with any kind of file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from envknit.files.sources import Source


class Where(NamedTuple):
    """Which list of a project file is meant: that of an environment itself, of one of its groups or of its extras."""

    environment: str = "default"
    group: str = ""
    extra: str = ""

    def __str__(self) -> str:
        kind = f"group `{self.group}` of the " if self.group else f"extra `{self.extra}` of the " if self.extra else ""
        return f"{kind}environment `{self.environment}`"


class Editable(Protocol):
    """A project file that is open for an edit."""

    def put(self, where: Where, requirement: str, name: str, source: Source | None) -> None:
        """Ask for a package: a new entry, or one in place of those of its name; a bare name changes none that is there.

        Args:
            where: which list.
            requirement: as the person writes it; with a source, the name with its extras.
            name: the canonical name in it.
            source: where the package comes from, if not from an index.
        """

    def drop(self, where: Where, name: str) -> bool:
        """Ask for a package no more; returns whether it was asked for there."""

    def forget(self, name: str) -> None:
        """Drop what is said outside of the lists of a name that is not asked for any more."""
