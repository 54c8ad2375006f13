"""`use()`: a block in which the host's own imports mean another version; `import_version()`: just the module."""

from __future__ import annotations

import os
import sys

from envknit.errors import CExtensionError, LinkError
from envknit.naming import canonical_name
from envknit.runtime import routing
from envknit.runtime.linker import linker
from envknit.runtime.loader import import_real, lost, refusal
from envknit.runtime.routing import Blocks, current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType, TracebackType
    from typing import Any, TypeVar

    from envknit.plan import Pin, Plan
    from envknit.runtime.explain import Origin
    from envknit.runtime.member import Member

    F = TypeVar("F", bound=Callable[..., Any])

_meanings: dict[tuple[str, str | None, str | None, int], Meaning] = {}


class Meaning:
    """What a block stands for: which names mean what, which pins, and the module to hand out.

    Args:
        names: top-level name to its name in `sys.modules`.
        held: the pins that `importlib.metadata` answers with.
        main: full name of the module that stands for it; `""`: none.
        member: the one member, where it is one.
    """

    __slots__ = ("held", "main", "member", "names")

    def __init__(self, names: dict[str, str], held: list[tuple[Plan, Pin]], main: str, member: Member | None) -> None:
        self.names = names
        self.held = held
        self.main = main
        self.member = member


class Block:
    """A context manager and decorator; inside, the host's imports of some names mean one version.

    It holds no state of its own, so one object can be entered any number of times, in any thread or task.

    Args:
        meaning: what the names mean.
        opener: top-level name of the module that opened it; if that is an installed package, its imports count.
    """

    __slots__ = ("_alone", "held", "main", "member", "names", "opener")

    def __init__(self, meaning: Meaning, opener: str) -> None:
        self.names = meaning.names
        self.held = meaning.held
        self.main = meaning.main
        self.member = meaning.member
        self.opener = opener
        self._alone = Blocks((self,))

    def __enter__(self) -> Any:
        module = self.ready()
        self.open()
        return module

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _leave(self)

    def open(self) -> None:
        """Let the names mean what they are to mean, inside every block that is open already."""
        routing.install()
        outer = current.get()
        current.set(self._alone if outer is None else Blocks((*outer.blocks, self)))

    def __call__(self, function: F) -> F:
        """Decorate a function, a coroutine function or a (possibly asynchronous) generator function."""
        from envknit.runtime.decorate import decorate  # noqa: PLC0415 - it needs inspect, which costs milliseconds

        wrapped: F = decorate(self, function)
        return wrapped

    def ready(self) -> Any:
        """Import the module that it stands for; return it."""
        routing.install()
        return import_real(self.main) if self.main else None

    def _envknit_origin(self) -> Origin:
        from envknit.runtime.explain import Origin, origin_of  # noqa: PLC0415 - only who asks pays

        if self.member is None:
            return Origin(self.main)
        module = sys.modules.get(self.main)
        return origin_of(self.main, getattr(module, "__file__", None), self.member)

    @property
    def alone(self) -> Blocks:
        """This block with none around it."""
        return self._alone


def _leave(block: Block) -> None:
    """Take the block off, wherever it stands: suspended generators leave their blocks in any order."""
    outer = current.get()
    if outer is None:
        return
    blocks = list(outer.blocks)
    for index in range(len(blocks) - 1, -1, -1):
        if blocks[index] is block:
            del blocks[index]
            break
    current.set(Blocks(tuple(blocks)) if blocks else None)


