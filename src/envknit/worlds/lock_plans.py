"""The plans of a lock that the program names; where it has none here, the tool side makes them from the store."""

from __future__ import annotations

import os
import sys

from _envknit_bootstrap import LOCK_NAME
from envknit import errors
from envknit.plan import home, runtime_folder
from envknit.plans import Plans
from envknit.regular import read_regular


def plans_of_lock(lock: str | os.PathLike[str], environment: str | None = None) -> Plans:
    """Find the plans of a lock.

    Args:
        lock: path of the lock, or of its folder.
        environment: the environment that must be there; None: any.

    Returns:
        One for each environment, `default` first.

    Raises:
        FileNotFoundError: there is no such file.
        LockError: it cannot be read, or has no environment of that name; the error names those it has.
        InstallError: the store lacks some of what it locks.

    Cost: the plans are read once a process; a child process where there are none.
    """
    path = lock_file(lock)
    lock_bytes = read_regular(path)
    plans = Plans.installed(lock_bytes, path)
    if not plans or (environment is not None and environment not in plans.environments()):
        _make(path, environment)
        plans = Plans.installed(lock_bytes, path)
    return plans


def lock_file(lock: str | os.PathLike[str]) -> str:
    """Return the absolute path of a lock that is named by its path, or by the folder that it lies in."""
    path = os.path.abspath(os.fspath(lock))
    return os.path.join(path, LOCK_NAME) if os.path.isdir(path) else path


def _make(lock: str, environment: str | None) -> None:
    """Have the tool side make plans, in a process of its own: its packages never meet the program's."""
    import json
    import subprocess

    # By `-m` from our own folder: the child takes this very envknit, and of the program's sys.path nothing
    command = [sys.executable, "-m", "envknit.install.from_store", lock, *([environment] if environment else [])]
    environ = {**os.environ, "ENVKNIT_HOME": home()}
    done = subprocess.run(command, cwd=runtime_folder(), env=environ, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    try:
        failure = json.loads(done.stdout)
    except ValueError:
        raise errors.LockError(
            "the lock has no plan, and making one failed", lock=lock, output=done.stderr.strip() or done.stdout
        ) from None
    # An exception of a child cannot be raised here: its class may be of a package that this process has not
    kind = getattr(errors, failure["kind"], errors.LockError)
    raise kind(failure["message"], hint=failure["hint"] or "run: python -m envknit install", **failure["facts"])
