"""The project's own modules in one world: found, named and executed so that whatever they import is that world's.

`myclient` is `myclient@legacy` in the world of the environment `legacy`, in `sys.modules` and by its `__name__`, as a
guest has a name of its own; so late imports, threads, dataclasses and pickles are right by themselves.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import ModuleSpec, _find_spec  # type: ignore[attr-defined] # not in typeshed
from _frozen_importlib_external import (
    ExtensionFileLoader,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
    spec_from_file_location,
)

from _envknit_bootstrap import MODULES
from envknit.errors import LinkError, UnlockedError
from envknit.runtime.asking import current, host, import_outside
from envknit.runtime.guest_sys import GuestModules, drop_builtins
from envknit.runtime.guests import AliasLoader
from envknit.runtime.importer import Importer
from envknit.runtime.router import router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import ModuleType
    from typing import Any

    from envknit.plan import Pin, Plan
    from envknit.worlds.target import Target

_SHARED = frozenset(["__main__", "envknit", "_envknit_bootstrap", *MODULES])  # one for the process, in every world


class Inhabitants(Importer):
    """What the project's modules mean by names in one world, and these modules.

    Args:
        tag: what follows the `@` in their names.
        target: what the world holds.
        search: the folders that hold them; None: wherever the program itself finds modules of its own.
        strict: whether names that the world lacks are missing, rather than what the active environment gives.
        shared: top-level names of project modules that stay one for the process.
    """

    def __init__(
        self,
        tag: str,
        target: Target,
        *,
        search: Sequence[str] | None = None,
        strict: bool = False,
        shared: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.tag = tag
        self.target = target
        self.is_closed = False
        self._search = search
        self.is_strict = strict
        self._shared = _SHARED.union(shared)
        self._loaded: dict[str, str] = {}  # top-level name -> the file or folder that `load` gave it for
        self._patched: set[str] = set()  # names that its code has put into `sys.modules`
        self._found: dict[str, str | None] = {}  # what `resolve` has answered, where that stays so

    def __repr__(self) -> str:
        return f"<own modules of the world {self.tag}>"

    # names

    # `routes` stays empty, so that every import statement asks here: a block that a module of this world opens itself
    # means more than the world, and a module of the project may come to be while it runs
    def route(self, head: str) -> str | None:
        """Return the name in `sys.modules` of what its code means by a top-level name; None: the world has none."""
        blocks = current.get()
        if blocks is not None:
            real = blocks.opened_in(self.tag).find(head)
            if real is not None:
                return real
        return self.settled(head)

    def settled(self, head: str) -> str | None:
        """Return what `route` does, whatever blocks are open."""
        try:
            return self._found[head]
        except KeyError:
            real = self.resolve(head)
        if self.is_closed and real == f"{head}@{self.tag}":  # a world that was opened after it is another
            self.check_open(head)
        return real

    def resolve(self, head: str) -> str | None:
        """Conclude it: the project's modules first, as on `sys.path`, then the world's packages, then the rest."""
        real: str | None
        if head in self._patched:
            real = f"{head}@{self.tag}"
        elif head in sys.stdlib_module_names or "@" in head or head in self._shared:
            real = head
        elif self._find(head) is not None:
            real = f"{head}@{self.tag}"
        elif head in self.target.names:
            real = self.target.names[head]
        elif head in self._loaded:
            real = f"{head}@{self.tag}"
        elif self.is_strict:
            real = None
        else:
            real = head
            if head not in router.routed and head not in sys.modules:
                return real  # nobody has it yet
        if not self.is_closed:
            self._found[head] = real
        return real

    def missing(self, head: str) -> UnlockedError:
        """Return the error that says that a strict world lacks a name."""
        return UnlockedError(
            f"No module named {head!r} in the world {self.tag!r}",
            name=head,
            reason="it is strict, and its lock has nothing that provides the name",
            hint="add the package that provides it to that environment, or open the world without strict=True",
        )

    def held(self) -> list[tuple[Plan, Pin]]:
        """Return the pins of the blocks that its code has opened, then those of the world."""
        blocks = current.get()
        opened = blocks.opened_in(self.tag).blocks if blocks is not None else ()
        return [*(each for block in reversed(opened) for each in block.held), *self.target.held]

    def name_of(self, name: str) -> str:
        """Return the name in `sys.modules` of a module that was asked for by its full name.

        Raises:
            UnlockedError: the world is closed, or strict and without it.
            LinkError: it is a module of the program that lives outside of this world.
        """
        self.check_open(name)
        head, dot, rest = name.partition(".")
        real = self.settled(head)
        if real is None:
            raise self.missing(head)
        if real == head and self.is_outside(head):
            raise LinkError(
                f"{head!r} is a module of the program, outside of the world {self.tag!r}",
                name=head,
                hint="let the modules of that folder live there: envknit.world(..., project=FOLDER)",
            )
        return real + dot + rest

    def is_outside(self, head: str) -> bool:
        """Tell whether a name means a module of the program that this world shares, and nobody said so."""
        if self._search is None or head in self._shared or head in self.target.names:
            return False
        spec = _find_spec(head, None)
        return spec is not None and _is_own(spec)

    def check_open(self, name: str) -> None:
        """Raise UnlockedError where the world is closed."""
        if self.is_closed:
            raise UnlockedError(f"the world {self.tag!r} is closed", name=name)

    def import_name(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - `__import__`'s own parameter names
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - as `globals`
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        """Be `__import__` for its modules; what they share with the program is imported outside of any world."""
        blocks = current.get()
        if level or blocks is None or blocks.own is None or name in self._own:
            return super().import_name(name, globals, locals, fromlist, level)
        return import_outside(blocks, self.real_name(name), globals, locals, fromlist, 0)

    def patch(self, name: str, module: ModuleType) -> None:
        """Let a name mean a module that code of this world has put into `sys.modules`, for that code alone."""
        head, dot, rest = name.partition(".")
        self._patched.add(head)
        self._found.pop(head, None)
        sys.modules[f"{head}@{self.tag}{dot}{rest}"] = module

    def unpatch(self, name: str) -> None:
        """Let a name mean what it did before `patch`."""
        self._patched.discard(name)
        self._found.pop(name, None)

    # modules

    def load(self, path: str) -> str:
        """Give a file, or the folder of a package, its name in this world, and return it.

        A file that the project's own import statements find is known by the name that they say.

        Raises:
            ImportError: it is no module of Python, or the world is closed.
        """
        self.check_open(path)
        place = os.path.abspath(path)
        file = os.path.join(place, "__init__.py") if os.path.isdir(place) else place
        stem = os.path.basename(place).partition(".")[0]
        if not os.path.isfile(file):
            raise ImportError(f"no module of Python is at {path}", name=stem, path=place)
        root, name = os.path.dirname(place), stem
        while os.path.isfile(os.path.join(root, "__init__.py")):  # it lies in a package, whose name it bears
            root, within = os.path.split(root)
            name = f"{within}.{name}"
        head, dot, rest = name.partition(".")
        found = self._find(head)
        if dot and found is not None and os.path.dirname(os.path.dirname(os.path.abspath(found.origin or ""))) == root:
            return f"{head}@{self.tag}{dot}{rest}"
        if not dot and found is not None and os.path.abspath(found.origin or "") == file:
            return f"{head}@{self.tag}"
        name, number = stem, 1  # several files of one name may live here
        while self._loaded.setdefault(name, place) != place:
            number += 1
            name = f"{stem}_{number}"
        return f"{name}@{self.tag}"

    def find_spec(self, fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Find a module of this world by its name in `sys.modules`.

        Raises:
            UnlockedError: the world is closed.
        """
        self.check_open(fullname)
        head, dot, rest = fullname.partition(".")
        plain = head.partition("@")[0]
        spec = _find_spec(f"{plain}.{rest}", path) if rest else self._find(plain) or self._find_loaded(plain)
        return None if spec is None else self._inhabit(fullname, plain + dot + rest, spec)

    def close(self) -> None:
        """Take its modules out of `sys.modules`; what still runs of them goes on, and finds no more of them."""
        self.is_closed = True
        self._found.clear()
        if router.inhabited.get(self.tag) is self:
            del router.inhabited[self.tag]
        for name in list(sys.modules):
            if name.partition(".")[0].partition("@")[2] == self.tag:
                del sys.modules[name]
        if self._builtins is not None:
            drop_builtins(self._builtins)

    def modules(self) -> GuestModules:
        """Return what its code sees as `sys.modules`."""
        return _OwnModules(self, self._own)

    def _find(self, head: str) -> ModuleSpec | None:
        """Find a top-level module of the project, as import statements of the program would."""
        spec = _find_spec(head, None) if self._search is None else PathFinder.find_spec(head, self._search)
        if spec is None or not _is_own(spec):
            return None
        # PEP 420: a folder of that name is a package only where no regular package is
        return None if spec.origin is None and head in self.target.names else spec

    def _find_loaded(self, name: str) -> ModuleSpec | None:
        place = self._loaded.get(name)
        if place is None:
            return None
        folder, file = os.path.split(place)
        found: ModuleSpec | None = _find_spec(file.partition(".")[0], [folder])  # pytest's finder rewrites assertions
        return found

    def _inhabit(self, fullname: str, plain: str, spec: ModuleSpec) -> ModuleSpec:
        """Return the spec of a module of this world, from that of the file under its plain name."""
        locations = spec.submodule_search_locations
        loader: Any = spec.loader
        if loader is None or spec.origin is None:
            made = ModuleSpec(fullname, None)
            made.submodule_search_locations = list(locations or ())
            return made
        if isinstance(loader, ExtensionFileLoader) or not (spec.has_location and hasattr(loader, "exec_module")):
            return ModuleSpec(fullname, AliasLoader(plain))  # type: ignore[arg-type] # CPython loads it once a process
        if type(loader) in {SourceFileLoader, SourcelessFileLoader}:  # they refuse another name than their own
            loader = type(loader)(fullname, spec.origin)
        found = spec_from_file_location(
            fullname, spec.origin, loader=_InhabitantLoader(loader, self), submodule_search_locations=locations
        )
        assert found is not None  # noqa: S101 - it has a loader
        return found


