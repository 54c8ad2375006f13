"""`use()`: a block in which the host's own imports mean another version; `import_version()`: just the module.

The rest of their family is here under the names that are documented.
"""

from __future__ import annotations

import sys

from envknit.errors import CExtensionError, LinkError, SchemaVersionError
from envknit.native.names import import_real
from envknit.runtime import doors
from envknit.runtime.router import router
from envknit.worlds.block import Block, compares_names
from envknit.worlds.configure import configure_from_lock
from envknit.worlds.defaults import disable, enable, set_default
from envknit.worlds.target import find_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from types import ModuleType

    from envknit.worlds.target import Target

__all__ = [
    "CExtensionError",
    "SchemaVersionError",
    "configure_from_lock",
    "disable",
    "enable",
    "import_version",
    "set_default",
    "use",
]

# `isolation=` -> what holds the package where it cannot be a guest, or is not to be one; "": nothing
_HOLDERS = {None: "", "guest": "", "auto": "auto", "interpreter": "interpreter", "worker": "worker"}


def use(
    name: str,
    version: str | None = None,
    *,
    env: str | None = None,
    lock: str | os.PathLike[str] | None = None,
    auto_worker: bool = False,
    isolation: str | None = None,
    pure: bool = False,
    native: bool = False,
) -> Block:
    """Open a block in which this code's imports mean another version of a package, or another environment.

        with envknit.use("requests", "2.28.2") as requests: ...
        with envknit.use("legacy"): ...             # everything that environment locks

    The package sees the dependencies that it was locked with, then and ever after. Other packages see theirs,
    whichever block is open. Nothing here is a security boundary.

    Args:
        name: a distribution's name; alone, the name of an environment.
        version: its version, as an environment of the lock holds it; `1.16` and `1.16.0` are one.
        env: the environment to take it from; by default the first that holds it, the active one before others.
        lock: the lock to take it from, which need not be in use; by default the active one, then those configured.
        auto_worker: where extension modules stand in the way, keep it in a process of its own: the module, and what
            imports give inside, are proxies then.
        isolation: where to keep it: `guest` (here, as by default), `interpreter` (a sub-interpreter of this process),
            `worker` (a process of its own); or `auto`: the first of these that can, by evidence: a guest with extension
            modules where a try of it went well. `envknit.explain` of the block or the module tells which, and why.
        pure: load a package that has extension modules without them; for those that can do without.
        native: load the extension modules of the package, and of what it depends on, beside those of other versions; on
            Linux. It is what the project's `native` list allows for good.

    Returns:
        A context manager that gives the module, and a decorator.

    Raises:
        CExtensionError: the package has extension modules, and is to be a guest (unless they are resident, `pure`, or
            allowed); or they are allowed, and this Python cannot hold them, or a try of them in a child process failed.
        CExtIncompatibleError: it is to be in an interpreter, and a probe showed that it cannot.
        LinkError: no environment of the lock holds it (the error names the versions there are), or several locks have
            an environment of that name and `lock` does not say which.

    Cost:
        A block for a loaded package costs microseconds. The first block of a process adds about 0.1 microseconds to
        each import statement that follows.
    """
    if isolation not in _HOLDERS or (isolation is not None and auto_worker):
        raise ValueError("isolation is one of 'guest', 'interpreter', 'worker' and 'auto', without auto_worker")
    # Whose imports the block is for: a package that opens one means its own. `with` tells the object nothing (PEP 343)
    opener = str(sys._getframe(1).f_globals.get("__name__", "")).partition(".")[0]
    target = find_target(name, version, env, lock)
    block = Block(target, opener)
    holder = "worker" if auto_worker else _HOLDERS[isolation]
    if not holder:
        target.check_guest(pure=pure, native=native)
        return block
    ways = () if isolation in {"interpreter", "worker"} else (native,) if native or auto_worker else (False, True)
    reason = _load(block, target, pure=pure, ways=ways)
    return block if reason is None else _hold(target, holder, opener, reason)


def _hold(target: Target, holder: str, opener: str, reason: str) -> Block:
    from envknit.worker.api import hold  # few programs need another process

    return hold(target, holder, opener=opener, reason=reason)


def _load(block: Block, target: Target, *, pure: bool, ways: tuple[bool, ...]) -> str | None:
    """Load a guest in the first way that goes well: without its extension modules, or with them.

    Returns:
        None: it is loaded; else why not, where that is not what it is made of.
    """
    reason = ""
    for allowed in ways:
        try:
            target.check_guest(pure=pure, native=allowed)
            block.ready()
        except CExtensionError as error:  # noqa: PERF203 - twice at most
            reason = str(error.facts.get("reason", ""))
        except Exception as error:
            if not compares_names(error):
                raise
            return "it compares the names of its modules, which differ in a guest"
        else:
            return None
    return reason


def import_version(
    name: str,
    version: str,
    *,
    alias: str | None = None,
    env: str | None = None,
    lock: str | os.PathLike[str] | None = None,
    pure: bool = False,
    native: bool = False,
) -> ModuleType:
    """Import one version of a package and return its module.

    Args:
        name: a distribution's name.
        version: its version, as an environment of the lock holds it.
        alias: a top-level name to import it by from now on: `import requests_v228.adapters` works.
        env: as for `use`.
        lock: as for `use`.
        pure: as for `use`.
        native: as for `use`.

    Raises:
        CExtensionError, LinkError: as `use` does; also where the alias is taken.
    """
    target = find_target(name, version, env, lock)
    target.check_guest(pure=pure, native=native)
    if not target.main:
        raise LinkError(f"{name} {version} holds nothing to import")
    doors.install()
    module = import_real(target.main)
    if alias is not None:
        _name(alias, target.main, module)
    return module


def _name(alias: str, real: str, module: ModuleType) -> None:
    if not alias.isidentifier():
        raise LinkError("an alias must be a name that an import statement can have", alias=alias)
    taken = alias in sys.stdlib_module_names or alias in router.routed or alias in sys.modules
    if taken and router.aliases.get(alias) != real:
        raise LinkError("an alias must not hide another module", alias=alias, hint="choose another")
    # The finder answers for `alias.sub`; the module itself is in sys.modules already, so nobody is asked for it
    router.aliases[alias] = real
    sys.modules[alias] = module
