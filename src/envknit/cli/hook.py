"""See, write or remove what starts envknit in an interpreter: a few small files in its site-packages.

Installing envknit puts them there; `hook install` is for interpreters that have no envknit of their own
(`envknit --python PATH hook install`), and for those that lost them.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _envknit_bootstrap
from envknit.cli.interpreter import ask
from envknit.cli.parser import ActionParser, add_json
from envknit.errors import InstallError
from envknit.view.runtime import HOOK

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen

EXAMPLE = "envknit --python 3.12 hook install"

# -I: neither PYTHONPATH nor the user's site may colour the answer
_QUESTION = """\
import json, os, site, sys, sysconfig
print(json.dumps({
    "site": sysconfig.get_path("purelib"),
    "user": site.getusersitepackages(),
    "virtual": sys.prefix != sys.base_prefix,
    "view": os.path.exists(os.path.join(sys.prefix, "plan")),
    "managed": os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")),
}))
"""


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action", parser_class=ActionParser)
    status = actions.add_parser("status", help="show where the hook is, and whether it is this version's")
    add_json(status)
    for name, text in (("install", "write the hook's files"), ("remove", "remove the hook's files")):
        action = actions.add_parser(name, help=text)
        action.add_argument("--user", action="store_true", help="in the user's own site-packages")
        action.add_argument("--force", action="store_true", help="even where another installer owns the folder")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    facts = ask(sys.executable, _QUESTION, "-I")
    if arguments.action == "status":
        return _status(facts, arguments, screen)
    if facts["view"]:
        raise InstallError(
            "this is the Python of an environment, which has a hook of its own and never changes",
            python=sys.executable,
            hint="name the interpreter that shall have the hook: envknit --python PATH hook install",
        )
    folder = Path(facts["user" if arguments.user else "site"])
    if arguments.action == "install":
        if not arguments.force:
            refuse_managed(facts)
        write_hook(folder)
        screen.say(f"wrote {', '.join(HOOK)} to {folder}")
        return 0
    removed = remove_hook(folder, force=arguments.force)
    screen.say(f"removed {', '.join(removed)} from {folder}" if removed else f"there is no hook in {folder}")
    return 0


def refuse_managed(facts: dict[str, Any]) -> None:
    """Raise InstallError where an interpreter's packages belong to the system's package manager (PEP 668)."""
    if facts["managed"] and not facts["virtual"]:
        raise InstallError(
            "this interpreter's packages belong to the system's package manager (PEP 668)",
            python=sys.executable,
            hint="use `envknit run`, a Python of your own, or --force: the hook is a few files of no package",
        )


def source() -> Path:
    """Return the folder that our own hook files are in."""
    return Path(_envknit_bootstrap.__file__).parent


def state(folder: Path) -> str:
    """Tell what is in a folder: `absent`, `partial`, `current`, or `other` where it is another version's."""
    present = [name for name in HOOK if (folder / name).is_file()]
    if not present:
        return "absent"
    if len(present) < len(HOOK):
        return "partial"
    ours = source()
    return "current" if all((folder / n).read_bytes() == (ours / n).read_bytes() for n in HOOK) else "other"


def write_hook(folder: Path) -> None:
    """Write the hook's files into a folder, each in one step: another Python may start at any moment.

    Raises:
        InstallError: the folder cannot be written.
    """
    from envknit.files.atomic import place  # `hook status` writes nothing

    contents = {name: (source() / name).read_bytes() for name in HOOK}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            place(folder / name, content)
    except OSError as cause:
        raise InstallError(
            f"the hook cannot be written: {cause.strerror}", folder=folder, hint="try --user, or a Python of your own"
        ) from cause


def remove_hook(folder: Path, *, force: bool = False) -> list[str]:
    """Remove the hook's files from a folder and return their names.

    Raises:
        InstallError: an installer put them there and would miss them, or they cannot be removed.
    """
    owner = next(folder.glob("envknit-*.dist-info"), None)
    if owner is not None and not force:
        raise InstallError(
            "the hook is part of an installed envknit",
            folder=folder,
            hint="run: python -m pip uninstall envknit; or set ENVKNIT=0 where it shall not act",
        )
    removed = []
    for name in reversed(HOOK):
        try:
            os.remove(folder / name)  # noqa: PTH107 - one call, one kind of failure
        except FileNotFoundError:
            continue
        except OSError as cause:
            raise InstallError(f"the hook cannot be removed: {cause.strerror}", folder=folder) from cause
        removed.append(name)
    return removed


def _status(facts: dict[str, Any], arguments: Namespace, screen: Screen) -> int:
    states = {place: {"folder": facts[place], "state": state(Path(facts[place]))} for place in ("site", "user")}
    present = [row for row in states.values() if row["state"] != "absent"]
    if arguments.json:
        screen.data({"python": sys.executable, "version": platform.python_version(), **states, "hook": bool(present)})
    else:
        screen.show(f"python  {platform.python_version()} ({sys.executable})")
        for place, row in states.items():
            screen.show(f"{place:<6}  {_WORDS[row['state']]}  {row['folder']}")
        if not present:
            screen.show("next    envknit hook install")
    return 0 if present else 1


_WORDS = {
    "absent": "no hook",
    "partial": "a part of the hook",
    "current": "hook of this version",
    "other": "hook of another version",
}
