"""The `bin` of a view: Python, the console scripts of its packages, and what makes a shell use them."""

from __future__ import annotations

import os
import re
import shlex
import stat

from installer.scripts import Script
from installer.utils import get_launcher_kind

from envknit.errors import InstallError
from envknit.store.entry import data_folder
from envknit.wheel.entrypoints import scripts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envknit.plan import Plan
    from envknit.store.store import Store
    from envknit.view.host import Host

_PLACEHOLDER = b"#!python"  # the wheel's word for "whatever interpreter this is installed for" (PEP 427)
# A shell starts the `python` beside the script; to Python, the first lines are a string. So a moved store works, and a
# path may be longer than the 127 bytes that Linux takes behind `#!` (BINPRM_BUF_SIZE), or hold spaces. Only a link to
# the script itself is resolved: the folder may be that of `.venv`, whose `python` sees the next install.
_START = b"""#!/bin/sh
'''exec' "$(self=$0; [ -L "$0" ] && self=$(realpath -- "$0"); dirname -- "$self")"/python "$0" "$@"
' '''
"""
_SECTIONS = re.compile(r"^\[(?:console|gui)_scripts\].*?(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
ACTIVATE = os.path.join(os.path.dirname(__file__), "activate")


def make_bin(store: Store, plan: Plan, into: Path, *, view: str, host: Host) -> list[str]:
    """Make the folder of programs of a view.

    Args:
        store: where the pins are.
        plan: which packages.
        into: does not exist yet.
        view: absolute path that the view will have.
        host: the interpreter that it is for.

    Returns:
        One sentence for each name that two pins claim; the first pin's script is taken.
    """
    into.mkdir()
    for name in ("python", "python3", f"python{host.minor}"):
        (into / name).symlink_to(host.program)
    for shell in ("activate", "activate.csh", "activate.fish"):
        with open(os.path.join(ACTIVATE, shell), encoding="utf-8") as file:
            text = file.read().replace("@VIEW@", shlex.quote(view)).replace("@NAME@", _prompt(plan))
        (into / shell).write_text(text, encoding="utf-8")
        (into / shell).chmod(0o444)
    owners: dict[str, str] = {}
    clashes = []
    for pin in plan.pins.values():
        if not pin.resident:
            continue
        location = os.path.join(store.root, pin.folder)
        for name, content in {**dict(_shipped(location, pin.dist_info)), **_generated(location, pin.dist_info)}.items():
            if owners.setdefault(name, pin.name) != pin.name:
                clashes.append(f"{pin.name} {pin.version} has a script {name!r}, as another package does")
            elif not os.path.lexists(f"{into}/{name}"):
                _write(f"{into}/{name}", content, store, view)
    return clashes


def _prompt(plan: Plan) -> str:
    """Name an environment in a shell's prompt: after the project's folder, as virtual environments are."""
    project = os.path.basename(os.path.dirname(plan.lock))
    name = project if plan.environment == "default" else f"{project}:{plan.environment}"
    return "".join(c if c.isalnum() or c in "-_.:" else "_" for c in name)


def _generated(location: str, dist_info: str) -> Mapping[str, bytes]:
    """Write the scripts that entry points ask for."""
    try:
        with open(f"{location}/{dist_info}/entry_points.txt", encoding="utf-8") as file:
            text = "".join(_SECTIONS.findall(file.read()))  # the others can be long, and parsing takes its time
    except (FileNotFoundError, NotADirectoryError):
        return {}
    try:
        found = scripts_of(text) if text else ()
    except ValueError as error:  # of a folder that a lock names: what was unpacked here was checked
        raise InstallError(str(error), folder=location) from error
    made = [Script(*script).generate("/python", get_launcher_kind()) for script in found]
    return {name: _START + content.partition(b"\n")[2] for name, content in made}


def _shipped(location: str, dist_info: str) -> Iterator[tuple[str, bytes | str]]:
    """Take the scripts that a wheel ships: those with a placeholder for the interpreter anew, others as they are."""
    try:
        with os.scandir(f"{location}/{data_folder(dist_info)}/bin" if dist_info else f"{location}/bin") as found:
            files = sorted(found, key=lambda item: item.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for file in files:
        mode = file.stat(follow_symlinks=False).st_mode
        if not stat.S_ISREG(mode):
            continue
        with open(file.path, "rb") as script:
            first = script.readline(256)
            if first.startswith(_PLACEHOLDER):
                yield file.name, _START + script.read()
            elif mode & 0o111:
                yield file.name, file.path


def _write(target: str, content: bytes | str, store: Store, view: str) -> None:
    if isinstance(content, bytes):
        with open(target, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o555)
    elif content.startswith(f"{store.root}/"):
        os.symlink(os.path.relpath(content, f"{view}/bin"), target)  # a program, often a large one
    else:
        os.symlink(content, target)
