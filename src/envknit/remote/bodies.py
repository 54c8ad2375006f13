"""Converts values to the bodies of frames and back: plain data directly, everything else through `pack`."""

from __future__ import annotations

from envknit.errors import WorkerError
from envknit.remote.pack import Packer
from envknit.remote.unpack import Unpacker
from envknit.remote.values import are_atoms, is_plain
from envknit.wire.failures import text_of
from envknit.wire.frames import CALL, CALL_RICH, dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from envknit.wire.caller import Caller

# Made beforehand: at the limit of recursion there is no depth left to make it in
_RECURSION = dumps(("e", ("builtins", "RecursionError"), ("t",), "maximum recursion depth exceeded", "", [], None), 999)


def packed_call(
    channel: Caller, operation: str, ref: int, args: tuple[object, ...], options: dict[str, object] | None
) -> tuple[int, bytes, Packer | None]:
    """Pack a call; as `packed`, with a shortcut for plain arguments."""
    if not options and are_atoms(args):  # most calls: what is around the arguments is ours, and plain
        return CALL, dumps((operation, ref, args, None), channel.limit), None
    return packed(channel, (operation, ref, args, options), CALL, CALL_RICH)


def packed(channel: Caller, value: object, plain: int, rich: int) -> tuple[int, bytes, Packer | None]:
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
            return rich, dumps(packer.whole(packer.pack(value)), channel.limit), packer
        except BaseException:
            packer.undo()
            raise
    except RecursionError:  # one of Python's own, out of our depths: its traceback would be a thousand lines
        raise RecursionError("the value contains itself or nests too deeply to be sent") from None


def packed_error(packer: Packer, error: BaseException, limit: int) -> bytes:
    """Pack an exception; where it cannot be packed, a WorkerError that names it."""
    try:
        return dumps(packer.whole(packer.pack_exception(error, text_of(error))), limit)
    except RecursionError:
        packer.undo()
        return _RECURSION
    except Exception as failure:  # noqa: BLE001 - an exception that cannot cross must still be told
        packer.undo()
        told = WorkerError(f"{type(error).__qualname__}: {error!r} could not be sent: {failure!r}")
        return dumps(packer.pack_exception(told, ""), limit)


def unpacked(channel: Caller, body: bytes | memoryview, descriptors: Sequence[int], timeout: float | None) -> Any:
    """Return the value of a body and the descriptors with it; calls through its proxies may take `timeout` seconds."""
    unpacker = Unpacker(channel, descriptors, timeout)
    try:
        return unpacker.unpack(channel.loads(body))
    finally:
        unpacker.close()
