"""Proxies: the stand-ins for objects of the other side. One class per type there, with the protocol methods it has."""

from __future__ import annotations

import sys
from importlib import import_module
from types import MethodType

from envknit.errors import WorkerError
from envknit.remote import arrays
from envknit.wire.awaiting import result_of
from envknit.wire.failures import WorkerGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from envknit.wire.caller import Caller


class ProxyType(type):
    """The class of proxies' classes: `type(proxy).__module__` is a string, also where `proxy.__module__` is asked."""

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        module: str = cls.__dict__.get("_envknit_module", __name__)
        return module


class Proxy(metaclass=ProxyType):
    """Stands for one object of the other side; what is done to it is done there."""

    __slots__ = ()

    if TYPE_CHECKING:  # a class that inherits from `str`, too, keeps these in its `__dict__`
        _envknit_channel: Caller
        _envknit_ref: int
        _envknit_timeout: float | None

    @property
    def __annotations__(self) -> Any:  # type: ignore[override]
        return self.__getattr__("__annotations__")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            return self._envknit_channel.call(self._envknit_timeout, "data", self._envknit_ref, (name,))
        return self._envknit_channel.call(self._envknit_timeout, "get", self._envknit_ref, (name,))

    def __setattr__(self, name: str, value: object) -> None:
        self._envknit_channel.call(self._envknit_timeout, "set", self._envknit_ref, (name, value))

    def __delattr__(self, name: str) -> None:
        self._envknit_channel.call(self._envknit_timeout, "delete", self._envknit_ref, (name,))

    def __repr__(self) -> str:
        try:
            text: str = self._envknit_channel.call(self._envknit_timeout, "repr", self._envknit_ref, ())
        except WorkerError as error:  # a debugger must be able to show the proxy of a worker that is gone
            return f"<proxy of a {type(self).__qualname__}: {error.message}>"
        return text

    def __str__(self) -> str:
        text: str = self._envknit_channel.call(self._envknit_timeout, "str", self._envknit_ref, ())
        return text

    def __dir__(self) -> list[str]:
        names: list[str] = self._envknit_channel.call(self._envknit_timeout, "dir", self._envknit_ref, ())
        return names

    def _envknit_origin(self) -> Any:
        return self._envknit_channel.peer.origin(str(getattr(self, "__module__", None) or "builtins"))

    def __reduce_ex__(self, protocol: object) -> Any:  # what pickle and copy call; object's own would take the slots
        raise TypeError(
            f"a proxy of a {type(self).__qualname__} cannot be pickled or copied: its object lives in another process"
            "; envknit.fetch(proxy) brings a picklable object over by value"
        )


class _ObjectProxy(Proxy):
    __slots__ = ("__weakref__", "_envknit_channel", "_envknit_ref", "_envknit_timeout")


class ModuleProxy:
    """Stands for a module of a worker. It outlives the worker: the next attribute is asked from its successor.

    Functions, classes and submodules are kept once they were asked for; data is fetched each time. A dunder such as
    `__version__` or `__stdout__` is fetched; those of Python's protocols raise AttributeError.

    Args:
        source: where modules are asked from: `call(timeout, operation, args)`, `module(name, timeout)`.
        name: the module's name there.
        timeout: seconds that each call may take.
    """

    def __init__(self, source: Any, name: str, timeout: float | None) -> None:
        self.__dict__.update(_envknit_source=source, _envknit_name=name, _envknit_timeout=timeout, _envknit_spec=None)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self.__getattr__("__class__")

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return self.__getattr__("__doc__")

    @property
    def __module__(self) -> Any:  # type: ignore[override]
        return self.__getattr__("__module__")

    @property
    def __spec__(self) -> Any:
        if self._envknit_spec is None:
            raise AttributeError(f"a proxy of the module {self._envknit_name!r} has no '__spec__'")
        return self._envknit_spec

    def __getattr__(self, name: str) -> Any:
        if name in {"__class__", "__spec__"}:  # isinstance() and the import system ask for them of everything
            raise AttributeError(f"a proxy of the module {self._envknit_name!r} has no {name!r}")
        value = self._envknit_source.attribute(self._envknit_name, name, self._envknit_timeout)
        if isinstance(value, Proxy) and callable(value):
            value._envknit_channel.imports.origins[value._envknit_ref] = (self, name)
            self._envknit_source.keep(self, name, value)
        elif type(value) is ModuleProxy:
            self._envknit_source.keep(self, name, value)
        return value

    def __setattr__(self, name: str, value: object) -> None:
        self.__dict__.pop(name, None)
        self._envknit_source.call(self._envknit_timeout, "module-set", (self._envknit_name, name, value))

    def __delattr__(self, name: str) -> None:
        self.__dict__.pop(name, None)
        self._envknit_source.call(self._envknit_timeout, "module-delete", (self._envknit_name, name))

    def __dir__(self) -> list[str]:
        names: list[str] = self._envknit_source.call(self._envknit_timeout, "module-dir", (self._envknit_name,))
        return names

    def _envknit_origin(self) -> Any:
        return self._envknit_source.origin(self._envknit_name)

    def __repr__(self) -> str:
        return f"<module {self._envknit_name!r} of {self._envknit_source.label}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError(f"a proxy of the module {self._envknit_name!r} cannot be pickled or copied")


