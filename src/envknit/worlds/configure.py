"""`configure_from_lock()`: use a lock because the program says so."""

from __future__ import annotations

import os

from envknit.errors import StoreError
from envknit.plans import Plans
from envknit.runtime.router import router
from envknit.worlds import defaults
from envknit.worlds.lock_plans import plans_of_lock


def configure_from_lock(lock_path: str | os.PathLike[str], env: str | None = None, auto_install: bool = True) -> int:  # noqa: FBT001, FBT002 - the documented signature
    """Let plain imports give what a lock says, and offer all its versions to `use()`.

    The first version of a package that is registered becomes its default. Nothing is downloaded: `envknit install`
    does that. Where the lock has no plan yet, a child process makes one from what the store holds.

    Args:
        lock_path: the lock.
        env: the one environment to load; by default all of them, `default` first.
        auto_install: also call `enable()`.

    Returns:
        How many packages (name and version) it registered.

    Raises:
        FileNotFoundError: there is no such file.
        SchemaVersionError: the lock was written by an envknit with a larger major schema version.
        LockError: the lock cannot be read, or has no environment of that name; the error names those it has.
        InstallError: the store lacks some of it.
    """
    lock = os.path.abspath(os.fspath(lock_path))
    plans = plans_of_lock(lock, env)
    loaded = plans if env is None else Plans([plans.environment(env)])
    for plan in loaded:
        if plan.lost():
            raise StoreError(
                f"the store lacks {', '.join(plan.lost())}",
                lock=lock,
                environment=plan.environment,
                hint=f"run: python -m envknit install --env {plan.environment}",
            )
    # The lock found at start-up comes first among the plans, unless `enable` puts this one in its place
    router.refresh()
    defaults.register(lock, loaded)
    router.add(plans, lock=lock)  # `use()` may ask for what the other environments hold
    if auto_install:
        defaults.enable()
    return len({key for plan in loaded for key in plan.pins})
