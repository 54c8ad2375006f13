"""Find and load guests, by their own names (PEP 451).

A guest is found by its full name alone: `requests@2_28_2.adapters` says which member holds it. So modules can be
imported late, after a block has closed, and by `pickle` in another process.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader, SourcelessFileLoader, spec_from_file_location

from _envknit_finder import EXTENSIONS, StoreFinder, StoreLoader
from envknit.errors import CExtensionError, UnlockedError
from envknit.native import loading, names
from envknit.native.askers import why_missing
from envknit.native.names import import_real
from envknit.runtime.router import router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType
    from typing import Any

    from envknit.runtime.member import Member


class GuestLoader(StoreLoader):
    """Load a source file as a module of a guest: it runs with the builtins of its member.

    Args:
        fullname: the module's name, with the `@`.
        path: its source file as the module knows it.
        member: the member that it belongs to.
        source: the same file in the store.
    """

    def __init__(self, fullname: str, path: str, member: Member, source: str) -> None:
        super().__init__(fullname, path, member.plan.store, source)
        self.member = member

    def get_filename(self, name: str | None = None) -> str:
        """Return the source file; the module may be asked for by its plain name, as its own code does."""
        return super().get_filename(self._full(name))

    def get_resource_reader(self, name: str | None = None) -> Any:
        """Return the reader of its resources, by either name (werkzeug/middleware/shared_data.py)."""
        return super().get_resource_reader(self._full(name))

    # `_check_name` refuses another name than the loader's own (Lib/importlib/_bootstrap_external.py), and code asks
    # with the name that it knows itself by: `__spec__.loader.get_resource_reader("lib")`
    def _full(self, name: str | None) -> str | None:
        return self.name if name == _plain(self.name) else name

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, and with it every import statement in it, with its member's builtins.

        `exec` takes a `__builtins__` that the globals have already (`builtin_exec_impl` in Python/bltinmodule.c).
        """
        vars(module)["__builtins__"] = self.member.builtins
        super().exec_module(module)
        if self.member.is_native and self.member.tag:
            self.member.settle(module)


class GuestBytecodeLoader(SourcelessFileLoader):
    """As GuestLoader, for a module that was shipped without its source."""

    def __init__(self, fullname: str, path: str, member: Member) -> None:
        super().__init__(fullname, path)
        self.member = member

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module with its member's builtins."""
        vars(module)["__builtins__"] = self.member.builtins
        super().exec_module(module)


class NativeLoader(ExtensionFileLoader):
    """Load an extension module of a guest, where its package may be a native guest; else refuse it.

    The error is an ImportError, so a package whose compiled parts are accelerators does without them, as its own
    code says.
    """

    def __init__(self, fullname: str, path: str, member: Member) -> None:
        super().__init__(fullname, path)
        self.member = member

    # Not in `find_spec`: `find_spec("x") is not None` must stay a question, and a later entry must not answer instead
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Create the module.

        Raises:
            CExtensionError: nothing has said that its package may be a native guest.
        """
        if not self.member.is_native:
            raise native_error(self.member, spec.name, path=self.path)
        if reason := why_missing():
            raise native_error(self.member, spec.name, path=self.path, reason=reason)
        self.member.guard()
        member, source = self.member, self.member.source(self.path)
        # A plain import may load the very same file later, and must not get what a guest has made of it
        pins = [pin for plan in router.resident_plans for pin in plan.pins.values() if pin.resident]
        is_shared = any(pin.folder == member.pin.folder for pin in pins)
        return loading.create(spec, self.path, source, _plain(spec.name), member, kin=member.kin, is_shared=is_shared)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, and let what it defines bear the guest's name."""
        loading.execute(module, module.__spec__, _plain(self.name))
        self.member.settle(module)


def _plain(real: str) -> str:
    head, dot, rest = real.partition(".")
    return head.partition("@")[0] + dot + rest


def native_error(member: Member, module: str, **facts: object) -> CExtensionError:
    """Return the error that says that a member's extension modules cannot be loaded, and what there is instead.

    Args:
        member: the member.
        module: what was to be imported.
        facts: what else is known; a `reason` says why they cannot be loaded though they are allowed.
    """
    name, version = member.pin.name, member.pin.version
    why = "are not loaded here" if "reason" in facts else "are loaded beside another version only where that is allowed"
    allow = "" if "reason" in facts else f"allow it: use(..., native=True), or `native: [{name}]` in the project; or "
    return CExtensionError(
        f"{name} {version} has extension modules, which {why}",
        name=module,
        **facts,
        hint=f"{allow}keep it in a process of its own: envknit.worker({name!r}, {version!r}), or use(...,"
        " auto_worker=True); where its compiled parts are optional: use(..., pure=True)",
    )


def lost_error(member: Member, module: str) -> UnlockedError:
    """Return the error that says that the store has no folder of a member any more."""
    return UnlockedError(
        f"{member.title} is locked, but not in the store",
        name=module,
        folder=member.folder,
        hint="run: python -m envknit install",
    )


