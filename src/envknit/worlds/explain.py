"""Say where something came from, and why `isinstance` said no."""

from __future__ import annotations

import os
import sys

from envknit.runtime.activation import active, plan_of
from envknit.runtime.router import router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from envknit.plan import Pin, Plan
    from envknit.runtime.member import Member


class Origin:
    """Where a module or an object came from; printing it says so in a few lines.

    Args:
        module: name of the module in `sys.modules`, here or where it lives.
        file: its file, where it has one here.
        pin: what holds it: name and version; None: no lock has a part in it.
        environments: the environments whose pin it is.
        locks: the locks of these.
        folder: its store entry.
        isolation: `resident`, `guest`, `interpreter`, `worker`, or `inhabitant`, a module of the project in a world;
            `""`: no lock has a part in it.
        why: why it is held so, where that was a choice.
        links: what it was locked with, as `name version`.
    """

    def __init__(
        self,
        module: str,
        file: str | None = None,
        pin: Pin | None = None,
        *,
        environments: Sequence[str] = (),
        locks: Sequence[str] = (),
        folder: str | None = None,
        isolation: str = "",
        why: str = "",
        links: Sequence[str] = (),
    ) -> None:
        self.module = module
        self.file = file
        self.name = pin.name if pin else None
        self.version = pin.version if pin else None
        self.environments = list(environments)
        self.locks = list(dict.fromkeys(locks))
        self.folder = folder
        self.isolation = isolation
        self.why = why
        self._links = list(links)

    @property
    def guest(self) -> bool:
        """Whether it lives in this process beside the resident version."""
        return self.isolation == "guest"

    def __str__(self) -> str:
        if self.name is None and self.isolation:
            rows = [
                f"{self.module}: a module of the project, in a world",
                f"  file: {self.file}",
                f"  environment: {', '.join(self.environments)}",
                f"  lock: {', '.join(self.locks)}",
            ]
            return "\n".join([*rows, f"  imports: {', '.join(self._links)}"])
        if self.name is None:
            return f"{self.module}: from no lock\n  file: {self.file or 'built into Python'}"
        rows = [
            f"{self.module}: {self.name} {self.version}",
            f"  {_KINDS[self.isolation]}" + (f": {self.why}" if self.why else ""),
            f"  environment: {', '.join(self.environments)}",
            f"  lock: {', '.join(self.locks)}",
            f"  store entry: {self.folder}",
        ]
        return "\n".join(rows + ([f"  locked with: {', '.join(self._links)}"] if self._links else []))

    def __repr__(self) -> str:
        return f"<Origin {self.module} of {self.name} {self.version}>" if self.name else f"<Origin {self.module}>"


_KINDS = {
    "resident": "resident: what plain imports get",
    "guest": "a guest beside the resident version",
    "interpreter": "in a sub-interpreter of this process",
    "worker": "in a process of its own",
}


def explain(thing: Any) -> Origin:
    """Say which pin, environment and store entry a module or an object came from, where it lives, and why there.

    Args:
        thing: a module, class, function, instance, or the name of a module that is imported; or a block that `use()`
            or `worker()` returned, its module, and any proxy.
    """
    router.refresh()
    # Asked of the type, as special methods are: a proxy would look the attribute up in its process
    answer = getattr(type(thing), "_envknit_origin", None)
    if answer is not None:
        origin: Origin = answer(thing)
        return origin
    name = _module_name(thing)
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    world = router.inhabited.get(name.partition(".")[0].partition("@")[2])
    if world is not None:
        return _in_world(name, file, world.target.held)
    return origin_of(name, file, _member(name.partition(".")[0], file))


def _in_world(module: str, file: str | None, held: Sequence[tuple[Plan, Pin]]) -> Origin:
    plans = dict.fromkeys(plan for plan, _ in held)
    return Origin(
        module,
        file,
        environments=[plan.environment for plan in plans],
        locks=[router.lock_of(plan) for plan in plans],
        isolation="inhabitant",
        links=[f"{pin.name} {pin.version}" for _, pin in held],
    )


def origin_of(module: str, file: str | None, member: Member | None) -> Origin:
    """Say where a module of this process came from.

    Args:
        module: its name in `sys.modules`.
        file: its file, where it has one.
        member: what holds it; None: no lock has a part in it.
    """
    if member is None:
        return Origin(module, file)
    why = ""
    if member.tag:
        how = "loaded with its extension modules" if member.is_native else "loaded without its extension modules"
        why = how if member.pin.native else "it is pure Python"
    plans = router.plans_with(member)
    return Origin(
        module,
        file,
        member.pin,
        environments=[plan.environment for plan in plans],
        locks=[router.lock_of(plan) for plan in plans],
        folder=member.folder,
        isolation="guest" if member.tag else "resident",
        why=why,
        links=[f"{pin.name} {pin.version}" for pin in member.plan.closure(member.pin)[1:]],
    )


def explain_isinstance(thing: object, kind: type) -> str:
    """Say why `isinstance(thing, kind)` is what it is; across two versions of a package it is false by nature.

    Args:
        thing: any object.
        kind: the class that it was, or was not, expected to be of.
    """
    actual = type(thing)
    if isinstance(thing, kind):
        return f"{_title(actual)} is {_title(kind)} or derives from it"
    for ancestor in actual.__mro__:
        if _plain(ancestor) == _plain(kind) and ancestor is not kind:
            return f"same name, different versions: the object's class is {_title(ancestor)}, the other {_title(kind)}"
    return f"{_title(actual)} has nothing to do with {_title(kind)}"


def _module_name(thing: object) -> str:
    if isinstance(thing, str):
        return thing
    if isinstance(thing, type(sys)):
        return thing.__name__
    # Functions and classes have a `__qualname__` (PEP 3155), instances have their class's `__module__`
    owner = thing if isinstance(getattr(thing, "__qualname__", None), str) else type(thing)
    return str(getattr(owner, "__module__", None) or "builtins")


def _member(head: str, file: str | None) -> Member | None:
    if "@" in head:
        # A namespace that joins several members has no file of its own (PEP 420); the first stands for it
        portions = router.joined.get(head)
        return portions[0][1] if portions else router.member_of(head)
    activation = active()
    if activation is None or file is None:
        return None
    plan = plan_of(activation)
    real = os.path.realpath(file)  # the view's links lead to the entries
    for pin in plan.providers(head):
        if real.startswith(os.path.join(os.path.realpath(os.path.join(plan.store, pin.folder)), "")):
            return router.member(plan, pin)
    return None


def _plain(kind: type) -> str:
    head, dot, rest = kind.__module__.partition(".")
    return f"{head.partition('@')[0]}{dot}{rest}.{kind.__qualname__}"


def _title(kind: type) -> str:
    origin = explain(kind)
    version = f" of {origin.name} {origin.version}" if origin.name else ""
    return f"{_plain(kind)}{version}"
