"""What crosses between two interpreters of one process: plain data as marshal, the rest as a pickle, memory as it is.

Both ends are one program of one user, so a pickle opens no door here. Large buffers travel beside the text and not in
it: where interpreters share memory (3.13) a `memoryview` arrives as a view of the very same bytes.
"""

from __future__ import annotations

import marshal

from envknit.worker.buffers import LARGE
from envknit.worker.values import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pickle
    from collections.abc import Sequence
    from typing import Any

_COUNT = 4  # bytes that say how many buffers are values of their own; those behind them belong to pickled objects


def encode(value: Any) -> tuple[bytes, list[memoryview]]:
    """Turn a value into text and the memory that goes with it.

    Raises:
        TypeError, pickle.PicklingError: it is neither data nor picklable.
    """
    try:
        if is_plain(value):
            return b"m" + marshal.dumps(value), []
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
    import io  # noqa: PLC0415 - only where marshal does not do
    import pickle  # noqa: PLC0415 - as above; written by `encode` in this very process

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, tag: Any) -> object:
            kind, index, *form = tag
            if kind == "memoryview":
                return _shaped(memoryview(memory[index]), *form)
            return {"bytes": bytes, "bytearray": bytearray}[kind](memory[index])

    count = int.from_bytes(text[1 : 1 + _COUNT], "little")
    stream = io.BytesIO(memoryview(text)[1 + _COUNT :])
    return Unpickler(stream, buffers=memory[count:]).load()


def _pickled(value: object) -> tuple[bytes, list[memoryview]]:
    import io  # noqa: PLC0415 - as in decode
    import pickle  # noqa: PLC0415 - as in decode

    own: list[memoryview] = []
    others: list[memoryview] = []

    def keep_beside(buffer: pickle.PickleBuffer) -> None:
        others.append(buffer.raw())

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: Any) -> tuple[object, ...] | None:
            kind = type(thing)
            if kind is memoryview:
                own.append(thing)
                return "memoryview", len(own) - 1, thing.format, thing.shape
            if kind in {bytes, bytearray} and len(thing) >= LARGE:
                own.append(memoryview(thing))
                return kind.__name__, len(own) - 1
            return None

    out = io.BytesIO()
    Pickler(out, protocol=5, buffer_callback=keep_beside).dump(value)
    return b"p" + len(own).to_bytes(_COUNT, "little") + out.getvalue(), own + others


def _shaped(view: memoryview, form: Any, shape: tuple[int, ...]) -> memoryview:
    if view.format == form and view.shape == shape:
        return view
    return view.cast("B").cast(form, shape)  # it came as a copy, flat
