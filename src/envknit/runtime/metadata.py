"""Answer `importlib.metadata` for the distributions that the caller can see."""

from __future__ import annotations

import os
import sys

import _envknit_bootstrap
from envknit.naming import canonical_name
from envknit.plan import runtime_folder
from envknit.runtime.asking import current, find_asker, host
from envknit.runtime.member import Member
from envknit.runtime.router import router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import Distribution, DistributionFinder

    from envknit.plan import Pin, Plan


def find_distributions(context: DistributionFinder.Context) -> list[Distribution]:
    """Find what a guest was locked with, or what the host's open blocks and defaults add to what is resident.

    Args:
        context: what `importlib.metadata` looks for; a caller who gave a path of his own is not answered.
    """
    if not len(router.plans) or "path" in vars(context):
        return []
    member, asker = find_asker(sys._getframe(1))
    if member is not None and not isinstance(member, Member):  # a world's own code
        if member.is_strict:
            vars(context)["path"] = []
        return distributions_of(member.held(), context.name)
    if member is not None:
        # All finders get this one object (`Distribution.discover`), and the next looks where its `path` says, by
        # default in sys.path: what else is there is not the guest's
        vars(context)["path"] = []
        return distributions_of(_visible(member), context.name)
    held: list[tuple[Plan, Pin]] = []
    # What a block adds comes first, as in `importlib.metadata.distribution`, which takes the first of a name; where all
    # are listed, a name stands twice then, as it does with two folders on sys.path
    blocks = current.get()
    if blocks is not None and host.owns(asker, blocks.openers):
        for block in reversed(blocks.blocks):
            held += block.held
    if host.owns(asker):
        held += host.default_pins
    return distributions_of(held, context.name)


def find_envknit() -> Iterable[Distribution]:
    """Find the distribution of envknit itself: beside its package, or beside its hook (an editable install)."""
    from importlib.metadata import DistributionFinder, MetadataPathFinder

    hook = os.path.dirname(os.path.realpath(_envknit_bootstrap.__file__))
    context = DistributionFinder.Context(name="envknit", path=[runtime_folder(), hook])
    return MetadataPathFinder.find_distributions(context)


def _visible(member: Member) -> Iterable[tuple[Plan, Pin]]:
    """Yield the pins that a member can see, nearest first."""
    yield from member.held()
    for plan in router.plans_with(member):
        for pin in plan.pins.values():
            yield plan, pin


def distributions_of(held: Iterable[tuple[Plan, Pin]], name: str | None) -> list[Distribution]:
    """Return the distributions of pins, the first of each name; of one name where one is given."""
    from importlib.metadata import PathDistribution
    from pathlib import Path

    wanted = None if name is None else canonical_name(name)
    found: dict[str, Distribution] = {}
    # Of the store, not of a view: guests are in none, and a view's `.dist-info` is a link to the same folder (PEP 376)
    for plan, pin in held:
        if pin.dist_info and pin.name not in found and wanted in {None, pin.name}:
            found[pin.name] = PathDistribution(Path(os.path.join(plan.store, pin.folder, pin.dist_info)))
    return list(found.values())
