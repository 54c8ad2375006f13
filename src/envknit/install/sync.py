"""Install: a lock in, the store filled and plans out.

What a warm install needs is here, and imports nothing heavy: a few reads and one `stat` a pin. The work itself is in
`flow`.
"""

from __future__ import annotations

import os

from envknit.errors import PlanError
from envknit.install.scripts import script_place
from envknit.plan import Plan, environment_file, home, plan_folder, runtime_folder
from envknit.store.roots import read_root, root_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envknit.files.project import Project
    from envknit.reporter import Reporter

ALL = "environments"  # beside the plans: which of them "all environments" means for this interpreter


class Installed:
    """What an install did; all of it is empty but `plans` and `scripts` where nothing was to do.

    Args:
        plans: environment to its plan file.
        scripts: environment to the folder of its console scripts.
        pins: how many pins the environments have here, each counted once.
        placed: how many entries were added to the store.
        downloaded: bytes.
        warnings: sentences for the person.
        skipped: environments that are not for this interpreter.
    """

    __slots__ = ("downloaded", "pins", "placed", "plans", "scripts", "skipped", "warnings")

    def __init__(
        self,
        *,
        plans: dict[str, str],
        scripts: dict[str, str],
        pins: int = 0,
        placed: int = 0,
        downloaded: int = 0,
        warnings: Sequence[str] = (),
        skipped: Sequence[str] = (),
    ) -> None:
        self.plans = plans
        self.scripts = scripts
        self.pins = pins
        self.placed = placed
        self.downloaded = downloaded
        self.warnings = tuple(warnings)
        self.skipped = tuple(skipped)


def install(
    lock_path: str | os.PathLike[str],
    project: Project | None = None,
    *,
    environments: Sequence[str] | None = None,
    dev: bool = True,
    offline: bool = False,
    compile_bytecode: bool = False,
    reporter: Reporter | None = None,
) -> Installed:
    """Install the environments of a lock for the interpreter that runs this.

    Args:
        lock_path: the lock file.
        project: where it was locked from, for its indexes.
        environments: which; all that are for this interpreter where it is not given.
        dev: whether with dev packages.
        offline: only what the store and the cache hold.
        compile_bytecode: also compile every module, instead of at its first import.
        reporter: hears of progress.

    Raises:
        LockError: the lock cannot be read, or does not hold an environment that was asked for.
        InstallError: a pin has no artifact here, or one could not be downloaded, built, verified or placed.
        StoreError: the store is not this user's own, or is damaged.

    Cost: with nothing to do, a few reads and one `stat` a pin.
    """
    path = os.path.abspath(lock_path)
    done = None if compile_bytecode else _installed(path, environments, dev=dev)
    if done is not None:
        return done
    from envknit.install.flow import install_lock  # noqa: PLC0415 - heavy, and needed only where there is work

    return install_lock(
        path,
        project,
        environments=environments,
        dev=dev,
        offline=offline,
        compile_bytecode=compile_bytecode,
        reporter=reporter,
    )


def is_installed(
    lock_path: str | os.PathLike[str], environments: Sequence[str] | None = None, *, dev: bool = True
) -> bool:
    """Tell whether `install` would have nothing to do; cost: a few reads and one `stat` a pin."""
    return _installed(os.path.abspath(lock_path), environments, dev=dev) is not None


def _installed(lock_path: str, environments: Sequence[str] | None, *, dev: bool) -> Installed | None:
    store = home()
    try:
        with open(lock_path, "rb") as file:
            lock_bytes = file.read()
        folder = plan_folder(store, lock_bytes)
        with open(os.path.join(folder, "lock"), "rb") as file:
            if file.read() != lock_bytes:
                return None
        if environments is None:
            with open(os.path.join(folder, ALL), encoding="utf-8") as file:
                environments = file.read().splitlines()
    except OSError:
        return None
    root = read_root(root_path(store, lock_path))
    if root is None or root.lock != lock_path:
        return None
    plans: dict[str, str] = {}
    scripts: dict[str, str] = {}
    pins: set[tuple[str, str]] = set()
    for name in environments:
        path = os.path.join(folder, environment_file(name))
        plan = _whole_plan(path, store, dev=dev)
        if plan is None or os.path.relpath(path, store) not in root.plans:
            return None
        plans[name] = path
        scripts[name] = os.path.join(store, script_place(plan))
        pins.update(plan.pins)
    return Installed(plans=plans, scripts=scripts, pins=len(pins))


def _whole_plan(path: str, store: str, *, dev: bool) -> Plan | None:
    """Read a plan; None unless it is as this `install` would write it, and all that it names is there."""
    try:
        plan = Plan.read(path)
    except PlanError:
        return None
    if (plan.dev, plan.store, plan.runtime) != (dev, store, runtime_folder()):
        return None
    folders = {pin.folder for pin in plan.pins.values()}
    folders.add(script_place(plan))
    return plan if all(os.path.isdir(os.path.join(store, folder)) for folder in folders) else None
