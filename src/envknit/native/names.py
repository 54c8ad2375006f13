"""What plain names mean to the C code of guests: entries of `sys.modules` that answer by who asks.

C code looks modules up by plain names in the one table of the interpreter, at any time and in any thread:
`PyImport_ImportModuleLevelObject`, `PyImport_GetModule`, `PyImport_Import` and `PyDict_GetItem` of
`PyImport_GetModuleDict()` (Python/import.c) all end in a look-up in that dict. A dict compares keys of equal hash with
`==` (`lookdict` in Objects/dictobject.c, since a key of ours makes it one of general keys). So a name that means
something else to a guest than to everybody else has several entries here, each equal to the name only for its world.
Nothing is swapped, so threads need not wait for each other.
"""

from __future__ import annotations

import sys
from _frozen_importlib import _find_and_load  # type: ignore[attr-defined] # not in typeshed
from _thread import get_ident

from envknit.native import arrays, askers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from types import FrameType, ModuleType
    from typing import Any

    from envknit.native.askers import World

_bootstrap: Any = sys.modules["_frozen_importlib"]
_lock_unlock_module = _bootstrap._lock_unlock_module
_load_unlocked = _bootstrap._load_unlocked

_meanings: dict[str, set[str]] = {}  # such a name -> what it means to guests, in `sys.modules`
guarded: set[str] = set()  # top-level names that mean something else to the C code of some guest


def import_real(name: str) -> ModuleType:
    """Import a module, and its parents, by their names in `sys.modules`, whoever asks."""
    # Below `__import__` and `_gcd_import`, which route by who asks. It takes the lock of the name as they do, so
    # threads that import one guest at once wait for each other (`_ModuleLockManager` in Lib/importlib/_bootstrap.py);
    # parents are imported by the function that it is given
    module: ModuleType = _find_and_load(name, import_real)
    return module


class Name(str):
    """A key of `sys.modules`, equal to a plain name for those to whom it means one module.

    As a text it is the module's real name, so a list of the table shows nothing new.

    Args:
        real: the module's name.
        plain: the name that it answers to.
    """

    __slots__ = ("_head", "_hidden_from", "_plain", "_real_head")

    def __new__(cls, real: str, plain: str) -> Name:  # noqa: PYI034 - Self is in typing from 3.11 on
        """Make the key."""
        made = super().__new__(cls, real)
        made._plain = plain
        made._head = plain.partition(".")[0]
        made._real_head = real.partition(".")[0]
        made._hidden_from = 0
        return made

    _plain: str
    _head: str
    _real_head: str
    _hidden_from: int  # the thread that puts it into the table now

    @property
    def is_alias(self) -> bool:
        """Whether it is a guest's, which has its real name in the table, too."""
        return self._head != self._real_head

    def __hash__(self) -> int:
        return hash(self._plain)

    def __eq__(self, other: object) -> bool:
        if type(other) is not str:
            return self is other
        if other != self._plain or self._hidden_from == get_ident():
            return False
        caller = sys._getframe(0).f_back
        if sys.is_finalizing() if caller is None else caller.f_code in _python_askers:
            return not self.is_alias
        world = askers.asking(here := askers.frames(), askers.backtrace(here, askers.DEPTH)) or _meant.get(get_ident())
        return (self._head if world is None else world.route(self._head)) == self._real_head

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)  # `pickle` takes a module's name from the table (`whichmodule` in Lib/pickle.py)


_meant: dict[int, World] = {}  # thread -> whose code C code of nobody looks a name up for, just now


class _Meaning:
    def __init__(self, world: World) -> None:
        _meant[get_ident()] = world

    def __del__(self) -> None:
        _meant.pop(get_ident(), None)


def import_meant(world: World, name: str, fromlist: Any) -> ModuleType:
    """Import a module for C code of nobody that a guest's code called, such as an unpickler.

    Args:
        world: the guest.
        name: what it asks for, by the plain name.
        fromlist: the list of `PyImport_Import` (Python/import.c), which lives until it has looked the name up.
    """
    module = import_for(world, name)
    fromlist.append(_Meaning(world))
    return module


# Functions of Python that look plain names up for code whose world is known already: C code does not call through them
_python_askers = {
    getattr(_bootstrap, name).__code__
    for name in ("_find_and_load", "_find_and_load_unlocked", "_load_unlocked", "_find_spec", "_handle_fromlist")
}


def asks_for_itself(function: Any) -> None:
    """Note a function of Python that looks up plain names for code of no guest."""
    _python_askers.add(function.__code__)


def guard(world: World, heads: Iterable[str]) -> None:
    """Let a guest's C code find what top-level names mean to it; afterwards others find what they found before.

    Args:
        world: the guest.
        heads: the names; those that mean the same to it as to everybody else stay as they are.
    """
    meant = {head: real for head in heads if (real := world.route(head)) != head}
    new = meant.keys() - guarded
    for head, real in meant.items():
        if real is not None:
            _meanings.setdefault(head, set()).add(real)
    if not new:
        return
    guarded.update(new)
    _bootstrap._find_and_load = _find
    _bootstrap._lock_unlock_module = _wait_for
    _bootstrap._load_unlocked = _load
    # What other threads have found and not yet loaded was found as if nothing were guarded
    for spec in _found_by_others(new):
        reserve(spec, is_shown=True)
    for name in list(sys.modules):
        if type(name) is str and name.partition(".")[0] in new:
            _reserve(name)


def show(real: str, plain: str, module: ModuleType | None) -> None:
    """Let the C code of a guest find a module under its plain name.

    Args:
        real: its name in `sys.modules`.
        plain: the name that the guest knows it by.
        module: None: it is being made, and who asks for it now imports it.
    """
    if plain.partition(".")[0] in guarded:
        key = _aliases.setdefault(real, Name(real, plain))
        sys.modules[key] = module  # type: ignore[assignment] # to C code None is as good as nothing


