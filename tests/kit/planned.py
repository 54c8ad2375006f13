"""A store and plans written by hand, for tests of what reads them: no index, no resolver, no install."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import envknit
from envknit.plan import Pin, Plan, key, plans_folder
from envknit.store.entry import read_foreign
from envknit.store.store import Store
from envknit.view.place import place_views
from envknit.wheel.contents import read_contents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kit.machine import Project

Files = dict[str, str]
EXTENSION = f"cpython-{sys.version_info.major}{sys.version_info.minor}-x86_64-linux-gnu.so"


def write_packages(home: Path, packages: Mapping[str, Files]) -> None:
    """Write store entries: `name==version` to the files in it."""
    home.mkdir(mode=0o700, exist_ok=True, parents=True)
    for pin, files in packages.items():
        name, version = pin.split("==")
        metadata = {f"{info_of(pin)}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
        for path, content in {**metadata, **files}.items():
            target = home / folder_of(pin) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")


def write_plans(
    home: Path,
    lock: Path,
    environments: Mapping[str, Mapping[str, tuple[str, ...]]],
    *,
    text: str = "",
    guests: tuple[str, ...] = (),
    **facts: Any,
) -> dict[str, Path]:
    """Write a lock and one plan for each environment, as an install of it would have made them.

    Args:
        home: the store; the packages are in it.
        lock: where the lock is to be.
        environments: name to pins (`name==version`), each with the pins it depends on.
        text: the lock's text; by default one that names the pins.
        guests: pins that stand beside another of their name.
        facts: what else the plans say.

    Returns:
        The plan files by environment.
    """
    text = text or lock_text(environments)
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(text, encoding="utf-8")
    plans = []
    for environment, pins in environments.items():
        planned = [_planned(home, pin, needs, resident=pin not in guests) for pin, needs in pins.items()]
        imports: dict[str, tuple[str, ...]] = {}
        for pin in planned:
            for name in pin.imports if pin.resident else ():
                imports[name] = (*imports.get(name, ()), pin.folder)
        plans.append(
            Plan(
                environment=environment,
                lock=str(lock),
                store=str(home),
                runtime=str(Path(envknit.__file__).parents[1]),
                pins=planned,
                imports=imports,
                **facts,
            )
        )
    copy = Path(plans_folder(str(home), key(text.encode())), "lock")
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text, encoding="utf-8")
    views, _ = place_views(Store(home), text.encode(), plans)
    return {name: view / "plan" for name, view in views.items()}


def make_plans(
    project: Project,
    packages: Mapping[str, Files],
    environments: Mapping[str, Mapping[str, tuple[str, ...]]],
    **facts: Any,
) -> dict[str, Path]:
    """Write packages and plans for a project; see `write_plans`."""
    write_packages(project.machine.home, packages)
    return write_plans(project.machine.home, project.lock_file, environments, **facts)


def make_plan(
    project: Project,
    pins: Mapping[str, Files],
    *,
    environment: str = "default",
    lock: str = "",
    site_visible: bool = False,
    startup: tuple[tuple[str, str], ...] = (),
) -> Path:
    """Write a lock and the plan of one environment whose pins depend on nothing.

    Args:
        project: whose folder gets the lock.
        pins: `name==version` to the files of its store entry.
        environment: which environment the plan is for.
        lock: the lock's text; by default one that names the pins.
        site_visible: as `system_site_packages: true`.
        startup: (pin name, file in its entry) to run once site is done.
    """
    entries = {pin.split("==")[0]: folder_of(pin) for pin in pins}
    return make_plans(
        project,
        pins,
        {environment: dict.fromkeys(pins, ())},
        text=lock,
        site_visible=site_visible,
        startup=[(owner, f"{entries[owner]}/{file}") for owner, file in startup],
    )[environment]


def folder_of(pin: str) -> str:
    """Return the store folder of a pin."""
    name, version = pin.split("==")
    return f"packages/site-packages/{name}-{version}-py3-none-any-00000000"


def info_of(pin: str) -> str:
    """Return the name of a pin's dist-info folder."""
    name, version = pin.split("==")
    return f"{name.replace('-', '_')}-{version}.dist-info"


def lock_text(environments: Mapping[str, Mapping[str, tuple[str, ...]]]) -> str:
    """Write a lock that names pins and no artifact."""
    rows = ['schema_version: "1.0"', "environments:"]
    for environment, pins in environments.items():
        rows.append(f"  {environment}:")
        for pin, needs in pins.items():
            name, version = pin.split("==")
            rows.append(f"    - {{name: {name}, version: '{version}', dependencies: {[*needs]}}}")
    return "\n".join([*rows, ""])


def _planned(home: Path, pin: str, needs: tuple[str, ...], *, resident: bool) -> Pin:
    name, version = pin.split("==")
    inside = read_contents(read_foreign(str(home / folder_of(pin))), name)
    return Pin(
        name,
        version,
        folder_of(pin),
        native=inside.native,
        dist_info=info_of(pin),
        dependencies=[tuple(need.split("==")) for need in needs],
        imports=inside.names,
        main=inside.main,
        resident=resident,
    )
