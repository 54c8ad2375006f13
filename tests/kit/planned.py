"""A store and a plan written by hand, for tests of what reads them: no index, no resolver, no install."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import envknit
from envknit.install.view import place_views
from envknit.plan import Pin, Plan, key, plans_folder
from envknit.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.machine import Project

Files = dict[str, str]


def make_plan(
    project: Project,
    pins: Mapping[str, Files],
    *,
    environment: str = "default",
    lock: str = "",
    site_visible: bool = False,
    startup: tuple[tuple[str, str], ...] = (),
) -> Path:
    """Write a lock (its text means nothing here) and the plan that an install of it would have made.

    Args:
        project: whose folder gets the lock.
        pins: `name==version` to the files of its store entry.
        environment: which environment the plan is for.
        lock: the lock's text; by default one that names the pins.
        site_visible: as `system_site_packages: true`.
        startup: (pin name, file in its entry) to run once site is done.
    """
    home = project.machine.home
    home.mkdir(mode=0o700, exist_ok=True)
    text = lock or f"pins: {sorted(pins)}\n"
    project.lock_file.write_text(text, encoding="utf-8")
    planned, imports, files_to_run = [], {}, []
    for pin, files in pins.items():
        name, version = pin.split("==")
        folder = f"packages/site-packages/{name}-{version}-py3-none-any-00000000"
        info = f"{name}-{version}.dist-info"
        entry = home / folder
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        for path, content in {f"{info}/METADATA": metadata, **files}.items():
            target = entry / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        planned.append(Pin(name, version, folder, native=False, dist_info=info, dependencies=()))
        tops = {path.partition("/")[0].removesuffix(".py") for path in files if not path.endswith((".pth", ".start"))}
        for top in sorted(tops - {info}):
            imports[top] = (*imports.get(top, ()), folder)
        files_to_run += [(name, f"{folder}/{file}") for owner, file in startup if owner == name]
    plan = Plan(
        environment=environment,
        lock=str(project.lock_file),
        store=str(home),
        runtime=str(Path(envknit.__file__).parents[1]),
        pins=planned,
        imports=imports,
        startup=files_to_run,
        site_visible=site_visible,
    )
    return write_views(home, text, [plan])[environment]


def write_views(home: Path, lock_text: str, plans: list[Plan]) -> dict[str, Path]:
    """Place the views of plans as an install does, beside a copy of the lock; returns the plan files by environment."""
    copy = Path(plans_folder(str(home), key(lock_text.encode())), "lock")
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(lock_text, encoding="utf-8")
    placed = place_views(Store(home), lock_text.encode(), plans)
    return {environment: Path(plan) for environment, plan in placed.items()}
