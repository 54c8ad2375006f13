"""Let a version with extension modules be a guest: where this Python can, and a try in a child process went well."""

from __future__ import annotations

import os
import sys

from envknit.native.askers import why_missing
from envknit.native.verdicts import Verdict, remember, remembered
from envknit.plan import key, runtime_folder
from envknit.runtime.activation import active, plan_of
from envknit.runtime.guests import native_error
from envknit.runtime.router import router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envknit.plan import Pin, Plan
    from envknit.runtime.member import Member


def allow_native(member: Member) -> None:
    """Let a member, and what it depends on, load extension modules as guests.

    Raises:
        CExtensionError: this Python cannot tell whose C code asks for a module, or a try failed.

    Cost:
        The first time on a machine, beside these residents: a try in a child process, as long as the imports take.
    """
    needed = [router.member(member.plan, pin) for pin in member.plan.closure(member.pin) if pin.native]
    new = [each for each in needed if each.tag and not each.is_native]
    if new and (reason := why_missing() or _fault(member, [each.pin for each in needed])):
        raise native_error(new[0], member.pin.main, reason=reason)
    for each in new:
        each.is_native = True


def _fault(member: Member, native: list[Pin]) -> str:
    """Say what a try of a member beside the residents of the same names met; `""`: nothing."""
    plan, pin = member.plan, member.pin
    activation = active()
    resident = plan_of(activation) if activation is not None else None
    names = {each.name for each in native}
    beside = [each for each in resident.pins.values() if each.resident and each.name in names] if resident else []
    folders = [each.folder for each in plan.closure(pin)], [each.folder for each in beside]
    evidence = os.path.join(plan.store, f"{pin.folder}@{key(repr([*map(sorted, folders)]).encode())}")
    known = remembered(plan.store, evidence, "guest")
    if known is None:
        known = Verdict(_try(plan, pin, resident, [each.main for each in beside if each.main]))
        remember(plan.store, evidence, "guest", known)
    return known.why


def _try(plan: Plan, pin: Pin, resident: Plan | None, beside: list[str]) -> str:
    """Import a pin as a native guest in a child process, after the residents; say what stopped it."""
    from envknit.probing import run_probe  # few programs probe

    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest_try.py")
    bootstrap = os.path.dirname(os.path.abspath(sys.modules["_envknit_bootstrap"].__file__ or ""))
    order = {
        "folders": [runtime_folder(), bootstrap],
        "plan": plan.path,
        "pin": [pin.name, pin.version],
        "resident": resident.path if resident is not None else "",
        "beside": beside,
        "native": True,
    }
    told, death = run_probe(script, order, plan.store)
    return told or death