class Method:
    """A bound method of a remote object: a call is one round trip; other uses fetch the real method first."""

    __slots__ = ("_envknit_name", "_envknit_owner")

    _envknit_owner: Proxy
    _envknit_name: str

    def __init__(self, owner: Proxy, name: str) -> None:
        object.__setattr__(self, "_envknit_owner", owner)
        object.__setattr__(self, "_envknit_name", name)

    def __call__(self, /, *args: object, **options: object) -> Any:
        """Call the method."""
        owner = self._envknit_owner
        return owner._envknit_channel.call(
            owner._envknit_timeout, "method", owner._envknit_ref, (self._envknit_name, *args), options
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._envknit_real(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._envknit_real(), name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Method):
            return NotImplemented
        return self._envknit_owner is other._envknit_owner and self._envknit_name == other._envknit_name

    def __hash__(self) -> int:
        return hash((id(self._envknit_owner), self._envknit_name))

    def __repr__(self) -> str:
        return repr(self._envknit_real())

    def __dir__(self) -> list[str]:
        return dir(self._envknit_real())

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        doc: str | None = self._envknit_real().__doc__
        return doc

    def _envknit_origin(self) -> Any:
        return self._envknit_owner._envknit_origin()

    def _envknit_real(self) -> Any:
        owner = self._envknit_owner
        return owner._envknit_channel.call(owner._envknit_timeout, "get", owner._envknit_ref, (self._envknit_name,))


def make(kind: type[Proxy], caller: Caller, ref: int, value: object) -> Proxy:
    """Make the proxy of one object; `value` is what it is as a str or number, where its class is a kind of these."""
    plain: Any = kind
    proxy: Proxy = plain.__new__(plain) if value is None else plain._envknit_value.__new__(plain, value)
    object.__setattr__(proxy, "_envknit_channel", caller)  # behind our own __setattr__
    object.__setattr__(proxy, "_envknit_ref", ref)
    return proxy


def make_class(
    module: str, name: str, protocol: Sequence[str], methods: Sequence[str], traits: dict[str, Any]
) -> type[Proxy]:
    """Make the class of proxies for a type of the other side (see `operations.describe`)."""
    body: dict[str, Any] = {"__slots__": (), "__qualname__": name, "_envknit_module": module, "__module__": module}
    body |= {method: _method(method) for method in methods}
    body |= {operation: _SPECIAL.get(operation) or _forward(operation) for operation in protocol}
    if "__eq__" in protocol and "__hash__" not in protocol:
        body["__hash__"] = None
    body["__doc__"] = _data("__doc__")
    if "class" in traits or "__call__" in protocol:
        body |= _CALLABLE
    for trait in traits.keys() & _TRAITS.keys():
        body |= _TRAITS[trait]
    if "fields" in traits:
        body["__dataclass_fields__"] = _dataclass_fields(traits["fields"])
    value = _VALUES.get(traits.get("value", ""))
    if value is not None:
        del body["__slots__"]  # CPython lets no subclass of int have slots, and none of str beside those of a Proxy
        # Whoever makes more of its kind, as statistics.mean() does, gets plain ones
        body |= {"_envknit_value": value, "__new__": lambda _, *args: value(*args)}
    bases = (_ObjectProxy,) if value is None else (Proxy, value)
    kind: Any = ProxyType(name.rpartition(".")[2], bases, body)
    for abstract in traits.get("abstract", ()):
        home, _, abc = abstract.rpartition(".")
        getattr(import_module(home), abc).register(kind)
    return kind  # type: ignore[no-any-return]


_VALUES: dict[str, type] = {"str": str, "int": int, "float": float}


def _method(name: str) -> property:
    return property(lambda self: Method(self, name))


def _data(name: str) -> property:
    def fetch(self: Proxy) -> object:
        return self._envknit_channel.call(self._envknit_timeout, "data", self._envknit_ref, (name,))

    return property(fetch)


def _forward(operation: str) -> Callable[..., Any]:
    def forward(self: Proxy, *args: object) -> Any:
        return self._envknit_channel.call(self._envknit_timeout, operation, self._envknit_ref, args)

    forward.__name__ = operation
    return forward


def _call(self: Proxy, /, *args: object, **options: object) -> Any:
    try:
        return self._envknit_channel.call(self._envknit_timeout, "call", self._envknit_ref, args, options)
    except WorkerGone as error:
        origin = self._envknit_channel.imports.origins.get(self._envknit_ref)
        if error.sent or origin is None:
            raise
    # The worker that is started now has this function too, under the same name
    module, name = origin
    module.__dict__.pop(name, None)
    fresh = getattr(module, name)
    if isinstance(fresh, Proxy):
        return fresh._envknit_channel.call(fresh._envknit_timeout, "call", fresh._envknit_ref, args, options)
    return fresh(*args, **options)


def _iter(self: Proxy) -> Any:
    # iter() insists on a `__next__`, and the iterator of a list, say, has come over as a list
    result = self._envknit_channel.call(self._envknit_timeout, "__iter__", self._envknit_ref, ())
    return result if hasattr(type(result), "__next__") else iter(result)


def _exit(self: Proxy, _kind: object, error: BaseException | None, _trace: object) -> Any:
    return self._envknit_channel.call(self._envknit_timeout, "__exit__", self._envknit_ref, (error,))


_SPECIAL: dict[str, Callable[..., Any]] = {
    "__call__": _call,
    "__iter__": _iter,
    "__exit__": _exit,
    "__await__": lambda self: result_of(self, "__await__").__await__(),
    "__anext__": lambda self: result_of(self, "__anext__"),
    "__aenter__": lambda self: result_of(self, "__aenter__"),
    "__aexit__": lambda self, _kind, error, _trace: result_of(self, "__aexit__", error),
}


def _run(self: Any) -> Any:
    """Return the coroutine of this side that awaits one of the other; a loop steps it with `send` and `throw`."""
    try:
        return object.__getattribute__(self, "_envknit_run")
    except AttributeError:
        run = result_of(self, "__await__")
        object.__setattr__(self, "_envknit_run", run)
        return run


# asyncio.run() and create_task() take what has these four methods for a coroutine (collections.abc.Coroutine)
_COROUTINE: dict[str, Any] = {
    "__slots__": ("_envknit_run",),
    "send": lambda self, value: _run(self).send(value),
    "throw": lambda self, *error: _run(self).throw(*error),
    "close": lambda self: (_run(self).close(), Method(self, "close")())[0],
}


def _bind(self: Any, instance: object, owner: object = None) -> Any:  # noqa: ARG001 - the descriptor protocol
    return self if instance is None else MethodType(self, instance)


def _signature(self: Proxy) -> Any:
    """Be `__signature__`, which inspect.signature() asks for first (PEP 362)."""
    from inspect import Parameter, Signature

    caller, ref = self._envknit_channel, self._envknit_ref
    described = caller.call(self._envknit_timeout, "signature", ref, ())
    if described is None:
        raise AttributeError(f"no signature is known of {self!r}")
    parameters, returns = described
    kinds: Any = type(Parameter.VAR_KEYWORD)  # an enumeration without a public name
    return Signature([Parameter(name, kinds(kind), **facts) for name, kind, facts in parameters], **returns)


def _async_mark(name: str, mark_of_this_python: Callable[[], object]) -> property:
    """Be the attribute by which a callable that is no function says that it gives coroutines (gh-94912)."""

    def mark(self: Proxy) -> object:
        found = mark_of_this_python()
        if found is None or not self._envknit_channel.call(self._envknit_timeout, "is-async", self._envknit_ref, ()):
            raise AttributeError(name)
        return found

    return property(mark)


def _mark_of_inspect() -> object:
    # Its name has changed between 3.12 and 3.13; what the public function does with it has not
    mark: Any = getattr(sys.modules.get("inspect"), "markcoroutinefunction", None)
    return mark and mark(lambda: None)._is_coroutine_marker


def _mark_of_asyncio() -> object:
    return getattr(sys.modules.get("asyncio.coroutines"), "_is_coroutine", None)  # up to 3.13


def _dataclass_fields(names: Sequence[str]) -> dict[str, Any]:
    from dataclasses import make_dataclass

    fields: dict[str, Any] = make_dataclass("Fields", names).__dataclass_fields__  # type: ignore[attr-defined]
    return fields


def _bases(self: Proxy) -> Any:
    return self._envknit_channel.call(self._envknit_timeout, "get", self._envknit_ref, ("__bases__",))


def _no_subclass(self: Proxy, bases: object) -> Any:  # noqa: ARG001 - PEP 560
    raise TypeError(
        f"{self!r} lives in another process and cannot be subclassed here"
        "; define the subclass in a module of the project and use it there with envknit.run_in()"
    )


# What the proxies of callables have: facts of the function or class, not of its type
_CALLABLE: dict[str, Any] = {
    "__module__": _data("__module__"),
    "__signature__": property(_signature),
    "_is_coroutine_marker": _async_mark("_is_coroutine_marker", _mark_of_inspect),
    "_is_coroutine": _async_mark("_is_coroutine", _mark_of_asyncio),
}

# What the class of proxies has besides, by what `operations.describe` says of the type
_TRAITS: dict[str, dict[str, Any]] = {
    "class": {
        "__class__": property(lambda _: type),  # so that isinstance(proxy, type) holds, which inspect and others ask
        "__mro_entries__": _no_subclass,
        "__bases__": property(_bases),  # what issubclass() asks of a class that is none here
    },
    "function": {"__get__": _bind},  # set on a class, it is a method
    "coroutine": _COROUTINE,
    "array": {"__array_interface__": property(arrays.interface)},
    "as-array": {"__array__": arrays.as_array},
    "buffer": {"__buffer__": arrays.buffer},
}
