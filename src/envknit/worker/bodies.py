"""Values to the bodies of frames and back: the quick way for plain data, `pack` for everything else."""

from __future__ import annotations

from envknit.errors import WorkerError
from envknit.worker.failures import text_of
from envknit.worker.frames import dumps, loads
from envknit.worker.pack import Packer, Unpacker
from envknit.worker.values import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from envknit.worker.channel import Channel
    from envknit.worker.frames import Attached

_RECURSION = dumps(("e", ("builtins", "RecursionError"), ("t",), "maximum recursion depth exceeded", "", [], None), 999)


def packed(channel: Channel, value: object, plain: int, rich: int) -> tuple[int, bytes, Packer | None]:
    """Return the kind of frame that a value takes, its body, and the packer that holds what goes with it.

    Raises:
        WorkerError: it is over the limit.
        RecursionError: it contains itself, or nests too deeply.
    """
    try:
        if is_plain(value):
            return plain, dumps(value, channel.limit), None
        packer = Packer(channel)
        try:
            return rich, dumps(packer.pack(value), channel.limit), packer
        except BaseException:
            packer.undo()
            raise
    except RecursionError:
        raise RecursionError("the value contains itself or nests too deeply to be sent") from None


def packed_error(packer: Packer, error: BaseException, limit: int) -> bytes:
    """Return the body of a frame that raises; of an error that cannot cross, one that tells of it."""
    try:
        return dumps(packer.pack_exception(error, text_of(error)), limit)
    except RecursionError:
        packer.undo()
        return _RECURSION
    except Exception as failure:  # noqa: BLE001 - an exception that cannot cross must still be told
        packer.undo()
        told = WorkerError(f"{type(error).__qualname__}: {error!r} could not be sent: {failure!r}")
        return dumps(packer.pack_exception(told, ""), limit)


def unpacked(channel: Channel, body: bytes | memoryview, attached: Attached | None, timeout: float | None) -> Any:
    """Return the value of a body; calls through its proxies may take `timeout` seconds."""
    unpacker = Unpacker(channel, attached, timeout)
    try:
        return unpacker.unpack(loads(body))
    finally:
        unpacker.close()
