"""Find and load modules of the store for Python's own path-based import system (PEP 302, 420, 451).

The lock is one entry on `sys.path`; `LockFinder` answers for it by looking names up in the plan. Everything below is a
real folder, which `StoreFinder` serves. Neither is asked for names that an earlier entry provides.
"""

from __future__ import annotations

import _imp
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import (  # type: ignore[attr-defined] # one name is not in typeshed
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
    _compile_bytecode,
    spec_from_file_location,
)

from _envknit_bootstrap import envknit_spec
from envknit.bytecode import pack_bytecode, whole_bytecode
from envknit.plan import bytecode_path
from envknit.regular import make_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from _envknit_bootstrap import Activation

EXTENSIONS = tuple(_imp.extension_suffixes())
_SUFFIXES = (*EXTENSIONS, ".py", ".pyc")  # the order in which Python's own finder tries them
linked_loader: Callable[[str, str], StoreLoader | None] | None = None  # set where a plan has guests: see linked.py


class StoreLoader(SourceFileLoader):
    """Load a source file of the store, keeping its bytecode in the store's `bytecode` folder.

    An entry never changes, so where there is bytecode the source is not even looked at: one `stat` less a module than
    site-packages needs.

    Args:
        fullname: the module's name.
        path: its source file.
        store: absolute path of the store.
    """

    def __init__(self, fullname: str, path: str, store: str) -> None:
        super().__init__(fullname, path)
        self.store = store

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the module's code, from its bytecode where there is some for this very interpreter."""
        path = self.get_filename(fullname)
        if not path.startswith(self.store + os.sep):  # an `install_path` of a lock: not ours, and it may change
            return super().get_code(fullname)
        cached = bytecode_path(self.store, path)
        try:
            data = self.get_data(cached)
        except OSError:
            data = b""
        body = whole_bytecode(data)
        if body is not None:
            found: CodeType = _compile_bytecode(body, fullname, cached, path)
            return found
        code = self.source_to_code(self.get_data(path), path)
        if not sys.dont_write_bytecode:
            _keep(cached, pack_bytecode(code))
        return code


def _keep(path: str, data: bytes) -> None:
    """Write a bytecode file in one step; where that may not be done the next process compiles again, as in Python."""
    draft = f"{path}.{os.getpid()}.{id(data)}"
    try:
        make_private(os.path.dirname(path))
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
            file.write(data)
        os.replace(draft, path)
    except OSError:
        if os.path.exists(draft):
            os.unlink(draft)


