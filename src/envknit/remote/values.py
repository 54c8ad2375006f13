"""What crosses by value, and how: plain data as it is, everything else as a tree of tagged tuples.

Only exact types are values: a subclass may carry more than its base shows. Nothing here runs code of a package, and
nothing is pickled: what is not a value stays where it is and crosses as a reference. Of a kind of str, int or float its
value crosses with the reference: C code looks at that (`"".join`, json) and would refuse a mere proxy.

A tree is marshal data. Atoms and lists stand for themselves; every tuple in it is a tag and its fields:

    ("t", *items) ("d", *pairs) ("s", *items) ("f", *items)     tuple, dict, set, frozenset
    (":", start, stop, step) ("r", start, stop, step)           slice, range
    ("!",)                                                      NotImplemented
    ("b", size) ("y", size | bytes) ("a", code, size | bytes)   bytes, bytearray, array.array; a size: in shared memory
    ("@", ref, size, tree) ("S", ref, facts)                    the frame's shared memory; that of an array: see `pack`
    ("n", dtype, shape, order, size | bytes) ("v", ...)         numpy array or scalar; memoryview
    ("k", kind, *fields)                                        datetime, Decimal, Path, ...: `_KINDS`
    ("N", class, name, fields, *items)                          a namedtuple of the host; class: a reference
    ("g", module, name)                                         a type or function known to both sides by its name
    ("[", origin, parameters) ("|", *types)                     list[int], Optional[int]; int | None
    ("e", ...) ("c", ...)                                       exception, exception class: see `failures`
    ("o", ref, type) ("x", ref, type, value)                    a new reference; one of a kind of str or number
    ("p", ref) ("w", ref, name)                                 an object of the receiver; a method of one
    ("M", name) ("I", name)                                     a module of the sender; of the receiver
"""

from __future__ import annotations

import sys
from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

LARGE = 64 * 1024  # bytes from which a buffer crosses beside the body of a frame and not in it
ALIGNMENT = 64  # bytes; of each buffer in a frame's memory: what vector instructions like
ATOMS = frozenset({type(None), bool, int, float, complex, str, type(...)})
_SEQUENCES = frozenset({tuple, list, set, frozenset})

# Functions that act on their own process are the host's, like any callable of the host
_OF_A_PROCESS = frozenset({
    "__import__", "breakpoint", "compile", "delattr", "dir", "eval", "exec", "exit", "globals", "help", "id", "input",
    "locals", "open", "print", "quit", "setattr", "vars",
})  # fmt: skip
_PURE_MODULES = frozenset({"builtins", "math", "operator", "_operator"})


def is_plain(value: object) -> bool:
    """Tell whether marshal alone says everything about a value.

    Raises:
        RecursionError: it contains itself, or nests too deeply.
    """
    kind = type(value)
    if kind in ATOMS:
        return True
    if kind is bytes:
        return len(value) < LARGE  # type: ignore[arg-type]
    if kind in _SEQUENCES:
        return _all_plain(value)  # type: ignore[arg-type]
    if kind is dict:
        return _all_plain(value) and _all_plain(value.values())  # type: ignore[arg-type,attr-defined]
    return False


def _all_plain(values: Iterable[object]) -> bool:
    return are_atoms(values) or all(map(is_plain, values))


def are_atoms(values: Iterable[object]) -> bool:
    """Tell whether all are atoms, at the speed of C: a million numbers are looked at in 10 ms."""
    return ATOMS.issuperset(map(type, values))


