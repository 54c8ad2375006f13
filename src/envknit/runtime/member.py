"""A member: one pin made importable."""

from __future__ import annotations

import os

from envknit.errors import UnlockedError
from envknit.native import arrays, names, renaming
from envknit.plan import SITE_PACKAGES
from envknit.runtime.importer import Importer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from envknit.plan import Links, Pin, Plan


class Member(Importer):
    """One pin of a plan with its links; equal pins with equal links are one member.

    Args:
        plan: one plan that holds it.
        pin: the pin there.
        links: the pin and every edge that can be reached from it: what makes it equal to another.
        tag: what follows the `@` in its modules' names; `""` for a resident.
        resolve: gives the name in `sys.modules` of what it means by a top-level name; None: it was locked without.
    """

    def __init__(
        self, plan: Plan, pin: Pin, links: Links, tag: str, resolve: Callable[[Member, str], str | None]
    ) -> None:
        super().__init__()
        self.plan = plan
        self.pin = pin
        self.links = links
        self.tag = tag
        self.folder = os.path.join(plan.store, pin.folder)
        self._site = os.path.join(plan.view, SITE_PACKAGES) if plan.path and pin.resident else ""
        self.names = {head: os.path.join(plan.store, plan.folder_of(pin, head)) for head in pin.imports}
        self._resolve = resolve
        self.is_native = pin.may_be_guest  # whether its extension modules are loaded where it is a guest
        self._is_guarded = False

    def __repr__(self) -> str:
        return f"<{'guest' if self.tag else 'resident'} {self.title}>"

    @property
    def title(self) -> str:
        """Name and version, for messages."""
        return f"{self.pin.name} {self.pin.version}"

    @property
    def kin(self) -> str:
        """A name for the guests that it shares types of C++ with: those of its environment, while no two are alike."""
        twins = [pin for pin in self.plan.pins.values() if pin.name == self.pin.name and not pin.resident]
        return self.plan.path + (self.pin.version if len(twins) > 1 else "")

    def shown(self, path: str) -> str:
        """Return the path that a module of this file bears: in the view of its environment, where that has it."""
        name = path[len(self.folder) + 1 :]
        head = name.partition(os.sep)[0].partition(".")[0]
        if not self._site or head not in self.plan.imports:
            return path
        there = os.path.join(self._site, name)
        alone = self.plan.imports[head] == (self.pin.folder,)
        return there if alone or (os.path.exists(there) and os.path.samefile(there, path)) else path

    def source(self, path: str) -> str:
        """Return where a path that `shown` gave lies in the store."""
        if self._site and path.startswith(self._site + os.sep):
            return self.folder + path[len(self._site) :]
        return path

    def resolve(self, head: str) -> str | None:
        """Return what the router concludes for a name; None: it was locked without."""
        return self._resolve(self, head)

    def held(self) -> list[tuple[Plan, Pin]]:
        """Return its pin and all that it depends on."""
        return [(self.plan, pin) for pin in self.plan.closure(self.pin)]

    def missing(self, head: str) -> UnlockedError:
        """Return the error that says that only an environment that it is no part of has a name."""
        return UnlockedError(
            f"No module named {head!r} for {self.title}",
            name=head,
            environment=self.plan.environment,
            reason="it was locked without; only another environment has it",
            hint="add the package that provides it to that environment",
        )

    def guard(self) -> None:
        """Let its C code find what names mean to it, from now on."""
        if not self._is_guarded:
            names.guard(self, {head for pin in self.plan.pins.values() for head in pin.imports})
            self._is_guarded = True

    def settle(self, module: ModuleType) -> None:
        """Give what one of its modules defines its own name, where it was compiled with the plain one."""
        own = {head: self.route(head) or head for head in self.names}
        renaming.rename(module, own)
        if module.__name__ in own.values():  # all that it imports has been executed, and some was filled after that
            renaming.rename_below(module.__name__, own)
            if "numpy" in own:
                arrays.settle()


def is_namespace(folder: str) -> bool:
    """Tell whether a folder is a portion of a namespace package (PEP 420): a folder without `__init__`."""
    try:
        # Any suffix: a package may be an extension module, or bytecode alone (`_get_supported_file_loaders`)
        return not any(name.startswith("__init__.") for name in os.listdir(folder))
    except OSError:
        return False
