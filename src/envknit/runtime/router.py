"""Maps an importer and a top-level name to the module that the importer was locked with.

It knows the plans of this process in the order in which they came (the active one first), makes one member of each
pin, and answers from the plans alone: never from what was imported before or which block is open.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder
from _thread import RLock
from binascii import crc32

from envknit.naming import canonical_name, guest_tag
from envknit.plans import Plans
from envknit.runtime.activation import active, plan_of
from envknit.runtime.member import Member, is_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from _envknit_activation import Activation
    from envknit.plan import Links, Pin, Plan


class Router:
    """All plans of this process, the members made of their pins, and where the imports of each lead."""

    def __init__(self) -> None:
        self.plans = Plans()  # another object whenever a plan comes: what was concluded from fewer goes by it
        self.resident_plans: list[Plan] = []  # those whose residents plain imports get
        self.routed: set[str] = set()  # every top-level name that some importer may get from elsewhere
        self.aliases: dict[str, str] = {}  # top-level name -> name in sys.modules; from `import_version(alias=)`
        self.joined: dict[str, list[tuple[str, Member]]] = {}  # namespace package -> its portions and their members
        self.inhabited: dict[str, Any] = {}  # what follows an `@` -> the project's own modules in that world
        self._members: dict[Pin | Links, Member] = {}
        self._heads: dict[str, Member] = {}  # top-level name with an `@` -> whose it is
        self._locks: dict[str, str] = {}  # `Plan.lock_folder` -> path of the lock
        self._changing = RLock()  # imports of two threads can make members at the same time
        self._activation: Activation | None = None

    def add(self, plans: Iterable[Plan], *, lock: str = "", resident: Plan | None = None) -> None:
        """Make plans known.

        Args:
            plans: in the order in which they are to be asked.
            lock: path of their lock; a plan itself knows only where a lock of these bytes was installed.
            resident: the one of them whose residents plain imports get.
        """
        plans = list(plans)
        with self._changing:
            self._locks.update({plan.lock_folder: lock for plan in plans if lock})
            if resident is not None and resident not in self.resident_plans:
                self.resident_plans.append(resident)
            new = [plan for plan in plans if plan not in self.plans]
            if not new:
                return
            self.plans = Plans([*self.plans, *new])
            for plan in new:
                self.routed.update(plan.imports)
            for member in self._members.values():
                member.routes.clear()  # a name that no plan had may be in these

    def demote(self, plan: Plan) -> None:
        """Note that plain imports do not get this plan's pins any more; nothing of it has been imported."""
        with self._changing:
            self.resident_plans.remove(plan)
            self.plans = Plans(self.plans)
            self._members.clear()
            self._heads.clear()

    def refresh(self) -> None:
        """Make the plan in use known, and those of the other environments of its lock."""
        # Not at start-up, which reads no plan but its own: a process that never asks for another version never pays
        activation = active()
        if activation is not None and activation is not self._activation:
            plan = plan_of(activation)
            self.add(Plans.beside(plan), lock=activation.lock, resident=plan)
            self._activation = activation

    def lock_of(self, plan: Plan) -> str:
        """Return the path of the lock that a plan is used for here."""
        return self._locks.get(plan.lock_folder) or plan.lock

    # members

    def member(self, plan: Plan, pin: Pin) -> Member:
        """Return the one member made of a pin; equal pins with equal links share it."""
        found = self._members.get(pin)
        if found is None:
            with self._changing:
                links = plan.links(pin)
                found = self._members.get(links)
                if found is None:
                    tag = self._tag(pin, links)
                    found = self._members[links] = Member(plan, pin, links, tag, self.resolve)
                self._members[pin] = found
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
                if plain not in pin.imports or guest_tag(pin.version) != tag.partition("~")[0]:
                    continue
                member = self.member(plan, pin)
                if not member.tag and tag in {guest_tag(pin.version), f"{guest_tag(pin.version)}~{pin.name}"}:
                    resident = resident or member  # where the name was pickled, it was a guest
                elif self.own_name(member, plain) == real:
                    return member
        return resident

    def plans_with(self, member: Member) -> list[Plan]:
        """Return the plans that hold this very member, in order."""
        key = (member.pin.name, member.pin.version)
        return [plan for plan in self.plans if key in plan.pins and self.member(plan, plan.pins[key]) is member]

    def own_name(self, member: Member, head: str) -> str:
        """Return the name that one of a member's own top-level modules has in `sys.modules`."""
        if not member.tag:
            return head
        tag = member.tag if self._is_told_by_version(member, head) else f"{member.tag}~{member.pin.name}"
        real = f"{head}@{tag}"
        self._heads[real] = member
        return real

    def names_guest(self, text: str) -> bool:
        """Tell whether the name of a guest's module stands in a text."""
        return any(real in text for real in self._heads)

    def _is_told_by_version(self, member: Member, head: str) -> bool:
        """Tell whether a top-level name and a version say which member is meant, without its distribution's name.

        Portions of a namespace package share the name, and so do copies that an `install_path` bundles.
        """
        if canonical_name(head) == member.pin.name:
            return True
        if is_namespace(os.path.join(member.names[head], head)):
            return False
        return not any(
            head in pin.imports and pin.name != member.pin.name and pin.version == member.pin.version
            for plan in self.plans
            for pin in plan.pins.values()
        )

    def _tag(self, pin: Pin, links: Links) -> str:
        """Return the version, as module names have it; with a digest of the links where another guest has it alone."""
        # The name must be the same in every process under these plans, since pickles say it: so it goes by their order,
        # not by which member was made first
        residents: list[Links] = []
        guests: list[Links] = []
        for plan in self.plans:
            same = plan.pins.get((pin.name, pin.version))
            if same is not None:
                is_resident = same.resident and plan in self.resident_plans
                (residents if is_resident else guests).append(plan.links(same))
        if links in residents:
            return ""
        tag = guest_tag(pin.version)
        first = next((each for each in guests if each not in residents), links)
        return tag if links == first else f"{tag}~{_digest(sorted(links[1]))}"

    # names

    def resolve(self, member: Member, head: str) -> str | None:
        """Return the name in `sys.modules` of what a member means by a top-level name; `Member.route` keeps it.

        None: plain imports would find it in an environment that the member is no part of, so it was locked without.
        """
        # The standard library stands before site-packages on sys.path, so no wheel ever hides it
        if head in sys.stdlib_module_names or "@" in head:
            return head
        holders = self._holders(member, head)
        first = next(holders, None)
        if first is None:
            return None if self._is_locked(head) else head
        # PEP 420: the first regular package or module ends the search; before it, portions of a namespace add up
        if is_namespace(os.path.join(first.names[head], head)):
            others = [other for other in holders if is_namespace(os.path.join(other.names[head], head))]
            portions = list(dict.fromkeys([first, *others]))
            if len(portions) > 1:
                return self._join(head, portions)
        return self.own_name(first, head)

    def plain_names(self, plan: Plan) -> dict[str, str]:
        """Return every top-level name of a plan, with the name in `sys.modules` of what it means there."""
        names = {}
        for head in plan.imports:
            for pin in plan.providers(head)[:1]:
                if head not in sys.stdlib_module_names:
                    names[head] = self.member(plan, pin).route(head) or head
        return names

    def _holders(self, member: Member, head: str) -> Iterator[Member]:
        """Yield what provides a name: what the member was locked with, then the rest of its environments.

        A package may import what it does not declare, as it could in site-packages.
        """
        for pin in member.plan.closure(member.pin):
            if head in pin.imports:
                yield self.member(member.plan, pin)
        for plan in self.plans_with(member):
            yield from (self.member(plan, pin) for pin in plan.providers(head) if head in pin.imports)

    def _join(self, head: str, members: list[Member]) -> str:
        """Name the namespace package that joins the portions of several members (PEP 420)."""
        real = f"{head}@all~{_digest([(each.links[0], sorted(each.links[1])) for each in members])}"
        self.joined[real] = [(os.path.join(each.names[head], head), each) for each in members]
        return real

    def _is_locked(self, head: str) -> bool:
        """Tell whether plain imports would get a name from a resident plan, and from no entry before it."""
        if head in self.aliases or not any(head in plan.imports for plan in self.resident_plans):
            return False
        # What stands before the lock on sys.path (the script's folder, PYTHONPATH) is the project's, and everybody's
        activation = active()
        before = sys.path[: sys.path.index(activation.site)] if activation and activation.site in sys.path else sys.path
        return PathFinder.find_spec(head, before) is None


def _digest(links: object) -> str:
    return f"{crc32(repr(links).encode()):08x}"  # the same in every Python: pickles name it


router = Router()
