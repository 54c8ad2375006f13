"""Guests with extension modules: a try in a child process shows whether they can do without them."""

from __future__ import annotations

import os

from envknit.errors import InstallError
from envknit.plan import ABI, plans_folder
from envknit.probing import run_probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from envknit.plan import Pin, Plan


def check_guests(plan: Plan, allowed: Collection[str]) -> None:
    """Refuse what would be refused when it is imported beside the resident of its name.

    Args:
        plan: what its pins are made of is in the store.
        allowed: names of which the project says that they may be guests.

    Raises:
        InstallError: a guest has extension modules, and cannot be imported without them.

    Cost: a child process for each such guest, as long as its import takes.
    """
    for pin in plan.pins.values():
        if pin.native and not pin.resident and pin.name not in allowed and (why := _fault(plan, pin)):
            raise InstallError(
                f"{pin.name} {pin.version} cannot be loaded beside the other version in the lock: it has extension"
                " modules, and cannot do without them",
                why=why,
                hint=f"allow them, on Linux: `native: [{pin.name}]` in the project; or give what depends on it an"
                " environment of its own, and reach it through envknit.worker(); or ask for versions that agree on"
                f" {pin.name}",
            )


def _fault(plan: Plan, pin: Pin) -> str:
    """Import a guest without its extension modules in a child process; say what stopped it."""
    if plan.abi != ABI:
        return f"it cannot be tried here; `pure: [{pin.name}]` in the project says that it can do without"
    runtime = os.path.join(plan.store, plan.runtime)
    order = {
        "folders": [runtime],
        "plan": os.path.join(plans_folder(plan.store, "try", plan.abi), "views", plan.environment, "plan"),
        "text": plan.render(),
        "pin": [pin.name, pin.version],
        "resident": "",
        "beside": [],
        "native": False,
    }
    script = os.path.join(runtime, "envknit", "worlds", "guest_try.py")
    told, death = run_probe(script, order, plan.store)
    return told or death
