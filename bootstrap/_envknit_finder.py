"""Find and load modules of the active view for Python's own path-based import system (PEP 302, 420, 451).

The view's site-packages is a folder of links, and Python's own finder would give the same modules. These finders know
from the plan where each link leads: they ask for nothing at the top, list each folder below only once, and keep
bytecode by store entry, so that all views share it. The first import loads this module: it imports no other file.

PYTEST_DONT_REWRITE: see `_envknit_bootstrap`.
"""

import _imp
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import (  # type: ignore[attr-defined] # one name is not in typeshed
    MAGIC_NUMBER,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
    _compile_bytecode,
    spec_from_file_location,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType
    from typing import Any

    from _envknit_activation import Activation

EXTENSIONS = tuple(_imp.extension_suffixes())
_SUFFIXES = (*EXTENSIONS, ".py", ".pyc")  # the order in which Python's own finder tries them
_MOST_LINKS = 40  # on one path, as in the kernel (path_resolution(7))
_HEAD = MAGIC_NUMBER + (1).to_bytes(4, "little")  # a hash-based pyc that Python would never compare with its source
_KEY = 0x656E766B6E6974  # any number: it tells these files from those with a hash of their source
_SIZE = 16  # bytes of the header
# Set where a plan has guests: see linked.py
linked_loader: "Callable[[str, str, str], StoreLoader | None] | None" = None
linked_extension: "Callable[[str, str, str], ExtensionFileLoader] | None" = None


def pack_bytecode(code: "CodeType") -> bytes:
    """Return the bytes of a bytecode file."""
    body = marshal.dumps(code)
    return _HEAD + _imp.source_hash(_KEY, body) + body


def whole_bytecode(data: bytes) -> "memoryview | None":
    """Return what `marshal` may load of a bytecode file; None where one bit of it is not as it was written.

    Python trusts a `.pyc` blindly: one flipped bit in it changes what a program does, or ends it with SIGSEGV. The
    header has room for a hash of the source (PEP 552), which nothing compares for a source that never changes; here it
    is a hash of the bytecode itself.

    Cost: a microsecond for each kilobyte.
    """
    body = memoryview(data)[_SIZE:]
    return body if data[:_SIZE] == _HEAD + _imp.source_hash(_KEY, body) else None


def bytecode_path(store: str, source: str) -> str:
    """Name the file that holds the bytecode of a source file in the store, for this interpreter.

    Entries are read-only and every file in them is known, so bytecode has a folder of its own.

    Args:
        store: absolute path of the store.
        source: absolute path of a `.py` file in it.
    """
    return f"{store}{os.sep}bytecode{os.sep}{bytecode_tag(sys.flags.optimize)}{source[len(store) :]}c"


def bytecode_tag(level: int) -> str:
    """Name the folder of bytecode of this interpreter at one level of optimization: `cpython-312.opt-1`."""
    tag = sys.implementation.cache_tag
    return f"{tag}.opt-{level}" if level else str(tag)


class StoreLoader(SourceFileLoader):
    """Load a source file of a store entry, keeping its bytecode in the store's `bytecode` folder.

    An entry never changes, so where there is bytecode the source is not even looked at: one `stat` less a module than
    site-packages needs.

    Args:
        fullname: the module's name.
        path: its source file as the module knows it, in a view.
        store: absolute path of the store.
        source: the same file in its store entry.
    """

    def __init__(self, fullname: str, path: str, store: str, source: str) -> None:
        super().__init__(fullname, path)
        self.store = store
        self.source = source

    def get_code(self, fullname: str) -> "CodeType | None":
        """Return the module's code, from its bytecode where there is some for this very interpreter."""
        path = self.get_filename(fullname)
        if not self.source.startswith(self.store + os.sep):  # an `install_path` of a lock: not ours, and it may change
            return super().get_code(fullname)
        cached = bytecode_path(self.store, self.source)
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
        from envknit.regular import make_private  # noqa: PLC0415 - few write any: `install` compiled what they import

        make_private(os.path.dirname(path))
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
            file.write(data)
        os.replace(draft, path)
    except ImportError:  # envknit is gone, or a project has a module of that name
        return
    except OSError:
        if os.path.exists(draft):
            os.unlink(draft)


class StoreFinder(FileFinder):
    """Find modules in one folder as Python's own finder would, but list each folder of the store only once.

    Args:
        path: absolute path of the folder; what is found gets paths in it.
        store: absolute path of the store.
        source: the folder of the store that it leads to; by default itself. A folder that several entries share
            leads to none, and what lies in it is asked one by one.
    """

    _listings: dict[str, frozenset[str]] = {}  # noqa: RUF012 - shared on purpose: a package's folder is listed once

    def __init__(self, path: str, store: str, source: str = "") -> None:
        super().__init__(path)
        self.store = store
        self.source = source or path
        self._is_shared = self.source.startswith(os.path.join(store, "plans", ""))

    def find_spec(self, fullname: str, target: object = None) -> "ModuleSpec | None":
        """Find the module, or the portion of a namespace package, that this folder holds under that name."""
        tail = fullname.rpartition(".")[2]
        names = self._list(self.source)
        namespace = None
        # A package comes before a module, and both before a portion of a namespace package (PEP 420)
        if tail in names:
            inside = self._list(self._lead(tail))
            for suffix in _SUFFIXES:
                if "__init__" + suffix in inside:
                    return self._spec(fullname, os.path.join(tail, "__init__" + suffix), suffix, is_package=True)
            if inside or os.path.isdir(self._lead(tail)):
                namespace = os.path.join(self.path, tail)
        for suffix in _SUFFIXES:
            if tail + suffix in names:
                return self._spec(fullname, tail + suffix, suffix, is_package=False)
        if namespace is None:
            return None
        spec = ModuleSpec(fullname, None)
        spec.submodule_search_locations = [namespace]
        return spec

    def source_loader(self, fullname: str, path: str, source: str) -> StoreLoader:
        """Make the loader of one source file."""
        if linked_loader is not None and (loader := linked_loader(fullname, path, source)) is not None:
            return loader
        return StoreLoader(fullname, path, self.store, source)

    def invalidate_caches(self) -> None:
        """Forget what lies in this folder; `importlib.invalidate_caches()` asks for it."""
        self._listings.pop(self.source, None)

    def _spec(self, fullname: str, within: str, suffix: str, *, is_package: bool) -> "ModuleSpec | None":
        path, source = os.path.join(self.path, within), self._lead(within)
        loader: ExtensionFileLoader | StoreLoader | SourcelessFileLoader
        if suffix == ".py":
            loader = self.source_loader(fullname, path, source)
        elif suffix == ".pyc":
            loader = SourcelessFileLoader(fullname, path)
        else:
            loader = (linked_extension or _extension_loader)(fullname, path, source)
        locations = [os.path.dirname(path)] if is_package else None
        spec: ModuleSpec | None = spec_from_file_location(
            fullname, path, loader=loader, submodule_search_locations=locations
        )
        if spec is not None and suffix == ".py":
            spec.cached = bytecode_path(self.store, source)
        return spec

    def _lead(self, within: str) -> str:
        path = os.path.join(self.source, within)
        return _resolved(path, self.store) if self._is_shared else path

    def _list(self, folder: str) -> frozenset[str]:
        # Python's own finder asks for the time of the folder at each import (FileFinder._fill_cache): entries stay
        names = self._listings.get(folder)
        if names is None:
            try:
                names = frozenset(os.listdir(folder))
            except OSError:
                return frozenset()
            self._listings[folder] = names
        return names


def _extension_loader(fullname: str, path: str, _: str) -> ExtensionFileLoader:
    return ExtensionFileLoader(fullname, path)


def _resolved(path: str, store: str) -> str:
    """Follow the links of a view to the entry, and no others: an entry can be one, and so can the home folder."""
    plans = os.path.join(store, "plans", "")
    for _ in range(_MOST_LINKS):
        parts = path.split(os.sep) if path.startswith(plans) else []
        heads = (os.sep.join(parts[:end]) for end in range(plans.count(os.sep) + 1, len(parts) + 1))
        link = next(filter(os.path.islink, heads), "")
        if not link:
            break
        path = os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link))) + path[len(link) :]
    return path


