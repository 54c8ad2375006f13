"""A fault of CPython 3.12.0 to 3.12.3, and how to live with it: gh-119213.

A C function of the standard library that is called with keywords for the first time keeps a tuple of its parameters'
names in static memory. In these versions the tuple belongs to the interpreter that made the call, and the main one
frees it when the process ends: after `math.isclose(1, 1, rel_tol=0.1)` in an interpreter with a GIL of its own the
process aborts. Nothing is freed that somebody else still holds. So each such tuple is found, and held for ever.
"""

from __future__ import annotations

import gc
import sys
from _frozen_importlib_external import ExtensionFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_signatures: set[tuple[str, ...]] = set()
_looked_at: set[str] = set()


def watch() -> None:
    """Look for such tuples from now on, before the garbage collector stops to track them."""
    gc.callbacks.append(_before_collection)


def hold() -> None:
    """Hold those that are new since the last collection."""
    for name in sys.modules.keys() - _looked_at:
        _looked_at.add(name)
        module = sys.modules[name]
        if isinstance(getattr(module, "__loader__", None), ExtensionFileLoader):
            _signatures.update(_parameters(module))
    found: list[object] = [each for each in gc.get_objects(generation=0) if type(each) is tuple and _is_signature(each)]
    if found:
        # A code object is no container to the garbage collector. In a cycle with one, the list is never freed.
        code = hold.__code__.replace(co_consts=(None, found))
        found.append(code)


def _is_signature(each: tuple[object, ...]) -> bool:
    # A tuple may be in the making, and its empty places must not be touched: the traversal of the garbage collector
    # passes over them. It goes from the end to the start.
    items = gc.get_referents(each)
    return len(items) == len(each) and all(type(item) is str for item in items) and tuple(items[::-1]) in _signatures


def _before_collection(phase: str, _: dict[str, int]) -> None:
    if phase == "start":
        hold()


def _parameters(module: object) -> Iterator[tuple[str, ...]]:
    for owner in [module, *(value for value in vars(module).values() if isinstance(value, type))]:
        for value in [owner, *vars(owner).values()]:
            signature = getattr(value, "__text_signature__", None)
            if isinstance(signature, str):
                yield _names(signature)


def _names(signature: str) -> tuple[str, ...]:
    """Return the parameters that can be given by keyword: `($self, a, /, b=1, *, c)` gives b and c."""
    words = [word.strip() for word in signature.strip("()").split(",")]
    if "/" in words:
        del words[: words.index("/") + 1]
    names = [word.partition("=")[0] for word in words]
    return tuple(name for name in names if name.isidentifier())