def by_name(value: Any, *, builtins_only: bool) -> tuple[str, str, str] | None:
    """Return the tree of a type or pure function that both sides know by its name, or None.

    Args:
        value: a type or builtin function.
        builtins_only: of a worker's types only Python's own are the host's as well: an OrderedDict that a package of
            the worker offers is to be made there.
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if type(module) is not str or type(name) is not str:
        return None
    if isinstance(value, type):
        known = module == "builtins" or (not builtins_only and module.partition(".")[0] in sys.stdlib_module_names)
    else:
        known = not builtins_only and module in _PURE_MODULES and name not in _OF_A_PROCESS
    home = sys.modules["types"] if value is type(None) else sys.modules.get(module)
    if known and home is not None and module != "__main__" and getattr(home, name, None) is value:
        return ("g", home.__name__, name)
    return None


def is_annotation(kind: type) -> bool:
    """Tell whether the instances of a type are annotations of `typing`, which a model may be made of."""
    if kind.__module__ not in {"typing", "collections.abc"}:
        return False
    return any(base.__name__ in {"GenericAlias", "_BaseGenericAlias", "_SpecialForm"} for base in kind.__mro__)


def named(module: str, name: str) -> Any:
    """Find what `by_name` named, or an exception class of a package.

    Raises:
        ImportError, AttributeError: this side does not have it.
    """
    from importlib import import_module

    value: Any = import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _datetime(value: Any) -> tuple[object, ...]:
    fields = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    return (*fields, value.tzinfo, value.fold)


def _time(value: Any) -> tuple[object, ...]:
    return value.hour, value.minute, value.second, value.microsecond, value.tzinfo, value.fold


def _folded(kind: Any, *fields: Any) -> object:
    return kind(*fields[:-1], fold=fields[-1])


def _plainly(kind: Any, *fields: Any) -> object:
    return kind(*fields)


def _text(value: object) -> tuple[str]:
    return (str(value),)


# Types of the standard library: how to take one apart, and how to put it together
_KINDS: dict[str, tuple[Callable[[Any], tuple[object, ...]], Callable[..., object]]] = {
    "datetime.date": (lambda value: (value.year, value.month, value.day), _plainly),
    "datetime.datetime": (_datetime, _folded),
    "datetime.time": (_time, _folded),
    "datetime.timedelta": (lambda value: (value.days, value.seconds, value.microseconds), _plainly),
    "datetime.timezone": (lambda value: value.__getinitargs__(), _plainly),
    "zoneinfo.ZoneInfo": (lambda value: (value.key,), _plainly),
    "decimal.Decimal": (_text, _plainly),
    "fractions.Fraction": (lambda value: (value.numerator, value.denominator), _plainly),
    "uuid.UUID": (_text, _plainly),
    "pathlib.PosixPath": (_text, _plainly),
    "pathlib.PurePosixPath": (_text, _plainly),
    **{
        f"ipaddress.IPv{version}{kind}": (_text, _plainly)
        for version in (4, 6)
        for kind in ("Address", "Interface", "Network")
    },
    "re.Pattern": (lambda value: (value.pattern, value.flags), lambda _, *fields: named("re", "compile")(*fields)),
}
# These can change, as lists and dicts can: the host's arrive in a worker as copies. A worker's own stay there, where
# its package may hold them and expect to see what is done to them
_CHANGEABLE: dict[str, Callable[[Any], tuple[object, ...]]] = {
    "collections.OrderedDict": lambda value: (dict(value),),
    "collections.Counter": lambda value: (dict(value),),
    "collections.defaultdict": lambda value: (value.default_factory, dict(value)),
    "collections.deque": lambda value: (list(value), value.maxlen),
}


def taken_apart(value: object, *, changeable: bool) -> tuple[str, tuple[object, ...]] | None:
    """Return the kind and fields of a value of the standard library, or None; `changeable`: containers, too."""
    kind = type(value)
    module = "pathlib" if kind.__module__ == "pathlib._local" else kind.__module__  # 3.13 moved it
    name = f"{module}.{kind.__name__}"
    entry = _KINDS.get(name)
    if entry is not None:
        return name, entry[0](value)
    fields = _CHANGEABLE.get(name) if changeable else None
    return (name, fields(value)) if fields is not None else None


def put_together(name: str, fields: Iterable[object]) -> object:
    """Make the value that `taken_apart` described."""
    module, _, kind = name.rpartition(".")
    make = _KINDS[name][1] if name in _KINDS else _plainly
    return make(named(module, kind), *fields)


def is_standard_member(value: Any, kind: type) -> bool:
    """Tell whether a value is a member of an enumeration of the standard library: `http.HTTPStatus.OK`."""
    if type(kind) is type or kind.__module__.partition(".")[0] not in sys.stdlib_module_names:
        return False  # enumerations have a metaclass
    members: Any = getattr(kind, "__members__", None) or {}
    return members.get(getattr(value, "name", None)) is value


def is_plain_namedtuple(kind: type) -> bool:
    """Tell whether a class is what `collections.namedtuple` makes, without methods or defaults of its own."""
    fields = kind.__dict__.get("_fields")
    return kind.__bases__ == (tuple,) and type(fields) is tuple and set(kind.__dict__) <= {*_OF_NAMEDTUPLE, *fields}


# What those of `typing.NamedTuple` have besides, in one version of Python or another
_OF_TYPING = {
    "__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__", "__firstlineno__",
    "__orig_bases__", "__static_attributes__",
}  # fmt: skip
_OF_NAMEDTUPLE = frozenset(vars(namedtuple("_None", ()))) | _OF_TYPING  # noqa: PYI024 - it has no field