def finder_below(path: str, activation: "Activation") -> StoreFinder:
    """Make the finder of a folder below the view's site-packages, or of one in the store."""
    site = activation.site + os.sep
    if not path.startswith(site):
        return StoreFinder(path, activation.store)
    head, _, rest = path[len(site) :].partition(os.sep)
    folders = activation.folders_of(head)
    if len(folders) != 1:
        return StoreFinder(path, activation.store, _resolved(path, activation.store))
    return StoreFinder(path, activation.store, os.path.join(activation.store, folders[0], head, rest).rstrip(os.sep))


def start(activation: "Activation") -> None:
    """Be ready for a plan: where it has guests, residents that depend on them must see them."""
    if "\tguest\n" in activation.text:
        activation.load("envknit.runtime.linked").start(activation)


def envknit_spec(activation: "Activation") -> "ModuleSpec | None":
    """Describe the package `envknit`: the one in the store that made the plan, if this very hook belongs to it."""
    from _envknit_bootstrap import MODULES  # noqa: PLC0415 - what compiles modules runs this file alone
    from _envknit_plans import same_file  # noqa: PLC0415 - as above

    placed = os.path.join(activation.store, activation.fact("runtime"))
    here = os.path.dirname(os.path.realpath(__file__))
    hook = [f"{name}.py" for name in ("_envknit_bootstrap", *MODULES)]
    belongs = here == placed or all(same_file(os.path.join(placed, name), os.path.join(here, name)) for name in hook)
    for root in (placed, here) if belongs else (here, placed):
        folder = os.path.join(root, "envknit")
        path = os.path.join(folder, "__init__.py")
        if os.path.exists(path):
            return spec_from_file_location("envknit", path, submodule_search_locations=[folder])
    raise ImportError("envknit is not where it was when this lock was installed; run its `install` again")


