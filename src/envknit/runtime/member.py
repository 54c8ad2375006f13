"""A member: one pin made importable, and the `__import__` that its modules run with.

The `import` statement looks `__import__` up in the builtins of the code that runs it (IMPORT_NAME: `import_name` in
Python/ceval.c), and a function keeps the builtins of the globals that it was defined in. So whatever the modules of a
member import, late, in any thread, in generated code, goes through `Member.import_name`.
"""

from __future__ import annotations

import builtins
import os

from envknit.errors import UnlockedError
from envknit.plan import SITE_PACKAGES
from envknit.runtime.guest_sys import GuestBuiltins, GuestModules, GuestSys, copy_builtins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType
    from typing import Any

    from envknit.plan import Links, Pin, Plan

# Taken when this is loaded, so a hook that was there before stays in the chain. The C function has the short cut that
# matters: what is in sys.modules already costs no call of Python (PyImport_ImportModuleLevelObject)
original_import = builtins.__import__


class Member:
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
        self.plan = plan
        self.pin = pin
        self.links = links
        self.tag = tag
        self.folder = os.path.join(plan.store, pin.folder)
        self._site = os.path.join(plan.view, SITE_PACKAGES) if plan.path and pin.resident else ""
        self.names = {head: os.path.join(plan.store, plan.folder_of(pin, head)) for head in pin.imports}
        self.routes: dict[str, str | None] = {}  # what `resolve` has answered
        self._resolve = resolve
        self._builtins: dict[str, Any] | None = None
        self._own: dict[str, ModuleType] = {}  # `sys` and `builtins` as its code sees them

    def __repr__(self) -> str:
        return f"<{'guest' if self.tag else 'resident'} {self.title}>"

    @property
    def title(self) -> str:
        """Name and version, for messages."""
        return f"{self.pin.name} {self.pin.version}"

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

    @property
    def builtins(self) -> dict[str, Any]:
        """What its modules run with: Python's own builtins but for `__import__`."""
        if self._builtins is None:
            made = copy_builtins(self.import_name)
            self._own["builtins"] = GuestBuiltins(made)
            self._own["sys"] = GuestSys(GuestModules(self.route, self._own), self.import_name)
            self._builtins = made  # last: another thread takes it for a sign that the rest is there
        return self._builtins

    def route(self, head: str) -> str | None:
        """Return the name in `sys.modules` of what it means by a top-level name; None: it was locked without."""
        try:
            return self.routes[head]
        except KeyError:
            found = self.routes[head] = self._resolve(self, head)
            return found

    def real_name(self, name: str) -> str:
        """Return the name in `sys.modules` of what this member means by a dotted name.

        Raises:
            UnlockedError: only an environment that it is no part of has it.
        """
        head, dot, rest = name.partition(".")
        real = self.route(head)
        if real is None:
            raise UnlockedError(
                f"No module named {head!r} for {self.title}",
                name=head,
                environment=self.plan.environment,
                reason="it was locked without; only another environment has it",
                hint="add the package that provides it to that environment",
            )
        return real + dot + rest

    def import_name(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - `__import__`'s own parameter names
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - as `globals`
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        """Be `__import__` for its modules: map absolute names; relative ones go by `__package__`, a guest's own."""
        # With a level, the C function takes the package from `__spec__.parent` or `__package__` (`resolve_name` in
        # Python/import.c); a guest's modules are named for the guest there, so nothing is to be mapped
        if level == 0:
            if name in self._own:
                return self._own[name]
            head, dot, rest = name.partition(".")
            try:
                real = self.routes[head] or self.real_name(head)  # (which raises)
            except KeyError:
                real = self.real_name(head)
            if real != head:
                return original_import(real + dot + rest, globals, locals, fromlist, 0)
        return original_import(name, globals, locals, fromlist, level)


def is_namespace(folder: str) -> bool:
    """Tell whether a folder is a portion of a namespace package (PEP 420): a folder without `__init__`."""
    try:
        # Any suffix: a package may be an extension module, or bytecode alone (`_get_supported_file_loaders`)
        return not any(name.startswith("__init__.") for name in os.listdir(folder))
    except OSError:
        return False
