"""Threads that inherit the open blocks; plain ones start with none, as Python's context variables do."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")


class ContextThread(Thread):
    """A thread whose function runs in the context that was open where the thread was made, not where it started."""

    # Python 3.14 has this as `Thread(context=...)` and `sys.flags.thread_inherit_context`, which takes the context of
    # where a thread is *started*; before, a thread begins with an empty one (PEP 567)
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._context_of_maker = copy_context()

    def run(self) -> None:
        """Run the target in a copy of the maker's context."""
        self._context_of_maker.run(super().run)


class ContextExecutor(ThreadPoolExecutor):
    """A ThreadPoolExecutor whose tasks run in the context that was open where they were submitted."""

    # A thread of a pool keeps the context it began with, that of whichever `submit` made it
    # (`_adjust_thread_count` in Lib/concurrent/futures/thread.py)
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit a call; each has a context of its own."""
        call: Callable[..., T] = copy_context().run
        return super().submit(call, fn, *args, **kwargs)


def context_wrap(function: Callable[P, T]) -> Callable[P, T]:
    """Wrap a callable so that it runs, in whatever thread, in the context that is open here and now.

    Args:
        function: anything callable; each call gets a copy of the context, so calls may run at once.
    """
    # A context can be entered once at a time (`Context.run` raises RuntimeError), hence a copy for each call
    context = copy_context()

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(function, *args, **kwargs)

    return wrapped
