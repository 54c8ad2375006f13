"""The linker: who asks, for which name, gives which member.

It knows the plans of this process in the order in which they came (the active one first), makes one member of each
pin, and answers from the plans alone: never from what was imported before or which block is open.
"""

from __future__ import annotations

import builtins
import os
import sys
from _frozen_importlib_external import PathFinder
from _thread import RLock
from binascii import crc32
from types import ModuleType

from envknit.errors import LinkError, UnlockedError
from envknit.naming import canonical_name, guest_tag
from envknit.runtime.activation import active, sibling_plans
from envknit.runtime.member import Member, is_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from _envknit_bootstrap import Activation
    from envknit.plan import Pin, Plan
    from envknit.runtime.member import Key

HIDDEN = ""  # what a member means by a name that only plans without it provide


class Linker:
    """All plans of this process, and the members made of their pins."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.resident_plans: list[Plan] = []  # those whose pins plain imports get
        self.routed: set[str] = set()  # every top-level name that some importer may get from elsewhere
        self.changes = 0  # grows with each plan; what was concluded from fewer may be wrong
        self.aliases: dict[str, str] = {}  # top-level name -> name in sys.modules; from `import_version(alias=)`
        self.views: dict[str, list[tuple[str, Member]]] = {}  # namespace package -> its portions and their members
        self._members: dict[Key, Member] = {}
        self._pins: dict[tuple[int, str, str], Member] = {}
        self._heads: dict[str, Member] = {}
        self._reachable: dict[Key, list[Member]] = {}
        self._builtins: list[dict[str, Any]] = []
        self._lock = RLock()
        self._activation: Activation | None = None

    def add(self, plan: Plan, *, resident: bool = False) -> None:
        """Make a plan known; its pins are residents where plain imports get them."""
        with self._lock:
            if resident and plan not in self.resident_plans:
                self.resident_plans.append(plan)
            if plan not in self.plans:
                self.plans.append(plan)
                self.routed.update(plan.imports)
                self.changes += 1

    def demote(self, plan: Plan) -> None:
        """Note that plain imports do not get this plan's pins any more; nothing of it has been imported."""
        with self._lock:
            self.resident_plans.remove(plan)
            self._members.clear()
            self._pins.clear()
            self._heads.clear()
            self._reachable.clear()
            self.changes += 1

    def refresh(self) -> None:
        """Make the plan in use known, and those of the other environments of its lock."""
        activation = active()
        if activation is None or activation is self._activation:
            return
        with self._lock:
            for index, (_, plan) in enumerate(sibling_plans(activation.plan_path)):
                self.add(plan, resident=index == 0)
            self._activation = activation

    def plan_names(self, plan: Plan) -> dict[str, str]:
        """Return every top-level name of a plan, with the name in `sys.modules` of what it means there."""
        names = {}
        for head, folders in plan.imports.items():
            pin = pin_at(plan, folders[0])
            if pin is not None and head not in sys.stdlib_module_names:
                names[head] = self.member(plan, pin).route(head)
        return names

    # pins and members

    def find(self, name: str, version: str | None, environment: str | None = None) -> tuple[Plan, Pin]:
        """Find a pin: in the named environment, else in the first that holds it; any version for None.

        Raises:
            LinkError: no environment holds it; the error names the versions there are.
        """
        if not self.plans:
            raise LinkError(
                "no lock is in use", hint="call envknit.configure_from_lock(path), or run: python -m envknit install"
            )
        plans = self.plans if environment is None else self.environment(environment)
        name = canonical_name(name)
        for plan in plans:
            for pin in plan.pins.values():
                if pin.name == name and (version is None or _release(pin.version) == _release(version)):
                    return plan, pin
        raise self._not_locked(name, version, environment)

    def environment(self, name: str) -> list[Plan]:
        """Return the plans of an environment, one a lock.

        Raises:
            LinkError: there is none; the error names those there are.
        """
        found = [plan for plan in self.plans if plan.environment == name]
        if not found:
            raise LinkError(
                f"no environment is named {name!r}",
                environments=", ".join(dict.fromkeys(plan.environment for plan in self.plans)) or "none",
                hint=f"run: python -m envknit install --env {name}",
            )
        return found

    def versions(self, name: str) -> dict[str, list[str]]:
        """Return the versions of a distribution that the plans hold, each with its environments."""
        found: dict[str, list[str]] = {}
        for plan in self.plans:
            for pin in plan.pins.values():
                if pin.name == name:
                    found.setdefault(pin.version, []).append(plan.environment)
        return found

    def member(self, plan: Plan, pin: Pin) -> Member:
        """Return the one member made of a pin; equal pins with equal links share it."""
        place = (id(plan), pin.name, pin.version)
        found = self._pins.get(place)
        if found is None:
            with self._lock:
                key = reach(plan, pin)
                found = self._members.get(key)
                if found is None:
                    found = self._members[key] = Member(key, plan, pin, self._tag(key, pin), self)
                self._pins[place] = found
        return found

    def member_of(self, real: str) -> Member | None:
        """Return the member that a top-level name with an `@` belongs to, in this or in another process."""
        found = self._heads.get(real)
        if found is not None:
            return found
        plain, _, tag = real.partition("@")
        resident = None
        for plan in self.plans:
            for pin in plan.pins.values():
                mark = guest_tag(pin.version)
                if tag == mark or tag.startswith(mark + "_"):
                    member = self.member(plan, pin)
                    if member.tag and plain in member.names and member.real(plain) == real:
                        self._heads[real] = member
                        return member
                    if plain in member.names and not member.tag and mark == tag:
                        resident = member  # where the name was pickled, it was a guest
        return resident

    def owns(self, member: Member, head: str) -> bool:
        """Tell whether a top-level name and a version say which member is meant, without its distribution's name.

        Portions of a namespace package share the name, and so do copies that an `install_path` bundles.
        """
        if canonical_name(head) == member.pin.name:
            return True
        if is_namespace(os.path.join(member.names[head], head)):
            return False
        return not any(
            guest_tag(pin.version) == guest_tag(member.pin.version)
            and pin.name != member.pin.name
            and head in self.member(plan, pin).names
            for plan in self.plans
            for pin in plan.pins.values()
        )

    def environments(self, member: Member) -> list[Plan]:
        """Return the plans that hold this very member, in order."""
        name = (member.pin.name, member.pin.version)
        return [plan for plan in self.plans if name in plan.pins and self.member(plan, plan.pins[name]) is member]

    def reachable(self, member: Member) -> list[Member]:
        """Return the member and what it depends on, nearest first."""
        found = self._reachable.get(member.key)
        if found is None:
            found = [member]
            for each in found:
                for dependency in each.pin.dependencies:
                    pin = member.plan.pins.get(dependency)
                    if pin is not None and (needed := self.member(member.plan, pin)) not in found:
                        found.append(needed)
            self._reachable[member.key] = found
        return found

    def _tag(self, key: Key, pin: Pin) -> str:
        resident: list[Key] = []
        others: list[Key] = []
        for plan in self.plans:
            there = plan.pins.get((pin.name, pin.version))
            if there is not None:
                is_guest = plan not in self.resident_plans or not pin.resident
                known = others if is_guest else resident
                known.append(reach(plan, there))
        if key in resident:
            return ""
        tag = guest_tag(pin.version)
        first = next((other for other in others if other not in resident), key)
        return tag if first == key else f"{tag}_{_short(repr(sorted(key[1])))}"

    def _not_locked(self, name: str, version: str | None, environment: str | None) -> LinkError:
        versions = self.versions(name)
        there = ", ".join(f"{each} ({', '.join(where)})" for each, where in sorted(versions.items()))
        where = "the lock" if environment is None else f"environment {environment!r}"
        return LinkError(
            f"{where} holds no {name} {version or ''}".rstrip(),
            versions=there or "none",
            environments=", ".join(dict.fromkeys(plan.environment for plan in self.plans)),
            hint=f"run: python -m envknit add {name}{f'=={version}' if version else ''} --env {environment or 'NAME'}",
        )

    # names

    def route(self, member: Member, head: str) -> str:
        """Return the name in `sys.modules` of what a member means by a top-level name.

        Raises:
            UnlockedError: plain imports would find the name in an environment that the member is no part of.
        """
        real = self.means(member, head)
        if real == HIDDEN:
            raise UnlockedError(
                f"No module named {head!r} for {member.title}",
                name=head,
                environment=", ".join(plan.environment for plan in self.environments(member)),
                reason="it was locked without; only another environment has it",
                hint="add the package that provides it to that environment",
            )
        return real

    def means(self, member: Member, head: str) -> str:
        """Return as `route` does, or HIDDEN; the answer is kept."""
        found = member.routes.get(head)
        if found is None:
            found = self._means(member, head)
            member.routes[head] = found
        return found

    def _means(self, member: Member, head: str) -> str:
        if head in sys.stdlib_module_names or "@" in head:
            return head
        holders = self._holders(member, head)
        first = next(holders, None)
        if first is not None:
            if not is_namespace(os.path.join(first.names[head], head)):
                return first.real(head)
            portions = [first, *(other for other in holders if is_namespace(os.path.join(other.names[head], head)))]
            portions = list(dict.fromkeys(portions))
            return first.real(head) if len(portions) == 1 else self._view(head, portions)
        return HIDDEN if self._comes_from_lock(head) else head

    def _holders(self, member: Member, head: str) -> Iterator[Member]:
        """Yield what provides a name: what the member was locked with, then the rest of its environments.

        A package may import what it does not declare, as it could in site-packages.
        """
        yield from (each for each in self.reachable(member) if head in each.names)
        for plan in self.environments(member):
            for folder in plan.imports.get(head, ()):
                pin = pin_at(plan, folder)
                if pin is not None:
                    yield self.member(plan, pin)

    def _view(self, head: str, members: Sequence[Member]) -> str:
        """Name the namespace package that joins the portions of several members."""
        real = f"{head}@all_{_short(repr([(each.key[0], sorted(each.key[1])) for each in members]))}"
        self.views[real] = [(os.path.join(each.names[head], head), each) for each in members]
        return real

    def _comes_from_lock(self, head: str) -> bool:
        """Tell whether plain imports would get a name from a resident plan, and from no entry before it."""
        if head in self.aliases or not any(head in plan.imports for plan in self.resident_plans):
            return False
        activation = active()
        before = sys.path[: sys.path.index(activation.lock)] if activation and activation.lock in sys.path else sys.path
        return PathFinder.find_spec(head, before) is None

    # builtins

    def share_builtins(self, importer: Callable[..., Any]) -> dict[str, Any]:
        """Return a copy of Python's builtins with another `__import__`, kept equal to them from now on.

        An exact dict, since any other makes each use of a builtin several times slower; so what is assigned to the
        module `builtins` later (`unittest.mock.patch("builtins.open")`) is written to the copies as well.
        """
        with self._lock:
            if not isinstance(builtins, _Builtins):
                _Builtins.copies = self._builtins
                builtins.__class__ = _Builtins
            made = {**vars(builtins), "__import__": importer}
            self._builtins.append(made)
            return made


