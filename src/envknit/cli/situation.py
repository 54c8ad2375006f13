"""How project file, lock, plans and the running interpreter stand to each other; measured, not guessed."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.interpreter import ask
from envknit.errors import LockError, PlanError, StoreError
from envknit.plan import ABI
from envknit.plans import Plans
from envknit.regular import read_regular

if TYPE_CHECKING:
    from argparse import Namespace

    from envknit.cli.place import Place
    from envknit.files.model import Lock
    from envknit.plan import Plan

# Asked of a fresh process in the person's folder: what is active there is what a program of theirs gets. Pythons that
# envknit does not support must be able to read it
_QUESTION = """\
import json, sys
hook = sys.modules.get("_envknit_bootstrap")
active = getattr(hook, "active", None)
problem = getattr(hook, "problem", None)
print(json.dumps({
    "python": sys.executable,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "hook": getattr(hook, "__file__", None),
    "lock": getattr(active, "lock", None),
    "environment": getattr(active, "environment", None),
    "problem": "%s: %s" % (type(problem).__name__, problem) if problem else None,
}))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a Python that is started in a folder says: which it is, its hook, the lock that is active, what failed.

    `command` is how the person starts it: `python`, or a path.
    """

    command: str
    python: str
    version: str
    hook: str | None
    lock: str | None
    environment: str | None
    problem: str | None

    @property
    def is_ours(self) -> bool:
        """Whether it is the interpreter that runs this command."""
        return is_ours(self.python)

    def uses(self, lock: Path) -> bool:
        """Tell whether this lock is the one that is active."""
        return self.lock is not None and Path(self.lock).exists() and lock.exists() and lock.samefile(self.lock)


def ask_python(arguments: Namespace) -> Answer:
    """Start the `python` of the person's shell in their folder, and ask what is active; that of `--python` where given.

    The parent's choice is left out, as for a script: what a shell inherits from a program of yesterday is not asked.

    Cost: one start of Python.

    Raises:
        UnsupportedPlatformError: it does not answer.
    """
    command = (None if arguments.python else usual_python()) or sys.executable
    variables = {name: value for name, value in os.environ.items() if name != "ENVKNIT_ACTIVE"}
    told = ask(command, _QUESTION, cwd=Path(arguments.project), env=variables)
    name = command if arguments.python else Path(command).name
    return Answer(command=name, **told)


def is_ours(python: str) -> bool:
    """Tell whether a path is that of the interpreter which runs this command; two virtual environments are two."""
    return Path(python).parent.resolve() == Path(sys.executable).parent.resolve()


def usual_python() -> str | None:
    """Return the path of what `python` means in the person's shell; on some systems only `python3` is there."""
    return shutil.which("python") or shutil.which("python3")


def is_outdated(place: Place, lock: Lock) -> bool:
    """Tell whether the project asks for something else than the lock answers; False without a project file."""
    from envknit.resolve.current import is_current  # only where there is a lock to compare

    project = place.load_if_any()
    if project is None:
        return False
    return not is_current(project, lock) or any(_is_outgrown(place, name, lock) for name in lock.environments)


def _is_outgrown(place: Place, environment: str, lock: Lock) -> bool:
    """Tell whether what is installed of the person's own folders requires what the lock does not hold."""
    plan = plan_of(place, environment)
    if plan is None or not plan.built:
        return False
    from envknit.files.requested import name_in
    from envknit.install.agreement import outgrown  # loads `packaging`

    return bool(outgrown(plan, [name_in(text) for text in lock.environments[environment].overrides]))


def without_default(lock: Lock) -> str:
    """Say what to do where a lock has no environment that plain Python would use; `""` where it has."""
    wanted = os.environ.get("ENVKNIT_ENV") or "default"
    if wanted in lock.environments or not lock.environments:
        return ""
    name = min(lock.environments)
    return f"the lock has no environment {wanted!r}; use: envknit run --env {name}, or set ENVKNIT_ENV={name}"


def plan_of(place: Place, environment: str, abi: str = ABI) -> Plan | None:
    """Read the plan of the lock's present bytes for an ABI; None where it was not installed."""
    try:
        lock_bytes = read_regular(place.lock)
    except OSError as cause:
        raise LockError(f"the lock file cannot be read: {cause.strerror}", lock=place.lock) from cause
    try:
        installed = Plans.installed(lock_bytes, str(place.lock), abi)
    except (PlanError, StoreError):  # what may not be trusted is not installed
        return None
    return next((plan for plan in installed if plan.environment == environment), None)
