"""Show how project file, lock and this interpreter stand to each other, and what to run next.

The exit status is 1 unless plain Python in this folder imports what the lock says.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
from typing import TYPE_CHECKING, Any

from envknit.cli.choice import running
from envknit.cli.elsewhere import python_of
from envknit.cli.graph import copies
from envknit.cli.parser import add_json
from envknit.cli.place import find_place
from envknit.cli.screen import GREEN, RED
from envknit.cli.shared import name_of, user_place
from envknit.cli.situation import Answer, ask_python, is_outdated, plan_of, without_default
from envknit.errors import ProjectError
from envknit.install.own import changed
from envknit.plan import USER
from envknit.reporter import count

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen
    from envknit.files.model import Lock

EXAMPLE = "envknit status --json"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_json(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    try:
        place = find_place(arguments)
    except ProjectError:
        own = user_place()
        if own is None:
            raise
        place = own
    facts = gather(place, ask_python(arguments))
    if arguments.json:
        screen.data(facts)
    else:
        _show(facts, screen)
    return 0 if facts["ready"] else 1


def gather(place: Place, shell: Answer) -> dict[str, Any]:
    """Collect the facts; cost: the project file, the lock, and a plan an environment.

    Args:
        place: the project.
        shell: what the `python` of the person's shell says there.
    """
    lock = place.read() if place.lock.exists() else None
    behind = is_outdated(place, lock) if lock else False
    environments = environments_of(place, lock)
    active = shell.environment if shell.uses(place.lock) else None
    following = _next(lock, environments, shell, behind=behind, active=active)
    shared = name_of(str(place.lock))
    if following == "envknit doctor" and shared:  # nothing is wrong with it: it is not what this folder uses
        following = f"envknit run --shared {shared} -- {shell.command}"
    return {
        "project": place.project,
        "lock": place.lock if lock else None,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "shell": {
            "command": shell.command,
            "version": shell.version,
            "executable": shell.python,
            "same": shell.is_ours,
        },
        "environments": environments,
        "outdated": behind,
        "hook": shell.hook,
        "active": active,
        "used": {"lock": shell.lock, "environment": shell.environment, "why": why_used(shell.lock)},
        "ready": bool(active) and not behind and not any(row["changed"] for row in environments.values()),
        "next": following,
    }


def environments_of(place: Place, lock: Lock | None) -> dict[str, dict[str, Any]]:
    """Describe the environments of a lock."""
    found = {}
    for name, environment in sorted(lock.environments.items()) if lock else ():
        python = python_of(place, environment)
        plan = plan_of(place, name, python.abi) if python else None
        found[name] = {
            "python_version": environment.python_version,
            "python": {"version": python.version, "executable": python.executable} if python else None,
            "pins": len(environment.pins),
            "copies": copies(environment),
            "unlocked": list(environment.unlocked),
            "installed": plan is not None,
            "chosen": plan.chosen if plan else None,
            "lost": plan.lost() if plan else [],
            "changed": changed(plan.built) if plan else [],
        }
    return found


def _next(
    lock: Lock | None,
    environments: dict[str, dict[str, Any]],
    shell: Answer,
    *,
    behind: bool,
    active: str | None,
) -> str | None:
    """Name the one command that brings the project nearer to ready."""
    if lock is None or behind:
        return "envknit lock"
    if active and not shell.is_ours:  # what is installed for our own Python does not matter to the person
        return None
    installed = [row for row in environments.values() if row["installed"]]
    if not installed or any(row["lost"] or row["changed"] for row in installed):
        return "envknit install"
    if not active and without_default(lock):
        return f"envknit run --env {min(lock.environments)} -- python"
    python = environments.get("default", installed[0])["python"]
    if not active and python and python["executable"] not in (running().executable, shell.python):
        return "envknit shell"  # plain `python` is another than the lock is for
    other = "" if shell.is_ours else f"--python {shlex.quote(shell.python)} "
    verb = "hook install" if shell.hook is None else "install" if other else "doctor"
    return None if active else f"envknit {other}{verb}"


def _python(row: dict[str, Any]) -> str:
    """Name the Python of an environment, where that is another than the one that runs this."""
    if row["python"] is None:
        return f", for Python {row['python_version']}, which is not on this machine"
    other = row["python"]["executable"] != running().executable
    return f", Python {row['python']['version']} ({row['python']['executable']})" if other else ""


def why_used(lock: str | None) -> str:
    """Say why a plain Python in this folder uses a lock, or none."""
    environment, path = os.environ.get("ENVKNIT_ENV", ""), os.environ.get("ENVKNIT_LOCK", "")
    if environment.startswith("@"):
        return f"ENVKNIT_ENV={environment}"
    if path:
        return f"ENVKNIT_LOCK={path}"
    if lock is None:
        return "none was found that is installed"
    shared = name_of(lock)
    return "yours, since no project's lock is in sight" if shared == USER else "the nearest to this folder"


def _show(facts: dict[str, Any], screen: Screen) -> None:
    python = facts["python"]
    screen.show(f"project   {facts['project'] or 'none'}")
    screen.show(f"lock      {facts['lock'] or 'none'}{' (out of date)' if facts['outdated'] else ''}")
    screen.show(f"python    {python['version']} ({python['executable']})")
    for name, row in facts["environments"].items():
        state = "not installed"
        if row["installed"]:
            state = f"installed with {row['chosen']}" if row["chosen"] else "installed"
        lost = f", lost: {', '.join(row['lost'])}" if row["lost"] else ""
        lost += f", changed since it was built: {', '.join(row['changed'])}" if row["changed"] else ""
        mark = ", active" if facts["active"] == name else ""
        screen.show(f"          {name}: {count(row['pins'], 'pin')}, {state}{_python(row)}{mark}{lost}")
        for label in row["unlocked"]:
            screen.show(f"          {name}: {label} could not be locked")
        for package, versions in row["copies"].items():
            screen.show(f"          {name}: {package} in several versions: {', '.join(versions)}")
    used = facts["used"]
    which = f"{used['lock']}, {used['environment']}" if used["lock"] else "no lock"
    screen.show(f"uses      {which}: {used['why']}")
    shell = facts["shell"]
    if not shell["same"]:
        screen.show(f"shell     `{shell['command']}` is another: {shell['version']} ({shell['executable']})")
    absent = f"not installed in {shell['executable']}"
    screen.show(f"hook      {facts['hook'] or absent}")
    ready = facts["ready"]
    verdict = f"ready: `{shell['command']}` here imports what the lock says" if ready else "not ready"
    screen.show(f"verdict   {screen.paint(verdict, GREEN if ready else RED)}")
    if facts["next"]:
        screen.show(f"next      {screen.command(facts['next'])}")
