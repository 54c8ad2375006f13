"""Put in use again what a lock was installed as: in another worktree, or on a branch that was left for a while."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.files.atomic import write_atomically
from envknit.install.installed import Installed, find_installed
from envknit.install.selection import USUAL
from envknit.plan import lock_key, plans_folder
from envknit.regular import read_regular
from envknit.store.disk import disk_faults, replace_link
from envknit.store.roots import Root, root_of, root_path, view_link
from envknit.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envknit.install.selection import Selection


def take_back(
    lock_path: str | os.PathLike[str], environments: Sequence[str] | None = None, selection: Selection = USUAL
) -> Installed | None:
    """Return what an install of these bytes gave, from whichever path, and register it for this one; else None.

    Args:
        lock_path: the lock file.
        environments: which; all that are for this interpreter where it is not given.
        selection: which groups and extras.

    Raises:
        StoreError: the store is not this user's own, or is damaged.

    Cost: as `find_installed`, and a few small files; nothing that `flow` loads.
    """
    path = os.path.abspath(lock_path)
    if not {"\t", "\n"}.isdisjoint(path) or not find_installed(path, environments, selection, registered=False):
        return None
    store = Store().open()
    with store.installing():
        done = find_installed(path, environments, selection, registered=False)  # `store gc` may have been faster
        if done is not None:
            views = {environment: Path(view) for environment, view in done.views.items()}
            key = lock_key(read_regular(path), path)
            register(store, path, Path(plans_folder(str(store.root), key)), views)
    return done


def register(store: Store, path: str, folder: Path, views: Mapping[str, Path]) -> None:
    """Note that these plans were installed from the lock at `path`, and let its links lead to their views."""
    file = Path(root_path(str(store.root), path))
    root = root_of(str(store.root), path) or Root(path)
    root.add(os.path.relpath(folder, store.root), datetime.now(timezone.utc).date().isoformat())
    with disk_faults(file):
        write_atomically(file, root.render())
        for environment, view in views.items():
            link = view_link(str(store.root), path, environment)
            replace_link(Path(link), os.path.relpath(view, os.path.dirname(link)))
