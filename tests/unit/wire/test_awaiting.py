"""Coroutines, asynchronous iterators and context managers of the other side, awaited on the loop that runs here."""

from __future__ import annotations

import asyncio
import collections.abc
import inspect
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kit.pair import Pair


async def double(value: Any) -> Any:
    await asyncio.sleep(0)
    return value * 2


async def fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("not there")


async def count(most: int) -> AsyncIterator[int]:
    for number in range(most):
        await asyncio.sleep(0)
        yield number


class Manager:
    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __aenter__(self) -> str:
        self.seen.append("in")
        return "entered"

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.seen.append(repr(error))
        return isinstance(error, LookupError)


def test_a_coroutine_is_awaited(pair: Pair) -> None:
    remote = pair.ask(double)

    async def main() -> list[Any]:
        return [await remote(1), *await asyncio.gather(*(remote(number) for number in range(20)))]

    assert asyncio.run(main()) == [2, *range(0, 40, 2)]


def test_it_is_a_coroutine_for_whatever_takes_one(pair: Pair) -> None:
    remote = pair.ask(double)

    async def main() -> list[Any]:
        return [await asyncio.create_task(remote("a")), await asyncio.wait_for(remote([1]), 10)]

    coroutine = remote(1)
    assert isinstance(coroutine, collections.abc.Coroutine)
    assert inspect.isawaitable(coroutine)
    assert asyncio.run(coroutine) == 2
    assert asyncio.run(main()) == ["aa", [1, 1]]


def test_its_exception_arrives_with_the_traceback_from_there(pair: Pair) -> None:
    remote = pair.ask(fail)

    async def main() -> None:
        await remote()

    with pytest.raises(LookupError, match="not there") as caught:
        asyncio.run(main())
    assert "in fail" in str(caught.value.__cause__)


def test_asynchronous_iterators_and_generators(pair: Pair) -> None:
    remote = pair.ask(count)

    async def main() -> list[Any]:
        generator = remote(9)
        first = [await anext(generator), await generator.asend(None)]
        await generator.aclose()
        return [*first, [number async for number in remote(3)]]

    assert asyncio.run(main()) == [0, 1, [0, 1, 2]]


def test_asynchronous_context_managers_hear_of_the_exception(pair: Pair) -> None:
    manager = Manager()
    remote = pair.ask(manager)

    async def main() -> None:
        async with remote as entered:
            assert entered == "entered"
        async with remote:
            raise LookupError("swallowed")

    asyncio.run(main())
    assert manager.seen == ["in", "None", "in", "LookupError('swallowed')"]


def test_cancelling_the_task_here_cancels_the_one_there(pair: Pair) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    remote = pair.ask(wait)

    async def main() -> None:
        task = asyncio.create_task(remote())
        await asyncio.to_thread(started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert cancelled.wait(10)


def test_one_that_takes_too_long_is_cancelled_there(pair: Pair) -> None:
    remote = pair.ask(lambda: asyncio.sleep(60), timeout=0.1)

    async def main() -> None:
        await remote()

    with pytest.raises(TimeoutError, match=r"more than 0\.1 seconds"):
        asyncio.run(main())
    assert pair.ask(1) == 1


def test_a_coroutine_of_the_host_runs_on_the_loop_that_awaits_the_worker(pair: Pair) -> None:
    async def call(function: Any) -> Any:
        return await function()

    remote = pair.ask(call)
    loops: list[object] = []

    async def ours() -> str:
        loops.append(asyncio.get_running_loop())
        return "ours"

    async def main() -> Any:
        loops.append(asyncio.get_running_loop())
        return await remote(ours)

    assert asyncio.run(main()) == "ours"
    assert loops[0] is loops[1]


def test_who_awaits_hears_of_the_end_of_the_channel(pair: Pair) -> None:
    started = threading.Event()

    async def wait() -> None:
        started.set()
        await asyncio.sleep(60)

    remote = pair.ask(wait, timeout=None)

    async def main() -> None:
        task = asyncio.create_task(remote())
        await asyncio.to_thread(started.wait, 10)
        pair.near.close("it was closed")
        await task

    with pytest.raises(RuntimeError, match="ended while its answer was awaited"):
        asyncio.run(main())
