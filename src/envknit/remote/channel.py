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

from envknit.errors import WorkerError
from envknit.remote import arrays, output
from envknit.remote.bodies import packed, packed_call, packed_error, unpacked
from envknit.remote.operations import OPERATIONS, describe
from envknit.remote.pack import Packer
from envknit.remote.proxy import make, make_class
from envknit.wire import buffers
from envknit.wire.awaiting import Loop
from envknit.wire.failures import Mirror, WorkerGone
from envknit.wire.frames import (
    CALL,
    CALL_RICH,
    LARGEST,
    PRINTS_HERE,
    RAISE,
    RELEASE,
    RETURN,
    RETURN_RICH,
    loads,
)
from envknit.wire.line import Lost
from envknit.wire.lines import Lines
from envknit.wire.peer import INTERRUPT, NEW_LINE, Peer
from envknit.wire.references import Exports, Imports, Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from envknit.remote.proxy import Proxy
    from envknit.wire.line import Line

_DEEPEST = 100  # calls back out of calls back; Python's own limit would be met in the middle of a frame


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
        self.loads: Callable[[bytes | memoryview], Any] = loads
        if is_host:
            from envknit.wire.bounded import loads_bounded  # a worker need not doubt its host, and starts without `re`

            self.loads = loads_bounded
        self.limit = limit
        self.peer: Peer = peer or Peer()
        self.mirror: Mirror = mirror or Mirror()
        self.exports: Exports = Exports()
        self.imports: Imports = Imports(self._free_line)
        self.arena = buffers.Arena()
        self.lines = Lines(self.say, is_host=is_host, limit=limit)
        self.loop = Loop()
        self.closed = ""
        self.operations: dict[str, Callable[..., Any]] = {
            **OPERATIONS,
            **output.OPERATIONS,
            "await": self.loop.start,
            "describe": lambda _, number: describe(self.exports.type_of(number)),
            "view": partial(arrays.share, self),
        }
        self._control_lock = threading.Lock()
        self._classes: dict[int, type[Proxy]] = {}
        self._passing: weakref.WeakValueDictionary[int, type[Proxy]] = weakref.WeakValueDictionary()
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
        if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__:  # (redirect_stdout, pytest, notebooks)
            kind |= PRINTS_HERE
        descriptors: Sequence[int] = packer.descriptors if packer is not None else ()
        free = self.lines.thread.free
        line = free.pop() if free else self._open()
        try:
            line.serial = ident = (line.serial + 1) & 0xFFFFFFFF
            if timeout != line.timeout:
                line.wait_at_most(timeout)
            line.send(kind, ident, body, descriptors, self.imports.releases() if self.imports.dropped else b"")
            kind, got, answer, descriptors = line.receive()
            while kind not in _ANSWERS:
                self._between(line, kind, got, answer, descriptors)
                line.wait_at_most(timeout)
                kind, got, answer, descriptors = line.receive()
            if got != ident:
                raise WorkerError("unexpected reply", expected=ident, got=got)  # noqa: TRY301 - as any failure here
        except BaseException as error:  # noqa: BLE001 - whatever it was, the line is not to be used again
            self._give_up(line, error, timeout)
        free.append(line)
        if kind == RETURN:
            return self.loads(answer)
        value = unpacked(self, answer, descriptors, timeout)
        if kind == RAISE:
            try:
                raise value
            finally:
                del value  # the exception's frames would hold the exception
        return value

    def serve(self, line: Line) -> None:
        """Answer the calls of a line until the other side closes it."""
        try:
            while True:
                self._between(line, *line.receive())
        except (Lost, WorkerError):  # nobody is there any more, or nobody who speaks our language
            return
        finally:
            line.close()

    def deliver(self, ref: int, number: int, timeout: float | None, value: object = None) -> Proxy:
        """Return the proxy of a reference that came in.

        Args:
            ref: the reference.
            number: of its type.
            timeout: seconds that its calls may take.
            value: of a str or number whose class is not Python's own.
        """
        kind = self._classes.get(number) or self._passing.get(number)
        if kind is None:
            described = self.call(timeout, "describe", 0, (number,))
            kind = make_class(*described)
            # Classes that are made at run time would fill the table
            (self._classes if described[-1]["lasting"] else self._passing)[number] = kind
        if issubclass(kind, int):  # CPython has no weak references to what has a variable size (PyVarObject)
            token = self.imports.deliver(ref, Token)
            proxy = make(kind, self, ref, value)
            object.__setattr__(proxy, "_envknit_token", token)
        else:
            proxy = self.imports.deliver(ref, partial(make, kind, self, ref, value))
        object.__setattr__(proxy, "_envknit_timeout", timeout)
        return proxy

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
                break
            if not message:
                break
            line = self.lines.add(socket.socket(fileno=rights[0])) if rights else None
            if line is not None and (message == NEW_LINE or on_message is None):
                threading.Thread(target=self.serve, args=(line,), name="envknit-line", daemon=daemon).start()
            elif on_message is not None:
                on_message(message, line)
        if self.loop.awaited and not self.closed:  # those who await read from no line, and would never hear of the end
            self.peer.lost_error(sent=True)

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
        self.lines.close(wake=wake)
        if wake:
            with suppress(OSError):  # the other side is gone
                self.control.shutdown(socket.SHUT_RDWR)  # what was said before still arrives
        self.control.close()
        self.arena.close()
        if wake:  # (in a fork another thread may have held the lock)
            self.loop.stop()
            self.exports.clear()

    def _open(self) -> Line:
        if self.closed:
            raise self._gone(sent=False)
        try:
            return self.lines.open()
        except OSError:
            raise self._gone(sent=False) from None

    def _between(self, line: Line, kind: int, ident: int, body: bytes | memoryview, descriptors: Sequence[int]) -> None:
        """Deal with a frame that is no answer: objects that the other side dropped, or a call of it."""
        if kind == RELEASE:
            self.exports.release(self.loads(body))
            return
        thread = self.lines.thread
        outer = thread.prints_there
        prints_there, kind = kind >= PRINTS_HERE, kind & ~PRINTS_HERE
        if kind != CALL and kind != CALL_RICH:  # noqa: PLR1714 - a tuple of globals would be made for each call
            raise WorkerError("unexpected reply", kind=kind)
        free = thread.free
        free.append(line)  # calls back go to the thread that waits at the other end
        thread.depth = depth = thread.depth + 1
        if prints_there is not outer:
            thread.prints_there = prints_there
        kind, body, packer = self._answer(kind, body, descriptors, depth)
        if prints_there is not outer:
            thread.prints_there = outer
        thread.depth = depth - 1
        if not (free and free[-1] is line):
            raise Lost(sent=True)  # a call back was given up, and the line with it
        free.pop()
        line.pinned = packer.pinned if packer is not None else ()
        descriptors = packer.descriptors if packer is not None else ()
        try:
            line.send(kind, ident, body, descriptors, self.imports.releases() if self.imports.dropped else b"")
        except Lost as error:
            # This answer was not sent, but the call that waits here was, and must not be made once more
            raise Lost(sent=True) from error

    def _answer(
        self, kind: int, body: bytes | memoryview, descriptors: Sequence[int], depth: int
    ) -> tuple[int, bytes, Packer | None]:
        """Do what a call asks for; return the frame that answers it."""
        try:
            if depth > _DEEPEST:
                raise RecursionError("calls between host and worker nest too deeply")  # noqa: TRY301 - as any failure
            if kind == CALL:
                operation, ref, args, options = self.loads(body)
            else:
                operation, ref, args, options = unpacked(self, body, descriptors, None)
            # Extension modules may know the names of parameters by their identity (orjson does)
            options = {sys.intern(name): option for name, option in options.items()} if options else {}
            result = self.operations[operation](self.exports.get(ref), *args, **options)
            args = options = None  # what was lent for them is given back with the answer
            return packed(self, result, RETURN, RETURN_RICH)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            packer = Packer(self)
            return RAISE, packed_error(packer, error, self.limit), packer

    def _give_up(self, line: Line, error: BaseException, timeout: float | None) -> NoReturn:
        main = self.lines.give_up(line)
        if isinstance(error, Lost):
            raise self._gone(sent=error.sent) from None
        if main and self.is_host and not self.closed:
            # Ctrl-C and deadlines interrupt the call, not the worker; Python can interrupt its main thread alone
            with suppress(OSError):  # (it is gone, which is interruption enough)
                self.say(INTERRUPT)
        if isinstance(error, BlockingIOError):  # what a socket says whose SO_RCVTIMEO is over
            raise self.peer.timeout_error(timeout or 0.0) from None
        raise error

    def _gone(self, *, sent: bool) -> WorkerGone:
        return WorkerGone(self.closed, sent=sent) if self.closed else self.peer.lost_error(sent=sent)

    def _free_line(self) -> Line | None:
        free = self.lines.thread.free
        return free[-1] if free and not self.closed else None


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
