"""Whether a lock is installed as it stands: a few reads and one `stat` a pin, without anything heavy."""

from __future__ import annotations

import os

from envknit.errors import PlanError
from envknit.install.own import changed
from envknit.install.selection import USUAL
from envknit.naming import ENTRIES
from envknit.plan import home, interpreter_tag, lock_key, plans_folder
from envknit.plans import Plans
from envknit.regular import read_regular
from envknit.view.runtime import runtime_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envknit.install.selection import Selection
    from envknit.plan import Plan

ALL = "all"  # beside the plans: the environments of a lock, those for other Pythons with a tab and which


class Installed:
    """What an install did; all of it is empty but `views` and `pins` where nothing was to do.

    Args:
        views: environment to its view: a folder shaped like a virtual environment, which holds the `plan` as well.
        pins: how many pins the environments have here, each counted once.
        placed: how many entries were added to the store.
        downloaded: bytes.
        warnings: sentences for the person.
        skipped: environments that are not for this interpreter, and the Pythons that they are for.
    """

    __slots__ = ("downloaded", "pins", "placed", "skipped", "views", "warnings")

    def __init__(
        self,
        *,
        views: dict[str, str],
        pins: int = 0,
        placed: int = 0,
        downloaded: int = 0,
        warnings: Sequence[str] = (),
        skipped: Mapping[str, str] | None = None,
    ) -> None:
        self.views = views
        self.pins = pins
        self.placed = placed
        self.downloaded = downloaded
        self.warnings = tuple(warnings)
        self.skipped = skipped or {}


def find_installed(
    lock_path: str | os.PathLike[str],
    environments: Sequence[str] | None = None,
    selection: Selection = USUAL,
    *,
    registered: bool = True,
) -> Installed | None:
    """Return what an install of this lock gave, where another one would find nothing to do; else None.

    Args:
        lock_path: the lock file.
        environments: which; all that are for this interpreter where it is not given.
        selection: which groups and extras.
        registered: whether it must have been the last install from this path; else these bytes may come from another
            worktree, or from a branch that was left for a while.

    Cost: a few reads and one `stat` a pin.
    """
    from envknit.store.roots import root_of, view_link  # nothing is registered where there is no store

    skipped: dict[str, str] = {}
    store = home()
    path = os.path.abspath(lock_path)
    try:
        lock_bytes = read_regular(path)
        installed = Plans.installed(lock_bytes, path)
        folder = plans_folder(store, lock_key(lock_bytes, path))
        if environments is None:
            with open(os.path.join(folder, ALL), encoding="utf-8") as file:
                rows = [line.partition("\t")[::2] for line in file.read().splitlines()]
            environments = [name for name, python in rows if not python]
            skipped = {name: python for name, python in rows if python}
    except (OSError, PlanError):
        return None
    root = root_of(store, path)
    if registered and (root is None or not root.holds(os.path.relpath(folder, store))):
        return None
    views: dict[str, str] = {}
    pins: set[tuple[str, str]] = set()
    for name in environments:
        plan = next((plan for plan in installed if plan.environment == name), None)
        if plan is None or not _is_whole(plan, str(selection)):
            return None
        links = [f"{folder}/environments/{name}@{interpreter_tag()}", *([view_link(store, path, name)] * registered)]
        if not all(os.path.lexists(link) and os.path.realpath(link) == os.path.realpath(plan.view) for link in links):
            return None
        views[name] = plan.view
        pins.update(plan.pins)
    return Installed(views=views, pins=len(pins), skipped=skipped)


def _is_whole(plan: Plan, chosen: str) -> bool:
    """Tell whether a plan is as this `install` would write it, and all that it names is there."""
    whole = (plan.chosen, plan.runtime) == (chosen, runtime_entry()) and not plan.lost()
    whole = whole and os.path.isdir(os.path.join(plan.store, plan.runtime))
    if plan.shared:
        from envknit.store.disk import doubt_of  # few plans have any

        whole = whole and not any(doubt_of(os.path.join(store, ENTRIES)) for store in plan.shared)
    return whole and not changed(plan.built)
