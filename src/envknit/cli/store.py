"""Look at the store, and free what no lock needs; without an action, print what `stats` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.cli.parser import ActionParser, add_json
from envknit.cli.screen import size
from envknit.reporter import count

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen
    from envknit.store.store import Store

EXAMPLE = "envknit store gc --dry-run"


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_json(parser)
    actions = parser.add_subparsers(metavar="ACTION", dest="action", parser_class=ActionParser)
    parser.set_defaults(action="stats")
    add_json(actions.add_parser("list", help="list every entry: name, version, folder"))
    add_json(actions.add_parser("stats", help="count entries, files and bytes"))
    add_json(actions.add_parser("path", help="print where the store is"))
    collection = actions.add_parser("gc", help="remove what no installed lock needs and no process uses")
    collection.add_argument("--dry-run", action="store_true", help="show what would go; remove nothing")
    add_json(collection)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    from envknit.store.store import Store  # `--help` looks at no store

    store = Store()
    action = {"list": _list, "stats": _stats, "path": _path, "gc": _collect}[arguments.action]
    action(store, arguments, screen)
    return 0


def _path(store: Store, arguments: Namespace, screen: Screen) -> None:
    if arguments.json:
        screen.data({"path": store.root})
    else:
        screen.show(str(store.root))


def _list(store: Store, arguments: Namespace, screen: Screen) -> None:
    entries = list(store.entries())
    if arguments.json:
        screen.data([{"name": row.name, "version": row.version, "folder": row.folder} for row in entries])
        return
    width = max((len(row.name) + len(row.version) for row in entries), default=0) + 1
    for row in entries:
        screen.show(f"{f'{row.name} {row.version}':<{width}}  {row.folder}")


def _stats(store: Store, arguments: Namespace, screen: Screen) -> None:
    stats = store.stats()
    if arguments.json:
        facts = {"path": store.root, "entries": stats.entries, "names": stats.names}
        screen.data({**facts, "files": stats.files, "bytes": stats.size})
        return
    screen.show(f"path     {store.root}")
    screen.show(f"entries  {stats.entries}, of {count(stats.names, 'name')}")
    screen.show(f"files    {stats.files}, {size(stats.size)}")


def _collect(store: Store, arguments: Namespace, screen: Screen) -> None:
    from envknit.store.collect import collect  # the other actions remove nothing

    done = collect(store, dry_run=arguments.dry_run)
    if arguments.json:
        facts = {
            "removed": done.removed,
            "entries": done.entries,
            "bytes": done.size,
            "locks": done.roots,
            "missing": dict(done.missing),
        }
        screen.data({**facts, "in_use": done.in_use, "dry_run": done.dry_run})
        return
    for lock in done.roots:
        screen.say(f"this lock is gone: {lock}")
    for lock, day in done.missing:
        screen.say(f"this lock is not there, and what only it needs goes on {day}: {lock}")
    for folder in done.removed if done.dry_run or screen.verbose else ():
        screen.say(f"  {folder}")
    if done.in_use:
        screen.say(f"kept for running processes: {count(done.in_use, 'plan')}")
    verb = "would remove" if done.dry_run else "removed"
    screen.say(f"{verb} {count(done.entries, 'entry')} and what belongs to them: {size(done.size)}")
