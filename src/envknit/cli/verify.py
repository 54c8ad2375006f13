"""Check everything that was installed for this project against what was placed: files, bytecode, scripts, views, modes.

The exit status is 1 where something is missing, changed, extra, or open to others; `--repair` mends it.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.parser import add_json
from envknit.cli.place import find_place
from envknit.errors import InstallError, ProjectError
from envknit.plan import home, lock_key, plans_folder
from envknit.regular import read_regular
from envknit.reporter import count

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from envknit.cli.place import Place
    from envknit.cli.screen import Screen
    from envknit.store.store import Store

EXAMPLE = "envknit verify --repair"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--all", action="store_true", help="check the whole store, not only what this lock uses")
    parser.add_argument("--repair", action="store_true", help="mend what is found, downloading what has to be")
    add_json(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.store.store import Store
    from envknit.view.inspect import inspect, mend  # `--help` hashes nothing

    store = Store()
    if store.root.exists():
        store.check()
    places = list(_installed_places(store)) if arguments.all else [find_place(arguments)]
    folders = {str(place.lock): _plans_folder(place) for place in places}
    if not arguments.all and not all(Path(folder).is_dir() for folder in folders.values()):
        raise InstallError(
            "the lock is not installed for this interpreter", lock=places[0].lock, hint="run: envknit install"
        )
    done = inspect(store, folders.values(), everything=arguments.all)
    mended: list[str] = []
    if arguments.repair and done.findings:
        again = [(place, *each) for place in places for each in _installed(folders[str(place.lock)])]
        with store.installing():
            mended = mend(store, done, lambda: _reinstall(again, screen))
        done = inspect(store, folders.values(), everything=arguments.all)
    if arguments.json:
        findings = [{"folder": row.folder, "path": row.path, "kind": row.kind} for row in done.findings]
        facts = {"folders": done.folders, "files": done.files, "findings": findings, "notes": done.notes}
        screen.data({**facts, "mended": mended})
    else:
        for text in (*mended, *map(str, done.findings)):
            screen.show(text)
        for note in done.notes:
            screen.warn(note)
        verdict = f"damage in {count(len(done.damaged), 'folder')}" if done.findings else "all as it was placed"
        screen.say(f"checked {count(done.files, 'file')} in {count(done.folders, 'folder')}: {verdict}")
        if done.findings and not arguments.repair:
            screen.say(f"to repair: {done.hint}")
    return 1 if done.findings else 0


def _plans_folder(place: Place) -> str:
    place.require_lock()
    return plans_folder(home(), lock_key(read_regular(place.lock), str(place.lock)))


def _installed_places(store: Store) -> Iterator[Place]:
    """Find the projects whose present lock was installed here: another one must not be installed by repairing."""
    from envknit.cli.place import Place
    from envknit.projects.load import find_project
    from envknit.store.roots import all_roots

    for _, root in all_roots(str(store.root)):
        lock = Path(root.lock)
        try:
            folder = plans_folder(home(), lock_key(read_regular(lock), str(lock)))
            if not root.holds(os.path.relpath(folder, store.root)):
                continue
        except OSError:
            continue  # it is gone
        try:
            project = find_project(lock.parent)
        except ProjectError:
            project = None
        yield Place(root=lock.parent, project=project, lock=lock)


def _installed(folder: str) -> list[tuple[str, str]]:
    """List the environments of a folder of plans, with the options that say which groups and extras they have."""
    from envknit.plan import current_plans
    from envknit.view.inspect import read_if_whole

    read = {environment: read_if_whole(path) for environment, path in current_plans(folder).items()}
    return [(environment, plan.chosen if plan else "") for environment, plan in read.items()]


def _reinstall(installed: list[tuple[Place, str, str]], screen: Screen) -> None:
    from envknit.cli.install import add_selection, install_place, selection_of

    parser = ArgumentParser()
    add_selection(parser)
    for place, environment, chosen in installed:
        selection = selection_of(parser.parse_args(chosen.split()))
        install_place(place, screen, environments=[environment], selection=selection)
