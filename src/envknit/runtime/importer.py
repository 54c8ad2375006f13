"""Whoever imports by rules of its own, and the `__import__` that its modules run with.

The `import` statement looks `__import__` up in the builtins of the code that runs it (IMPORT_NAME: `import_name` in
Python/ceval.c), and a function keeps the builtins of the globals that it was defined in. So whatever such modules
import, late, in any thread, in generated code, goes through `Importer.import_name`.
"""

from __future__ import annotations

import builtins

from envknit.native import askers, names
from envknit.runtime.guest_sys import GuestBuiltins, GuestModules, GuestSys, copy_builtins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType
    from typing import Any

    from envknit.errors import UnlockedError
    from envknit.plan import Pin, Plan

# Taken when this is loaded, so a hook that was there before stays in the chain. The C function has the short cut that
# matters: what is in sys.modules already costs no call of Python (PyImport_ImportModuleLevelObject)
original_import = builtins.__import__

_guarded = names.guarded  # read at every import statement


class Importer:
    """What a group of modules means by names: those of one member, or a project's own in one world."""

    is_strict = True  # whether `importlib.metadata` shows its code nothing else than `held`

    def __init__(self) -> None:
        self.routes: dict[str, str | None] = {}  # what `resolve` has answered
        self._builtins: dict[str, Any] | None = None
        self._own: dict[str, ModuleType] = {}  # `sys` and `builtins` as its code sees them

    def resolve(self, head: str) -> str | None:
        """Return the name in `sys.modules` of what it means by a top-level name; None: it has none."""
        raise NotImplementedError

    def held(self) -> Iterable[tuple[Plan, Pin]]:
        """Return the pins that its code can see, nearest first."""
        raise NotImplementedError

    def modules(self) -> GuestModules:
        """Return what its code sees as `sys.modules`."""
        return GuestModules(self.route, self._own)

    def missing(self, head: str) -> UnlockedError:
        """Return the error that says why it has none."""
        raise NotImplementedError

    @property
    def builtins(self) -> dict[str, Any]:
        """What its modules run with: Python's own builtins but for `__import__`."""
        if self._builtins is None:
            made = copy_builtins(self.import_name)
            self._own["builtins"] = GuestBuiltins(made)
            self._own["sys"] = GuestSys(self.modules(), self.import_name)
            self._builtins = made  # last: another thread takes it for a sign that the rest is there
        return self._builtins

    def route(self, head: str) -> str | None:
        """Return the name in `sys.modules` of what it means by a top-level name; None: it has none."""
        try:
            return self.routes[head]
        except KeyError:
            found = self.routes[head] = self.resolve(head)
            return found

    def real_name(self, name: str) -> str:
        """Return the name in `sys.modules` of what it means by a dotted name.

        Raises:
            UnlockedError: it has none, whoever else has.
        """
        head, dot, rest = name.partition(".")
        real = self.route(head)
        if real is None:
            raise self.missing(head)
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
            if globals is locals and head in _guarded and fromlist == []:  # as C code calls it: see doors.py
                world = askers.asking(here := askers.frames(), askers.backtrace(here, askers.DEPTH))
                return names.import_meant(self, name, fromlist) if world is None else names.import_for(world, name)
            try:
                real = self.routes[head] or self.real_name(head)  # (which raises)
            except KeyError:
                real = self.real_name(head)
            if real != head:
                return original_import(real + dot + rest, globals, locals, fromlist, 0)
        return original_import(name, globals, locals, fromlist, level)