class AliasLoader:
    """Give a module that has another name in `sys.modules` under this one too."""

    def __init__(self, real: str) -> None:
        self.real = real
        self.spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002 - PEP 451
        """Import the module under its real name."""
        module = import_real(self.real)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module back the spec that `_init_module_attrs` (Lib/importlib/_bootstrap.py) has just replaced."""
        module.__spec__ = self.spec


class _GuestFolder(StoreFinder):
    """Finds one module of a guest in one folder."""

    def __init__(self, path: str, fullname: str, member: Member) -> None:
        super().__init__(path, member.plan.store, member.source(path))
        self.fullname = fullname
        self.member = member

    # Without `spec.cached`: bytecode of the store is found by its loader (PEP 3147 knows `__pycache__` alone)
    def _spec(self, _: str, within: str, suffix: str, *, is_package: bool) -> ModuleSpec | None:
        source = os.path.join(self.source, within)
        path = self.member.shown(source)
        loader: Any
        if suffix == ".py":
            loader = GuestLoader(self.fullname, path, self.member, source)
        else:
            loader = (GuestBytecodeLoader if suffix == ".pyc" else NativeLoader)(self.fullname, path, self.member)
        locations = [os.path.dirname(path)] if is_package else None
        return spec_from_file_location(self.fullname, path, loader=loader, submodule_search_locations=locations)

    def _list(self, folder: str) -> frozenset[str]:
        """List a folder; without native modules that have a twin in Python (mypyc, Cython) where they cannot be had."""
        if not folder.startswith(self.store + os.sep):
            try:
                found = frozenset(os.listdir(folder))  # no promise that it never changes
            except OSError:
                return frozenset()
        else:
            found = super()._list(folder)
        if self.member.is_native:
            return found
        return frozenset(n for n in found if not (n.endswith(EXTENSIONS) and n.partition(".")[0] + ".py" in found))


def _find_in(paths: Iterable[str], fullname: str, tail: str, member: Member) -> ModuleSpec | None:
    portions: list[str] = []
    for path in paths:
        # A finder looks for what follows the last dot, as PEP 451 says; the file is named `lib`, not `lib@1_0`
        spec = _GuestFolder(path, fullname, member).find_spec("." + tail)
        if spec is not None and spec.loader is not None:
            return spec
        if spec is not None:
            portions += spec.submodule_search_locations or ()
    return _namespace(fullname, portions) if portions else None


def _namespace(fullname: str, portions: list[str]) -> ModuleSpec:
    spec = ModuleSpec(fullname, None)  # PEP 420: no loader, but locations
    spec.submodule_search_locations = portions
    return spec


def _alias(fullname: str, real: str) -> ModuleSpec:
    return ModuleSpec(fullname, AliasLoader(real))  # type: ignore[arg-type] # no `Loader`: that is importlib.abc's


class GuestFinder:
    """Answers on `sys.meta_path` for names with an `@` at their head, and for aliases of `import_version`.

    Args:
        find_distributions: answers `importlib.metadata`, which asks each finder that has a method of this name.
    """

    def __init__(self, find_distributions: Callable[[Any], Iterable[Any]]) -> None:
        self.find_distributions = find_distributions

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,  # noqa: ARG002 - PEP 451
    ) -> ModuleSpec | None:
        """Find a module of a guest.

        Raises:
            ModuleNotFoundError: the store lost the member's folder, or a strict world lacks the name.
        """
        head, _, rest = fullname.partition(".")
        if "@" not in head:
            return self._find_plain(fullname, path)
        plain, _, tag = head.partition("@")
        if not tag:
            raise UnlockedError(f"No module named {plain!r} in this world, which is strict", name=plain)
        world = router.inhabited.get(tag)
        if world is not None:
            return world.find_spec(fullname, path)  # type: ignore[no-any-return] # see router.py
        portions = router.joined.get(head)
        if portions is not None:
            return _in_joined(fullname, portions, path) if rest else _namespace(head, [each for each, _ in portions])
        # A name with an `@` that is none of ours is left to whoever made it: no other finder looks for such a file
        member = router.member_of(head)
        return None if member is None else _in_member(fullname, member, path)

    def _find_plain(self, fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Find an alias, or with the other finders a resident whose name means something else to C code of guests."""
        head, dot, rest = fullname.partition(".")
        if head in router.aliases:
            return _alias(fullname, router.aliases[head] + dot + rest)
        if head not in names.guarded:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(fullname, path)) is not None:
                names.reserve(spec)
                return spec
        return None

    def invalidate_caches(self) -> None:
        """Forget the listings of folders; `importlib.invalidate_caches()` asks for it."""


def _in_member(fullname: str, member: Member, path: Sequence[str] | None) -> ModuleSpec | None:
    """Find a module of a guest; it is the resident where the name was pickled in a process that had it as a guest."""
    head, dot, rest = fullname.partition(".")
    plain = head.partition("@")[0]
    if not member.tag:
        return _alias(fullname, plain + dot + rest)
    if rest:
        return _find_in(path or (), fullname, rest.rpartition(".")[2], member)
    spec = _find_in([member.names[plain]], fullname, plain, member)
    if spec is None and not os.path.isdir(member.folder):
        raise lost_error(member, fullname)
    return spec


def _in_joined(fullname: str, portions: list[tuple[str, Member]], path: Sequence[str] | None) -> ModuleSpec | None:
    """Find what lies in a namespace package of several members: always the one module that its own member knows."""
    head, _, rest = fullname.partition(".")
    inner: list[tuple[str, str]] = []
    for folder in path or ():
        for root, member in portions:
            if folder == root or folder.startswith(root + os.sep):
                own = f"{router.own_name(member, head.partition('@')[0])}.{rest}"
                spec = _find_in([folder], own, rest.rpartition(".")[2], member)
                if spec is not None and spec.loader is not None:
                    return _alias(fullname, own)
                if spec is not None:
                    inner += [(each, own) for each in spec.submodule_search_locations or ()]
    if len(inner) == 1:
        return _alias(fullname, inner[0][1])
    return _namespace(fullname, [each for each, _ in inner]) if inner else None
