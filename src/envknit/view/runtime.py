"""The program side of envknit in the store: each view links to it, and so holds all that its own `bin/python` needs.

    packages/site-packages/envknit=<digest>/
        the hook: `HOOK`
        envknit/
        tool        the folder that it was copied from, where the command line has what it needs

There it is a library like any other to coverage and debuggers, and a store that is carried to where no envknit is
installed works. No entry has a `=` in its name.
"""

from __future__ import annotations

import os

import _envknit_bootstrap
from _envknit_activation import RUNTIME
from _envknit_bootstrap import MODULES
from envknit.naming import ENTRIES
from envknit.plan import key, runtime_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envknit.store.store import Store

# In the order in which they are written into a folder: the doors open last
HOOK = (*(f"{name}.py" for name in (*MODULES, "_envknit_bootstrap")), "envknit.start", "envknit.pth")


def runtime_entry() -> str:
    """Name the folder of the envknit that runs, relative to the store; cost: a `stat` of each of its files."""
    facts = [(name, found.st_size, found.st_mtime_ns) for name, path in _sources() for found in [os.stat(path)]]
    return f"{ENTRIES}/{RUNTIME}{key(repr(facts).encode(errors='surrogateescape'))}"


def place_runtime(store: Store) -> str:
    """Copy the envknit that runs into the store, where it is not there yet; returns its folder there."""
    folder = runtime_entry()
    if not store.path(folder).is_dir():
        from envknit.store.disk import disk_faults  # a warm install copies nothing

        with disk_faults(store.root), store.workspace() as workspace:
            make_runtime(workspace / "runtime")
            store.place([(workspace / "runtime", folder)])
    return folder


def make_runtime(into: Path) -> None:
    """Copy the envknit that runs into a new folder, read-only."""
    from envknit.store.disk import seal, walk  # a warm install copies nothing

    into.mkdir()
    root = runtime_folder()
    for parent, _, names in walk(f"{root}/envknit"):
        folder = into / os.path.relpath(parent, root)
        folder.mkdir()
        for name in names:  # with times, so that the bytecode beside a source goes on to count
            if "-pytest-" not in name:  # what it compiles for itself it compiles anew at any time
                _copy(f"{parent}/{name}", str(folder / name))
    for name, path in _hook():
        _copy(path, str(into / name))
    (into / "tool").write_text(runtime_folder(), encoding="utf-8", errors="surrogateescape")
    (into / "tool").chmod(0o444)
    seal(into)


def _hook() -> Iterator[tuple[str, str]]:
    folder = os.path.dirname(os.path.abspath(_envknit_bootstrap.__file__))
    yield from ((name, f"{folder}/{name}") for name in HOOK if os.path.exists(f"{folder}/{name}"))


def _sources() -> Iterator[tuple[str, str]]:
    """Yield the files that count, by a name that is the same wherever they lie."""
    yield from _hook()
    root = runtime_folder()
    for parent, folders, names in os.walk(f"{root}/envknit"):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from ((f"{parent[len(root) :]}/{name}", f"{parent}/{name}") for name in sorted(names))


def _copy(source: str, target: str) -> None:
    import shutil

    shutil.copyfile(source, target)
    shutil.copystat(source, target)
    os.chmod(target, 0o444)
