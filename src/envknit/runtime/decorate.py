"""`use()` as a decorator: the block is open while the function's own code runs, and at no other time."""

from __future__ import annotations

import functools
import inspect

from envknit.runtime.routing import Blocks, current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from typing import Any

    from envknit.runtime.use import Block


def decorate(block: Block, function: Callable[..., Any]) -> Any:
    """Wrap a function of any kind so that the block is open in it.

    A generator's block is open during its own steps only: between them its consumer imports as before.
    """
    if inspect.isasyncgenfunction(function):
        return _async_generator(block, function)
    if inspect.isgeneratorfunction(function):
        return _generator(block, function)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **options: Any) -> Any:
            with block:
                return await function(*args, **options)

        return awaited

    @functools.wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        with block:
            return function(*args, **options)

    return called


def _inside(block: Block) -> Blocks:
    block.ready()
    outer = current.get()
    return block.alone if outer is None else Blocks((*outer.blocks, block))


def _generator(block: Block, function: Callable[..., Generator[Any, Any, Any]]) -> Any:
    @functools.wraps(function)
    def stepped(*args: Any, **options: Any) -> Generator[Any, Any, Any]:
        inside: Blocks | None = _inside(block)
        generator = function(*args, **options)
        step, value = generator.send, None
        while True:
            outside = current.get()
            current.set(inside)
            try:
                given = step(value)
            except StopIteration as stop:
                return stop.value
            finally:
                inside = current.get()
                current.set(outside)
            try:
                value = yield given
                step = generator.send
            except BaseException as error:  # noqa: BLE001 - the generator decides what of it goes on
                step, value = generator.throw, error

    return stepped


def _async_generator(block: Block, function: Callable[..., AsyncGenerator[Any, Any]]) -> Any:
    @functools.wraps(function)
    async def stepped(*args: Any, **options: Any) -> AsyncGenerator[Any, Any]:
        inside: Blocks | None = _inside(block)
        generator = function(*args, **options)
        step: Callable[..., Any] = generator.asend
        value: Any = None
        while True:
            outside = current.get()
            current.set(inside)
            try:
                given = await step(value)
            except StopAsyncIteration:
                return
            finally:
                inside = current.get()
                current.set(outside)
            try:
                value = yield given
                step = generator.asend
            except BaseException as error:  # noqa: BLE001 - as above
                step, value = generator.athrow, error

    return stepped
