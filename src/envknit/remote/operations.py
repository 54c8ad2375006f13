"""What one side can ask of the other's objects: each operation by its name, and which of them a type has."""

from __future__ import annotations

import math
import operator
import sys
from collections import abc
from types import CoroutineType, FunctionType

from envknit.remote.proxy import Proxy
from envknit.wire import awaiting
from envknit.wire.references import is_lasting

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
    "__aiter__": lambda target: type(target).__aiter__(target),
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


# Dunders that stay here, for what others do with what they find: they read memory, run code or build objects that only
# mean something in this process, or take a copy for the thing itself
_OWN = frozenset({
    "__array_struct__", "__array_interface__", "__buffer__", "__builtins__", "__class__", "__closure__", "__code__",
    "__copy__", "__deepcopy__", "__dict__", "__getnewargs__", "__getnewargs_ex__", "__getstate__", "__globals__",
    "__loader__", "__reduce__", "__reduce_ex__", "__setstate__", "__spec__", "__wrapped__",
})  # fmt: skip
_OWN_KINDS = ("__array_", "__arrow_", "__cuda_", "__dlpack")


def is_offered(name: str) -> bool:
    """Tell whether the other side may have a dunder as an attribute; special methods belong to its class of proxies."""
    return not (name in _OWN or name in PROTOCOL or name in awaiting.PROTOCOL or name.startswith(_OWN_KINDS))


def _data(target: object, name: str) -> object:
    value = getattr(target, name)
    if is_offered(name) or (name == "__dict__" and isinstance(target, type)):  # a class's own is a read-only view
        return value
    raise AttributeError(f"{type(target).__name__!r} object offers no {name!r} to another process")


def _signature(target: Any) -> object:
    """Describe a signature: of each parameter what its constructor takes, and the annotation of the result."""
    from inspect import signature

    try:
        found = signature(target)
    except (TypeError, ValueError):  # not known of many functions in C
        return None
    parameters: list[tuple[object, ...]] = []
    for each in found.parameters.values():
        facts = {"default": each.default, "annotation": each.annotation}
        parameters.append((each.name, int(each.kind), {n: f for n, f in facts.items() if f is not each.empty}))
    result = found.return_annotation
    return parameters, {} if result is found.empty else {"return_annotation": result}


def _array(target: Any) -> object:
    import numpy as np  # type: ignore[import-not-found,unused-ignore]

    return np.asarray(target)


def _is_async(target: object) -> bool:
    from inspect import iscoroutinefunction

    return iscoroutinefunction(target)


def _pickle(target: object) -> bytes:
    import pickle

    return pickle.dumps(target, protocol=4)


def _unpickle(_: None, data: bytes) -> object:
    import pickle

    return pickle.loads(data)  # noqa: S301 - a worker does what its host says


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
    "is-async": _is_async,
    "pickle": _pickle,
    "signature": _signature,
    "unpickle": _unpickle,
}

_INHERITED = ("__hash__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__format__")


def describe(kind: type) -> tuple[str, str, tuple[str, ...], tuple[str, ...], dict[str, object]]:
    """Describe a type to the other side, which makes its class of proxies from it.

    Returns:
        Module, name, the protocol methods it has, its plain methods, and its traits: `class` (its instances are
        classes), `function`, `coroutine`, `array` (numpy's interface), `as-array` (numpy can make an array of it),
        `buffer`, `fields` (names, of a dataclass), `value` (the builtin str or number that it is), `abstract` (what
        else of the standard library's it counts as), `lasting` (whether its description can be kept for good).
    """
    base = next((value for value in (str, int, float) if issubclass(kind, value)), object)
    protocol = [name for name in (*PROTOCOL, *awaiting.PROTOCOL) if _has(kind, name, base)]
    traits: dict[str, object] = {"lasting": is_lasting(kind)}
    if base is not object:
        traits["value"] = base.__name__
    if issubclass(kind, type):
        traits["class"] = True
        protocol += ["__getitem__"] if "__getitem__" not in protocol else []  # list[int]
    if kind is FunctionType:
        traits["function"] = True
    if kind is CoroutineType:
        traits["coroutine"] = True
    if hasattr(kind, "__array_interface__"):
        traits["array"] = True
    elif hasattr(kind, "__array__"):
        traits["as-array"] = True
    if _has_buffer(kind):
        traits["buffer"] = True
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields and type(fields) is dict:
        traits["fields"] = tuple(fields)
    abstract = tuple(f"{each.__module__}.{each.__qualname__}" for each in _abstract() if issubclass(kind, each))
    if abstract:
        traits["abstract"] = abstract
    return kind.__module__, kind.__qualname__, tuple(protocol), _methods(kind, base), traits


def _abstract() -> list[type]:
    """Return the abstract classes that a type must be registered with: others look at its methods."""
    numbers = sys.modules.get("numbers")
    found: list[type] = [
        abc.Mapping, abc.MutableMapping, abc.Sequence, abc.MutableSequence, abc.Set, abc.MutableSet
    ]  # fmt: skip
    return found + ([numbers.Number, numbers.Complex, numbers.Real, numbers.Integral] if numbers else [])


def _has(kind: type, name: str, base: type) -> bool:
    found = getattr(kind, name, None)
    if found is None or (name in _INHERITED and found is getattr(object, name)):
        return False
    if base is not object and found is getattr(base, name, None):
        return False  # the proxy is a str or number itself
    # `type.__call__` and its like belong to the class, not to its instances
    return any(name in base.__dict__ for base in kind.__mro__)


def _methods(kind: type, base: Any) -> tuple[str, ...]:
    # A method's name is enough to call it: no question must be asked before. Instances that answer for their
    # attributes themselves, and classes, whose attributes come first, are asked.
    if issubclass(kind, type) or kind.__getattribute__ is not base.__getattribute__:
        return ()
    found: dict[str, bool] = {}
    for each in reversed(kind.__mro__):
        if not issubclass(base, each):  # of a str or number, what is Python's own its proxy does itself
            found |= {name: type(value) in _METHODS for name, value in each.__dict__.items()}
    return tuple(name for name, callable_ in found.items() if callable_ and not name.startswith("__"))


_METHODS = frozenset({type(describe), type(str.join), classmethod, staticmethod, type(dict.__dict__["fromkeys"])})
_BUFFERS = ("builtins.bytes", "builtins.bytearray", "builtins.memoryview", "array.array", "mmap.mmap", "numpy.ndarray")


def _has_buffer(kind: type) -> bool:
    if hasattr(kind, "__buffer__"):  # PEP 688, from 3.12
        return True
    return any(f"{base.__module__}.{base.__qualname__}" in _BUFFERS for base in kind.__mro__)
