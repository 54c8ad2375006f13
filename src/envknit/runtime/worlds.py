"""Answer `importlib.metadata` for the world that whoever asks lives in."""

from __future__ import annotations

import os
import sys

from envknit.naming import canonical_name
from envknit.runtime.linker import linker
from envknit.runtime.routing import current, default_pins, find_asker, is_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import Distribution, DistributionFinder

    from envknit.plan import Pin, Plan
    from envknit.runtime.member import Member

    Held = tuple[Plan, Pin]


def find_distributions(context: DistributionFinder.Context) -> list[Distribution]:
    """Find what a guest was locked with, or what the host's open blocks and defaults add to what is resident.

    Args:
        context: what `importlib.metadata` looks for; a caller who gave a path of his own is not answered.
    """
    if "path" in vars(context):
        return []
    member, asker = find_asker(sys._getframe(1))  # noqa: SLF001 - nothing else tells who asked
    if member is not None:
        vars(context)["path"] = []  # the finders behind look there: what else is on sys.path is not the guest's
        return _distributions(_world(member), context.name)
    held: list[Held] = []
    blocks = current.get()
    if blocks is not None and is_host(asker, blocks.openers):
        for block in reversed(blocks.blocks):
            held += block.held
    if is_host(asker, ()):
        held += [(each.plan, each.pin) for each in default_pins]
    return _distributions(held, context.name)


def _world(member: Member) -> Iterable[Held]:
    """Yield the pins that a member can see, nearest first."""
    for each in linker.reachable(member):
        yield each.plan, each.pin
    for plan in linker.environments(member):
        for pin in plan.pins.values():
            yield plan, pin


def _distributions(held: Iterable[Held], name: str | None) -> list[Distribution]:
    from importlib.metadata import PathDistribution  # noqa: PLC0415 - the caller has loaded it
    from pathlib import Path  # noqa: PLC0415 - as above

    wanted = None if name is None else canonical_name(name)
    found: dict[str, Distribution] = {}
    for plan, pin in held:
        if pin.dist_info and pin.name not in found and wanted in {None, pin.name}:
            found[pin.name] = PathDistribution(Path(os.path.join(plan.store, pin.folder, pin.dist_info)))
    return list(found.values())
