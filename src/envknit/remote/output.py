"""What is printed and logged on the worker's side, sent to where the output of the host goes."""

from __future__ import annotations

import io
import sys

from envknit.errors import WorkerError
from envknit.remote.values import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from envknit.wire.caller import Caller

_HANDLER = "envknit"  # name of the log handler


class ForwardedStream(io.TextIOWrapper):
    """`sys.stdout` or `sys.stderr` of this side, which obeys the host's while this side answers a call.

    Where the host has replaced its own, text goes over the channel; else to the descriptor, which is the host's as
    well, a line at a time, so that it mixes with what the host prints.

    Args:
        name: `stdout` or `stderr`; the stream in `sys` is replaced by this one.
        channel: to the host; None: the descriptor alone, until it is set.
    """

    def __init__(self, name: str, channel: Caller | None) -> None:
        stream = getattr(sys, name)
        options = {"encoding": stream.encoding, "errors": stream.errors, "write_through": stream.write_through}
        # The buffer is taken over: of two streams on it, the one that is collected first would close it for both
        super().__init__(stream.detach(), **options, line_buffering=True)
        self.channel = channel
        self._name_there = name
        setattr(sys, name, self)
        setattr(sys, f"__{name}__", self)

    def write(self, text: str) -> int:
        """Write where the host's output goes."""
        if self.channel is None or not self.channel.lines.thread.prints_there:
            return super().write(text)
        self.channel.call(None, "write", 0, (self._name_there, text))
        return len(text)


def host_level() -> int | None:
    """Return the lowest level at which a logger of this program takes records; None: logging is not in use."""
    logging: Any = sys.modules.get("logging")
    if logging is None:
        return None
    # A PlaceHolder has no level, and 0 means that of the parent (Lib/logging: `getEffectiveLevel`)
    others = [getattr(logger, "level", 0) for logger in logging.Logger.manager.loggerDict.values()]
    lowest: int = min([logging.getLogger().level, *filter(None, others)])
    return lowest


def forward_logs(channel: Caller, level: int) -> None:
    """Give log records of this side to the host's logger of the same name.

    Args:
        channel: to the host.
        level: of the root logger: what the host would not take need not cross.
    """
    import logging

    root = logging.getLogger()
    root.setLevel(level)  # each time: the host may have changed its levels since
    if any(handler.name == _HANDLER for handler in root.handlers):
        return
    handler = logging.Handler()
    handler.set_name(_HANDLER)
    handler.emit = lambda record: _send(channel, record)  # type: ignore[method-assign]
    root.addHandler(handler)


def _send(channel: Caller, record: Any) -> None:
    import logging

    # As logging.handlers.QueueHandler.prepare: the arguments and the traceback stay here, their text crosses
    facts = {**vars(record), "msg": record.getMessage(), "args": None, "exc_info": None}
    if record.exc_info and not record.exc_text:
        facts["exc_text"] = logging.Formatter().formatException(record.exc_info)
    try:
        channel.call(None, "log", 0, ({name: fact for name, fact in facts.items() if is_plain(fact)},))
    except WorkerError:  # the host is gone, or this is a fork of the worker: as where nothing is configured
        if record.levelno >= logging.WARNING:
            logging.lastResort.handle(record)  # type: ignore[union-attr] # it is None only where somebody set that


def _log(_: None, facts: dict[str, Any]) -> None:
    import logging

    record = logging.makeLogRecord(facts)
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


def _write(_: None, name: str, text: str) -> None:
    stream = getattr(sys, name)
    if stream is not None:
        stream.write(text)


# What the host answers
OPERATIONS: dict[str, Callable[..., object]] = {"log": _log, "write": _write}
