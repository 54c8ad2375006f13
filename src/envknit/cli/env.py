"""Print what a shell evaluates to have an environment first on its PATH, as `activate` of a virtual environment does.

eval "$(envknit env)"                     bash, zsh, sh
envknit env --shell fish | source         fish
eval `envknit env --shell tcsh`           tcsh, csh
eval "$(envknit env --shell direnv)"      in an .envrc

The actions are about environments by name: those of the project, and shared ones of your own, which every verb works on
with `--shared NAME`, and which `ENVKNIT_ENV=@NAME` makes active anywhere.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

from envknit.cli.parser import ActionParser, add_environment, add_json
from envknit.cli.place import find_place, shared_place
from envknit.errors import EnvknitError, ProjectError
from envknit.reporter import count

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from pathlib import Path

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen

EXAMPLE = "envknit env --shell fish | source"

SHELLS = ("bash", "zsh", "fish", "tcsh", "direnv")


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_environment(parser, "the environment to use (default: default)")
    parser.add_argument("--shell", choices=SHELLS, help="whose language to print (default: that of $SHELL, else bash)")
    actions = parser.add_subparsers(metavar="ACTION", dest="action", parser_class=ActionParser)
    add_json(actions.add_parser("list", help="list the environments of the project, and the shared ones"))
    create = actions.add_parser("create", help="make a shared environment without packages, locked and installed")
    create.add_argument("name", metavar="NAME", help="its name; `user` is the one that plain Python falls back to")
    create.add_argument("--python-version", metavar="SPECIFIER", help="which Pythons it is for (default: as `init`)")
    show = actions.add_parser("show", help="show where a shared environment lies, and what it holds")
    show.add_argument("name", metavar="NAME", help="its name")
    add_json(show)
    remove = actions.add_parser("remove", help="remove a shared environment; `store gc` then frees its packages")
    remove.add_argument("name", metavar="NAME", help="its name")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    if arguments.action:
        {"list": _list, "create": _create, "show": _show, "remove": _remove}[arguments.action](arguments, screen)
        return 0
    from envknit.cli.prefix import find_prefix  # `--help` looks at no store

    shell = arguments.shell or os.path.basename(os.environ.get("SHELL", ""))  # noqa: PTH119 - a name, no path of ours
    screen.show(lines_for(shell, find_prefix(find_place(arguments), arguments.env)))
    return 0


def _list(arguments: Namespace, screen: Screen) -> None:
    from envknit.cli.shared import shared_names  # `--help` looks at no store

    rows = []
    try:
        rows += list(_rows(find_place(arguments), ""))
    except ProjectError:
        if not shared_names():
            raise
    for name in shared_names():
        rows += _rows(shared_place(name), name)
    _print(rows, arguments, screen)


def _rows(place: Place, shared: str) -> Iterator[dict[str, Any]]:
    """Describe the environments of a place as its lock has them; one that cannot be read is described so."""
    from envknit.cli.status import environments_of

    try:
        found = environments_of(place, place.read())
    except EnvknitError as error:
        yield {"name": f"@{shared}" if shared else "", "folder": place.root, "error": error.message}
        return
    for name, row in found.items():
        title = name if not shared else f"@{shared}" if name == "default" else f"@{shared}, {name}"
        keys = ("python_version", "python", "pins", "installed")
        yield {"name": title, "folder": place.root, **{key: row[key] for key in keys}}


def _print(rows: list[dict[str, Any]], arguments: Namespace, screen: Screen) -> None:
    if arguments.json:
        screen.data(rows)
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        told = row.get("error") or f"{count(row['pins'], 'pin')}, {'' if row['installed'] else 'not '}installed"
        python = f", Python {row['python_version']}" if row.get("python_version") else ""
        screen.show(f"{row['name']:<{width}}  {told}{python}  {row['folder']}")


def _create(arguments: Namespace, screen: Screen) -> None:
    from envknit.cli.install import install_place
    from envknit.cli.lock import resolve_place, save
    from envknit.cli.shared import make_shared

    place = make_shared(arguments.name, arguments.python_version or "")
    save(place, resolve_place(place, None, screen))
    install_place(place, screen, here_only=bool(arguments.python))
    screen.say(f"made {place.root}; next: envknit add --shared {place.root.name} PACKAGE")


def _show(arguments: Namespace, screen: Screen) -> None:
    _print(
        list(_rows(shared_place(arguments.name.removeprefix("@")), arguments.name.removeprefix("@"))), arguments, screen
    )


def _remove(arguments: Namespace, screen: Screen) -> None:
    from envknit.cli.shared import remove_shared

    screen.say(f"removed {remove_shared(arguments.name)}")


def lines_for(shell: str, prefix: Path) -> str:
    """Return what a shell evaluates to activate a prefix; one that is not known speaks as bash does."""
    if shell == "direnv":
        folder = shlex.quote(str(prefix / "bin"))
        return f"export VIRTUAL_ENV={shlex.quote(str(prefix))}\nPATH_add {folder}\nunset PYTHONHOME"
    if shell == "fish":
        return f"source {shlex.quote(str(prefix / 'bin' / 'activate.fish'))}"
    if shell in {"tcsh", "csh"}:
        return f"source {shlex.quote(str(prefix / 'bin' / 'activate.csh'))}"
    return f". {shlex.quote(str(prefix / 'bin' / 'activate'))}"
