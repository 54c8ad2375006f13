"""`world()`: an environment, or pins, as an object that code of one's own can live in; and what there is of these."""

from __future__ import annotations

import os

from envknit.errors import LinkError
from envknit.runtime.router import router
from envknit.worlds.lock_plans import lock_file, plans_of_lock
from envknit.worlds.world import Asked, World, open_world

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envknit.plans import Plans
    from envknit.worlds.target import Target


def world(
    environment: str | None = None,
    /,
    *,
    lock: str | os.PathLike[str] | None = None,
    project: str | os.PathLike[str] | None = None,
    isolation: str = "guest",
    native: bool = False,
    strict: bool = False,
    shared: Iterable[str] = (),
    **pins: str,
) -> World:
    """Return a world: an environment of the lock, or chosen pins, in which modules of the project can live.

        w = envknit.world("legacy")                              # everything that environment locks
        w = envknit.world(lock="plugins/one")                    # the lock of another project
        w = envknit.world(requests="2.28.2", urllib3="1.26.18")  # pins, with what they were locked with
        client = w.import_module("client")                       # the project's own module, executed for this world

    Whatever such a module imports, then or later, in any thread or task, is this world's; each world has a module of
    its own, with a name of its own. Asked for again, it is the same world. Modules of the program outside of the folder
    of another project's lock are shared: what such a world imports of them are the program's own.

    Args:
        environment: the environment's name; None: it is made of `pins`, or of the environment `default` of `lock`.
        lock: the lock to take it from, or its folder, which need not be in use; by default those in use.
        project: the folder whose modules live in it; by default that of the lock, for a lock in use the whole program.
        isolation: where it lives: `guest` (here), `interpreter` (a sub-interpreter), `worker` (a process of its own),
            or `auto`: the first of these that can hold it, by evidence. Elsewhere than here, its modules are proxies.
        native: as for `use`: load the extension modules of its packages beside those of other versions.
        strict: hide what the world lacks, rather than give what the active environment has.
        shared: top-level names of modules of the project that are one for the program and all its worlds.
        pins: versions of distributions that the lock holds, by their names (`_` for `-` and `.`).

    Raises:
        LinkError: no environment of the lock holds it.
        CExtensionError: `native` is asked for, and this Python cannot, or a try in a child process failed.
        ValueError: the isolation is none, or a world elsewhere is to be `strict`, `shared` or `native`.
        EnvknitError: the lock cannot be read, or is not installed.
    """
    if environment is not None and pins:
        raise LinkError("a world is made of an environment or of pins, not of both", environment=environment)
    if environment is None and not pins:
        environment = _only(lock)
    path = lock_file(lock) if lock is not None else ""
    home = os.path.abspath(project) if project is not None else ""
    mates = tuple(sorted(shared))
    asked = Asked(
        environment, path, pins, project=home, strict=strict, shared=mates, isolation=isolation, native=native
    )
    if isolation not in {"guest", "interpreter", "worker", "auto"}:
        raise ValueError("isolation is one of 'guest', 'interpreter', 'worker' and 'auto'")
    if isolation == "auto":
        asked.isolation = "guest" if native else _choose(asked.find())
    if asked.isolation == "guest":
        return open_world(asked)
    if strict or shared or native:
        raise ValueError("strict, shared and native are for a world that lives here: isolation='guest'")
    from envknit.worker.world import HeldWorld

    return open_world(asked, HeldWorld)


def versions(name: str, *, lock: str | os.PathLike[str] | None = None) -> dict[str, list[str]]:
    """Return the versions of a distribution that there are, each with the environments that hold it.

    Args:
        name: the distribution's name.
        lock: as for `use`.
    """
    return _plans(lock).versions(name)


def environments(*, lock: str | os.PathLike[str] | None = None) -> list[str]:
    """Return the names of the environments that are installed, the active one first.

    Args:
        lock: as for `use`.
    """
    return _plans(lock).environments()


def _choose(target: Target) -> str:
    """Choose where a world is best held."""
    members = [router.member(plan, pin) for plan, pin in target.held if pin.native]
    refused = [(each.plan, each.pin) for each in members if each.tag and not each.is_native]
    if not refused:
        return "guest"
    from envknit.interpreter.choice import INTERPRETER, PROCESS, choose_isolation

    fit = all(choose_isolation(plan, pin)[0] == INTERPRETER for plan, pin in refused)
    return INTERPRETER if fit else PROCESS


def _plans(lock: str | os.PathLike[str] | None) -> Plans:
    if lock is not None:
        return plans_of_lock(lock)
    router.refresh()
    return router.plans


def _only(lock: str | os.PathLike[str] | None) -> str:
    """Return the environment that is meant where none is named."""
    if lock is None:
        raise LinkError("which world?", hint="name an environment, a lock, or pins: envknit.world(requests='2.28.2')")
    found = environments(lock=lock)
    if len(found) == 1 or "default" in found:
        return "default" if "default" in found else found[0]
    raise LinkError("which environment of the lock?", lock=str(lock), environments=", ".join(found))