def find_top(fullname: str, activation: "Activation") -> "ModuleSpec | None":
    """Find a top-level module, package, or the folder of a namespace package (PEP 420) in the plan.

    Raises:
        ModuleNotFoundError: the plan names a folder that the store lost. It never falls through to another package of
            that name.
    """
    folders = [os.path.join(activation.store, folder) for folder in activation.folders_of(fullname)]
    if len(folders) == 1:
        spec = StoreFinder(activation.site, activation.store, folders[0]).find_spec(fullname)
        if spec is not None:
            return spec
    for folder in folders:
        if not os.path.isdir(folder):
            run = activation.load("_envknit_words").command("install", activation.lock)
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: {activation.lock} provides it, but the store lost {folder}\n"
                f"hint: run: {run}",
                name=fullname,
            )
    if len(folders) < 2:
        return None
    spec = ModuleSpec(fullname, None)
    spec.submodule_search_locations = [os.path.join(activation.site, fullname)]
    return spec


def find_distributions(context: "Any", activation: "Activation") -> "Iterable[Any]":
    """Find the metadata of `envknit` for who asks by its name: it can be imported, and is no pin."""
    # In no list of all, but for that by which pytest finds its plugins
    if context.name == "envknit" or _is_pytest_asking():
        found: Iterable[Any] = activation.load("envknit.runtime.metadata").find_envknit()
        return found
    return ()


def _is_pytest_asking() -> bool:
    """Tell whether the plugin manager of pytest lists distributions; the frames between are importlib.metadata's."""
    frame = sys._getframe(3)
    for _ in range(6):
        if frame.f_globals.get("__name__") == "pluggy._manager":
            return True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False
