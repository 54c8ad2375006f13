"""A lock's environment as a graph: which pins were asked for, and which depend on which."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envknit.files.model import Edge, Environment, Pin

Key = tuple[str, str]  # name and version


def copies(environment: Environment) -> dict[str, list[str]]:
    """Return the names that an environment holds in several versions, with these, oldest first."""
    found: dict[str, list[str]] = {}
    for pin in environment.pins:
        found.setdefault(pin.name, []).append(pin.version)
    return {name: versions for name, versions in found.items() if len(versions) > 1}


class Graph:
    """The pins of one environment, by name and version."""

    def __init__(self, environment: Environment) -> None:
        self.pins: dict[Key, Pin] = {(pin.name, pin.version): pin for pin in environment.pins}
        self.copies = copies(environment)
        self.askers: dict[Key, list[tuple[Pin, Edge]]] = {}
        for pin in environment.pins:
            for edge in pin.dependencies:
                self.askers.setdefault((edge.name, edge.version), []).append((pin, edge))

    @property
    def roots(self) -> list[Pin]:
        """Return the pins that a person asked for; in a lock that does not record them, those that no pin needs."""
        return [pin for pin in self.pins.values() if pin.direct] or [
            pin for key, pin in self.pins.items() if key not in self.askers
        ]

    def beside(self, name: str, version: str) -> str:
        """Say which other versions there are beside a pin; `""` where there is none."""
        others = [other for other in self.copies.get(name, ()) if other != version]
        return f" (beside {', '.join(others)})" if others else ""

    def chains(self, name: str) -> list[list[Pin]]:
        """Return, for each pin of that name, the shortest chain from each pin that was asked for; cost: O(edges)."""
        found = []
        for root in self.roots:
            before: dict[Key, Pin | None] = {(root.name, root.version): None}
            queue = [root]
            for pin in queue:
                if pin.name == name:
                    found.append(_chain(pin, before))
                for edge in pin.dependencies:
                    key = (edge.name, edge.version)
                    if key in self.pins and key not in before:
                        before[key] = pin
                        queue.append(self.pins[key])
        return found


def _chain(pin: Pin, before: dict[Key, Pin | None]) -> list[Pin]:
    chain = [pin]
    while (above := before[chain[0].name, chain[0].version]) is not None:
        chain.insert(0, above)
    return chain
