"""Make a used interpreter as new, so that it can serve again.

CPython does not give back the memory of a destroyed interpreter (2 to 3 MB each with a GIL of its own, measured on
3.12.1 and 3.13.0; 0.1 to 0.2 MB with a shared one). So interpreters are kept and used again, and what was done in one
must not show in the next: every module that came is dropped, and those that were there get back what they held.
"""

from __future__ import annotations

import _thread
import atexit
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_CONTAINERS = (dict, list, set)
_UNTOUCHED = frozenset({"modules", "__builtins__"})  # sys.modules is restored by name


class Snapshot:
    """How the interpreter looks now: modules, what they hold, and the classes that they define."""

    def __init__(self) -> None:
        self._modules = dict(sys.modules)
        self._contents = [_Content(module) for module in self._modules.values()]
        self._environ = dict(os.environ._data)  # type: ignore[attr-defined] # not in typeshed
        self._limit = sys.getrecursionlimit()
        self._gc = gc.isenabled(), gc.get_threshold()

    def end_program(self) -> bool:
        """Do what Python does when a program ends: wait for its threads, then run its exit handlers.

        Returns:
            Whether all its threads ended.
        """
        threading = sys.modules.pop("threading", None)  # or Python would ask it again (3.12 complains then)
        if threading is not None:
            threading._shutdown()
        atexit._run_exitfuncs()
        return not _thread._count()

    def restore(self) -> bool:
        """Make everything as it was; tell whether that was possible."""
        monitoring = getattr(sys, "monitoring", None)
        if monitoring is not None and any(monitoring.get_tool(tool) for tool in range(6)):
            return False
        sys.settrace(None)
        sys.setprofile(None)
        atexit._clear()
        for name in [name for name in sys.modules if name not in self._modules]:
            del sys.modules[name]
        sys.modules.update(self._modules)
        for content in self._contents:
            content.restore()
        os.environ._data.clear()  # type: ignore[attr-defined] # not in typeshed
        os.environ._data.update(self._environ)  # type: ignore[attr-defined] # as above
        sys.setrecursionlimit(self._limit)
        enabled, threshold = self._gc
        gc.set_threshold(*threshold)
        (gc.enable if enabled else gc.disable)()
        gc.collect()
        return True


class _Content:
    """What one module holds; containers and classes with what is in them."""

    def __init__(self, module: ModuleType) -> None:
        self._names = vars(module)
        self._values = dict(self._names)
        values = {key: value for key, value in self._values.items() if key not in _UNTOUCHED}
        self._containers = [(value, value.copy()) for value in values.values() if type(value) in _CONTAINERS]
        self._classes = [
            (value, dict(vars(value)))
            for value in values.values()
            if isinstance(value, type) and value.__module__ == module.__name__ and value.__flags__ & 1 << 9
        ]  # bit 9: a class made at run time, whose attributes can be set

    def restore(self) -> None:
        self._names.update(self._values)
        for name in [name for name in self._names if name not in self._values]:
            del self._names[name]
        for container, copy in self._containers:
            _refill(container, copy)
        for kind, attributes in self._classes:
            _reset_class(kind, attributes)


def _refill(container: Any, copy: Any) -> None:
    if type(container) is list:
        container[:] = copy
    else:
        container.clear()
        container.update(copy)


def _reset_class(kind: type, attributes: dict[str, Any]) -> None:
    now = vars(kind)
    for name in [name for name in now if name not in attributes]:
        delattr(kind, name)
    for name, value in attributes.items():
        if now.get(name) is not value:
            setattr(kind, name, value)
