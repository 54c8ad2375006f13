"""Threads that work ahead: daemons, since a command that has told its error does not wait for what nobody needs.

`concurrent.futures.ThreadPoolExecutor` joins its threads when Python ends (`concurrent/futures/thread.py`,
`_python_exit`), however long they read from a slow server.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_Job = tuple["Future[Any]", "Callable[..., Any]", tuple[Any, ...]]


class Threads:
    """Some threads that do what they are given, in that order.

    Args:
        most: how many work at a time; each is started when it is needed.
        name: how their names begin.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._started = 0
        self._idle = threading.Semaphore(0)
        self._closed = False

    def submit(self, function: Callable[..., _T], *args: Any) -> Future[_T]:  # noqa: ANN401 - whatever it takes
        """Have a function called; the future has what it returns or raises, or is cancelled if this closes first.

        Raises:
            RuntimeError: this is closed.
        """
        future: Future[_T] = Future()
        with self._guard:
            if self._closed:
                raise RuntimeError("the threads are closed")
            self._jobs.put((future, function, args))
            if not self._idle.acquire(blocking=False) and self._started < self._most:
                self._started += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        return future

    def close(self) -> None:
        """Cancel what has not begun, and let go of the threads; does not wait for them."""
        with self._guard:
            self._closed = True
            while not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job[0].cancel()
            for _ in range(self._started):
                self._jobs.put(None)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            _run(*job)
            del job  # a future would live until the next job
            self._idle.release()


def _run(future: Future[Any], function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function(*args))
    except BaseException as cause:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(cause)
