"""The resolved target of `use()`: what names mean in its block, and which module stands for it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from envknit.errors import LinkError
from envknit.plans import Plans
from envknit.runtime.guests import lost_error, native_error
from envknit.runtime.router import router
from envknit.worlds.lock_plans import lock_file, plans_of_lock
from envknit.worlds.native import allow_native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envknit.plan import Pin, Plan
    from envknit.runtime.member import Member


class Target:
    """A version of a package, or an environment, as `use()` was asked for it.

    Args:
        names: top-level name to its name in `sys.modules`, for the host's imports in the block.
        held: the pins that `importlib.metadata` answers with there.
        main: full name in `sys.modules` of the module that stands for it; `""`: none.
        member: the one member, where it is one.
    """

    __slots__ = ("held", "main", "member", "names")

    def __init__(
        self, names: dict[str, str], held: list[tuple[Plan, Pin]], main: str = "", member: Member | None = None
    ) -> None:
        self.names = names
        self.held = held
        self.main = main
        self.member = member

    def check_guest(self, *, pure: bool, native: bool = False) -> None:
        """Raise CExtensionError where it cannot be a guest in this process.

        Args:
            pure: whether it is to do without its extension modules.
            native: whether it, and what it depends on, may have them as guests.
        """
        member = self.member
        if member is None or not member.tag or pure:
            return
        if native:
            allow_native(member)
        elif member.pin.native and not member.is_native:
            raise native_error(member, member.pin.main)


# `use("lib", "1.0")` in a loop asks the same each time; another set of plans is another key
_targets: dict[tuple[object, ...], Target] = {}


def find_target(
    name: str, version: str | None, environment: str | None, lock: str | os.PathLike[str] | None = None
) -> Target:
    """Find what a name and a version mean, or the name of an environment alone; see `use`.

    Raises:
        LinkError: no environment holds it.
    """
    router.refresh()
    plans = router.plans
    if lock is not None:
        plans = plans_of_lock(lock)
        router.add(plans, lock=lock_file(lock))
    # A lock may have been changed, and changed back
    key = (router.plans, None if lock is None else tuple(plans), name, version, environment)
    found = _targets.get(key)
    if found is None:
        is_environment = version is None and environment is None
        found = _environment(plans, name) if is_environment else _pin(*plans.find(name, version, environment))
        _targets[key] = found
    return found


def find_pins(pins: Mapping[str, str], lock: str | None) -> Target:
    """Find what several pins mean together, with what they were locked with; a pin that is named counts first.

    Args:
        pins: name of each distribution to its version.
        lock: the lock to take them from; None: those in use.

    Raises:
        LinkError: no environment holds one of them.
    """
    router.refresh()
    plans = router.plans
    if lock is not None:
        plans = plans_of_lock(lock)
        router.add(plans, lock=lock)
    found = _in_one(plans, pins) or [plans.find(name, version) for name, version in pins.items()]
    needed = [(plan, each) for plan, pin in found for each in plan.closure(pin)[1:]]
    held = [*found, *needed]
    names: dict[str, str] = {}
    for plan, pin in reversed(held):
        names.update(_pin(plan, pin).names)
    return Target(names, held)


def _in_one(plans: Plans, pins: Mapping[str, str]) -> list[tuple[Plan, Pin]] | None:
    """Find all pins in the first environment that holds them all."""
    for plan in plans:
        with suppress(LinkError):
            return [Plans([plan]).find(name, version) for name, version in pins.items()]
    return None


def _pin(plan: Plan, pin: Pin) -> Target:
    member = router.member(plan, pin)
    # A plan is text, and the store is a folder of the user's: what it names can be gone
    if not os.path.isdir(member.folder):
        raise lost_error(member, pin.main)
    names = {head: member.real_name(head) for head in member.names if head not in sys.stdlib_module_names}
    return Target(names, [(plan, pin)], member.real_name(pin.main) if pin.main else "", member)


def _environment(plans: Plans, name: str) -> Target:
    versions = plans.versions(name)
    if versions and name not in plans.environments():
        raise LinkError(
            f"which version of {name}?",
            name=name,
            versions=", ".join(f"{version} ({', '.join(where)})" for version, where in sorted(versions.items())),
            hint=f"name it: envknit.use({name!r}, {min(versions)!r})",
        )
    plan = plans.environment(name)
    return Target(router.plain_names(plan), [(plan, pin) for pin in plan.pins.values() if pin.resident])