class _Builtins(ModuleType):
    """The class of the module `builtins` once there are guests."""

    copies: list[dict[str, Any]] = []  # noqa: RUF012 - one list for the one module

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name not in {"__import__", "__class__"}:
            for copy in self.copies:
                copy[name] = value

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        for copy in self.copies:
            copy.pop(name, None)


def reach(plan: Plan, pin: Pin) -> Key:
    """Return what makes a pin equal to one of another plan: itself, and every edge that can be reached from it."""
    edges = set()
    todo = [pin]
    seen = {(pin.name, pin.version)}
    while todo:
        one = todo.pop()
        for dependency in one.dependencies:
            other = plan.pins.get(dependency)
            if other is not None:
                edges.add(((one.name, one.version, one.folder), (other.name, other.version, other.folder)))
                if dependency not in seen:
                    seen.add(dependency)
                    todo.append(other)
    return (pin.name, pin.version, pin.folder), frozenset(edges)


def _lies_at(folder: str, pin: Pin) -> bool:
    return folder == pin.folder or folder.startswith(pin.folder + "/")


def pin_at(plan: Plan, folder: str) -> Pin | None:
    """Return the pin whose folder this is, or holds it."""
    for pin in plan.pins.values():
        if _lies_at(folder, pin):
            return pin
    return None


def _short(text: str) -> str:
    return f"{crc32(text.encode()):08x}"  # the same in every Python: pickles name it


def _release(version: str) -> str:
    """Bring the spellings of a version that people write to one: `v2.31` and `2.31.0` are the same."""
    version = version.strip().lower().removeprefix("v")
    while version.endswith(".0"):
        version = version[:-2]
    return version


linker = Linker()
