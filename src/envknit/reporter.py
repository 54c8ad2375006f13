"""What the flows tell of their progress while they work."""

from __future__ import annotations


class Reporter:
    """Hears of progress; every method does nothing here, and a screen or a log overrides what it shows.

    Methods may be called from any thread, and from several at once.
    """

    def stage(self, text: str, steps: int | None = None) -> None:
        """A new part of the work begins: `Resolving default`; it has so many steps, where that is known."""

    def step(self, text: str) -> None:
        """A step of that part is done: `flask 3.0.3`."""

    def begin(self, label: str, total: int | None) -> None:
        """A piece of `total` units (bytes of a download, steps of a search) begins; None: not known."""

    def advance(self, label: str, amount: int) -> None:
        """`amount` more units of the piece are done."""

    def finish(self, label: str) -> None:
        """The piece is done."""

    def warn(self, text: str) -> None:
        """Something the person should know, that stops nothing."""


def count(amount: int, noun: str) -> str:
    """Write a number of things: `1 pin`, `12 pins`, `3 entries`."""
    if amount != 1:
        noun = noun.removesuffix("y") + "ies" if noun.endswith("y") else noun + "s"
    return f"{amount} {noun}"
