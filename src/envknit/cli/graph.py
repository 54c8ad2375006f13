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
        """Say which other versions there are beside a pin, or where it stands alone; `""` where it is the only one."""
        marker = self.pins[name, version].marker
        others = [
            each for each in self.copies.get(name, ()) if each != version and self.pins[name, each].marker == marker
        ]
        return f" (beside {', '.join(others)})" if others else f" (where {marker})" if marker else ""

    def chains(self, name: str) -> list[list[Pin]]:
        """Return the chains that lead to each pin of that name: of each root, the shortest through each pin that asks.

        Cost: O(roots times edges).
        """
        found = []
        roots = {(pin.name, pin.version) for pin in self.roots}
        for root in self.roots:
            before = self._nearest(root)
            for key in before:
                if key[0] != name:
                    continue
                if key == (root.name, root.version):
                    found.append([root])
                for asker, _ in self.askers.get(key, ()):
                    chain = _chain(asker, before)
                    above = [(pin.name, pin.version) for pin in chain]
                    if chain and key not in above and not roots.intersection(above[1:]):  # they tell their own chains
                        found.append([*chain, self.pins[key]])
        return found

    def _nearest(self, root: Pin) -> dict[Key, Pin | None]:
        """Return what a pin needs, directly or not, each with the pin before it on a shortest way."""
        before: dict[Key, Pin | None] = {(root.name, root.version): None}
        queue = [root]
        for pin in queue:
            for edge in pin.dependencies:
                key = (edge.name, edge.version)
                if key in self.pins and key not in before:
                    before[key] = pin
                    queue.append(self.pins[key])
        return before


def _chain(pin: Pin, before: dict[Key, Pin | None]) -> list[Pin]:
    if (pin.name, pin.version) not in before:
        return []
    chain = [pin]
    while (above := before[chain[0].name, chain[0].version]) is not None:
        chain.insert(0, above)
    return chain