def hide(real: str) -> None:
    """Take back what `show` did."""
    key = _aliases.pop(real, None)
    if key is not None:
        sys.modules.pop(key, None)


_aliases: dict[str, Name] = {}  # real name -> its key, but for the one of the real name itself


def _reserve(name: str) -> None:
    """Let a plain entry be found by everybody but the guests to whom its name means something else."""
    module = sys.modules.get(name)
    if module is None:
        return
    # Put in before the old key goes, so that at no moment the name is missing for others: for this thread alone the new
    # keys are unlike the old one. Two where it is being loaded: at the end `_load_unlocked`, in
    # Lib/importlib/_bootstrap.py, takes one out, and puts the module under the other
    is_loading = getattr(getattr(module, "__spec__", None), "_initializing", False)
    keys = [Name(name, name) for _ in range(1 + is_loading)]
    for key in keys:
        key._hidden_from = get_ident()
        sys.modules[key] = module
    sys.modules.pop(name, None)
    for key in keys:
        key._hidden_from = 0


def _found_by_others(heads: Collection[str]) -> list[Any]:
    """List the specs of modules below these names that are just being imported and are not in the table yet."""
    specs = []
    for frame in sys._current_frames().values():
        at: FrameType | None = frame
        while at is not None:
            # `spec` of `_find_and_load_unlocked`; where it is not set, `_load` comes next
            spec = at.f_locals.get("spec") if at.f_code is _finding_code else None
            if spec is not None and spec.name.partition(".")[0] in heads and spec.name not in sys.modules:
                specs.append(spec)
            at = at.f_back
    return specs


def _load(spec: Any) -> ModuleType:
    """Be what importlib calls to load what it has found (`_find_and_load_unlocked` in Lib/importlib/_bootstrap.py)."""
    if spec.name.partition(".")[0] in guarded:
        reserve(spec)
    module: ModuleType = _load_unlocked(spec)
    return module


def reserve(spec: Any, *, is_shown: bool = False) -> None:
    """Reserve the entry of a module that is about to be loaded under a plain name; more calls do nothing.

    Args:
        spec: its spec.
        is_shown: whether what guests mean by the name is put into the table now: it may be created already.
    """
    loader = spec.loader
    if not (hasattr(loader, "create_module") and hasattr(loader, "exec_module") and hasattr(loader, "__dict__")):
        return  # a namespace package
    if isinstance(loader, type) or "exec_module" in vars(loader):  # a part of the interpreter, or it is reserved
        return
    reserved = _Reserved(spec.name, loader)
    loader.create_module, loader.exec_module = reserved.create_module, reserved.exec_module
    if is_shown:
        reserved.show()


class _Reserved:
    """What the loader of a plain name does where that means something else to guests.

    Args:
        name: the name.
        loader: does the rest.
    """

    def __init__(self, name: str, loader: Any) -> None:
        self._name = name
        self._create, self._execute = loader.create_module, loader.exec_module
        self._shown: list[str] = []

    def show(self) -> None:
        # From here on until it is reserved, importlib puts it into the table by its plain name. What guests mean by the
        # name stands before it there, so that other threads find that; to C code None is as good as nothing
        head, dot, rest = self._name.partition(".")
        for real in [real_head + dot + rest for real_head in _meanings.get(head, ())]:
            if real not in _aliases:
                self._shown.append(real)
                show(real, self._name, sys.modules.get(real))

    def create_module(self, spec: Any) -> ModuleType | None:
        self.show()
        module: ModuleType | None = self._create(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        _reserve(self._name)
        for real in self._shown:
            if real in _aliases and sys.modules.get(_aliases[real]) is None:
                hide(real)
        try:
            self._execute(module)
        except BaseException:
            sys.modules.pop(self._name, None)  # the second entry; importlib takes the other out
            raise
        if self._name == "numpy":
            arrays.settle()


def _find(name: str, import_: Any) -> ModuleType:
    """Be what `PyImport_ImportModuleLevelObject` calls for a name that it has not found in the table."""
    # It looks the attribute up in the module `importlib._bootstrap` at each call (`import_find_and_load` in
    # Python/import.c); `_gcd_import` calls it from Python, for code whose world is known
    original: Callable[[str, Any], ModuleType] = _find_and_load
    if name.partition(".")[0] not in guarded:
        return original(name, import_)
    if sys._getframe(1).f_code is not _gcd_code:
        world = askers.asking(here := askers.frames(), askers.backtrace(here, askers.DEPTH))
        if world is not None:
            return import_for(world, name)
    return original(name, import_)


_gcd_code = _bootstrap._gcd_import.__code__
_finding_code = _bootstrap._find_and_load_unlocked.__code__


def import_for(world: World, name: str) -> ModuleType:
    """Import what a plain name means to a guest, so that its C code finds it by that name."""
    real = world.real_name(name)
    module = import_real(real)
    if real != name:
        while name:
            show(real, name, sys.modules.get(real, module))
            real, name = real.rpartition(".")[0], name.rpartition(".")[0]
    return module


def _wait_for(name: str) -> None:
    """Wait until a module is initialised that another thread imports; C code knows its plain name alone."""
    if name.partition(".")[0] in guarded and sys._getframe(1).f_code not in _python_askers:
        world = askers.asking(here := askers.frames(), askers.backtrace(here, askers.DEPTH))
        if world is not None:
            name = world.real_name(name)
    _lock_unlock_module(name)


asks_for_itself(_reserve)
asks_for_itself(_found_by_others)
