"""Awaitables of the other side: they run on an event loop there, and are awaited on the loop that runs here.

    here    `await proxy`: a future of the running loop, of asyncio or trio; its task may be cancelled
    there   `Loop.start` runs the awaitable as a task, and calls back when it is done

No thread waits on either side, so thousands may be awaited at once. What blocks whatever we do, as the start of a
process, is awaited in the same way (`off_the_loop`).
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress

from envknit.errors import WorkerError
from envknit.wire.failures import WorkerGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Awaitable, Callable
    from typing import Any


def _leave(target: Any, error: BaseException | None) -> Awaitable[object]:
    facts = (None, None, None) if error is None else (type(error), error, error.__traceback__)
    found: Awaitable[object] = type(target).__aexit__(target, *facts)
    return found


# The protocols of PEP 492: what is awaited there
PROTOCOL: dict[str, Callable[..., Awaitable[object]]] = {
    "__await__": lambda target: target,
    "__anext__": lambda target: type(target).__anext__(target),
    "__aenter__": lambda target: type(target).__aenter__(target),
    "__aexit__": _leave,
}


class Loop:
    """Runs awaitables of this side for the other one, and knows which of theirs are awaited here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own: AbstractEventLoop | None = None
        # What is told of the end of each; under trio it has no loop that could run something for the other side
        self.awaited: dict[Callable[..., None], AbstractEventLoop | None] = {}

    def start(self, target: object, operation: str, done: Callable[..., object], *args: object) -> Callable[[], object]:
        """Start an awaitable of this side; return the function that cancels it.

        Args:
            target: the object.
            operation: a name of `PROTOCOL`.
            done: is called with an exception, or with None and the result.
            args: what else the operation takes.
        """
        import asyncio

        async def run() -> object:
            return await PROTOCOL[operation](target, *args)

        # (the one function of asyncio, with call_soon_threadsafe, that may be called from another thread)
        future = asyncio.run_coroutine_threadsafe(run(), self._running())
        future.add_done_callback(lambda future: _tell(future, done))
        return future.cancel

    def stop(self) -> None:
        """End what is awaited and what runs: the other side is gone."""
        for done in list(self.awaited):
            done(WorkerGone("the other side ended while its answer was awaited", sent=True), None)
        with self._lock:
            own, self._own = self._own, None
        if own is not None:
            own.call_soon_threadsafe(own.stop)

    def _running(self) -> AbstractEventLoop:
        # An awaitable of the host belongs to the loop that awaits the worker now, if one does: its locks and
        # connections are bound to that one
        for loop in list(self.awaited.values()):
            if loop is not None and loop.is_running():
                return loop
        with self._lock:
            if self._own is None:
                import asyncio

                self._own = asyncio.new_event_loop()
                # Threads of a sub-interpreter with a GIL of its own may not be daemons (PEP 684); `stop` ends it
                daemon = "envknit.interpreter.inside" not in sys.modules
                threading.Thread(target=_run_loop, args=(self._own,), name="envknit-loop", daemon=daemon).start()
            return self._own


def _run_loop(loop: AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _tell(future: Any, done: Callable[..., object]) -> None:
    import asyncio

    error = asyncio.CancelledError() if future.cancelled() else future.exception()
    with suppress(WorkerError):  # nobody is there to be told
        done(error, None if error is not None else future.result())


async def result_of(proxy: Any, operation: str, *args: object) -> Any:
    """Await an object of the other side.

    Args:
        proxy: the object's proxy.
        operation: a name of `PROTOCOL`.
        args: what else the operation takes.

    Raises:
        TimeoutError: it took longer than a call through this proxy may; it was cancelled then.
        WorkerError: the other side is gone.
        BaseException: what the awaitable raised.
    """
    outcome = _outcome()
    caller, timeout, done = proxy._envknit_channel, proxy._envknit_timeout, outcome.done
    caller.loop.awaited[done] = outcome.loop
    try:
        cancel = caller.call(timeout, "await", proxy._envknit_ref, (operation, done, *args))
        return await outcome.wait(timeout, cancel)
    finally:
        del caller.loop.awaited[done]


async def off_the_loop(work: Callable[[], Any], undo: Callable[[threading.Thread], object] | None = None) -> Any:
    """Do what blocks on a thread of its own, and await its result.

    Args:
        work: what is done; it is not stopped when the task is cancelled.
        undo: called then on another thread, with the thread that works.
    """
    outcome = _outcome()

    def do() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the task's
            outcome.done(error, None)
        else:
            outcome.done(None, result)

    # Not the loop's executor: that has few threads, and the program's end would wait for them
    working = threading.Thread(target=do, name="envknit-opening", daemon=True)
    working.start()
    undoing = threading.Thread(target=undo, args=(working,), name="envknit-closing", daemon=True)  # (None is allowed)
    return await outcome.wait(None, undoing.start)


def _outcome() -> _OnAsyncio | _OnTrio:
    import asyncio

    try:
        return _OnAsyncio(asyncio.get_running_loop())
    except RuntimeError:
        if "trio" not in sys.modules:
            raise
        return _OnTrio(sys.modules["trio"])


class _OnAsyncio:
    """What a task of asyncio awaits, and any thread tells."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self._end: Future[Any] = loop.create_future()

    def done(self, error: BaseException | None, value: object) -> None:
        """Tell the result, or the exception."""
        with suppress(RuntimeError):  # the loop was closed meanwhile
            self.loop.call_soon_threadsafe(_settle, self._end, error, value)

    async def wait(self, timeout: float | None, cancel: Callable[[], object]) -> Any:
        """Return or raise what is told; `cancel` is called where the task is cancelled, or the time is over."""
        import asyncio

        try:
            finished, _ = await asyncio.wait([self._end], timeout=timeout)
        except asyncio.CancelledError:
            self._end.cancel()
            with suppress(WorkerError):  # it is gone
                cancel()
            raise
        if not finished:
            self._end.cancel()
            cancel()
            raise _late(timeout or 0.0)
        return self._end.result()


class _OnTrio:
    """The same for a task of trio, which the program has imported; anyio runs on one of the two."""

    def __init__(self, trio: Any) -> None:
        self.loop = None
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._end = trio.Event()
        self._told: tuple[BaseException | None, object] = (None, None)

    def done(self, error: BaseException | None, value: object) -> None:
        self._told = error, value
        with suppress(self._trio.RunFinishedError):
            self._token.run_sync_soon(self._end.set)

    async def wait(self, timeout: float | None, cancel: Callable[[], object]) -> Any:
        with self._trio.move_on_after(float("inf") if timeout is None else timeout) as deadline:
            try:
                await self._end.wait()
            except self._trio.Cancelled:  # by the deadline, or by a scope further out
                with suppress(WorkerError):  # it is gone
                    cancel()
                raise
        if deadline.cancelled_caught:
            raise _late(timeout or 0.0)
        error, value = self._told
        # Of the asyncio there; nobody here would expect it
        if error is not None and type(error).__name__ == "CancelledError":
            raise WorkerError("what was awaited in a worker was cancelled there")
        if error is not None:
            raise error
        return value


def _late(timeout: float) -> TimeoutError:
    return TimeoutError(f"what was awaited in a worker took more than {timeout:g} seconds and was cancelled")


def _settle(end: Future[Any], error: BaseException | None, value: object) -> None:
    if end.done():
        return
    if error is None:
        end.set_result(value)
    elif type(error).__name__ == "CancelledError":  # set_exception() would not mark the future as cancelled
        end.cancel()
    else:
        end.set_exception(error)
