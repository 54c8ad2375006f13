"""What crosses between two interpreters of one process: plain data as marshal, the rest as a pickle, memory as it is.

Both ends are one program of one user, so a pickle opens no door here. Large buffers travel beside the text and not in
it: where interpreters share memory (3.13) a `memoryview` arrives as a view of the very same bytes.
"""

from __future__ import annotations

import marshal

from envknit.remote import arrays
from envknit.remote.values import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# Channels copy text twice, into and out of cross-interpreter data (Python/crossinterp.c); of memory they hand on a view
LARGE = 64 * 1024  # bytes from which a buffer travels beside the text
_COUNT = 4  # bytes that say how many buffers are values of their own; those behind them belong to pickled objects
_defined: list[Any] = []


def encode(value: Any) -> tuple[bytes, list[memoryview]]:
    """Turn a value into text and the memory that goes with it.

    Raises:
        TypeError, pickle.PicklingError: it is neither data nor picklable.
    """
    try:
        if is_plain(value):
            return b"m" + marshal.dumps(value), []  # a fifth of pickle's time
    except RecursionError:  # it contains itself, which a pickle can say
        pass
    return _pickled(value)


def decode(text: bytes, memory: Sequence[Any]) -> Any:
    """Make the value again.

    Args:
        text: what `encode` returned first.
        memory: what it returned second, as it arrived.
    """
    if text[:1] == b"m":
        return marshal.loads(memoryview(text)[1:])  # noqa: S302 - written by `encode` in this very process
    import io

    count = int.from_bytes(text[1 : 1 + _COUNT], "little")
    unpickler = _classes()[1](io.BytesIO(memoryview(text)[1 + _COUNT :]), buffers=memory[count:])
    unpickler.memory = memory
    return unpickler.load()


def _pickled(value: object) -> tuple[bytes, list[memoryview]]:
    import io

    others: list[memoryview] = []
    out = io.BytesIO()
    # PEP 574: objects that offer their buffers hand them over beside the pickle
    pickler = _classes()[0](out, protocol=5, buffer_callback=lambda buffer: others.append(buffer.raw()))
    pickler.own = []
    pickler.dump(value)
    return b"p" + len(pickler.own).to_bytes(_COUNT, "little") + out.getvalue(), pickler.own + others


def _classes() -> tuple[Any, Any]:
    """Define the two classes once: a class is a cycle, and would keep the memory of its call until a collection."""
    if not _defined:
        import pickle

        class Pickler(pickle.Pickler):
            own: list[memoryview]

            def persistent_id(self, thing: Any) -> tuple[object, ...] | None:
                kind = type(thing)
                if kind is memoryview:
                    self.own.append(thing)
                    return "memoryview", len(self.own) - 1, thing.format, thing.shape
                # numpy pickles arrays by names of its own modules, which another version of it does not have
                flat = arrays.flatten(thing) if arrays.is_numpy(kind) else None
                if flat is not None:
                    self.own.append(flat[3])
                    return "numpy", len(self.own) - 1, *flat[:3]
                if kind in {bytes, bytearray} and len(thing) >= LARGE:
                    self.own.append(memoryview(thing))
                    return kind.__name__, len(self.own) - 1
                return None

        class Unpickler(pickle.Unpickler):
            memory: Sequence[Any]

            def persistent_load(self, tag: Any) -> object:
                kind, index, *form = tag
                if kind == "memoryview":
                    return _shaped(memoryview(self.memory[index]), *form)
                if kind == "numpy":
                    dtype, shape, order = form
                    return arrays.restore(dtype, shape, order, self.memory[index])
                return {"bytes": bytes, "bytearray": bytearray}[kind](self.memory[index])

            def find_class(self, module: str, name: str) -> Any:
                # Where 3.12 has no `_datetime`, in an interpreter with a GIL of its own, its stand-in names itself
                return super().find_class("datetime" if module == "_pydatetime" else module, name)

        _defined.extend((Pickler, Unpickler))
    return _defined[0], _defined[1]


def _shaped(view: memoryview, form: Any, shape: tuple[int, ...]) -> memoryview:
    if view.format == form and view.shape == shape:
        return view
    return view.cast("B").cast(form, shape)  # it came as a copy, flat
