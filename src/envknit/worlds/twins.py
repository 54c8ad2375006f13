"""What stands in a world for a function of the program: the one of its module there, or its code with names there."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType

from envknit.errors import LinkError
from envknit.functions import find_inside, names_of, parse_path
from envknit.native.names import import_real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from envknit.worlds.inhabitants import Inhabitants


class Twins:
    """Finds them, for one call.

    Args:
        own: the project's modules in the world.
    """

    def __init__(self, own: Inhabitants) -> None:
        self._own = own
        self._made: dict[FunctionType, FunctionType] = {}
        self._globals: dict[int, dict[str, Any]] = {}

    def function(self, function: Callable[..., Any] | str) -> Callable[..., Any]:
        """Return what stands for a function; an object that merely can be called stands for itself.

        Raises:
            LinkError: it is text, and no path of a function.
        """
        if isinstance(function, str):
            path = parse_path(function)
            if path is None:
                raise LinkError("a function is named as package.module:name", function=function)
            module, name = path
            named: Any = import_real(self._own.name_of(module))
            for part in name.split("."):
                named = getattr(named, part)
            return named  # type: ignore[no-any-return] # what is named
        found: Callable[..., Any] = self._twin(function)
        return found

    def _twin(self, thing: Any) -> Any:
        """Return the twin of a module, class or function; anything else is its own."""
        if isinstance(thing, ModuleType):
            real = self._name(thing.__name__)
            return thing if real == thing.__name__ else import_real(real)
        if not isinstance(thing, (type, FunctionType)):
            return thing
        module = thing.__module__
        is_there = module in sys.modules and find_inside(sys.modules[module], thing.__qualname__) is thing
        if is_there and module != "__main__" and not self._own.is_outside(module.partition(".")[0]):
            real = self._name(module)
            return thing if real == module else find_inside(import_real(real), thing.__qualname__)
        return self._by_code(thing) if isinstance(thing, FunctionType) else thing

    def _name(self, module: str) -> str:
        """Return the name in `sys.modules` that a module has in this world."""
        head, dot, rest = module.partition(".")
        if head.partition("@")[2] == self._own.tag:
            return module
        real = self._own.settled(head.partition("@")[0])
        return module if real is None else real + dot + rest

    def _by_code(self, function: FunctionType) -> FunctionType:
        """Make a function of the same code whose globals, as far as the code names them, are those of this world."""
        made = self._made.get(function)
        if made is not None:
            return made
        names = self._globals.setdefault(
            id(function.__globals__), {**function.__globals__, "__builtins__": self._own.builtins}
        )
        made = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
        made.__kwdefaults__ = function.__kwdefaults__
        made.__dict__.update(function.__dict__)
        self._made[function] = made  # before its names: they may name it
        for name in names_of(function.__code__):
            if name in names:
                names[name] = self._twin(names[name])
        return made