class _InhabitantLoader:
    """Execute a module with the builtins of its world, by whatever loader found it."""

    def __init__(self, loader: Any, world: Inhabitants) -> None:
        self._loader = loader
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # `get_source`, `get_data`, `get_resource_reader`

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Do what the loader does."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module; `exec` takes a `__builtins__` that the globals have already."""
        vars(module)["__builtins__"] = self._world.builtins
        self._loader.exec_module(module)


class _OwnModules(GuestModules):
    """`sys.modules` as a world's own code sees it: a module that it puts there in place of another is for it alone."""

    def __init__(self, world: Inhabitants, own: dict[str, ModuleType]) -> None:
        super().__init__(world.route, own)
        self._world = world

    def __setitem__(self, name: str, module: Any) -> None:
        real = self._real(name)
        is_there = real in sys.modules and sys.modules[real] is module
        if self._is_own(real) or is_there or _is_called(module, real):
            super().__setitem__(name, module)
        else:
            self._world.patch(name, module)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._world.unpatch(name)

    def clear(self) -> None:
        """Take away what is the world's own; `mock.patch.dict` does this before it puts everything back."""
        for name in list(self):
            if self._is_own(self._real(name)):
                del self[name]

    def _is_own(self, real: str) -> bool:
        return real.partition(".")[0].partition("@")[2] == self._world.tag


def _is_called(module: Any, name: str) -> bool:
    """Tell whether a module that somebody puts back is the one of that name."""
    return getattr(getattr(module, "__spec__", None), "name", None) == name


def _is_own(spec: ModuleSpec) -> bool:
    """Tell whether a module is the project's own: neither the standard library's, nor an installed package's."""
    places = [spec.origin] if spec.has_location else [*(spec.submodule_search_locations or ())]
    return bool(places) and all(each and host.owns({"__file__": os.path.abspath(each)}) for each in places)
