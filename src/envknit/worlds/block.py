"""What `use()` returns: a context manager and a decorator."""

from __future__ import annotations

import functools
import sys

from envknit.native.names import import_real
from envknit.runtime import doors
from envknit.runtime.asking import Blocks, current
from envknit.runtime.router import router
from envknit.worlds.explain import Origin, origin_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from types import TracebackType
    from typing import Any, TypeVar

    from envknit.worlds.inhabitants import Inhabitants
    from envknit.worlds.target import Target

    F = TypeVar("F", bound=Callable[..., Any])


class Block:
    """A context manager and decorator; inside, the host's imports of some names mean one version.

    It holds no state of its own, so one object can be entered any number of times, in any thread or task.

    Args:
        target: what the names mean.
        opener: top-level name of the module that opened it; if that is an installed package, its imports count.
        own: the project's modules in the world that it is the block of.
    """

    __slots__ = ("_alone", "held", "main", "member", "names", "opener", "own")

    def __init__(self, target: Target, opener: str, own: Inhabitants | None = None) -> None:
        self.names = target.names
        self.held = target.held
        self.main = target.main
        self.member = target.member
        self.opener = opener
        self.own = own
        self._alone = Blocks((self,))

    def __enter__(self) -> Any:
        module = self.ready()
        current.set(self.inside())
        return module

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take the block off, wherever it stands: suspended generators leave their blocks in any order."""
        if current.get() is self._alone:  # nearly always
            current.set(None)
        else:
            _take_off(lambda block: block is self)

    def open(self) -> None:
        """Let the names mean what they are to mean, inside every block that is open already."""
        doors.install()
        current.set(self.inside())

    def inside(self) -> Blocks:
        """Return the blocks that are open in it, if it is opened here."""
        outer = current.get()
        return self._alone if outer is None else Blocks((*outer.blocks, self))

    def ready(self) -> Any:
        """Import the module that it stands for; return it."""
        doors.install()
        if not self.main:
            return None
        try:
            return import_real(self.main)
        except Exception as error:
            # PEP 678; before 3.11 an exception takes no notes
            if sys.version_info >= (3, 11) and compares_names(error):
                error.add_note(
                    "envknit: it compares the names of its modules, which differ in a guest;"
                    " keep it in an interpreter or a process of its own: use(..., isolation='auto')"
                )
            raise

    def __call__(self, function: F) -> F:
        """Decorate a function, a coroutine function or a (possibly asynchronous) generator function.

        A generator's block is open during its own steps only: between them its consumer imports as before.

        Raises:
            TypeError: a class; decorate its methods.
        """
        import inspect

        if inspect.isclass(function):
            raise TypeError(
                f"a block decorates functions, and {function.__qualname__} is a class: decorate its methods"
            )
        if inspect.isasyncgenfunction(function):
            wrapped = _async_generator(self, function)
        elif inspect.isgeneratorfunction(function):
            wrapped = _generator(self, function)
        elif inspect.iscoroutinefunction(function):
            wrapped = _coroutine(self, function)
        else:
            wrapped = _function(self, function)
        decorated: Any = functools.wraps(function)(wrapped)
        return decorated  # type: ignore[no-any-return] # it has the signature that the function had

    def _envknit_origin(self) -> Origin:
        if self.member is None:
            return Origin(self.main)
        module = sys.modules.get(self.main)
        return origin_of(self.main, getattr(module, "__file__", None), self.member)


def close_innermost(tag: str) -> None:
    """Take the innermost open block of a world off."""
    _take_off(lambda block: block.own is not None and block.own.tag == tag)


def _take_off(is_meant: Callable[[Any], bool]) -> None:
    # No `current.reset(token)`: it refuses a token of another context (Python/context.c), and a generator that is
    # resumed by another task leaves its block there
    outer = current.get()
    if outer is None:
        return
    blocks = list(outer.blocks)
    for index in range(len(blocks) - 1, -1, -1):
        if is_meant(blocks[index]):
            del blocks[index]
            break
    current.set(Blocks(tuple(blocks)) if blocks else None)


def compares_names(error: Exception) -> bool:
    """Tell whether the import of a guest failed because it looks a module's name up among literals.

    kombu does (`KeyError: 'kombu@5_3_0.entity'`); a module that is missing is told by its name, too.
    """
    return not isinstance(error, (ImportError, AttributeError)) and router.names_guest(str(error))


def _function(block: Block, function: Callable[..., Any]) -> Any:
    def called(*args: Any, **options: Any) -> Any:
        with block:
            return function(*args, **options)

    return called


def _coroutine(block: Block, function: Callable[..., Any]) -> Any:
    async def awaited(*args: Any, **options: Any) -> Any:
        with block:
            return await function(*args, **options)

    return awaited


# The steps of generators are driven by hand: `yield from` would leave the block open while the consumer runs


def _generator(block: Block, function: Callable[..., Generator[Any, Any, Any]]) -> Any:
    def stepped(*args: Any, **options: Any) -> Generator[Any, Any, Any]:
        block.ready()
        inside: Blocks | None = block.inside()
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


# PEP 525 has no `yield from`; `asend` and `athrow` give awaitables, and what these await runs inside the block, too


def _async_generator(block: Block, function: Callable[..., AsyncGenerator[Any, Any]]) -> Any:
    async def stepped(*args: Any, **options: Any) -> AsyncGenerator[Any, Any]:
        block.ready()
        inside: Blocks | None = block.inside()
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
            except BaseException as error:  # noqa: BLE001 - the generator decides what of it goes on
                step, value = generator.athrow, error

    return stepped