def use(
    name: str,
    version: str | None = None,
    *,
    env: str | None = None,
    auto_worker: bool = False,
    isolation: str | None = None,
    pure: bool = False,
) -> Any:
    """Open a block in which this code's imports mean another version of a package, or another environment.

        with envknit.use("requests", "2.28.2") as requests: ...
        with envknit.use("legacy"): ...             # everything that environment locks

    The package sees the dependencies that it was locked with, then and ever after. Other packages see theirs,
    whichever block is open. Nothing here is a security boundary.

    Args:
        name: a distribution's name; alone, the name of an environment.
        version: its version, as an environment of the lock holds it.
        env: the environment to take it from; by default the first that holds it, the active one before others.
        auto_worker: where extension modules stand in the way, keep it in a process of its own: the module, and what
            imports give inside, are proxies then.
        isolation: where to keep it: `guest` (here, as by default), `interpreter` (a sub-interpreter of this process),
            `worker` (a process of its own); or `auto`: the first of these that can, by evidence. `envknit.explain` of
            the block or the module tells which, and why.
        pure: load a package that has extension modules without them; for those that can do without.

    Returns:
        A context manager that gives the module, and a decorator.

    Raises:
        CExtensionError: the package has extension modules, and is to be a guest (unless they are resident, or `pure`).
        CExtIncompatibleError: it is to be in an interpreter, and a probe showed that it cannot.
        LinkError: no environment of the lock holds it; the error names the versions there are.

    Cost:
        A block for a loaded package costs microseconds. The first block of a process adds about 0.1 microseconds to
        each import statement that follows.
    """
    if isolation not in _FALLBACKS or (isolation is not None and auto_worker):
        raise ValueError("isolation is one of 'guest', 'interpreter', 'worker' and 'auto', without auto_worker")
    frame = sys._getframe(1)  # noqa: SLF001 - whose imports the block is for
    opener = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    meaning = _meaning(name, version, env)
    fallback = "worker" if auto_worker else _FALLBACKS[isolation]
    if isolation not in {"interpreter", "worker"}:
        try:
            _check(meaning, pure=pure)
            if fallback and meaning.main:
                routing.install()
                import_real(meaning.main)
            return Block(meaning, opener)
        except CExtensionError:
            if not fallback:
                raise
    import envknit  # noqa: PLC0415 - the package's door: what holds it elsewhere is above this layer

    door: Any = envknit.worker
    return door.hold(meaning, fallback, opener=opener)


# What is tried when a pin cannot be a guest, or is not to be one
_FALLBACKS = {None: "", "guest": "", "auto": "auto", "interpreter": "interpreter", "worker": "worker"}


def import_version(
    name: str, version: str, *, alias: str | None = None, env: str | None = None, pure: bool = False
) -> ModuleType:
    """Import one version of a package and return its module.

    Args:
        name: a distribution's name.
        version: its version, as an environment of the lock holds it.
        alias: a top-level name to import it by from now on: `import requests_v228.adapters` works.
        env: as for `use`.
        pure: as for `use`.

    Raises:
        CExtensionError, LinkError: as `use` does; also where the alias is taken.
    """
    meaning = _meaning(name, version, env)
    _check(meaning, pure=pure)
    if not meaning.main:
        raise LinkError(f"{name} {version} holds nothing to import")
    routing.install()
    module = import_real(meaning.main)
    if alias is not None:
        _name(alias, meaning.main, module)
    return module


def _name(alias: str, real: str, module: ModuleType) -> None:
    if not alias.isidentifier():
        raise LinkError("an alias must be a name that an import statement can have", alias=alias)
    taken = alias in sys.stdlib_module_names or alias in linker.routed or alias in sys.modules
    if taken and linker.aliases.get(alias) != real:
        raise LinkError("an alias must not hide another module", alias=alias, hint="choose another")
    linker.aliases[alias] = real
    sys.modules[alias] = module


def _meaning(name: str, version: str | None, env: str | None) -> Meaning:
    linker.refresh()
    key = (name, version, env, linker.changes)
    found = _meanings.get(key)
    if found is None:
        found = _environment(name) if version is None and env is None else _pin(name, version, env)
        _meanings[key] = found
    return found


def _pin(name: str, version: str | None, env: str | None) -> Meaning:
    plan, pin = linker.find(name, version, env)
    member = linker.member(plan, pin)
    if not os.path.isdir(member.folder):
        raise lost(member)
    names = {head: member.route(head) for head in member.names if head not in sys.stdlib_module_names}
    main = member.main_module()
    return Meaning(names, [(plan, pin)], member.real_name(main) if main else "", member)


def _environment(name: str) -> Meaning:
    if not any(plan.environment == name for plan in linker.plans):
        versions = linker.versions(canonical_name(name))
        if versions:
            raise LinkError(
                f"which version of {name}?",
                versions=", ".join(f"{version} ({', '.join(where)})" for version, where in sorted(versions.items())),
                hint=f"name it: envknit.use({name!r}, {min(versions)!r})",
            )
    names: dict[str, str] = {}
    held = []
    for plan in linker.environment(name):
        names |= {head: real for head, real in linker.plan_names(plan).items() if head not in names}
        held += [(plan, pin) for pin in plan.pins.values()]
    return Meaning(names, held, "", None)


def _check(meaning: Meaning, *, pure: bool) -> None:
    member = meaning.member
    if member is None or not member.tag:
        return
    if member.pin.native and not pure:
        raise refusal(member)
