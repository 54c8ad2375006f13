"""Tell `importlib.metadata` which distributions the active plan holds."""

from __future__ import annotations

import os

from envknit.naming import canonical_name
from envknit.runtime.activation import plan_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution, DistributionFinder

    from _envknit_bootstrap import Activation
    from envknit.plan import Pin


def find(activation: Activation, context: DistributionFinder.Context) -> Iterator[Distribution]:
    """Find the pins that the context asks for: one by name, or all, and only where its path holds the lock.

    Args:
        activation: the plan in use.
        context: what `importlib.metadata` looks for; `context.path` is `sys.path` unless the caller gave one.
    """
    if activation.lock not in context.path:
        return
    from importlib.metadata import PathDistribution
    from pathlib import Path

    wanted = None if context.name is None else canonical_name(context.name)
    for pin in residents(activation):
        if wanted is None or pin.name == wanted:
            yield PathDistribution(Path(os.path.join(activation.store, pin.folder, pin.dist_info)))


def residents(activation: Activation) -> list[Pin]:
    """List the pins that plain imports see, one a name."""
    plan = plan_of(activation)
    return [pin for pin in plan.pins.values() if pin.dist_info and pin.resident]
