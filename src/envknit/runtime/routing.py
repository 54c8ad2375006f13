"""The doors through which code asks for modules by name, and who stands behind each request.

Modules of guests have builtins of their own. Everybody else's `import` statements go through `builtins.__import__`,
and `importlib.import_module` with all that is built on it through `importlib._bootstrap._gcd_import`; both are replaced
at the first use of another version in a process, never before.
"""

from __future__ import annotations

import builtins
import os
import sys
from _contextvars import ContextVar
from _frozen_importlib import _resolve_name  # type: ignore[attr-defined] # not in typeshed

from envknit.runtime.linker import linker
from envknit.runtime.loader import finder, import_real, install_finder
from envknit.runtime.member import Member, original_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType
    from typing import Any

    from envknit.plan import Plan

_bootstrap: Any = sys.modules["_frozen_importlib"]
_original_gcd_import = _bootstrap._gcd_import  # noqa: SLF001 - the one function that import_module and copies of it call

_LIBRARY = os.path.dirname(os.__file__) + os.sep
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


# Packages that take a name from their caller as the library does: the backport of importlib.metadata, and pytest
# (`monkeypatch.setattr("requests.get", …)`, `mocker.patch`; `unittest.mock.patch` itself is part of the library)
_PASSING_ON = tuple(f"{os.sep}{name}{os.sep}" for name in ("importlib_metadata", "_pytest", "pytest_mock"))


class Blocks:
    """The open `use()` blocks of a context, outermost first; never changed once it is made.

    Args:
        blocks: what was entered.
    """

    __slots__ = ("blocks", "names", "openers")

    def __init__(self, blocks: tuple[Any, ...]) -> None:
        self.blocks = blocks
        self.names: dict[str, str] = {}
        for block in blocks:
            self.names.update(block.names)
        self.openers = frozenset(block.opener for block in blocks)


current: ContextVar[Blocks | None] = ContextVar("envknit.use", default=None)
defaults: dict[str, str] = {}  # top-level name -> name in sys.modules, for plain imports of the host outside blocks
importers: dict[str, Callable[..., ModuleType]] = {}  # name in sys.modules -> `__import__` for what lives elsewhere
default_pins: list[Member] = []  # what `defaults` came from, for importlib.metadata
waiting: dict[Any, Any] = {}  # lazy imports that were made in blocks and not used yet; see `lazy`
_lazy: list[Any] = []  # that module, where Python has lazy imports
_hosts: dict[str, bool] = {}  # __file__ -> whether its code is the host's own


def install() -> None:
    """Put the doors in place; from then on an import statement of the host costs a Python call more."""
    if builtins.__import__ is original_import:  # not yet, or whoever had replaced it before us put it back
        builtins.__import__ = _import  # type: ignore[assignment] # typeshed knows more of its parameters
    install_finder()
    if _bootstrap._gcd_import is _gcd_import:  # noqa: SLF001 - see above
        return
    _bootstrap._gcd_import = _gcd_import  # noqa: SLF001 - see above
    _replace_finds()
    configurator = getattr(sys.modules.get("logging.config"), "BaseConfigurator", None)
    if configurator is not None and configurator.importer is original_import:
        configurator.importer = staticmethod(_import)  # it kept the original when its class was made
    if hasattr(sys, "set_lazy_imports_filter"):
        from envknit.runtime import lazy  # noqa: PLC0415 - only where Python has lazy imports

        _lazy.append(lazy)
        lazy.watch()


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,  # noqa: A002 - `__import__`'s own parameter names
    locals: Mapping[str, Any] | None = None,  # noqa: A002 - as above
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> ModuleType:
    """Be `builtins.__import__`: give the host what its open blocks and defaults mean."""
    if level == 0 and (globals is None or defaults or current.get() is not None or waiting):
        head, dot, rest = name.partition(".")
        if head in linker.routed:
            member, asker = None, globals
            blocks = current.get()
            if _lazy:
                blocks = _lazy[0].blocks_for(sys._getframe(1), name, globals, fromlist)  # noqa: SLF001 - as below
            if globals is None:
                member, asker = find_asker(sys._getframe(1))  # noqa: SLF001 - nothing else tells who asked
            real = member.route(head) if member else chosen(head, asker, blocks)
            if real != head:
                importer = importers.get(real, original_import)
                return importer(real + dot + rest, globals, locals, fromlist, 0)
    return original_import(name, globals, locals, fromlist, level)


