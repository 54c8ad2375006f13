"""How project file, lock, plans and the running interpreter stand to each other; measured, not guessed."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.interpreter import ask
from envknit.errors import PlanError
from envknit.plan import Plan, environment_file, home, plan_folder

if TYPE_CHECKING:
    from envknit.cli.place import Place
    from envknit.lock.model import Environment, Lock
    from envknit.lock.project import Project, RequestedEnvironment

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


def outdated(project: Project, lock: Lock) -> list[str]:
    """Name the environments whose requirements are not those that the lock answers."""
    names = sorted({*project.environments, *lock.environments})
    return [name for name in names if not _answers(project.environments.get(name), lock.environments.get(name))]


def _answers(asked: RequestedEnvironment | None, locked: Environment | None) -> bool:
    if asked is None or locked is None:
        return False
    return (asked.packages, asked.dev_packages, asked.python_version) == (
        locked.requirements, locked.dev_requirements, locked.python_version,
    )  # fmt: skip


def plan_of(place: Place, environment: str) -> Plan | None:
    """Read the plan of the lock's present bytes for this interpreter; None where it was not installed."""
    path = os.path.join(plan_folder(home(), place.lock.read_bytes()), environment_file(environment))  # noqa: PTH118 - the plan's own functions give text
    try:
        return Plan.read(path)
    except PlanError:
        return None


def lost_entries(plan: Plan) -> list[str]:
    """Name the pins of a plan whose folders are gone from the store."""
    gone = [pin for pin in plan.pins.values() if not Path(plan.store, pin.folder).is_dir()]
    return [f"{pin.name} {pin.version}" for pin in gone]
