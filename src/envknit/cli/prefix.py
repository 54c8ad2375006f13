"""The prefix of an environment, a folder shaped like a virtual environment, and what activating it does to a shell."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.place import environment_of
from envknit.errors import InstallError
from envknit.plan import Plan, read_plan

if TYPE_CHECKING:
    from envknit.cli.place import Place
    from envknit.cli.screen import Screen

# A choice that was made for the shell must not overrule the environment that one now asks for; nor may PYTHONHOME,
# which `activate` of a virtual environment unsets as well
CLEARED = ("ENVKNIT", "ENVKNIT_ACTIVE", "ENVKNIT_ENV", "ENVKNIT_LOCK", "PYTHONHOME")


def find_prefix(place: Place, environment: str) -> Path:
    """Return the prefix of an environment that is installed.

    It is the stable path, where that leads to the view of this interpreter: what is running there sees the next
    install, as in a virtual environment.

    Raises:
        InstallError: it is not installed, or the store lost a part of it.
    """
    plan = require_plan(place, environment)
    stable = stable_path(place, plan)
    return stable if stable.exists() and stable.samefile(plan.view) else Path(plan.view)


def prefix_without(place: Place, environment: str, group: str, screen: Screen) -> Path:
    """Return a prefix of an installed environment that lacks a group; it is made when it is first asked for.

    Raises:
        InstallError: the environment is not installed, so nobody said that its lock may be used.
    """
    from envknit.install.selection import Selection  # few commands leave something out
    from envknit.view.place import aside_link

    plan = require_plan(place, environment)
    selection = Selection.read(plan.chosen).without_group(group)
    if plan.chosen == str(selection):
        return Path(plan.view)
    view = Path(aside_link(plan.lock_folder, environment, str(selection))).resolve()
    if not (view / "bin").is_dir() or Plan.read(str(view / "plan")).lost():
        from envknit.install.flow import install

        project, names = place.load_if_any(), [environment]
        done = install(place.lock, project, environments=names, selection=selection, aside=True, reporter=screen)
        view = Path(done.views[environment])
    return view


def stable_path(place: Place, plan: Plan) -> Path:
    """Name the link to the current view of an environment, which each `install` of this lock flips."""
    from envknit.store.roots import view_link  # `--help` looks at no store

    return Path(view_link(plan.store, str(place.lock), plan.environment))


def require_plan(place: Place, environment: str) -> Plan:
    """Return the plan of an environment; InstallError where something of it is not installed."""
    from envknit.cli.situation import plan_of  # `--help` asks no interpreter

    place.require_lock()
    plan = plan_of(place, environment)
    hint = f"run: envknit install{'' if environment == 'default' else f' --env {environment}'}"
    if plan is None:
        environment_of(place.read(), environment, place.lock)  # names those that there are
        raise InstallError(
            "the lock is not installed for this interpreter, or changed since",
            lock=place.lock,
            environment=environment,
            python=sys.executable,
            hint=hint,
        )
    if plan.lost() or not Path(plan.view, "bin").is_dir():
        raise InstallError("the store lost a part of this environment", environment=environment, hint=hint)
    return plan


def activated(prefix: Path) -> dict[str, str]:
    """Return the variables of this process as `activate` of a virtual environment would leave them.

    The Node that the environment is for is on PATH as well: behind its `bin`, unless that has a `node` of its own.

    Raises:
        UnsupportedPlatformError: the environment is for a Node that is not here.
    """
    variables = {name: value for name, value in os.environ.items() if name not in CLEARED}
    node = ""
    if "\nnode\t" in read_plan(prefix / "plan"):
        from envknit.cli.node import node_folder  # most environments are for none

        node = node_folder(Plan.read(str(prefix.resolve() / "plan")))
    own = str(prefix / "bin")
    first = [node, own] if (prefix / "bin" / "node").exists() else [own, node]
    path = [folder for folder in (*first, os.environ.get("PATH")) if folder]
    return variables | {"VIRTUAL_ENV": str(prefix), "PATH": os.pathsep.join(path)}
