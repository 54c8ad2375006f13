"""Check every installed file of this project against the hash it was placed with.

The exit status is 1 where something is missing, changed or extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.cli.parser import add_json
from envknit.cli.place import find_place
from envknit.cli.screen import count
from envknit.errors import InstallError
from envknit.plan import home

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen

EXAMPLE = "envknit verify --all"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--all", action="store_true", help="check the whole store, not only what this lock uses")
    add_json(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.store.verify import verify  # noqa: PLC0415 - `--help` hashes nothing

    done = verify(home(), _whole_store() if arguments.all else _installed(arguments))
    if arguments.json:
        findings = [{"folder": row.folder, "path": row.path, "kind": row.kind} for row in done.findings]
        screen.data({"folders": done.folders, "files": done.files, "findings": findings, "notes": done.notes})
    else:
        for finding in done.findings:
            screen.show(str(finding))
        for note in done.notes:
            screen.warn(note)
        verdict = f"damage in {count(len(done.damaged), 'folder')}" if done.findings else "all as it was placed"
        screen.say(f"checked {count(done.files, 'file')} in {count(done.folders, 'folder')}: {verdict}")
        if done.hint:
            screen.say(f"to repair: {done.hint}")
    return 1 if done.findings else 0


def _installed(arguments: Namespace) -> list[str]:
    """Name the folders that the plans of this lock use."""
    from envknit.cli.situation import plan_of  # noqa: PLC0415 - as above

    place = find_place(arguments)
    plans = [plan for name in place.read().environments if (plan := plan_of(place, name))]
    if not plans:
        raise InstallError(
            "the lock is not installed for this interpreter", lock=place.lock, hint="run: envknit install"
        )
    return [pin.folder for plan in plans for pin in plan.pins.values()]


def _whole_store() -> list[str]:
    from envknit.store.store import Store  # noqa: PLC0415 - as above

    return [entry.folder for entry in Store(home()).entries()]
