"""Patched import entry points: `__import__`, `import_module`, and what looks a module up by its name.

Modules of guests have builtins of their own. Everybody else's `import` statements go through `builtins.__import__`,
and `importlib.import_module` with all that is built on it through `importlib._bootstrap._gcd_import`; both are replaced
at the first use of another version in a process, never before.
"""

from __future__ import annotations

import builtins
import functools
import sys
from _frozen_importlib import _resolve_name  # type: ignore[attr-defined] # not in typeshed
from contextlib import suppress

from envknit.errors import UnlockedError
from envknit.native import askers, names
from envknit.native.names import import_real
from envknit.runtime.asking import current, find_asker, host, import_outside
from envknit.runtime.guests import GuestFinder
from envknit.runtime.importer import original_import
from envknit.runtime.metadata import find_distributions
from envknit.runtime.router import router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType
    from typing import Any

# `import_module` looks `_bootstrap._gcd_import` up at each call (Lib/importlib/__init__.py); a replaced
# `importlib.import_module` would miss whoever has it by `from importlib import import_module`
_bootstrap: Any = sys.modules["_frozen_importlib"]
_original_gcd_import = _bootstrap._gcd_import
_finder = GuestFinder(find_distributions)

# Read at every import statement of the host. Bound here, since for a name that a module has imported the compiler makes
# no LOAD_ATTR for methods (`is_import_originated` in Python/compile.c), and a method object at each call costs 40 ns
_open_blocks, _means, _defaults, _waiting = current.get, host.means, host.defaults, host.waiting
_guarded = names.guarded

_lazy: list[Any] = []  # the module `lazy`, where Python has lazy imports
_replaced: list[tuple[Any, str, Any]] = []  # (where, name, the original) of every attribute but the two above


def install() -> None:
    """Put the doors in place; from then on an import statement of the host costs a Python call more."""
    # IMPORT_NAME calls the C function directly while `builtins.__import__` is the original (`import_name` in
    # Python/ceval.c); from here on it makes a call, which is what a process that uses other versions pays
    if builtins.__import__ is original_import:  # not yet, or whoever had replaced it before us put it back
        builtins.__import__ = _import  # type: ignore[assignment] # typeshed knows more of its parameters
    if _finder not in sys.meta_path:
        # First: a guest's name must reach no finder that would look for a file called `lib@1_0`
        sys.meta_path.insert(0, _finder)
    if "pytest" in sys.modules and not any(name == "importorskip" for _, name, _ in _replaced):
        for module in ("pytest", "_pytest.outcomes"):
            _replace(sys.modules[module], "importorskip", _importing)
    if _bootstrap._gcd_import is _gcd_import:
        return
    _bootstrap._gcd_import = _gcd_import
    import importlib.util
    import pkgutil

    _replace(importlib.util, "find_spec", _finding)
    _replace(pkgutil, "get_data", _finding)
    configurator = getattr(sys.modules.get("logging.config"), "BaseConfigurator", None)
    if configurator is not None and configurator.importer is original_import:
        # It keeps the original since its class was made (Lib/logging/config.py)
        _replace(configurator, "importer", lambda _: staticmethod(_import))
    if hasattr(sys, "set_lazy_imports_filter"):  # PEP 810
        from envknit.runtime import lazy

        lazy.watch()
        _lazy.append(lazy)


