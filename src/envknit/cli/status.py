"""Show how project file, lock and this interpreter stand to each other, and what to run next.

The exit status is 1 unless plain Python in this folder imports what the lock says.
"""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any

from envknit.cli.graph import copies
from envknit.cli.parser import add_json
from envknit.cli.place import find_place
from envknit.cli.screen import count
from envknit.cli.situation import ask_fresh_python, is_outdated, plan_of
from envknit.install.own import changed

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
    place = find_place(arguments)
    facts = gather(place)
    if arguments.json:
        screen.data(facts)
    else:
        _show(facts, screen)
    return 0 if facts["ready"] else 1


def gather(place: Place) -> dict[str, Any]:
    """Collect the facts; cost: the project file, the lock, a plan an environment, and one start of Python."""
    lock = place.read() if place.lock.exists() else None
    behind = is_outdated(place, lock) if lock else False
    fresh = ask_fresh_python(place.root)
    environments = _environments(place, lock)
    active = fresh.environment if fresh.lock == str(place.lock) else None
    return {
        "project": place.project,
        "lock": place.lock if lock else None,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "environments": environments,
        "outdated": behind,
        "hook": fresh.hook,
        "active": active,
        "ready": bool(active) and not behind and not any(row["changed"] for row in environments.values()),
        "next": _next(lock, environments, behind=behind, hook=fresh.hook, active=active),
    }


def _environments(place: Place, lock: Lock | None) -> dict[str, dict[str, Any]]:
    found = {}
    for name, environment in sorted(lock.environments.items()) if lock else ():
        plan = plan_of(place, name)
        found[name] = {
            "python_version": environment.python_version,
            "pins": len(environment.pins),
            "copies": copies(environment),
            "installed": plan is not None,
            "chosen": plan.chosen if plan else None,
            "lost": plan.lost() if plan else [],
            "changed": changed(plan.built) if plan else [],
        }
    return found


def _next(
    lock: Lock | None,
    environments: dict[str, dict[str, Any]],
    *,
    behind: bool,
    hook: str | None,
    active: str | None,
) -> str | None:
    """Name the one command that brings the project nearer to ready."""
    if lock is None or behind:
        return "envknit lock"
    installed = [row for row in environments.values() if row["installed"]]
    if not installed or any(row["lost"] or row["changed"] for row in installed):
        return "envknit install"
    if hook is None:
        return "envknit hook install"
    return None if active else "envknit doctor"


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
        screen.show(f"          {name}: {count(row['pins'], 'pin')}, {state}{mark}{lost}")
        for package, versions in row["copies"].items():
            screen.show(f"          {name}: {package} in several versions: {', '.join(versions)}")
    screen.show(f"hook      {facts['hook'] or 'not installed in this interpreter'}")
    if facts["next"]:
        screen.show(f"next      {facts['next']}")
