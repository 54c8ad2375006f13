"""How project file, lock, plans and the running interpreter stand to each other; measured, not guessed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.cli.interpreter import ask
from envknit.errors import LockError, PlanError, StoreError
from envknit.plans import Plans
from envknit.regular import read_regular

if TYPE_CHECKING:
    from pathlib import Path

    from envknit.cli.place import Place
    from envknit.files.model import Lock
    from envknit.plan import Plan

# Asked of a fresh process in the project's folder: what is active there is what a person's own program gets
_QUESTION = """\
import json, sys
hook = sys.modules.get("_envknit_bootstrap")
active = getattr(hook, "active", None)
problem = getattr(hook, "problem", None)
print(json.dumps({
    "hook": getattr(hook, "__file__", None),
    "lock": getattr(active, "lock", None),
    "environment": getattr(active, "environment", None),
    "problem": f"{type(problem).__name__}: {problem}" if problem else None,
}))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a fresh Python in the project's folder says: the hook's file, the lock that is active, what went wrong."""

    hook: str | None
    lock: str | None
    environment: str | None
    problem: str | None


def ask_fresh_python(folder: Path) -> Answer:
    """Start the running interpreter anew in a folder, and ask what is active; cost: one start of Python."""
    return Answer(**ask(sys.executable, _QUESTION, cwd=folder))


def is_outdated(place: Place, lock: Lock) -> bool:
    """Tell whether the project file asks for something else than the lock answers; False without a project file."""
    from envknit.resolve.resolver import is_current  # noqa: PLC0415 - only where there is a lock to compare

    project = place.load_if_any()
    return project is not None and not is_current(project, lock)


def plan_of(place: Place, environment: str) -> Plan | None:
    """Read the plan of the lock's present bytes for this interpreter; None where it was not installed."""
    try:
        lock_bytes = read_regular(place.lock)
    except OSError as cause:
        raise LockError(f"the lock file cannot be read: {cause.strerror}", lock=place.lock) from cause
    try:
        installed = Plans.installed(lock_bytes, str(place.lock))
    except (PlanError, StoreError):  # what may not be trusted is not installed
        return None
    return next((plan for plan in installed if plan.environment == environment), None)
