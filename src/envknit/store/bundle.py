"""One folder for pins that must be physical neighbours: hard links to the files of their entries.

Links to folders do not do: a shared library is found by the real path of the one that loads it.
"""

from __future__ import annotations

import errno
import os
import shutil

from envknit.errors import StoreError
from envknit.files.atomic import write_atomically
from envknit.naming import BUNDLE
from envknit.plan import key
from envknit.store.disk import disk_faults, seal, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envknit.store.entry import Entry
    from envknit.store.store import Store

_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})


def place_bundle(store: Store, entries: Sequence[Entry]) -> str:
    """Make sure that the bundle of these entries is in the store, and return its folder.

    Where two entries have a file of one path, the first one's is used.

    Args:
        store: where to.
        entries: in an order that decides; the same entries in the same order are the same bundle.

    Raises:
        StoreError: another bundle lies where this one belongs.
    """
    folders = "".join(f"{entry.folder}\n" for entry in entries).encode()
    bundle = f"{BUNDLE}{key(folders)}"
    if store.path(bundle).is_dir():
        if "".join(f"{entry}\n" for entry in bundled_entries(store, bundle)).encode() != folders:
            raise StoreError(
                "another bundle lies where this one belongs",  # its name is no cryptographic hash
                bundle=store.path(bundle),
                hint="remove it, and run: envknit install",
            )
        return bundle
    with disk_faults(store.root), store.workspace() as workspace:
        made = workspace / "bundle"
        for entry in entries:
            link_tree(entry.location, made)
        seal(made)
        write_atomically(store.path(bundle + ".entries"), folders)  # before the bundle: gc reads what it is made of
        store.place([(made, bundle)])
    return bundle


def bundled_entries(store: Store, bundle: str) -> list[str]:
    """Name the entries that a bundle is made of."""
    try:
        return store.path(bundle + ".entries").read_text().splitlines()
    except FileNotFoundError:
        return []


def link_tree(source: str, target: Path) -> None:
    """Link the files of a tree into another, which keeps those that it has."""
    for parent, folders, names in walk(source):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        inside = target / os.path.relpath(parent, source)
        inside.mkdir(parents=True, exist_ok=True)
        for name in sorted(names):
            _link(os.path.join(parent, name), inside / name)


def _link(source: str, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(source, target, follow_symlinks=False)
