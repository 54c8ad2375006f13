"""Converts trees back to values; the inverse of `pack`."""

from __future__ import annotations

import errno
import os
import sys
from collections import namedtuple
from functools import reduce
from operator import getitem, or_

from envknit.remote import arrays
from envknit.remote.values import ALIGNMENT, named, put_together
from envknit.wire import failures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from envknit.remote.proxy import Proxy
    from envknit.wire.caller import Caller

_MOST_MAPPED = 64  # pieces of the other side's memory; each takes a descriptor of this process, and keeps it from reuse


class Unpacker:
    """Turns the trees of one frame back into values.

    Args:
        channel: where references are looked up.
        descriptors: what came with the frame.
        timeout: seconds that calls through the new proxies may take.
    """

    def __init__(self, channel: Caller, descriptors: Sequence[int], timeout: float | None) -> None:
        self._channel = channel
        self._descriptors = iter(descriptors)
        self._buffers = memoryview(b"")
        self._timeout = timeout

    def unpack(self, tree: Any) -> Any:
        """Return the value of a tree."""
        kind = type(tree)
        if kind is tuple:
            return _UNPACK[tree[0]](self, tree)
        return list(map(self.unpack, tree)) if kind is list else tree

    def close(self) -> None:
        """Close the descriptors that nothing took: the frame could not be read to its end."""
        for descriptor in self._descriptors:
            os.close(descriptor)

    def _borrow(self, ref: int, size: int, *, writable: bool = True, most: int = 0) -> Any:
        descriptor = next(self._descriptors, None)
        if descriptor is None:  # the kernel drops what a process has no room for (MSG_CTRUNC, recvmsg(2))
            self._channel.imports.decline(ref)
            raise OSError(errno.EMFILE, "no file descriptor is left to receive shared memory with")
        try:
            return self._channel.imports.borrow(ref, descriptor, size, writable=writable, most=most)
        finally:
            os.close(descriptor)

    def _object(self, tree: Any) -> Proxy:
        found: Proxy = self._channel.deliver(tree[1], tree[2], self._timeout, *tree[3:])
        return found

    def _items(self, tree: Any) -> Any:
        return map(self.unpack, tree[1:])

    def _dict(self, tree: Any) -> dict[Any, Any]:
        items = self._items(tree)
        return dict(zip(items, items, strict=True))

    def _bytes(self, data: int | bytes) -> bytes:
        return data if isinstance(data, bytes) else bytes(self._memory(data))

    def _memory(self, data: int | bytes) -> Any:
        # A picture of its own for the receiver: it may write to it, and nobody else sees that
        if isinstance(data, bytes):
            return data
        memory, self._buffers = self._buffers[:data], self._buffers[data + -data % ALIGNMENT :]
        return memory

    def _whole(self, tree: Any) -> Any:
        _, ref, size, tree = tree
        self._buffers = memoryview(self._borrow(ref, size, most=_MOST_MAPPED))
        return self.unpack(tree)

    def _array(self, tree: Any) -> Any:
        import array

        value = array.array(tree[1])
        value.frombytes(self._memory(tree[2]))
        return value

    def _numpy(self, tree: Any) -> object:
        return arrays.restore(self.unpack(tree[1]), self.unpack(tree[2]), tree[3], self._memory(tree[4]))

    def _view(self, tree: Any) -> memoryview:
        return arrays.shaped(memoryview(self._memory(tree[3])), tree[1], tree[2])

    def _shared(self, tree: Any) -> tuple[dict[str, Any], Any]:
        _, ref, facts = tree
        facts = self.unpack(facts)
        if not ref:
            return facts, b""
        return facts, self._borrow(ref, facts["size"], writable=facts["writable"])

    def _exception(self, tree: Any) -> BaseException:
        _, kind, args, said, text, facts, reference = tree
        pairs = iter(self.unpack(facts))
        error = failures.rebuild(
            self._channel.mirror.stand_in(kind), self.unpack(args), said, dict(zip(pairs, pairs, strict=True))
        )
        if reference is not None:
            remote = self._object(reference)
            if isinstance(error, failures.RemoteError):
                error.remote = remote
        if text:
            error.__cause__ = failures.RemoteTraceback(text)
        return error

    def _namedtuple(self, tree: Any) -> Any:
        _, home, name, fields, *items = tree
        kind: Any = self.unpack(home)
        if home[0] != "p":
            # Not one of ours: make what the host's class is like; `envknit_class` leads back to the real one
            likenesses = self._channel.imports.namedtuples
            made = likenesses.get(home[1])
            if made is None:
                make: Any = namedtuple  # noqa: PYI024 - a type checker does not know the fields
                made = likenesses[home[1]] = make(name, fields)
                made.envknit_class = kind
            kind = made
        return tuple.__new__(kind, map(self.unpack, items))

    def _attribute(self, tree: Any) -> Any:
        return getattr(self._channel.exports.get(tree[1]), tree[2])


_UNPACK: dict[str, Callable[[Unpacker, Any], Any]] = {
    "t": lambda unpacker, tree: tuple(unpacker._items(tree)),
    "s": lambda unpacker, tree: set(unpacker._items(tree)),
    "f": lambda unpacker, tree: frozenset(unpacker._items(tree)),
    "d": Unpacker._dict,
    ":": lambda unpacker, tree: slice(*unpacker._items(tree)),
    "r": lambda _, tree: range(*tree[1:]),
    "!": lambda _unpacker, _tree: NotImplemented,
    "[": lambda unpacker, tree: getitem(*unpacker._items(tree)),
    "|": lambda unpacker, tree: reduce(or_, unpacker._items(tree)),
    "b": lambda unpacker, tree: unpacker._bytes(tree[1]),
    "y": lambda unpacker, tree: bytearray(unpacker._memory(tree[1])),
    "a": Unpacker._array,
    "n": Unpacker._numpy,
    "v": Unpacker._view,
    "S": Unpacker._shared,
    "@": Unpacker._whole,
    "I": lambda _, tree: sys.modules[tree[1]],
    "k": lambda unpacker, tree: put_together(tree[1], map(unpacker.unpack, tree[2:])),
    "g": lambda _, tree: named(tree[1], tree[2]),
    "c": lambda unpacker, tree: unpacker._channel.mirror.stand_in(tree[1]),
    "e": Unpacker._exception,
    "o": Unpacker._object,
    "x": Unpacker._object,
    "N": Unpacker._namedtuple,
    "p": lambda unpacker, tree: unpacker._channel.exports.get(tree[1]),
    "w": Unpacker._attribute,
    "M": lambda unpacker, tree: unpacker._channel.peer.module(tree[1], unpacker._timeout),
}
