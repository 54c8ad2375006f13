"""The view: a plan as a folder, placed beside it by one rename and never changed.

trees/<digest>/                  what does not name an interpreter: the plan
views/<environment>-<digest>/    links into the tree
environments/<environment>       link to the view in use, which `install` flips
"""

from __future__ import annotations

import os
from pathlib import Path

from envknit.errors import PlanError
from envknit.plan import Plan, interpreter_tag, key, plans_folder
from envknit.store.disk import disk_faults, replace_link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envknit.store.store import Store


def place_views(store: Store, lock_bytes: bytes, plans: Sequence[Plan]) -> dict[str, str]:
    """Place the views of plans where they are not there yet, and make them the current ones.

    Args:
        store: where to.
        lock_bytes: of the lock that the plans were made of.
        plans: one an environment.

    Returns:
        Environment to its plan file.
    """
    folder = Path(plans_folder(str(store.root), key(lock_bytes)))
    place = os.path.relpath(folder, store.root)
    written = {}
    with disk_faults(folder), store.workspace() as workspace:
        ready = []
        for plan in plans:
            tree = key(plan.identity.encode(errors="surrogateescape"))
            view = f"{plan.environment}-{key(f'{tree} {interpreter_tag()}'.encode())}"
            if not _is_placed(f"{place}/trees/{tree}", plan, store):
                made = workspace / tree
                made.mkdir()
                (made / "plan").write_bytes(plan.render().encode(errors="surrogateescape"))
                (made / "plan").chmod(0o444)
                ready.append((made, f"{place}/trees/{tree}"))
            if not (folder / "views" / view).is_dir():
                made = workspace / view
                made.mkdir()
                (made / "plan").symlink_to(f"../../trees/{tree}/plan")
                ready.append((made, f"{place}/views/{view}"))
            written[plan.environment] = str(folder / "views" / view / "plan")
        store.place(ready)
        for environment, file in written.items():
            for name in (environment, f"{environment}@{interpreter_tag()}"):
                replace_link(folder / "environments" / name, f"../views/{Path(file).parent.name}")
    return written


def _is_placed(tree: str, plan: Plan, store: Store) -> bool:
    """Tell whether a tree is there and is this plan's; one that is damaged makes way."""
    if not store.path(tree).is_dir():
        return False
    try:
        if Plan.read(str(store.path(tree) / "plan")).identity == plan.identity:
            return True
    except PlanError:
        pass
    store.remove(tree)
    return False