def remove() -> None:
    """Take the doors away again; they stay where they are needed: for a block that is open here, and for guests.

    A guest imports late, and by names that the finder alone can find.
    """
    if current.get() is not None or host.waiting or any("@" in name for name in sys.modules):
        return
    if builtins.__import__ is _import:  # else somebody wrapped it, and would call it all the same
        builtins.__import__ = original_import
    if _bootstrap._gcd_import is _gcd_import:
        _bootstrap._gcd_import = _original_gcd_import
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    while _lazy:
        _lazy.pop().unwatch()
    while _replaced:
        owner, name, original = _replaced.pop()
        setattr(owner, name, original)


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    original = getattr(owner, name)
    _replaced.append((owner, name, original))
    setattr(owner, name, make(original))


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,  # noqa: A002 - `__import__`'s own parameter names
    locals: Mapping[str, Any] | None = None,  # noqa: A002 - as `globals`
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> ModuleType:
    """Be `builtins.__import__`: give the host what its open blocks and defaults mean."""
    blocks = _open_blocks()
    if level == 0 and (
        blocks is not None or globals is None or _defaults or _waiting or (globals is locals and _guarded)
    ):
        is_in_world = blocks is not None and blocks.own is not None
        head, dot, rest = name.partition(".")
        if globals is locals and head in _guarded and fromlist == []:
            world = askers.asking(here := askers.frames(), askers.backtrace(here, askers.DEPTH))
            if world is not None:
                return names.import_for(world, name)
        if is_in_world or head in router.routed:
            if globals is None or _lazy:
                real = _real_head(name, head, globals, fromlist, sys._getframe(1))
            else:
                real = _means(head, globals, blocks)
            # PyImport_Import (Python/import.c) gives one dict and an empty list, and then reads `sys.modules[name]`: so
            # does the C code of pickle, whose plain names are the residents'
            if real != head and not (globals is locals and fromlist == []):
                importer = host.importers.get(real, original_import)
                return importer(real + dot + rest, globals, locals, fromlist, 0)
            if blocks is not None and is_in_world:
                return import_outside(blocks, name, globals, locals, fromlist, 0)
    return original_import(name, globals, locals, fromlist, level)


def _is_in_world() -> bool:
    """Tell whether a world's block is open: any name may mean a module of the project there."""
    blocks = current.get()
    return blocks is not None and blocks.own is not None


def _real_head(name: str, head: str, asker: Mapping[str, Any] | None, fromlist: Sequence[str], frame: FrameType) -> str:
    """Return the real name of a top-level name for a call, `__import__(name)`, or where Python has lazy imports."""
    blocks = _lazy[0].blocks_for(frame, name, asker, fromlist) if _lazy else current.get()
    # A statement gives the globals of its code (IMPORT_NAME), a call gives them only where its author thought of it
    if asker is None:
        member, asker = find_asker(frame)
        if member is not None:
            return member.real_name(head)
    return host.means(head, asker, blocks)


def _gcd_import(name: Any, package: str | None = None, level: int = 0) -> ModuleType:
    """Be what `importlib.import_module` calls: route by who called it."""
    if level > 0 and package and name:
        # Resolved here, as the original would do it, since a relative name can leave the package: `..other`
        name, package, level = _resolve_name(name, package, level), None, 0
    if level == 0 and isinstance(name, str) and _may_differ(name):
        return import_real(real_name(name, sys._getframe(1)))
    module: ModuleType = _original_gcd_import(name, package, level)
    return module


def _may_differ(name: str) -> bool:
    """Tell whether a dotted name may mean something else to some code than to Python."""
    return bool(name.partition(".")[0] in router.routed or router.inhabited or _is_in_world())


def find_guest(real: str) -> ModuleSpec | None:
    """Find a guest by its top-level name in a process that has used no other version yet: `pickle` asks for it."""
    router.refresh()
    spec = _finder.find_spec(real)
    if spec is not None:  # a name that merely holds an `@` must not cost a process that uses no other version
        install()
    return spec


def real_name(name: str, frame: FrameType | None) -> str:
    """Return the name in `sys.modules` of what the code of a frame means by a dotted name.

    Raises:
        UnlockedError: it is a guest's, which was locked without.
    """
    member, asker = find_asker(frame)
    if member is not None:
        return member.real_name(name)
    head, dot, rest = name.partition(".")
    return host.means(head, asker, current.get()) + dot + rest


def _finding(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function that finds a module by its name, so that the name means what it means to the caller."""

    def find(name: Any, *args: Any, **options: Any) -> Any:
        if isinstance(name, str) and _may_differ(name):
            try:
                name = real_name(name, sys._getframe(1))
            except UnlockedError:
                if "." in name:  # the parent package is imported, and missing: as in Lib/importlib/util.py
                    raise
                return None  # a feature test: `find_spec("x") is not None`
        return function(name, *args, **options)

    return functools.update_wrapper(find, function)


def _importing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `pytest.importorskip`, which imports a name and then reads `sys.modules` (src/_pytest/outcomes.py)."""

    def import_or_skip(modname: str, *args: Any, **options: Any) -> Any:
        if _may_differ(modname):
            with suppress(UnlockedError):  # it is missing for the caller: the import itself will say so
                modname = real_name(modname, sys._getframe(1))
        return function(modname, *args, **options)

    return functools.update_wrapper(import_or_skip, function)


names.asks_for_itself(_import)
names.asks_for_itself(_gcd_import)
