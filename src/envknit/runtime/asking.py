"""Who asks for a name, and what the host's own code means by it: open blocks, defaults."""

from __future__ import annotations

import os
import sys
from _contextvars import ContextVar

from envknit.runtime.activation import active
from envknit.runtime.importer import Importer, original_import
from envknit.runtime.router import router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType, ModuleType
    from typing import Any

    from envknit.plan import Pin, Plan

_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")
_SITE = ("site-packages", "dist-packages")  # the second is Debian's
_OWN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")

# Packages that take a name from their caller as the library does: the backport of importlib.metadata, and pytest
# (`monkeypatch.setattr("requests.get", …)`, `mocker.patch`; `unittest.mock.patch` itself is part of the library)
_PASSING_ON = frozenset(["importlib_metadata", "_pytest", "pytest", "pytest_mock", "pluggy", "xdist", "execnet"])


class Blocks:
    """The open blocks of a context, outermost first; never changed once it is made.

    Args:
        blocks: what was entered; each has `names`, `held`, `opener`, and `own` where it is a world's.
    """

    __slots__ = ("_named", "_opened", "_outside", "blocks", "find", "openers", "own")

    def __init__(self, blocks: tuple[Any, ...]) -> None:
        self.blocks = blocks
        self.own: Any = None  # how the innermost world says what names mean
        self._named: dict[str, str] = {}  # what the blocks inside of it say
        self._outside: dict[str, str] = {}  # and those around it
        for block in blocks:
            if block.own is not None:
                self.own, self._named, self._outside = block.own, {}, {**self._outside, **self._named}
            self._named.update(block.names)
        # Returns the name in `sys.modules` of what a top-level name means in them; None: they do not say
        self.find: Callable[[str], str | None] = self._named.get if self.own is None else self._find_in_world
        self.openers = frozenset(block.opener for block in blocks)
        self._opened: dict[str, Blocks] = {}

    def _find_in_world(self, head: str) -> str | None:
        real = self._named.get(head)
        if real is not None:
            return real
        real = self.own.settled(head)
        if real is None:
            return f"{head}@"  # which is in no table: the world is strict
        return real if real != head or head in self.own.target.names else self._outside.get(head)

    def opened_in(self, tag: str) -> Blocks:
        """Return those that code of a world has opened; its own imports go by these alone."""
        found = self._opened.get(tag)
        if found is None:
            inside = tuple(block for block in self.blocks if block.opener.partition("@")[2] == tag)
            found = self._opened[tag] = Blocks(inside)
        return found


# A context variable, no thread-local (PEP 567): a task and `contextvars.copy_context()` inherit what is open, a thread
# begins with nothing. A generator has no context of its own (PEP 568 was deferred), so block.py drives them by hand
current: ContextVar[Blocks | None] = ContextVar("envknit.use", default=None)


def import_outside(blocks: Blocks, name: str, *rest: Any) -> ModuleType:
    """Import what a world shares with the program: should that be its first import, it must not see the world.

    Args:
        blocks: what is open.
        name: as for `__import__`.
        rest: what else that takes.
    """
    current.set(None)
    try:
        return original_import(name, *rest)
    finally:
        current.set(blocks)


class Host:
    """What the host's own code means by names, and which code that is; one for the process.

    `defaults` writes the first two tables, whatever holds packages elsewhere the third, `lazy` the last.
    """

    def __init__(self) -> None:
        self.defaults: dict[str, str] = {}  # top-level name -> name in sys.modules, where no block says otherwise
        self.default_pins: list[tuple[Plan, Pin]] = []  # what they came from, for importlib.metadata
        self.importers: dict[str, Callable[..., ModuleType]] = {}  # name in sys.modules -> its own `__import__`
        self.waiting: dict[Any, Any] = {}  # lazy imports that were made in blocks and are not used yet
        self._is_own: dict[str, bool] = {}  # `__file__` -> whether it is the host's own code
        self._known: object = None  # the plans that these answers go by

    def means(self, head: str, asker: Mapping[str, Any] | None, blocks: Blocks | None) -> str:
        """Return the name in `sys.modules` of what code that is no guest's means by a top-level name, in these blocks.

        Args:
            head: the name.
            asker: the globals of the code.
            blocks: those that count for it.
        """
        if blocks is not None and self.owns(asker, blocks.openers):
            found = blocks.find(head)
            if found is not None:
                return found
        real = self.defaults.get(head)
        return real if real is not None and self.owns(asker) else head

    def owns(self, asker: Mapping[str, Any] | None, openers: frozenset[str] = frozenset()) -> bool:
        """Tell whether code is the host's own: not the standard library's, nor an installed package's.

        Those see what they were locked or installed with, whatever block is open; but a package that opens a block
        means its own imports, too.

        Args:
            asker: the globals of the code; None: of whoever runs.
            openers: top-level names of the modules that opened the blocks.
        """
        file = asker.get("__file__") if asker is not None else None
        if asker is None or not isinstance(file, str):
            return True
        if self._known is not router.plans:
            self._is_own.clear()
            self._known = router.plans
        found = self._is_own.get(file)
        if found is None:
            found = self._is_own[file] = not is_installed(file)
        return found or str(asker.get("__name__")).partition(".")[0] in openers


host = Host()


def is_installed(file: str) -> bool:
    """Tell whether a file belongs to the standard library or to an installed package, wherever `site` or a lock has it.

    Cost: a walk over `sys.path` and all pins.
    """
    # Not by `site.getsitepackages()`: what a lock hides, a worker puts back, or a person adds by hand lies elsewhere
    activation = active()
    entries = [*sys.path, *(activation.hidden if activation is not None else ())]
    folders = [each for each in map(os.path.abspath, entries) if os.path.basename(each) in _SITE]
    for plan in router.plans:
        folders.append(plan.store)
        folders += [pin.folder for pin in plan.pins.values() if os.path.isabs(pin.folder)]  # an `install_path`
    return file.startswith((_LIBRARY, *(os.path.join(each, "") for each in folders)))


def find_asker(frame: FrameType | None) -> tuple[Importer | None, Mapping[str, Any]]:
    """Find who asks: the nearest frame that is neither the standard library's nor ours.

    Returns:
        Whose code it is (None: neither a guest's nor a world's), and its globals.
    """
    while frame is not None:
        if not _passes_on(frame):
            # A frame has the builtins of its function (PyFrame's f_builtins, since 3.10 kept by the function itself)
            owner = getattr(frame.f_builtins.get("__import__"), "__self__", None)
            return (owner if isinstance(owner, Importer) else None), frame.f_globals
        frame = frame.f_back
    return None, {}


def _passes_on(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    if file.startswith((_OWN, "<frozen ")):  # importlib and, since 3.11, what start-up loads (Python/frozen.c)
        return True
    if file.startswith(_LIBRARY) and file[len(_LIBRARY) :].partition(os.sep)[0] not in _SITE:
        return True
    name = str(frame.f_globals.get("__name__"))
    if name == "__main__":
        name = str(frame.f_globals.get("__package__"))  # `python -m pytest`
    return name.partition(".")[0].partition("@")[0] in _PASSING_ON
