"""Stores of others, from which is taken what need not be downloaded again: `ENVKNIT_STORES=:/opt/envknit`.

The variable is a list like `PATH`. The first is this user's own store, which alone is written to; an empty one means
`~/.envknit`. What a store behind it holds is linked into the own one under the same name, so plans, views and bytecode
are what they would be. The link is what `store gc` removes; nothing is ever changed where it leads.
"""

from __future__ import annotations

import os

from envknit.errors import StoreError
from envknit.naming import ENTRIES
from envknit.store.disk import doubt_of, replace_link
from envknit.store.store import Store
from envknit.store.verify import compare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def shared_stores(own: Store) -> tuple[list[Store], list[str]]:
    """Return the stores that may be taken from, in their order, and why others may not, one sentence each.

    Args:
        own: this user's.
    """
    stores, doubts = [], []
    for path in os.environ.get("ENVKNIT_STORES", "").split(os.pathsep)[1:]:
        root = os.path.realpath(path)
        if not os.path.isabs(path):
            doubts += [f"{path!r} in ENVKNIT_STORES is not an absolute path"] if path else []
        elif root != os.path.realpath(own.root):
            doubt = doubt_of(os.path.join(root, ENTRIES))
            doubts += [f"nothing is taken from the store {path}: {doubt}"] if doubt else []
            stores += [] if doubt else [Store(root)]
    return stores, doubts


def take(own: Store, others: list[Store], find: Callable[[Store], str | None]) -> tuple[str | None, list[str]]:
    """Link an entry of another store into the own one.

    Args:
        own: where to.
        others: see `shared_stores`.
        find: returns the folder of the entry in a store that has it.

    Returns:
        The entry's folder, None where none has it whole; and what is wrong with others, one sentence each.

    Cost: every file of the entry is hashed, once: what is damaged there is downloaded instead.
    """
    doubts = []
    for other in others:
        try:
            folder = find(other)
        except StoreError:
            continue  # another artifact, or one that cannot be read
        if folder is None or other.path(folder).is_symlink():
            continue  # nor is anything taken at third hand
        if findings := compare(str(other.root), folder):
            doubts.append(f"{other.path(folder)} is not as it was placed ({findings[0]}), and is not used")
            continue
        replace_link(own.path(folder), str(other.path(folder)))
        return folder, doubts
    return None, doubts
