"""Run a command with the lock in place, for itself and for everything that it starts.

Console scripts of the lock's packages come first, then PATH; `python` is the interpreter that runs envknit. The
command takes the place of this process, so signals and its exit status are its own.
"""

from __future__ import annotations

import os
import shutil
import sys
from argparse import REMAINDER
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.parser import add_environment
from envknit.cli.place import find_place
from envknit.errors import InstallError, ProjectError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen
    from envknit.plan import Plan

EXAMPLE = "envknit run -- pytest -x"

_NOT_FOUND = 127  # as a shell reports it
_NOT_EXECUTABLE = 126


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "the environment to use (default: default)")
    parser.add_argument("command", metavar="-- COMMAND", nargs=REMAINDER, help="the command and its arguments")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    command = arguments.command[arguments.command[:1] == ["--"] :]
    if not command:
        raise ProjectError("no command to run", hint=f"write it behind two dashes, as in: {EXAMPLE}")
    place = find_place(arguments)
    plan = require_plan(place, arguments.env)
    environment = surroundings(place, plan)
    program = find_program(command[0], environment["PATH"])
    if program is None:
        screen.fail(InstallError("neither the lock's packages nor PATH have this command", command=command[0]))
        return _NOT_FOUND
    screen.close()
    sys.stdout.flush()
    try:
        # Python derives `sys.executable` from argv[0], by a search on PATH if that is a bare name
        first = program if program == sys.executable else command[0]
        os.execve(program, [first, *command[1:]], environment)
    except OSError as error:
        screen.fail(InstallError(f"the command cannot be run: {error.strerror}", command=program))
        return _NOT_EXECUTABLE


def require_plan(place: Place, environment: str) -> Plan:
    """Return the plan of an environment; InstallError where something of it is not installed."""
    from envknit.cli.situation import plan_of  # noqa: PLC0415 - `--help` asks no interpreter

    place.require_lock()
    plan = plan_of(place, environment)
    hint = "run: envknit install"
    if plan is None:
        raise InstallError(
            "the lock is not installed for this interpreter, or changed since",
            lock=place.lock,
            environment=environment,
            hint=hint,
        )
    if plan.lost():
        raise InstallError("the store lost a part of this environment", environment=environment, hint=hint)
    return plan


def surroundings(place: Place, plan: Plan) -> dict[str, str]:
    """Return the environment variables of the command."""
    environment = {k: v for k, v in os.environ.items() if k not in {"ENVKNIT", "ENVKNIT_ACTIVE"}}
    environment["PATH"] = os.pathsep.join(filter(None, [f"{plan.view}/bin", os.environ.get("PATH")]))
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_door()), os.environ.get("PYTHONPATH")]))
    environment["ENVKNIT_LOCK"] = str(place.lock)
    environment["ENVKNIT_ENV"] = plan.environment
    return environment


def find_program(name: str, path: str) -> str | None:
    """Find a command on PATH; `python` is the running interpreter, for which the plan was made."""
    if name in {"python", "python3", f"python{sys.version_info[0]}.{sys.version_info[1]}"}:
        return sys.executable
    return shutil.which(name, path=path)


def _door() -> Path:
    """Return the folder whose `sitecustomize` starts envknit where an interpreter has no hook."""
    from _envknit_bootstrap import __file__ as bootstrap  # noqa: PLC0415 - its place alone is of interest

    installed = Path(bootstrap).parent / "envknit" / "door"
    # In a checkout the door is not a copy: it lies where the hook is
    return installed if installed.is_dir() else Path(bootstrap).resolve().parent