def _gcd_import(name: Any, package: str | None = None, level: int = 0) -> ModuleType:
    """Be what `importlib.import_module` calls: route by who called it."""
    if level > 0 and package and name:
        name, package, level = _resolve_name(name, package, level), None, 0
    if level == 0 and isinstance(name, str) and name.partition(".")[0] in linker.routed:
        return import_real(real_name(name, sys._getframe(1)))  # noqa: SLF001 - nothing else tells who asked
    module: ModuleType = _original_gcd_import(name, package, level)
    return module


def find_guest(real: str) -> ModuleSpec | None:
    """Find a guest by its top-level name in a process that has used no other version yet: `pickle` asks for it."""
    linker.refresh()
    spec = finder.find_spec(real)
    if spec is not None:  # a name that merely holds an `@` must not cost a process that uses no other version
        install()
    return spec


def real_name(name: str, frame: FrameType | None) -> str:
    """Return the name in `sys.modules` of what the code of a frame means by a dotted name."""
    member, asker = find_asker(frame)
    if member is not None:
        return member.real_name(name)
    head, dot, rest = name.partition(".")
    return chosen(head, asker, current.get()) + dot + rest


def find_asker(frame: FrameType | None) -> tuple[Member | None, Mapping[str, Any]]:
    """Find who asks: the nearest frame that is neither the standard library's nor ours.

    Returns:
        The member whose code it is (None: it is no guest's), and its globals.
    """
    while frame is not None:
        if not _passes_on(frame.f_code.co_filename):
            owner = getattr(frame.f_builtins.get("__import__"), "__self__", None)
            return (owner if isinstance(owner, Member) else None), frame.f_globals
        frame = frame.f_back
    return None, {}


def _passes_on(file: str) -> bool:
    if file.startswith((_OWN, "<frozen ")) or any(part in file for part in _PASSING_ON):
        return True
    return file.startswith(_LIBRARY) and "site-packages" not in file and "dist-packages" not in file


def chosen(head: str, asker: Mapping[str, Any] | None, blocks: Blocks | None) -> str:
    """Return the name in `sys.modules` of what code that is no guest's means by a top-level name, in these blocks."""
    if blocks is not None and head in blocks.names and is_host(asker, blocks.openers):
        return blocks.names[head]
    real = defaults.get(head)
    return real if real is not None and is_host(asker, ()) else head


def is_host(asker: Mapping[str, Any] | None, openers: frozenset[str] | tuple[str, ...]) -> bool:
    """Tell whether code is the host's own: not the standard library's, nor an installed package's.

    Those see what they were locked or installed with, whatever block is open; but a package that opens a block means
    its own imports, too.
    """
    if asker is None:
        return True
    file = asker.get("__file__")
    if not isinstance(file, str):
        return True
    found = _hosts.get(file)
    if found is None:
        found = _hosts[file] = not (
            file.startswith(_LIBRARY) or "site-packages" in file or "dist-packages" in file or _is_locked(file)
        )
    return found or str(asker.get("__name__")).partition(".")[0] in openers


def _is_locked(file: str) -> bool:
    return any(file.startswith(place) for plan in linker.plans for place in _places(plan))


def _places(plan: Plan) -> set[str]:
    """Return the folders that a plan's packages lie in: the store, and each `install_path`."""
    return {os.path.join(pin.folder if os.path.isabs(pin.folder) else plan.store, "") for pin in plan.pins.values()}


def forget_hosts() -> None:
    """Forget whose code is whose; more plans mean more packages."""
    _hosts.clear()


def _replace_finds() -> None:
    """Route the functions of the standard library that look a name up without importing it."""
    import importlib.util  # noqa: PLC0415 - only who uses another version pays for it
    import pkgutil  # noqa: PLC0415 - as above

    importlib.util.find_spec = _by_asker(importlib.util.find_spec)
    pkgutil.get_data = _by_asker(pkgutil.get_data)


def _by_asker(function: Callable[..., Any]) -> Callable[..., Any]:
    def routed(name: Any, *args: Any, **options: Any) -> Any:
        if isinstance(name, str) and name.partition(".")[0] in linker.routed:
            name = real_name(name, sys._getframe(1))  # noqa: SLF001 - nothing else tells who asked
        return function(name, *args, **options)

    routed.__name__, routed.__doc__, routed.__wrapped__ = function.__name__, function.__doc__, function  # type: ignore[attr-defined]
    return routed