class StoreFinder(FileFinder):
    """Find modules in one folder of the store as Python's own finder would, but list each folder only once.

    Args:
        path: absolute path of the folder.
        store: absolute path of the store.
    """

    _listings: dict[str, frozenset[str]] = {}  # noqa: RUF012 - shared on purpose: a package's folder is listed once

    def __init__(self, path: str, store: str) -> None:
        super().__init__(path)
        self.store = store

    def find_spec(self, fullname: str, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 - PEP 451
        """Find the module, or the portion of a namespace package, that this folder holds under that name."""
        tail = fullname.rpartition(".")[2]
        names = self._list(self.path)
        namespace = None
        if tail in names:
            folder = os.path.join(self.path, tail)
            inside = self._list(folder)
            for suffix in _SUFFIXES:
                if "__init__" + suffix in inside:
                    return self._spec(fullname, os.path.join(folder, "__init__" + suffix), suffix, [folder])
            if inside or os.path.isdir(folder):
                namespace = folder
        for suffix in _SUFFIXES:
            if tail + suffix in names:
                return self._spec(fullname, os.path.join(self.path, tail + suffix), suffix, None)
        if namespace is None:
            return None
        spec = ModuleSpec(fullname, None)
        spec.submodule_search_locations = [namespace]
        return spec

    def source_loader(self, fullname: str, path: str) -> StoreLoader:
        """Make the loader of one source file."""
        if linked_loader is not None and (loader := linked_loader(fullname, path)) is not None:
            return loader
        return StoreLoader(fullname, path, self.store)

    def invalidate_caches(self) -> None:
        """Forget what lies in this folder; `importlib.invalidate_caches()` asks for it."""
        self._listings.pop(self.path, None)

    def _spec(self, fullname: str, path: str, suffix: str, locations: list[str] | None) -> ModuleSpec | None:
        loader: ExtensionFileLoader | StoreLoader | SourcelessFileLoader
        if suffix == ".py":
            loader = self.source_loader(fullname, path)
        elif suffix == ".pyc":
            loader = SourcelessFileLoader(fullname, path)
        else:
            loader = ExtensionFileLoader(fullname, path)
        spec: ModuleSpec | None = spec_from_file_location(
            fullname, path, loader=loader, submodule_search_locations=locations
        )
        if spec is not None and suffix == ".py":
            spec.cached = bytecode_path(self.store, path)
        return spec

    def _list(self, folder: str) -> frozenset[str]:
        names = self._listings.get(folder)
        if names is None:
            try:
                names = frozenset(os.listdir(folder))
            except OSError:
                return frozenset()
            self._listings[folder] = names
        return names


class LockFinder:
    """Answer for the lock's entry on `sys.path`: which folders of the store provide a top-level name.

    Args:
        activation: the plan in use.
    """

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        if "\tguest\n" in activation.text:
            activation.load("envknit.runtime.linked").start(activation)
        self._finders: dict[str, StoreFinder] = {}

    def find_spec(self, fullname: str, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 - PEP 451
        """Find a top-level module, package, or all portions of a namespace package (PEP 420).

        Raises:
            ModuleNotFoundError: the plan names a folder that the store lost. It never falls through to another
                package of that name.
        """
        if fullname == "envknit":
            spec: ModuleSpec | None = envknit_spec(self.activation)
            return spec
        portions: list[str] = []
        for folder in self._folders(fullname):
            spec = self._finder(folder).find_spec(fullname)
            if spec is None:
                if not os.path.isdir(folder):
                    raise self._lost(fullname, folder)
                continue
            if spec.loader is not None:
                return self._taught(spec)
            portions += spec.submodule_search_locations or ()
        if not portions:
            return None
        spec = ModuleSpec(fullname, None)
        spec.submodule_search_locations = portions
        return spec

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """List modules and packages for `pkgutil`; like Python's own, it leaves namespace packages out."""
        for name in sorted(self.import_names()):
            try:
                spec = self.find_spec(name)
            except ModuleNotFoundError:
                continue
            if spec is not None and spec.loader is not None:
                yield prefix + name, spec.submodule_search_locations is not None

    def invalidate_caches(self) -> None:
        """Forget what lies in the folders; the plan itself never changes."""
        for finder in self._finders.values():
            finder.invalidate_caches()

    def import_names(self) -> list[str]:
        """List every top-level import name of the plan, namespace packages among them."""
        lines = self.activation.text.split("\n")
        return [line.split("\t", 2)[1] for line in lines if line.startswith("import\t")]

    def _folders(self, name: str) -> list[str]:
        line = self.activation.fact(f"import\t{name}")
        return [os.path.join(self.activation.store, folder) for folder in line.split("\t")] if line else []

    def _taught(self, spec: ModuleSpec) -> ModuleSpec:
        if spec.name == "pkg_resources" and isinstance(spec.loader, StoreLoader):
            from envknit.runtime.working_set import PkgResourcesLoader

            spec.loader = PkgResourcesLoader(spec.loader, self.activation)
        return spec

    def _finder(self, folder: str) -> StoreFinder:
        found = self._finders.get(folder)
        if found is None:
            found = self._finders[folder] = StoreFinder(folder, self.activation.store)
        return found

    def _lost(self, name: str, folder: str) -> ModuleNotFoundError:
        return ModuleNotFoundError(
            f"No module named {name!r}: {self.activation.lock} provides it, but the store lost {folder}\n"
            "hint: run: python -m envknit install",
            name=name,
        )
