"""What one side can ask of the other's objects: each operation by its name, and which of them a type has."""

from __future__ import annotations

import math
import operator

from envknit.wire.proxy import Proxy
from envknit.wire.values import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_BINARY = (
    "add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "lshift", "rshift", "and", "or", "xor",
)  # fmt: skip
_COMPARISONS = ("lt", "le", "eq", "ne", "gt", "ge")
_UNARY = ("neg", "pos", "abs", "invert", "index")


def _operator(name: str) -> Callable[..., object]:
    function: Callable[..., object] = getattr(operator, f"__{name}__")
    return function


def _binary(special: str, function: Callable[..., object]) -> Callable[..., object]:
    """Apply an operator: all of Python's rules where both operands are here; else only our half of them.

    Where the other operand lives on the other side, its half is asked there, by the Python that evaluates the
    expression; to do that from here would let two objects that both say NotImplemented ask each other for ever.
    """

    def apply(target: Any, other: Any, *more: Any) -> object:
        if issubclass(type(other), Proxy):
            return getattr(type(target), special)(target, other, *more)
        return function(target, other, *more)

    return apply


def _swapped(function: Callable[..., object]) -> Callable[..., object]:
    return lambda target, other: function(other, target)


def _exit(target: Any, error: BaseException | None) -> object:
    if error is None:
        return type(target).__exit__(target, None, None, None)
    return type(target).__exit__(target, type(error), error, error.__traceback__)


# Python's protocols: what a proxy's class gets a method for where the type of the other side has it
PROTOCOL: dict[str, Callable[..., object]] = {
    **{f"__{name}__": _operator(name) for name in _UNARY},
    **{f"__{name}__": _binary(f"__{name}__", _operator(name)) for name in (*_BINARY, *_COMPARISONS)},
    **{f"__r{name}__": _binary(f"__r{name}__", _swapped(_operator(name))) for name in _BINARY},
    **{f"__i{name}__": _binary(f"__i{name}__", _operator("i" + name)) for name in _BINARY},
    "__pow__": _binary("__pow__", pow),
    "__rpow__": _binary("__rpow__", _swapped(pow)),
    "__ipow__": _binary("__ipow__", operator.ipow),
    "__divmod__": _binary("__divmod__", divmod),
    "__rdivmod__": _binary("__rdivmod__", _swapped(divmod)),
    "__int__": int,
    "__float__": float,
    "__complex__": complex,
    "__bool__": bool,
    "__round__": round,
    "__trunc__": math.trunc,
    "__floor__": math.floor,
    "__ceil__": math.ceil,
    "__len__": len,
    "__length_hint__": operator.length_hint,
    "__contains__": operator.contains,
    "__getitem__": operator.getitem,
    "__setitem__": operator.setitem,
    "__delitem__": operator.delitem,
    "__iter__": iter,
    "__next__": next,
    "__reversed__": reversed,
    "__call__": lambda target, /, *args, **options: target(*args, **options),
    "__enter__": lambda target: type(target).__enter__(target),
    "__exit__": _exit,
    "__format__": format,
    "__bytes__": bytes,
    "__fspath__": lambda target: target.__fspath__(),
    "__instancecheck__": lambda target, value: isinstance(value, target),
    "__subclasscheck__": lambda target, kind: issubclass(kind, target),
    "__hash__": hash,
}


def _data(target: object, name: str) -> object:
    value = getattr(target, name)
    if is_plain(value):
        return value
    raise AttributeError(f"{type(target).__name__!r} object offers no {name!r} to another process")


def _array(target: Any) -> object:
    import numpy as np  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - what has __array__ has numpy

    return np.asarray(target)


def _pickle(target: object) -> bytes:
    import pickle  # noqa: PLC0415 - only for fetch()

    return pickle.dumps(target, protocol=4)


# What every proxy can ask besides
OPERATIONS: dict[str, Callable[..., object]] = {
    **PROTOCOL,
    "call": lambda target, /, *args, **options: target(*args, **options),
    "method": lambda target, name, /, *args, **options: getattr(target, name)(*args, **options),
    "get": getattr,
    "set": setattr,
    "delete": delattr,
    "repr": repr,
    "str": str,
    "dir": dir,
    "data": _data,
    "array": _array,
    "pickle": _pickle,
    "package": lambda target: type(target).__module__.partition(".")[0],
}

_INHERITED = ("__hash__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__format__")


def describe(kind: type) -> tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Describe a type to the other side, which makes its class of proxies from it.

    Returns:
        Module, name, the protocol methods it has, its plain methods, and its traits: `class` (its instances are
        classes), `array` (numpy's interface), `as-array` (numpy can make an array of it), `buffer`.
    """
    protocol = [name for name in PROTOCOL if _has(kind, name)]
    traits = []
    if issubclass(kind, type):
        traits.append("class")
        protocol += ["__getitem__"] if "__getitem__" not in protocol else []  # list[int]
    if hasattr(kind, "__array_interface__"):
        traits.append("array")
    elif hasattr(kind, "__array__"):
        traits.append("as-array")
    if _has_buffer(kind):
        traits.append("buffer")
    return kind.__module__, kind.__qualname__, tuple(protocol), _methods(kind), tuple(traits)


def _has(kind: type, name: str) -> bool:
    found = getattr(kind, name, None)
    if found is None or (name in _INHERITED and found is getattr(object, name)):
        return False
    # `type.__call__` and its like belong to the class, not to its instances
    return any(name in base.__dict__ for base in kind.__mro__)


def _methods(kind: type) -> tuple[str, ...]:
    # A method's name is enough to call it: no question must be asked before. Instances that answer for their
    # attributes themselves, and classes, whose attributes come first, are asked.
    if issubclass(kind, type) or kind.__getattribute__ is not object.__getattribute__:
        return ()
    found: dict[str, bool] = {}
    for base in reversed(kind.__mro__):
        for name, value in base.__dict__.items():
            found[name] = type(value) in _METHODS
    return tuple(name for name, callable_ in found.items() if callable_ and not name.startswith("__"))


_METHODS = frozenset({type(describe), type(str.join), classmethod, staticmethod, type(dict.__dict__["fromkeys"])})
_BUFFERS = ("builtins.bytes", "builtins.bytearray", "builtins.memoryview", "array.array", "mmap.mmap", "numpy.ndarray")


def _has_buffer(kind: type) -> bool:
    if hasattr(kind, "__buffer__"):  # PEP 688, from 3.12
        return True
    return any(f"{base.__module__}.{base.__qualname__}" in _BUFFERS for base in kind.__mro__)
