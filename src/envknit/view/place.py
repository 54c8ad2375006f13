"""The view: a plan as a folder shaped like a virtual environment, placed beside it by one rename and never changed.

trees/<digest>/                  what does not name an interpreter; see `tree`
views/<environment>-<digest>/    pyvenv.cfg, pip.conf, `bin`, and a link to each thing in the tree
environments/<environment>       link to the view in use, which an install flips
environments/<environment>@...   that for one interpreter, and those of other groups and extras that were asked for
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from envknit.errors import PlanError
from envknit.plan import Plan, interpreter_tag, key, lock_key, plans_folder
from envknit.store.disk import disk_faults, replace_link, seal, sync_folder
from envknit.view.host import this_host
from envknit.view.scripts import make_bin
from envknit.view.tree import make_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envknit.store.store import Store
    from envknit.view.host import Host

# Root may write where nobody may, and what pip writes into a package goes through the view's link into the entry, and
# so into every project. pip reads this file as that of its environment, and refuses: a view has no user's site-packages
_PIP = b"""\
# This environment never changes: use `envknit add`. `--no-user` lets pip install elsewhere, with --target or --prefix.
[install]
user = yes
"""


def place_views(
    store: Store, lock_bytes: bytes, plans: Sequence[Plan], host: Host | None = None, *, aside: bool = False
) -> tuple[dict[str, Path], list[str]]:
    """Place the views of plans where they are not there yet, and make them the current ones.

    Args:
        store: where to.
        lock_bytes: of the lock that the plans were made of.
        plans: one an environment, all for one ABI.
        host: the interpreter that they are for; None: the one that runs this.
        aside: whether the current ones stay as they are; see `aside_link`.

    Returns:
        Environment to its view, and sentences for the person.

    Cost: nothing is read but listings; some 0.1 ms a pin and environment, and one write-out of the file system.
    """
    host = host or this_host()
    folder = folder_of_plans(store, lock_bytes, plans[0].lock, plans[0].abi)
    place = os.path.relpath(folder, store.root)
    views: dict[str, Path] = {}
    ready: list[tuple[Path, str]] = []
    clashes: list[str] = []
    with disk_faults(folder), store.workspace() as workspace:
        for plan in plans:
            tree = tree_name(plan)
            view = view_name(plan, host, tree)
            views[plan.environment] = folder / "views" / view
            if not _is_placed(f"{place}/trees/{tree}", plan, store):
                make_tree(store, plan, workspace / tree)
                ready.append((workspace / tree, f"{place}/trees/{tree}"))
            if not _is_made(views[plan.environment], tree, plan, store, host):
                made = workspace / tree if (workspace / tree).is_dir() else folder / "trees" / tree
                final = str(folder / "views" / view)
                clashes += make_view(store, plan, workspace / view, tree=made, final=final, host=host)
                ready.append((workspace / view, f"{place}/views/{view}"))
        store.place(ready)
        for plan in plans:
            name = plan.environment
            links = [f"{folder}/environments/{name}", f"{folder}/environments/{name}@{interpreter_tag()}"]
            for link in [aside_link(str(folder), name, plan.chosen)] if aside else links[: 1 + host.here]:
                replace_link(Path(link), f"../views/{views[name].name}", sync=False)
        sync_folder(folder / "environments")
    return views, clashes


def folder_of_plans(store: Store, lock_bytes: bytes, lock: str, abi: str) -> Path:
    """Return the folder of what is installed from a lock, for an ABI."""
    return Path(plans_folder(str(store.root), lock_key(lock_bytes, lock), abi))


def aside_link(folder: str, environment: str, chosen: str) -> str:
    """Name the link to a view beside the current one: of other groups and extras, for the interpreter that runs this.

    Args:
        folder: of the lock's plans; see `plans_folder`.
        environment: its name.
        chosen: which groups and extras, as a plan says it.
    """
    return f"{folder}/environments/{environment}@{key(chosen.encode())}@{interpreter_tag()}"


def tree_name(plan: Plan) -> str:
    """Name the folder of a plan's tree."""
    return key(plan.identity.encode(errors="surrogateescape"))


def view_name(plan: Plan, host: Host, tree: str) -> str:
    """Name the folder of a plan's view for an interpreter; `tree`: see `tree_name`."""
    return f"{plan.environment}-{key(f'{tree} {_configuration(plan, host)}'.encode())}"


def make_view(store: Store, plan: Plan, into: Path, *, tree: Path, final: str, host: Host) -> list[str]:
    """Make the view of a tree in a new folder, read-only; returns sentences about scripts that clash."""
    into.mkdir()
    for item in os.listdir(tree):
        (into / item).symlink_to(f"../../trees/{tree.name}/{item}")
    for name, content in {"pyvenv.cfg": _configuration(plan, host).encode(), "pip.conf": _PIP}.items():
        (into / name).write_bytes(content)
        (into / name).chmod(0o444)
    clashes = make_bin(store, plan, into / "bin", view=final, host=host)
    seal(into)
    return clashes


def _configuration(plan: Plan, host: Host) -> str:
    """Write `pyvenv.cfg` (PEP 405)."""
    visible = "true" if plan.site_visible else "false"
    rows = [f"home = {os.path.dirname(host.program)}", f"include-system-site-packages = {visible}"]
    return "\n".join([*rows, f"version = {host.version}", f"executable = {host.program}", ""])


def _is_made(view: Path, tree: str, plan: Plan, store: Store, host: Host) -> bool:
    """Tell whether a view is there and is that of this tree and interpreter; another one makes way."""
    if not view.is_dir():
        return False
    with suppress(OSError):
        leads = os.readlink(view / "plan") == f"../../trees/{tree}/plan"
        if leads and (view / "pyvenv.cfg").read_text(encoding="utf-8") == _configuration(plan, host):
            return True
    store.remove(os.path.relpath(view, store.root))
    return False


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
