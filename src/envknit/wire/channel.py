"""The channel between a host and its worker: calls in both directions, over one line for each thread.

Both ends run this code. A thread that calls writes a frame on its line and reads until the answer comes; what comes
before the answer are calls back from the very thread that serves it, and it serves those. A thread without a line opens
one: it makes a socket pair and sends one end over the control socket to the other side, where a new thread serves it.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import weakref
from contextlib import suppress
from functools import partial
from time import monotonic

from envknit.errors import WorkerError
from envknit.wire import arrays, buffers
from envknit.wire.bodies import packed, packed_call, packed_error, unpacked
from envknit.wire.failures import Mirror
from envknit.wire.frames import CALL, CALL_RICH, LARGEST, RAISE, RELEASE, RETURN, RETURN_RICH, dumps, frame, loads
from envknit.wire.lines import Line, Lost
from envknit.wire.operations import OPERATIONS, describe
from envknit.wire.pack import Packer
from envknit.wire.peer import INTERRUPT, NEW_LINE, NEW_MAIN_LINE, Peer
from envknit.wire.proxy import WorkerGone, make, make_class, set_timeout
from envknit.wire.references import Exports, Imports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from envknit.wire.proxy import Proxy

_DEEPEST = 100  # calls back out of calls back; Python's own limit would be met in the middle of a frame
_BETWEEN_RELEASES = 0.01  # seconds; proxies that are dropped in a row are released together


class _Free(list):  # type: ignore[type-arg]
    __slots__ = ("__weakref__",)
    __hash__ = object.__hash__  # type: ignore[assignment]  # (two of them are never the same)


class _Threads(threading.local):
    def __init__(self, all_free: weakref.WeakSet[_Free]) -> None:
        self.free = _Free()  # lines on which this thread may send a call now
        all_free.add(self.free)
        self.depth = 0  # calls that this thread is answering, each out of the one before


class Channel:
    """One end of the channel.

    Args:
        control: the control socket.
        is_host: whether this is the host's end.
        limit: bytes of the largest value that crosses by value.
        peer: the owner.
        mirror: where the other side's exception classes are kept.
    """

    def __init__(
        self,
        control: socket.socket,
        *,
        is_host: bool,
        limit: int = LARGEST,
        peer: Peer | None = None,
        mirror: Mirror | None = None,
    ) -> None:
        self.control = control
        self.is_host = is_host
        self.limit = limit
        self.mirror: Mirror = mirror or Mirror()
        self.exports: Exports = Exports()
        self.imports = Imports(self._on_drop)
        self.arena = buffers.Arena()
        self.closed = ""
        self.operations: dict[str, Callable[..., Any]] = {
            **OPERATIONS,
            "describe": lambda _, number: describe(self.exports.type_of(number)),
            "view": partial(arrays.share, self),
        }
        self.on_export: Callable[[], None] | None = None  # called once, when the other side first gets a reference
        self.origins: dict[int, tuple[Any, str]] = {}  # functions of modules: their reference to module and name
        self._peer = peer or Peer()
        self._control_lock = threading.Lock()
        self._all_free: weakref.WeakSet[_Free] = weakref.WeakSet()
        self._threads = _Threads(self._all_free)
        self._main_line: Line | None = None  # with the main threads of both sides at its ends
        self._lines: weakref.WeakSet[Line] = weakref.WeakSet()
        self._classes: dict[int, type[Proxy]] = {}
        self._released = 0.0
        _channels.add(self)

    def call(
        self,
        timeout: float | None,
        operation: str,
        ref: int,
        args: tuple[object, ...],
        options: dict[str, object] | None = None,
    ) -> Any:
        """Let the other side do something to one of its objects, and return the result.

        Args:
            timeout: seconds until a TimeoutError; None: never.
            operation: a name from `operations`.
            ref: the object; 0 for none.
            args: what else the operation takes.
            options: keyword arguments of a call.

        Raises:
            TimeoutError: no answer came in time.
            WorkerError: the other side is gone.
            BaseException: what the operation raised.
        """
        kind, body, packer = packed_call(self, operation, ref, args, options)
        descriptors: Sequence[int] = packer.descriptors if packer is not None else ()
        free = self._threads.free
        line = free.pop() if free else self._open()
        try:
            line.serial = ident = (line.serial + 1) & 0xFFFFFFFF
            if timeout != line.timeout:
                line.wait_at_most(timeout)
            line.send(kind, ident, body, descriptors, self._releases() if self.imports.dropped else b"")
            kind, got, answer, descriptors = line.receive()
            while kind not in _ANSWERS:
                self._between(line, kind, got, answer, descriptors)
                line.wait_at_most(timeout)
                kind, got, answer, descriptors = line.receive()
            if got != ident:
                words = "an answer to another call came through the channel"
                raise WorkerError(words, expected=ident, got=got)  # noqa: TRY301 - one way to give a line up
        except BaseException as error:  # noqa: BLE001 - whatever it was, the line is not to be used again
            self._give_up(line, error, timeout)
        free.append(line)
        if kind == RETURN:
            return loads(answer)
        value = unpacked(self, answer, descriptors, timeout)
        if kind == RAISE:
            try:
                raise value
            finally:
                del value  # the exception's frames would hold the exception
        return value

    def serve(self, line: Line) -> None:
        """Answer the calls of a line until the other side closes it."""
        self._lines.add(line)
        try:
            while True:
                self._between(line, *line.receive())
        except (Lost, WorkerError):  # nobody is there any more, or nobody who speaks our language
            return
        finally:
            line.close()

    def deliver(self, ref: int, number: int, timeout: float | None) -> Proxy:
        """Return the proxy of a reference that came in; its calls may take `timeout` seconds."""
        kind = self._classes.get(number)
        if kind is None:
            kind = self._classes[number] = make_class(*self.call(timeout, "describe", 0, (number,)))
        proxy = self.imports.deliver(ref, partial(make, kind, self, ref))
        set_timeout(proxy, timeout)
        return proxy

    def borrow(self, ref: int, descriptor: int, size: int, *, writable: bool = True, most: int = 0) -> Any:
        """Map memory that the other side lends; when nothing here views it any more, it is given back.

        Args:
            ref: the reference of the lease.
            descriptor: of the memory; it stays the caller's.
            size: in bytes.
            writable: whether it may be written to here.
            most: how many pieces may be mapped at once; what comes beyond them is copied. 0: any number.
        """
        try:
            memory = self.imports.deliver(ref, partial(buffers.map_shared, descriptor, size, writable=writable))
        except (OSError, ValueError):  # no address space is left, say
            self.decline(ref)
            raise
        return bytearray(memory) if most and self.imports.mapped > most else memory

    def decline(self, ref: int) -> None:
        """Give memory back that could not be taken."""
        self.imports.deliver(ref, set)  # something that nobody holds

    def module(self, name: str, timeout: float | None) -> Any:
        """Return the stand-in of a module of the other side."""
        return self._peer.module(name, timeout)

    def origin(self, module: str) -> Any:
        """Say where a module of the other side came from; see `envknit.explain`."""
        return self._peer.origin(module)

    def grant(self, value: object) -> tuple[int, int]:
        """Let the other side refer to an object; from now on its threads may call back at any time."""
        listen, self.on_export = self.on_export, None
        if listen is not None:
            listen()
        return self.exports.grant(value)

    def held(self) -> int:
        """Count the objects of the other side that somebody here holds, but for functions that modules keep."""
        return len(self.imports) - len(self.imports.dropped) - len(self.origins)

    def owns(self, module: Any) -> bool:
        """Tell whether a ModuleProxy stands for a module of the other side."""
        return module._envknit_source is self._peer.source

    def module_name(self, value: object) -> str:
        """Return the name under which the host can ask for a module of ours; `""`: it is an object like others."""
        if self.is_host:
            return ""
        name: str = getattr(value, "__name__", "")
        return name if sys.modules.get(name) is value else ""

    def listen(self, on_message: Callable[[bytes, Line | None], None] | None = None, *, daemon: bool = True) -> None:
        """Accept lines that the other side opens, each served by a thread of its own, until the channel closes.

        Args:
            on_message: gets every other message, with the line that came with it; None: all lines are alike.
            daemon: whether the threads are daemons, which a sub-interpreter with a GIL of its own may not have.
        """
        while True:
            try:
                message, rights, _, _ = socket.recv_fds(self.control, 1, 1)
            except OSError:
                return
            if not message:
                return
            line = self._line(socket.socket(fileno=rights[0])) if rights else None
            if line is not None and (message == NEW_LINE or on_message is None):
                threading.Thread(target=self.serve, args=(line,), name="envknit-line", daemon=daemon).start()
            elif on_message is not None:
                on_message(message, line)

    def say(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send one message over the control socket.

        Raises:
            OSError: the other side is gone.
        """
        with self._control_lock:
            socket.send_fds(self.control, [message], list(descriptors))

    def close(self, reason: str, *, wake: bool = True) -> None:
        """Close this end; calls from now on raise a WorkerError that gives the reason.

        Args:
            reason: what happened, without a full stop.
            wake: end what other threads wait for; False in a fork, where the sockets are the parent's too.
        """
        if self.closed:
            return
        self.closed = reason
        _channels.discard(self)
        for line in list(self._lines):
            if wake:  # close() would leave a thread that is in recvmsg() there for ever
                line.hang_up()
            else:
                line.close()
        for free in list(self._all_free):
            while free:
                with suppress(IndexError):  # its thread took the line in this moment, and will see its end
                    free.pop().close()
        self._threads = _Threads(self._all_free)
        if wake:
            with suppress(OSError):  # the other side is gone
                self.control.shutdown(socket.SHUT_RDWR)  # what was said before still arrives
        self.control.close()
        self.arena.close()
        if wake:  # (in a fork another thread may have held the lock)
            self.exports.clear()

    def forget_lines(self) -> None:
        """Let the calling thread open a new line for its next call: an interrupt left it anywhere."""
        self._threads.free.clear()
        self._threads.depth = 0

    def adopt(self, end: socket.socket) -> Line:
        """Take a connected socket as a line of the calling thread."""
        line = self._main_line = self._line(end)
        self._threads.free.append(line)
        return line

    def _line(self, end: socket.socket) -> Line:
        line = Line(end, self.limit)
        self._lines.add(line)
        return line

    def _open(self) -> Line:
        if self.closed:
            raise self._gone(sent=False)
        # A second line of the main thread (for a call out of a signal handler, say) gets a thread like any other
        main = self.is_host and self._main_line is None and threading.current_thread() is threading.main_thread()
        ours, theirs = socket.socketpair()
        try:
            self.say(NEW_MAIN_LINE if main else NEW_LINE, [theirs.fileno()])
        except OSError:
            ours.close()
            raise self._gone(sent=False) from None
        finally:
            theirs.close()
        line = self._line(ours)
        if main:
            self._main_line = line
        return line

    def _between(self, line: Line, kind: int, ident: int, body: bytes | memoryview, descriptors: Sequence[int]) -> None:
        if kind == RELEASE:
            self.exports.release(loads(body))
        elif kind in (CALL, CALL_RICH):
            self._answer(line, kind, ident, body, descriptors)
        else:
            raise WorkerError("an answer that nobody asked for came through the channel", kind=kind)

    def _answer(self, line: Line, kind: int, ident: int, body: bytes | memoryview, descriptors: Sequence[int]) -> None:
        threads = self._threads
        free = threads.free
        free.append(line)  # calls back go to the thread that waits at the other end
        packer: Packer | None = None
        threads.depth += 1
        try:
            if threads.depth > _DEEPEST:
                raise RecursionError("calls between host and worker nest too deeply")  # noqa: TRY301 - as any failure
            if kind == CALL:
                operation, ref, args, options = loads(body)
            else:
                operation, ref, args, options = unpacked(self, body, descriptors, None)
            # Extension modules may know the names of parameters by their identity (orjson does)
            options = {sys.intern(name): option for name, option in options.items()} if options else {}
            result = self.operations[operation](self.exports.get(ref), *args, **options)
            args = options = None  # what was lent for them is given back with the answer
            kind, body, packer = packed(self, result, RETURN, RETURN_RICH)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            packer = Packer(self)
            kind, body = RAISE, packed_error(packer, error, self.limit)
        threads.depth -= 1
        if not (free and free[-1] is line):
            raise Lost(sent=True)  # a call back was given up, and the line with it
        free.pop()
        line.pinned = packer.pinned if packer is not None else []
        descriptors = packer.descriptors if packer is not None else ()
        line.send(kind, ident, body, descriptors, self._releases() if self.imports.dropped else b"")

    def _give_up(self, line: Line, error: BaseException, timeout: float | None) -> NoReturn:
        line.close()
        main = line is self._main_line
        if main:
            self._main_line = None
        if isinstance(error, BlockingIOError):
            raise self._peer.overdue(timeout or 0.0) from None
        if isinstance(error, Lost):
            raise self._gone(sent=error.sent) from None
        if main and self.is_host and not self.closed:
            with suppress(OSError):  # (it is gone, which is interruption enough)
                self.say(INTERRUPT)  # Ctrl-C interrupts the call, not the worker
        raise error

    def _gone(self, *, sent: bool) -> WorkerGone:
        return WorkerGone(self.closed, sent=sent) if self.closed else self._peer.explain(sent=sent)

    def _releases(self) -> bytes:
        self._released = monotonic()
        dropped = self.imports.take_dropped()
        return frame(RELEASE, 0, dumps(dropped, self.limit)) if dropped else b""

    def _on_drop(self) -> None:
        free = self._threads.free
        if self.closed or not free or monotonic() - self._released < _BETWEEN_RELEASES:
            return  # they go with the next call
        self._released = monotonic()
        dropped = self.imports.take_dropped()
        if dropped and not free[-1].post(frame(RELEASE, 0, dumps(dropped, self.limit))):
            self.imports.dropped.extend(dropped)


_ANSWERS = frozenset([RETURN, RETURN_RICH, RAISE])


_channels: weakref.WeakSet[Channel] = weakref.WeakSet()


def _before_fork() -> None:
    for channel in list(_channels):
        channel.arena.retire()
        channel.imports.retire()


def _after_fork() -> None:
    for channel in list(_channels):
        channel.close(f"this worker belongs to process {os.getppid()}, of which this is a fork", wake=False)


os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
