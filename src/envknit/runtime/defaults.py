"""What plain imports of the host mean: `set_default`, `enable`, `disable`, and strict mode."""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder

from envknit.errors import UnlockedError
from envknit.runtime import activation as active
from envknit.runtime import routing
from envknit.runtime.linker import linker
from envknit.runtime.loader import refusal
from envknit.runtime.routing import current, default_pins, defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from _envknit_bootstrap import Activation
    from envknit.plan import Plan
    from envknit.runtime.member import Member

registered: list[tuple[str, str, Plan]] = []  # lock, plan file, plan: what was configured, in order
_chosen: dict[str, tuple[Member, dict[str, str]]] = {}  # distribution -> what `set_default` made of it
_withdrawn: list[Activation] = []


def set_default(name: str, version: str, *, env: str | None = None) -> None:
    """Choose the version that the host's own imports mean where no `use()` block is open.

    Installed packages keep seeing what they were locked with.

    Args:
        name: a distribution's name.
        version: its version, as an environment of the lock holds it.
        env: the environment to take it from; by default the first that holds it.

    Raises:
        CExtensionError: the package has extension modules, and is not the one that plain imports get.
        LinkError: no environment of the lock holds it.
    """
    linker.refresh()
    plan, pin = linker.find(name, version, env)
    member = linker.member(plan, pin)
    if member.tag and pin.native:
        raise refusal(member)
    names = {head: member.route(head) for head in member.names if head not in sys.stdlib_module_names}
    _chosen[pin.name] = (member, names)
    enable(strict=_strict in sys.meta_path)


def enable(*, strict: bool = False) -> None:
    """Let plain imports of the host mean what the configured locks say; calling it again changes nothing.

    Args:
        strict: refuse what neither a lock, nor the standard library, nor the project's own folder provides.
    """
    linker.refresh()
    while _withdrawn:
        _withdrawn.pop().place()
    _place_registered()
    routing.install()
    if strict and _strict not in sys.meta_path:
        sys.meta_path.insert(1, _strict)
    elif not strict and _strict in sys.meta_path:
        sys.meta_path.remove(_strict)


def disable() -> None:
    """Let plain imports mean what they mean to Python alone; guests, and blocks that are opened, still work."""
    defaults.clear()
    default_pins.clear()
    if _strict in sys.meta_path:
        sys.meta_path.remove(_strict)
    activation = active.active()
    if activation is not None:
        active.withdraw(activation)
        _withdrawn.append(activation)


def register(lock: str, plan_path: str, plan: Plan) -> None:
    """Note a plan that the program configured; `enable` puts it to use.

    Args:
        lock: path of the lock.
        plan_path: its plan file.
        plan: the plan in it.
    """
    linker.add(plan)
    routing.forget_hosts()
    if all(known is not plan for _, _, known in registered):
        registered.append((lock, plan_path, plan))


def _place_registered() -> None:
    """Make the first plan resident where none is or the one found at start-up is unused, the others defaults."""
    defaults.clear()
    default_pins.clear()
    for lock, plan_path, plan in registered:
        activation = active.active()
        if activation is not None and activation.plan_path != plan_path and plan is registered[0][2]:
            found = active.plan_of(activation)
            if not _is_imported(found):
                active.withdraw(activation)
                linker.demote(found)
                activation = None
        if activation is None:
            active.activate(lock, plan_path)
            linker.refresh()
    for _, _, plan in registered:
        resident = active.active()
        if resident is not None and active.plan_of(resident) is not plan:
            explicit = plan is registered[0][2]
            _add_defaults(plan, () if explicit else linker.resident_plans)
    for member, names in _chosen.values():
        defaults.update(names)
        default_pins.insert(0, member)
    linker.routed.update(defaults)


def _is_imported(plan: Plan) -> bool:
    folders = tuple(os.path.join(plan.store, pin.folder, "") for pin in plan.pins.values())
    return any(
        isinstance(file := getattr(module, "__file__", None), str) and file.startswith(folders)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in plan.imports
    )


def _add_defaults(plan: Plan, before: Sequence[Plan]) -> None:
    """Let the names that no earlier plan provides mean this plan's pins: the first that is registered wins."""
    taken = {pin for other in before for pin, _ in other.pins} | {member.pin.name for member in default_pins}
    for pin in plan.pins.values():
        if pin.name in taken:
            continue
        member = linker.member(plan, pin)
        default_pins.append(member)
        for head in member.names:
            if head not in defaults and head not in sys.stdlib_module_names:
                defaults[head] = member.route(head)


class _Strict:
    """Stands behind the finder of guests and refuses what nobody locked."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002 - PEP 451
        """Raise for a top-level name that only the host's own site-packages or the like provide."""
        head = fullname.partition(".")[0]
        if path is not None or "@" in head or head in sys.stdlib_module_names or head in _own:
            return
        caller = sys._getframe(1).f_back  # noqa: SLF001 - `importlib.util.find_spec` wants None, no exception
        if caller is None or caller.f_code.co_name != "_find_and_load_unlocked":
            return
        if any(head in plan.imports for plan in linker.plans) or head in linker.aliases or current.get() is not None:
            return
        spec = PathFinder.find_spec(fullname)
        if spec is None or _is_projects(spec):
            return
        raise UnlockedError(
            f"No module named {fullname!r} in the lock",
            name=fullname,
            found=spec.origin or ", ".join(spec.submodule_search_locations or ()),
            reason="strict mode: neither a lock, nor the standard library, nor the project's own folder provides it",
            hint="run: python -m envknit add PACKAGE",
        )


_own = frozenset(["envknit", "_envknit_bootstrap", "sitecustomize", "usercustomize"])
_strict = _Strict()


def _is_projects(spec: Any) -> bool:
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    folders = {os.path.dirname(plan.lock) for plan in linker.plans} | {
        os.path.dirname(lock) for lock, _, _ in registered
    }
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    folders.add(os.path.dirname(os.path.abspath(main)) if main else os.getcwd())
    inside = tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)
    return any("site-packages" not in place and os.path.realpath(place).startswith(inside) for place in places if place)
