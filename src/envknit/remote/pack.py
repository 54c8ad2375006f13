"""Converts values to trees; what is not a value becomes a reference. The tags are listed in `values`."""

from __future__ import annotations

import sys
from types import BuiltinFunctionType, GenericAlias, ModuleType, UnionType

from envknit.remote import arrays
from envknit.remote.proxy import Method, ModuleProxy, Proxy, ProxyType
from envknit.remote.values import (
    ALIGNMENT,
    ATOMS,
    LARGE,
    by_name,
    is_annotation,
    is_plain_namedtuple,
    is_standard_member,
    taken_apart,
)
from envknit.wire import failures
from envknit.wire.frames import limit_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from envknit.wire.buffers import Lease
    from envknit.wire.caller import Caller


class Packer:
    """Turns the values of one frame into trees.

    Args:
        channel: where references are granted.
    """

    def __init__(self, channel: Caller) -> None:
        self._channel = channel
        self._granted: list[int] = []
        self.pinned: list[Proxy] = []  # must not be released before the other side has read the frame
        self.descriptors: list[int] = []  # of memory that is lent with this frame, so they stay open until it is sent
        self._buffers: list[bytes | memoryview] = []  # large ones, each with what pads it
        self._memory = 0  # bytes of them all

    def pack(self, value: Any) -> Any:
        """Return the tree of a value."""
        kind = type(value)
        if kind in ATOMS:
            return value
        method = _PACK.get(kind)
        return method(self, value) if method is not None else self._pack_other(value, kind)

    def whole(self, tree: Any) -> Any:
        """Return the tree of a frame: with large buffers, it says in which piece of shared memory they are."""
        if not self._buffers:
            return tree
        lease = self._channel.arena.lend(self._buffers, self._memory)
        self._buffers = []
        self.descriptors.insert(0, lease.segment.descriptor)  # it is read before those that the tree speaks of
        return ("@", self._lent(lease), self._memory, tree)

    def undo(self) -> None:
        """Take everything back: the frame will not be sent."""
        self.descriptors = []
        self._buffers = []
        self._memory = 0
        self._channel.exports.release([(ref, 1) for ref in self._granted])
        self._granted = []

    def _lent(self, lease: Lease) -> int:
        ref, _ = self._channel.exports.grant(lease)
        self._granted.append(ref)
        return ref

    def _pack_other(self, value: Any, kind: type) -> Any:
        if type(kind) is ProxyType or kind is Method:  # (faster than issubclass(), which asks a metaclass)
            return self._pack_proxy(value)
        if issubclass(kind, type):  # (in Python 3.10 `list[int]` says that it is one, too)
            return self._pack_class(value)
        if isinstance(value, BaseException):
            return self.pack_exception(value, failures.text_of(value, 0))
        if kind is ModuleProxy or kind is ModuleType:
            return self._pack_module(value, kind)
        return self._pack_value(value, kind) or self._reference(value)

    def _pack_value(self, value: Any, kind: type) -> Any:
        if kind is BuiltinFunctionType:
            return by_name(value, builtins_only=not self._channel.is_host)
        parts = taken_apart(value, changeable=self._channel.is_host)
        if parts is not None:
            return ("k", parts[0], *map(self.pack, parts[1]))
        if issubclass(kind, tuple):
            return self._pack_namedtuple(value, kind)
        if is_standard_member(value, kind):
            return ("g", kind.__module__, f"{kind.__qualname__}.{value.name}")
        return self._pack_of_host(value, kind) if self._channel.is_host else None

    def _pack_of_host(self, value: Any, kind: type) -> Any:
        if is_annotation(kind):
            return self._pack_annotation(value)
        flat = arrays.flatten(value) if arrays.is_numpy(kind) else None
        if flat is not None:
            dtype, shape, order, data = flat
            return ("n", self.pack(dtype), self.pack(shape), order, self._data(data))
        if kind.__module__ == "array" and kind.__name__ == "array":
            return ("a", value.typecode, self._data(memoryview(value)))
        return None

    def _pack_namedtuple(self, value: Any, kind: Any) -> Any:
        if self._channel.is_host:
            real = kind if is_plain_namedtuple(kind) else None
        else:
            real = kind.__dict__.get("envknit_class")  # one of the host's goes home
        if real is None:
            return None
        return ("N", self.pack(real), kind.__name__, kind._fields, *map(self.pack, value))

    def _pack_annotation(self, value: Any) -> Any:
        # Their private classes differ between versions of `typing`; how they pickle does not
        made = value.__reduce__()  # as its pickle says: a name of `typing`, or what is subscribed, and with what
        return ("g", "typing", made) if isinstance(made, str) else ("[", *map(self.pack, made[1]))

    def _pack_alias(self, value: Any) -> Any:
        if not self._channel.is_host:
            return self._reference(value)
        return ("[", self.pack(value.__origin__), self.pack(value.__args__))

    def _pack_union(self, value: Any) -> Any:
        return ("|", *map(self.pack, value.__args__)) if self._channel.is_host else self._reference(value)

    def _pack_module(self, value: Any, kind: type) -> Any:
        if kind is ModuleType:
            name = getattr(value, "__name__", "")
            importable = not self._channel.is_host and sys.modules.get(name) is value
            return ("M", name) if importable else self._reference(value)
        if value._envknit_source is not self._channel.peer.source:
            raise TypeError(f"{value!r} cannot be handed to another worker")
        return ("I", value._envknit_name)

    def _reference(self, value: object) -> tuple[object, ...]:
        ref, number = self._channel.exports.grant(value)
        self._granted.append(ref)
        if isinstance(value, str):  # not str(), which a subclass may answer otherwise
            return "x", ref, number, str.__str__(value)
        if isinstance(value, float):
            return "x", ref, number, float.__float__(value)
        return ("x", ref, number, int.__int__(value)) if isinstance(value, int) else ("o", ref, number)

    def _pack_proxy(self, value: Any) -> Any:
        proxy = value._envknit_owner if isinstance(value, Method) else value
        if proxy._envknit_channel is not self._channel:
            if "__array_interface__" in type(proxy).__dict__ and proxy is value:
                return self._pack_view(proxy)
            return self._reference(value)  # one worker's object for another: the host stands between
        self.pinned.append(proxy)
        if proxy is value:
            return ("p", proxy._envknit_ref)
        return ("w", proxy._envknit_ref, value._envknit_name)

    def _pack_view(self, proxy: Proxy) -> Any:
        facts, memory = arrays.view(proxy._envknit_channel, proxy._envknit_ref, proxy._envknit_timeout)
        order = "C" if "strides" not in facts or facts["strides"] == _c_strides(facts) else "F"
        dtype = facts["descr"] if str(facts["typestr"])[1] == "V" else facts["typestr"]
        return ("n", self.pack(dtype), self.pack(tuple(facts["shape"])), order, self._data(memoryview(memory)))

    def _pack_class(self, value: Any) -> Any:
        if issubclass(value, failures.RemoteError):
            return ("g", value.__module__, value.__qualname__)
        if issubclass(value, BaseException):
            return ("c", failures.class_tree(value))
        return by_name(value, builtins_only=not self._channel.is_host) or self._reference(value)

    def pack_exception(self, error: BaseException, text: str) -> Any:
        """Return the tree of an exception, with the text of its traceback."""
        remote = getattr(error, "remote", None) if isinstance(error, failures.RemoteError) else None
        if remote is not None and remote._envknit_channel is self._channel:
            self.pinned.append(remote)
            return ("p", remote._envknit_ref)
        try:
            said = str(error)
        except Exception as failure:  # noqa: BLE001 - a package's own __str__ may fail
            said = repr(failure)
        reference = None
        if type(error).__module__ != "builtins":
            if not self._channel.is_host:
                error.__traceback__ = None  # its frames would keep their objects alive
            reference = self._reference(error)
        tree = failures.class_tree(type(error))
        facts = [item for pair in failures.extra_facts(error).items() for item in pair]
        args = self.pack(tuple(failures.arguments(error)))
        return ("e", tree, args, said, text, self.pack(facts), reference)

    def _data(self, data: bytes | bytearray | memoryview) -> int | bytes:
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        if self._memory + size > self._channel.limit:
            raise limit_error(self._memory + size, self._channel.limit)
        if size < LARGE:
            return bytes(data)
        padding = -size % ALIGNMENT
        self._buffers += (memoryview(data).cast("B"), bytes(padding))
        self._memory += size + padding
        return size

    def _pack_bytes(self, value: bytes) -> Any:
        data = self._data(value)
        return data if isinstance(data, bytes) else ("b", data)

    def _pack_view_of_buffer(self, value: memoryview) -> Any:
        if not self._channel.is_host or not value.c_contiguous:
            return self._reference(value)
        return ("v", value.format, list(value.shape or ()), self._data(value))

    def _pack_shared(self, value: arrays.Shared) -> Any:
        if value.lease is None:
            return ("S", 0, self.pack(value.facts))
        self.descriptors.append(value.lease.segment.descriptor)
        return ("S", self._lent(value.lease), self.pack(value.facts))

    def _pack_dict(self, value: dict[Any, Any]) -> Any:
        pack = self.pack
        return ("d", *(pack(part) for pair in value.items() for part in pair))


def _c_strides(facts: dict[str, Any]) -> tuple[int, ...]:
    strides: list[int] = []
    step = int(facts["typestr"][2:])
    for length in reversed(facts["shape"]):
        strides.insert(0, step)
        step *= length
    return tuple(strides)


_PACK: dict[type, Callable[[Packer, Any], Any]] = {
    bytes: Packer._pack_bytes,
    bytearray: lambda packer, value: ("y", packer._data(value)),
    memoryview: Packer._pack_view_of_buffer,
    tuple: lambda packer, value: ("t", *map(packer.pack, value)),
    list: lambda packer, value: list(map(packer.pack, value)),
    arrays.Shared: Packer._pack_shared,
    dict: Packer._pack_dict,
    set: lambda packer, value: ("s", *map(packer.pack, value)),
    frozenset: lambda packer, value: ("f", *map(packer.pack, value)),
    slice: lambda packer, value: (":", packer.pack(value.start), packer.pack(value.stop), packer.pack(value.step)),
    type(NotImplemented): lambda _packer, _value: ("!",),
    range: lambda _, value: ("r", value.start, value.stop, value.step),
    GenericAlias: Packer._pack_alias,
    UnionType: Packer._pack_union,
}
