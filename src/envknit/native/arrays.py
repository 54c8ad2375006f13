"""Let the ufuncs of one numpy take arrays of another, which would have them call each other without end.

A ufunc hands what it does not know to its `__array_ufunc__` (NEP 13), and that of another numpy's array calls the ufunc
again (`array_ufunc` in numpy/core/src/multiarray/methods.c), in C and without a look at the depth: the process dies of
a full stack. It gets what it calls as an attribute of the ufunc. An ordinary call does not, so it costs what it did.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_METHODS = "__call__", "reduce", "accumulate", "reduceat", "outer", "at"
_arrays: dict[type, type] = {}  # the `ufunc` of each numpy -> its `ndarray`


def settle() -> None:
    """Let the numpys that are loaded take each other's arrays."""
    for name, module in list(sys.modules.items()):
        kind = getattr(module, "ufunc", None)
        if name.partition("@")[0] == "numpy" and "." not in name and kind is not None and kind not in _arrays:
            _settle(module, kind)


def _settle(numpy: ModuleType, kind: type) -> None:
    import gc
    from ctypes import py_object, pythonapi

    _arrays[kind] = numpy.ndarray
    # A static type refuses assignment; the slots, which ordinary calls go by, stay as they are
    (attributes,) = gc.get_referents(vars(kind))
    for name in _METHODS:
        attributes[name] = _taking(attributes[name], numpy)
    pythonapi.PyType_Modified(py_object(kind))


def _taking(method: Any, numpy: ModuleType) -> Callable[..., Any]:
    def own(value: Any) -> Any:
        if type(value) is tuple:  # `out`
            return tuple(map(own, value))
        foreign = isinstance(value, tuple(_arrays.values())) and not isinstance(value, numpy.ndarray)
        return numpy.asarray(value) if foreign else value  # by the buffer protocol: no copy

    def take(ufunc: Any, *arguments: Any, **options: Any) -> Any:
        return method(ufunc, *map(own, arguments), **{name: own(value) for name, value in options.items()})

    take.__name__, take.__doc__ = method.__name__, method.__doc__
    return take
