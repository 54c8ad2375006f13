"""Scripts with a block (PEP 723), made ready to run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.place import script_place
from envknit.cli.screen import Screen
from envknit.errors import ProjectError
from envknit.plan import home, key
from envknit.projects.script import read_block
from envknit.regular import make_private

if TYPE_CHECKING:
    from envknit.cli.place import Place
    from envknit.files.model import Lock


def ready_script(script: Path, screen: Screen) -> Place | None:
    """Lock and install what a script says that it needs, where that is not done yet.

    Args:
        script: the first word of a command.
        screen: hears of it with `--verbose`; what the script prints stays alone otherwise.

    Returns:
        Where its lock is; None where the command is no script with a block.
    """
    script = script.absolute()
    if script.suffix not in (".py", ".pyw") or not script.is_file() or read_block(script) is None:
        return None
    from envknit.cli.install import install_place  # few commands are scripts
    from envknit.cli.lock import read_previous, resolve_place, save
    from envknit.resolve.current import is_current

    place = script_place(script)
    if not place.lock.exists():
        folder = Path(home(), "cache", "scripts", key(os.fsencode(script)))
        place = replace(place, lock=folder / place.lock.name)
    told = screen if screen.verbose else Screen(quiet=True, verbose=False)
    previous = read_previous(place)
    if previous is None or not is_current(place.load(), previous):
        lock = resolve_place(place, previous, told)
        if place.lock.parent != place.root:
            _refuse_paths(lock, script)
            make_private(place.lock.parent)
        save(place, lock)
    install_place(place, told)
    return place


def _refuse_paths(lock: Lock, script: Path) -> None:
    if any(pin.source.startswith("file:") for environment in lock.environments.values() for pin in environment.pins):
        raise ProjectError(
            "the script needs a folder of this machine, so its lock has to lie beside it",
            script=script,
            hint=f"run: envknit lock --script {script.name}",
        )
