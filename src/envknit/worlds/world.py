"""A world: packages of chosen versions as an object, in which code of one's own can live."""

from __future__ import annotations

import os
import sys
from _thread import RLock
from binascii import crc32

from envknit.errors import LinkError, UnlockedError
from envknit.naming import canonical_name, guest_tag
from envknit.native.names import import_real
from envknit.runtime import doors
from envknit.runtime.activation import active
from envknit.runtime.router import router
from envknit.worlds.block import Block, close_innermost
from envknit.worlds.inhabitants import Inhabitants
from envknit.worlds.target import find_pins, find_target
from envknit.worlds.twins import Twins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType, TracebackType
    from typing import Any, ParamSpec, TypeVar, overload

    from envknit.worlds.target import Target
    from envknit.worlds.world_metadata import WorldMetadata

    P = ParamSpec("P")
    T = TypeVar("T")


class Asked:
    """What a world was asked for; equal ones are one world.

    Args:
        environment: the environment's name; None: it is made of pins.
        lock: path of the lock; `""`: those in use.
        pins: name of each distribution to its version.
        project: the folder whose modules live in it; `""`: that of the lock.
        strict: whether names that the world lacks are missing in it.
        shared: top-level names of the project that are one for all worlds.
        isolation: where it lives.
        native: whether its packages load extension modules beside those of other versions.
    """

    def __init__(
        self,
        environment: str | None,
        lock: str,
        pins: Mapping[str, str],
        *,
        project: str = "",
        strict: bool = False,
        shared: tuple[str, ...] = (),
        isolation: str = "guest",
        native: bool = False,
    ) -> None:
        self.environment = environment
        self.lock = lock
        self.pins = {canonical_name(name): version for name, version in sorted(pins.items())}
        self.project = project
        self.strict = strict
        self.shared = shared
        self.isolation = isolation
        self.native = native

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two of them equal."""
        pins = tuple(self.pins.items())
        options = self.project, self.strict, self.shared, self.isolation, self.native
        return self.environment, self.lock, pins, *options

    @property
    def tag(self) -> str:
        """What follows the `@` in the names of modules: the same in every process, since pickles say it."""
        tag = self.environment or "+".join(f"{name}_{guest_tag(self.pins[name])}" for name in self.pins)
        if self.lock and tag == "default":
            tag = os.path.basename(os.path.dirname(self.lock))
        tag = tag.replace("-", "_").replace(".", "_")
        plain = Asked(self.environment, "", self.pins)
        return tag if self.key == plain.key else f"{tag}~{crc32(repr(self.key).encode()):08x}"

    def find(self) -> Target:
        """Find what it means now: a lock may have changed.

        Raises:
            LinkError: no environment holds it.
        """
        if self.environment is not None:
            return find_target(self.environment, None, None, self.lock or None)
        return find_pins(self.pins, self.lock or None)


class World:
    """Packages of chosen versions, and modules of the project that live with them; `envknit.world` makes it.

    In a `with` block of it, and in a function that it decorates, the imports of the host mean what they mean in it.

    Args:
        asked: what it was asked for.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._target, self._own = self._find()
        self._dwell()

    def __repr__(self) -> str:
        return f"<world {self.name} ({self.isolation}){', closed' if self._own.is_closed else ''}>"

    @property
    def name(self) -> str:
        """What follows the `@` in the names of its modules."""
        return self._asked.tag

    @property
    def isolation(self) -> str:
        """Where it lives: `guest`, `interpreter` or `worker`."""
        return self._asked.isolation

    @property
    def metadata(self) -> WorldMetadata:
        """What `importlib.metadata` is for this world: `version`, `entry_points`, whose `load()` imports here, …."""
        from envknit.worlds.world_metadata import WorldMetadata  # importlib.metadata is slow to load

        return WorldMetadata(self._target.held, self.import_module)

    def import_module(self, name: str) -> ModuleType:
        """Import a module of the project, or of a package, as code of this world would.

        Args:
            name: its full name.

        Raises:
            ImportError: as an import statement does; also where the world is closed.
        """
        return import_real(self._own.name_of(name))

    def load(self, path: str | os.PathLike[str]) -> ModuleType:
        """Execute a file of the project, or a package's folder, in this world, once; return the module.

        Args:
            path: the file or folder; relative to the working folder.

        Raises:
            ImportError: there is no module; also where the world is closed.
        """
        return import_real(self._own.load(os.fspath(path)))

    if TYPE_CHECKING:

        @overload
        def run(self, function: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T: ...
        @overload
        def run(self, function: str, /, *args: object, **options: object) -> Any: ...

    def run(self, function: Callable[..., Any] | str, /, *args: Any, **options: Any) -> Any:
        """Call a function as code of this world, with the block of the world open, and return its result.

        A function at the top level of a module is the one of that module here. Any other (of the script or a notebook,
        an inner one, a lambda) goes by its code, and what it names of modules is theirs here.

        Args:
            function: the function, or its path as `package.module:name`.
            args: what it is called with.
            options: keyword arguments of the call.
        """
        self._check_open()
        with self._block(""):
            return Twins(self._own).function(function)(*args, **options)

    def close(self) -> None:
        """Take its modules out of the process; what still runs of them goes on. Closing twice does nothing."""
        with _changing:
            self._own.close()
            if _worlds.get(self._asked.key) is self:
                del _worlds[self._asked.key]

    def reload(self) -> None:
        """Begin anew: its modules are executed again when they are next imported, under what its lock says now.

        Raises:
            EnvknitError: the lock is not there any more, or not installed; the world is as it was then.
        """
        with _changing:
            self._check_open()
            target, own = self._find()
            self._own.close()
            self._target, self._own = target, own
            self._dwell()

    def __enter__(self) -> World:  # noqa: PYI034 - mypy of Python 3.10 has no Self
        self._check_open()
        self._block(_opener(sys._getframe(1))).open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        close_innermost(self.name)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Decorate a function of any kind; see `use`."""
        return self._block(_opener(sys._getframe(1)))(function)

    def _find(self) -> tuple[Target, Inhabitants]:
        asked = self._asked
        target = asked.find()
        if asked.native:
            from envknit.worlds.native import allow_native

            for member in (router.member(plan, pin) for plan, pin in target.held if pin.native):
                if member.tag:
                    allow_native(member)
        folders = folders_of(asked, target)
        own = Inhabitants(asked.tag, target, search=folders, strict=asked.strict, shared=asked.shared)
        return target, own

    def _dwell(self) -> None:
        doors.install()
        router.inhabited[self.name] = self._own

    def _block(self, opener: str) -> Block:
        return Block(self._target, opener, own=self._own)

    def _check_open(self) -> None:
        if self._own.is_closed:
            raise LinkError(f"the world {self.name!r} is closed", hint="open it again: envknit.world(...)")


def open_world(asked: Asked, make: Callable[[Asked], World] = World) -> World:
    """Return the one world that was asked for so; make it where there is none, or where it was closed.

    Raises:
        LinkError: no environment holds what it asks for.
    """
    with _changing:
        found = _worlds.get(asked.key)
        if found is None:
            found = _worlds[asked.key] = make(asked)
        return found


def find_guest(real: str) -> ModuleSpec:
    """Find what lives in a world of another process by its top-level name: `pickle` asks for it.

    Raises:
        UnlockedError: nobody here can know it.
    """
    spec = doors.find_guest(real)
    tag = real.partition("@")[2]
    asked = _recall(tag) if spec is None and tag not in router.inhabited else None
    if asked is not None:
        open_world(asked)
        spec = doors.find_guest(real)
    if spec is None:
        raise UnlockedError(
            f"No module named {real!r}",
            name=real,
            reason="another process has it, in a version or a world that is not known here",
            hint="open the same world first: envknit.world(...); or install the lock that has the version",
        )
    return spec


def _recall(tag: str) -> Asked | None:
    """Conclude from a tag what a world was asked for; one of another lock cannot be known."""
    for environment in router.plans.environments():
        asked = Asked(environment, "", {})
        if asked.tag == tag:
            return asked
    pins = {
        Asked(None, "", {name: version}).tag: (name, version) for plan in router.plans for name, version in plan.pins
    }
    words = tag.split("+")
    return Asked(None, "", dict(pins[word] for word in words)) if all(word in pins for word in words) else None


def folders_of(asked: Asked, target: Target) -> list[str] | None:
    """Return where the modules lie that live in a world; None: wherever those of the program do."""
    if asked.project:
        inside = os.path.join(asked.project, "")
        return [asked.project, *(path for path in map(os.path.abspath, sys.path) if path.startswith(inside))]
    activation = active()
    if not asked.lock or (activation is not None and asked.lock == activation.lock):
        return None
    return [os.path.dirname(asked.lock), *dict.fromkeys(path for plan, _ in target.held for path in plan.paths)]


def _opener(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


_worlds: dict[tuple[object, ...], World] = {}
_changing = RLock()
