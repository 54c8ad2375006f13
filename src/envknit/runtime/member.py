"""A member: one pin made importable, and what its imports mean.

The `import` statement looks `__import__` up in the builtins of the code that runs it. Each module of a guest gets
`Member.builtins`, so whatever that code imports (late, in any thread, in generated code) goes through
`Member.import_module_statement` and from there to what the member was locked with.
"""

from __future__ import annotations

import builtins
import os
import sys

from envknit.naming import canonical_name
from envknit.runtime.guest_modules import PROXIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType
    from typing import Any

    from envknit.plan import Pin, Plan
    from envknit.runtime.linker import Linker

    Label = tuple[str, str, str]  # name, version, absolute folder
    Key = tuple[Label, frozenset[tuple[Label, Label]]]

original_import = builtins.__import__


class Member:
    """One pin of a plan with its links; equal pins with equal links are one member.

    Args:
        key: the pin and every edge that can be reached from it: what makes it equal to another.
        plan: one plan that holds it.
        pin: the pin there.
        tag: what follows the `@` in its modules' names; `""` for a resident.
        linker: answers for names that the member does not provide itself.
    """

    def __init__(self, key: Key, plan: Plan, pin: Pin, tag: str, linker: Linker) -> None:
        self.key = key
        self.plan = plan
        self.pin = pin
        self.tag = tag
        self.linker = linker
        self.folder = os.path.join(plan.store, pin.folder)
        self.routes: dict[str, str] = {}
        self._real: dict[str, str] = {}
        self._names: dict[str, str] | None = None
        self._builtins: dict[str, Any] | None = None
        self._proxies: dict[str, ModuleType] = {}

    def __repr__(self) -> str:
        return f"<{'guest' if self.tag else 'resident'} {self.title}>"

    @property
    def title(self) -> str:
        """Name and version, for messages."""
        return f"{self.pin.name} {self.pin.version}"

    @property
    def names(self) -> Mapping[str, str]:
        """The top-level import names it provides, each with the folder that holds it; listed once."""
        if self._names is None:
            self._names = _provided(self.plan, self.folder)
        return self._names

    @property
    def builtins(self) -> dict[str, Any]:
        """What its modules run with: Python's own builtins but for `__import__`."""
        if self._builtins is None:
            self._builtins = self.linker.share_builtins(self.import_module_statement)
        return self._builtins

    def proxy(self, name: str) -> ModuleType:
        """Return the module `sys` or `builtins` as its code sees it."""
        found = self._proxies.get(name)
        if found is None:
            found = self._proxies.setdefault(name, PROXIES[name](self))
        return found

    def real(self, head: str) -> str:
        """Return the name that one of its own top-level modules has in `sys.modules`."""
        if not self.tag:
            return head
        found = self._real.get(head)
        if found is None:
            mark = self.tag if self.linker.owns(self, head) else f"{self.tag}_{self.pin.name.replace('-', '_')}"
            found = self._real[head] = f"{head}@{mark}"
        return found

    def route(self, head: str) -> str:
        """Return the name in `sys.modules` of what this member means by a top-level name.

        Raises:
            UnlockedError: only another environment provides the name.
        """
        found = self.routes.get(head)
        if found is None:
            found = self.routes[head] = self.linker.route(self, head)
        return found

    def real_name(self, name: str) -> str:
        """Return the name in `sys.modules` of what this member means by a dotted name."""
        head, dot, rest = name.partition(".")
        return self.route(head) + dot + rest

    def import_module_statement(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - `__import__`'s own parameter names
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - as above
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        """Be `__import__` for its modules: map absolute names, leave relative ones to `__package__`."""
        if level == 0:
            if name in PROXIES:
                return self.proxy(name)
            head, dot, rest = name.partition(".")
            real = self.routes.get(head)
            if real is None:
                real = self.route(head)
            if real != head:
                return original_import(real + dot + rest, globals, locals, fromlist, 0)
        return original_import(name, globals, locals, fromlist, level)

    def main_module(self) -> str:
        """Return the dotted plain name of the module that stands for the pin; `""` where it has none.

        It is the one named as the pin (`jaraco.functools` for `jaraco-functools`), else its only public name, else
        the first in alphabetical order.
        """
        own = canonical_name(self.pin.name)
        by_name = {canonical_name(name): name for name in self.names}
        if own in by_name:
            return by_name[own]
        head = by_name.get(own.partition("-")[0])
        if head is not None and is_namespace(os.path.join(self.names[head], head)):
            folder, dotted = os.path.join(self.names[head], head), head
            for part in own.split("-")[1:]:
                if not _holds(folder, part):
                    break
                folder, dotted = os.path.join(folder, part), f"{dotted}.{part}"
            return dotted
        public = sorted(name for name in self.names if not name.startswith("_"))
        return public[0] if public else next(iter(sorted(self.names)), "")


def _provided(plan: Plan, folder: str) -> dict[str, str]:
    """List the import names in a folder, with what the plan knows of them (a `.pth` can name a folder within).

    The plan alone does not tell: where two pins provide a name it keeps the one that plain imports get.
    """
    names = dict(_listed(folder))
    inside = folder + os.sep
    for name, places in plan.imports.items():
        for place in places:
            path = os.path.join(plan.store, place)
            if path == folder or path.startswith(inside):
                names[name] = path
    return names


def _listed(folder: str) -> Iterator[tuple[str, str]]:
    try:
        found = list(os.scandir(folder))
    except OSError:
        return
    for entry in found:
        stem, dot, suffix = entry.name.partition(".")
        if not stem.isidentifier() or stem == "__pycache__":
            continue
        if (dot and suffix.rpartition(".")[2] in {"py", "pyc", "so", "pyd"}) or (
            not dot and entry.is_dir() and _is_importable(entry.path)
        ):
            yield stem, folder


def _is_importable(folder: str, depth: int = 3) -> bool:
    """Tell a package from a folder of data: is there Python in it, at most three levels down?"""
    with os.scandir(folder) as entries:
        found = list(entries)
    if any(entry.name.endswith((".py", ".pyc", ".so", ".pyd")) for entry in found):
        return True
    return depth > 1 and any(_is_importable(entry.path, depth - 1) for entry in found if entry.is_dir())


def is_namespace(folder: str) -> bool:
    """Tell whether a folder is a portion of a namespace package (PEP 420): a folder without `__init__`."""
    try:
        return not any(name.startswith("__init__.") for name in os.listdir(folder))
    except OSError:
        return False


def _holds(folder: str, name: str) -> bool:
    path = os.path.join(folder, name)
    return os.path.isdir(path) or os.path.exists(path + ".py") or name in sys.builtin_module_names
