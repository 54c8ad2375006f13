"""Give what a guest's modules define the guest's name, where it was compiled or decorated with the plain one.

`pickle` writes `__module__` and looks the object up there again. A class statement takes it from the module's name, a
guest's own; static C types have it in their `tp_name`, and decorators such as numpy's `set_module` write it.
"""

from __future__ import annotations

import sys
from types import BuiltinFunctionType, FunctionType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_texts: list[bytes] = []  # `tp_name` of types that live as long as the process


def rename(module: ModuleType, heads: Mapping[str, str]) -> None:
    """Rename what lies in a module.

    Args:
        module: it was executed just now.
        heads: the guest's own top-level names, each with its name in `sys.modules`.
    """
    for value in list(vars(module).values()):
        if _has_own_module(value) and type(named := value.__module__) is str:
            head, dot, rest = named.partition(".")
            if head in heads:
                _name(value, heads[head] + dot + rest)


def rename_below(package: str, heads: Mapping[str, str]) -> None:
    """Rename what lies in the modules of a package, since C code adds to some later (`numpy.dtypes`).

    Args:
        package: its name in `sys.modules`.
        heads: as for `rename`.
    """
    for name, module in list(sys.modules.items()):
        if type(name) is str and name.startswith(package + ".") and isinstance(module, ModuleType):
            rename(module, heads)


def _has_own_module(value: Any) -> bool:
    """Tell whether `__module__` is its own, and not that of its class, which every instance shows."""
    kind = type(value)
    if isinstance(value, type) or kind is FunctionType or kind is BuiltinFunctionType:
        return True
    if "__module__" in getattr(value, "__dict__", ()):
        return True  # numpy's dispatchers
    # Functions that Cython made have a descriptor for it
    shown = next((vars(each)["__module__"] for each in kind.__mro__ if "__module__" in vars(each)), "")
    return type(shown) is not str and hasattr(type(shown), "__get__")


def _name(value: Any, module: str) -> None:
    try:
        value.__module__ = module
    except (AttributeError, TypeError):
        if isinstance(value, type):
            _name_static(value, module)


def _name_static(kind: type, module: str) -> None:
    """Rename a type that was compiled: its name is a C string, from which `__module__` is read.

    `type_module` in Objects/typeobject.c takes what stands before the last dot of `tp_name`, the first field after the
    head of a PyVarObject, as the C API documents it; a module may set it as well (PyTypeObject, "tp_name").
    """
    import ctypes

    if kind.__flags__ & (1 << 9):  # Py_TPFLAGS_HEAPTYPE: it refuses for a reason of its own
        return
    text = f"{module}.{kind.__name__}".encode()
    _texts.append(text)
    ctypes.c_char_p.from_address(id(kind) + object.__basicsize__ + ctypes.sizeof(ctypes.c_ssize_t)).value = text
