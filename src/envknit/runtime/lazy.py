"""Lazy imports (PEP 810, Python 3.15): what a name means is decided where its statement stands, not where it is used.

A lazy import that stands in a `use()` block and is first used after it gives the block's version; one that stands
before or outside a block gives what it would have given there, also if it is first used inside. The packages' own lazy
imports need nothing: Python keeps the builtins of the module with each, and so its `__import__`.

Only loaded where Python has lazy imports.
"""

from __future__ import annotations

import sys

from _opcode_metadata import opmap  # type: ignore[import-not-found,unused-ignore] # from Python 3.13 on

from envknit.runtime.asking import current, host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType
    from typing import Any

    from envknit.runtime.asking import Blocks

# An import statement, or a call of `__import__`; anything else that imports is the use of a lazy name
_STATEMENTS = frozenset(number for name, number in opmap.items() if name == "IMPORT_NAME" or name.startswith("CALL"))

_system: Any = sys
_earlier: list[Any] = []  # the filter that was there before ours, which decides as it did


def watch() -> None:
    """Note the blocks that are open where lazy imports are made."""
    if not _earlier:
        _earlier.append(_system.get_lazy_imports_filter())
        _system.set_lazy_imports_filter(_note)


def unwatch() -> None:
    """Put the earlier filter back, unless somebody put one in front of ours that may call it."""
    if _system.get_lazy_imports_filter() is _note:
        _system.set_lazy_imports_filter(_earlier.pop())


def _note(importer: str, name: str, fromlist: tuple[str, ...] | None) -> bool:
    lazily = _earlier[0] is None or bool(_earlier[0](importer, name, fromlist))
    blocks = current.get()
    namespace = sys._getframe(1).f_globals
    if lazily and blocks is not None and blocks.find(name.partition(".")[0]) is not None:
        host.waiting[_key(namespace, name, fromlist)] = namespace, blocks
    return lazily


def blocks_for(
    frame: FrameType, name: str, namespace: Mapping[str, Any] | None, fromlist: Sequence[str] | None
) -> Blocks | None:
    """Return the blocks that count for an import which the code of a frame has caused."""
    if namespace is not None:
        made: tuple[object, Blocks] | None = host.waiting.pop(_key(namespace, name, fromlist), None)
        if made is not None:
            return made[1]
        if frame.f_code.co_code[frame.f_lasti] not in _STATEMENTS:
            return None
    return current.get()


def _key(namespace: Mapping[str, Any], name: str, fromlist: Sequence[str] | None) -> object:
    return id(namespace), name, tuple(fromlist or ())
