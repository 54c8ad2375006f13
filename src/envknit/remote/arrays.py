"""Arrays on both sides: numpy's, the standard library's, and views of any buffer. Never imports numpy by itself."""

from __future__ import annotations

import struct
import sys
from math import prod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from envknit.wire.buffers import Arena, Lease
    from envknit.wire.caller import Caller


class Shared:
    """An array's memory on its way to the other side: facts about it (see `_offer`) and the lease (None: empty)."""

    __slots__ = ("facts", "lease")

    def __init__(self, facts: dict[str, object], lease: Lease | None) -> None:
        self.facts = facts
        self.lease = lease


def is_numpy(kind: type) -> bool:
    """Tell whether a type is numpy's array itself or one of its scalar types."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "ndarray"):  # (a module that is being imported)
        return False
    return kind is numpy.ndarray or (issubclass(kind, numpy.generic) and kind.__module__ == "numpy")


def flatten(value: Any) -> tuple[object, tuple[int, ...], str, memoryview] | None:
    """Return dtype, shape, order and bytes of a numpy array or scalar; None where it holds objects."""
    import numpy as np  # type: ignore[import-not-found,unused-ignore]

    if value.dtype.hasobject:
        return None
    dtype = value.dtype.descr if value.dtype.names else value.dtype.str
    shape = tuple(value.shape)
    if not shape:
        return dtype, (), "0" if isinstance(value, np.ndarray) else "", memoryview(value.tobytes())
    # Fortran's order is that of the transpose in C's: both cross without being shuffled
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    flat = np.ascontiguousarray(value.T if order == "F" else value)
    return dtype, shape, order, memoryview(flat.reshape(-1).view(np.uint8))


def restore(dtype: Any, shape: tuple[int, ...], order: str, data: Any) -> object:
    """Make the numpy array or scalar that `flatten` took apart, on this memory; a memoryview where numpy is missing.

    Raises:
        TypeError: numpy is missing here and no memoryview can stand in.
    """
    try:
        import numpy as np
    except ImportError:
        return _as_view(dtype, shape, order, data)
    array = np.frombuffer(data, dtype=np.dtype(dtype))  # (no copy: the memory is the array's)
    if not shape:
        return array.reshape(()).copy() if order == "0" else array[0]
    if array.flags.writeable is False:
        array = array.copy()  # small ones come as bytes
    return array.reshape(shape, order=order)


def _as_view(dtype: Any, shape: tuple[int, ...], order: str, data: Any) -> memoryview:
    codes = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "f4": "f",
             "f8": "d", "b1": "?"}  # fmt: skip
    native = ("<" if sys.byteorder == "little" else ">", "|", "=")
    code = codes.get(dtype[1:]) if isinstance(dtype, str) and dtype[0] in native else None
    if code is None or order not in {"C", "0"}:
        raise TypeError(f"an array of {dtype} needs numpy, which this side does not have")
    return shaped(memoryview(data), code, shape)


def shaped(view: memoryview, code: str, shape: Sequence[int]) -> memoryview:
    """Give bytes a format and a shape, also where they are none.

    Raises:
        BufferError: Python cannot make such a view.
    """
    flat: Any = view.cast("B")
    if 0 not in shape:
        return flat.cast(code, shape)  # type: ignore[no-any-return]
    if shape[0]:  # (3, 0), say: memoryview.cast() takes no zero, and slices cut the first dimension only
        raise BufferError(f"Python cannot view an empty array of shape {tuple(shape)}")
    filled = [1, *(max(length, 1) for length in shape[1:])]
    if filled[1:] != list(shape[1:]):
        raise BufferError(f"Python cannot view an empty array of shape {tuple(shape)}")
    room: Any = memoryview(bytes(struct.calcsize(code) * prod(filled)))
    return room.cast("B").cast(code, filled)[:0]  # type: ignore[no-any-return]


def view(caller: Caller, ref: int, timeout: float | None) -> tuple[dict[str, Any], Any]:
    """Return what numpy must know of a remote array, and its memory, mapped here."""
    memory = caller.imports.views.get(ref)
    facts, new = caller.call(timeout, "view", 0, (ref, memory is not None))
    if new is None:
        return facts, memory
    if facts["writable"]:
        caller.imports.views[ref] = new
    return facts, new


_WRITABLE = 1  # PyBUF_WRITABLE, which `inspect.BufferFlags` has, too, but loads much for
# What numpy reads of `__array_interface__`
_INTERFACE = frozenset({"version", "shape", "typestr", "descr", "strides"})


def interface(proxy: Any) -> dict[str, object]:
    """Be the `__array_interface__` of a proxy: numpy then views the remote memory without a copy."""
    facts, memory = view(proxy._envknit_channel, proxy._envknit_ref, proxy._envknit_timeout)
    return {**{name: fact for name, fact in facts.items() if name in _INTERFACE}, "data": memory}


def as_array(proxy: Any, dtype: object = None, copy: bool | None = None) -> Any:  # noqa: FBT001 - numpy's protocol
    """Be the `__array__` of a proxy, with what numpy on the other side makes of the object."""
    import numpy as np  # type: ignore[import-not-found,unused-ignore]

    array = np.asarray(proxy._envknit_channel.call(proxy._envknit_timeout, "array", proxy._envknit_ref, ()))
    if dtype is not None and array.dtype != dtype:
        return array.astype(dtype)
    return array.copy() if copy else array


def buffer(proxy: Any, flags: int) -> memoryview:
    """Be the `__buffer__` of a proxy (PEP 688, from Python 3.12 on).

    Raises:
        BufferError: Python cannot view such memory; numpy then asks for `__array_interface__`.
    """
    facts, memory = view(proxy._envknit_channel, proxy._envknit_ref, proxy._envknit_timeout)
    flat, name = memoryview(memory), type(proxy).__qualname__
    if flags & _WRITABLE and flat.readonly:
        raise BufferError(f"the memory of this {name} is a read-only picture; it lives in a worker")
    code, shape = facts.get("format"), facts["shape"]
    if not code or ("strides" in facts and not _is_c_order(facts, flat.nbytes)):
        raise BufferError(f"the memory of this {name} has a layout that Python cannot view here")
    return shaped(flat, str(code).lstrip("<>=@|"), shape)


def _is_c_order(facts: dict[str, Any], size: int) -> bool:
    expected = size
    for length, stride in zip(facts["shape"], facts["strides"], strict=True):
        expected //= max(length, 1)
        if stride != expected:
            return False
    return True


def share(channel: Caller, _: None, ref: int, known: bool) -> object:  # noqa: FBT001 - an answer of the other side
    """Answer the `view` of the other side: an array that moved there before is known to it."""
    exports = channel.exports
    facts = exports.shared.get(ref)
    if facts is not None and known:
        return {**facts, "shape": tuple(exports.get(ref).shape)}, None
    alone = facts is None and exports.is_alone(ref)
    facts, lease, held = _offer(exports.get(ref), channel.arena, alone=alone)
    if facts["writable"]:
        exports.replace(ref, held)
        exports.shared[ref] = facts
    return Shared(facts, lease)


def _offer(value: Any, arena: Arena, *, alone: bool) -> tuple[dict[str, object], Lease | None, object]:
    """Put an array's memory where the other side can map it.

    An array that nobody else here holds *moves* there: both sides then see one memory. One that others hold, or
    whose memory is not its own, cannot move under them: the other side gets a picture of it, read-only.

    Args:
        value: a numpy array, or any object with the buffer protocol.
        arena: where the memory is taken from.
        alone: whether the caller holds the only references to it.

    Returns:
        What numpy's `__array_interface__` needs besides the data, the memory (None: it is empty), and the object to
        hold from now on.

    Raises:
        TypeError: it holds Python objects, which have no meaning elsewhere.
    """
    if not is_numpy(type(value)) and not hasattr(value, "__array_interface__"):
        return _picture_of_buffer(value, arena)
    import numpy as np

    array = np.asarray(value)
    if array.dtype.hasobject:  # what it holds are addresses
        raise TypeError("an array of Python objects cannot be shared; envknit.fetch() brings one by value")
    facts: dict[str, object] = {
        "version": 3,
        "shape": tuple(array.shape),
        "typestr": array.dtype.str,
        "descr": [tuple(field) for field in array.dtype.descr],
        "format": _format(array),
    }
    size = array.nbytes
    facts |= {"size": size, "writable": False}
    if not size:
        return facts, None, value
    moves = alone and type(value) is np.ndarray and array.flags.writeable
    order: Any = "F" if moves and array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    flat = np.ascontiguousarray(array.T if order == "F" else array)
    lease = arena.lend([memoryview(flat.reshape(-1).view(np.uint8))], size)
    if not moves:
        return facts, lease, value
    moved = np.ndarray(array.shape, array.dtype, buffer=lease.open(size), order=order)
    return {**facts, "strides": moved.strides, "writable": True}, lease, moved


def _format(array: Any) -> str:
    try:
        return memoryview(array).format
    except (ValueError, BufferError):  # datetime64 has no PEP 3118 format
        return ""


def _picture_of_buffer(value: Any, arena: Arena) -> tuple[dict[str, object], Lease | None, object]:
    view = memoryview(value)
    flat = view if view.c_contiguous else memoryview(view.tobytes())
    facts: dict[str, object] = {
        "version": 3,
        "shape": tuple(view.shape or (view.nbytes,)),
        "typestr": _typestr(view),
        "format": view.format,
        "size": view.nbytes,
        "writable": False,
    }
    return facts, arena.lend([flat.cast("B")], view.nbytes) if view.nbytes else None, value


def _typestr(view: memoryview) -> str:
    kinds = {"?": "b", "f": "f", "d": "f", "e": "f", "c": "S"}
    code = view.format[-1:]
    kind = kinds.get(code) or ("i" if code.islower() else "u")
    return f"{'<' if sys.byteorder == 'little' else '>'}{kind}{view.itemsize}"
