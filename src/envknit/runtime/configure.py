"""`configure_from_lock()`: use a lock because the program says so."""

from __future__ import annotations

import os
import sys

import envknit.errors
from envknit.errors import LinkError, LockError, StoreError
from envknit.plan import Plan, current_plans, home, key, plans_folder
from envknit.regular import read_regular
from envknit.runtime import activation as active
from envknit.runtime import defaults
from envknit.runtime.linker import linker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def configure_from_lock(lock_path: str | os.PathLike[str], env: str | None = None, auto_install: bool = True) -> int:  # noqa: FBT001, FBT002 - the documented signature
    """Let plain imports give what a lock says, and offer all its versions to `use()`.

    The first version of a package that is registered becomes its default. Nothing is downloaded: `envknit install`
    does that. Where the lock has no plan yet, a child process compiles one from what the store holds.

    Args:
        lock_path: the lock.
        env: the one environment to load; by default all of them, `default` first.
        auto_install: also call `enable()`.

    Returns:
        How many packages (name and version) it registered.

    Raises:
        FileNotFoundError: there is no such file.
        SchemaVersionError: the lock was written by an envknit with a larger major schema version.
        LinkError: the lock has no environment of that name; the error names those it has.
        LockError, InstallError: the lock cannot be read, or the store lacks some of it.
    """
    lock = os.path.abspath(os.fspath(lock_path))
    paths = plans(lock, env)
    if env is not None and env not in paths:
        raise LinkError(f"the lock has no environment {env!r}", lock=lock, environments=", ".join(paths))
    found: set[tuple[str, str]] = set()
    linker.refresh()
    for name in paths if env is None else [env]:
        path = paths[name]
        plan = active.read_plan(path)
        _check(plan)
        defaults.register(lock, path, plan)
        found.update(plan.pins)
    for path in paths.values():  # `use()` may ask for what the other environments hold
        linker.add(active.read_plan(path))
    if auto_install:
        defaults.enable()
    return len(found)


def plans(lock: str, env: str | None) -> dict[str, str]:
    """Find the plans of a lock; where it has none for the environment yet, have them compiled from the store.

    Args:
        lock: absolute path of the lock.
        env: the environment that must be there; None: any.

    Returns:
        Plan file by environment, `default` first.

    Raises:
        FileNotFoundError, LinkError, LockError, InstallError: as `configure_from_lock`.
    """
    lock_bytes = read_regular(lock)
    folder = plans_folder(home(), key(lock_bytes))
    found = _planned(folder, lock_bytes)
    if not found or (env is not None and env not in found):
        _compile(lock, env, list(found))
        found = _planned(folder, lock_bytes)
    return found


def _planned(folder: str, lock_bytes: bytes) -> dict[str, str]:
    """Return the plan files that there are, `default` first; none where the lock's copy differs."""
    if hasattr(os, "geteuid") and os.path.isdir(home()):
        found = os.stat(home())
        if found.st_uid not in {os.geteuid(), 0} or found.st_mode & 0o022:
            raise StoreError("the store must be yours, and writable by nobody else", store=home())
    try:
        if read_regular(os.path.join(folder, "lock")) != lock_bytes:
            return {}
    except OSError:
        return {}
    return current_plans(folder)


def _check(plan: Plan) -> None:
    lost = [f"{pin.name} {pin.version}" for pin in plan.pins.values() if not os.path.isdir(_folder(plan, pin.folder))]
    if lost:
        raise StoreError(
            f"the store lacks {', '.join(lost)}",
            lock=plan.lock,
            environment=plan.environment,
            hint="run: python -m envknit install",
        )


def _folder(plan: Plan, folder: str) -> str:
    return os.path.join(plan.store, folder)


def _compile(lock: str, env: str | None, known: Sequence[str]) -> None:
    """Have the tool side compile plans, in a process of its own: its packages never meet the program's."""
    import json  # noqa: PLC0415 - only where there is no plan
    import subprocess  # noqa: PLC0415 - as above

    command = [sys.executable, "-m", "envknit.install.from_store", lock, *([env] if env else [])]
    runtime = os.path.dirname(os.path.dirname(os.path.abspath(envknit.errors.__file__)))
    environ = {**os.environ, "ENVKNIT_HOME": home()}
    done = subprocess.run(command, cwd=runtime, env=environ, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise LockError(
            "the lock has no plan, and compiling one failed", lock=lock, output=done.stderr.strip() or done.stdout
        ) from None
    kind = getattr(envknit.errors, told["kind"], LockError)
    if env is not None and known:
        raise LinkError(f"the lock has no environment {env!r}", lock=lock, environments=", ".join(known))
    raise kind(told["message"], hint=told["hint"] or "run: python -m envknit install", **told["facts"])
