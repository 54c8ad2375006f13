"""Plans of several environments written by hand, with dependencies: for tests of `use` and its family."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import envknit
from envknit.plan import Pin, Plan
from kit.planned import write_views

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.machine import Project

Files = dict[str, str]
EXTENSION = f"cpython-{sys.version_info.major}{sys.version_info.minor}-x86_64-linux-gnu.so"


def write_packages(home: Path, packages: Mapping[str, Files]) -> None:
    """Write store entries: `name==version` to the files in it."""
    home.mkdir(mode=0o700, exist_ok=True, parents=True)
    for pin, files in packages.items():
        entry, info = home / folder_of(pin), info_of(pin)
        name, version = pin.split("==")
        metadata = {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
        for path, content in {**metadata, **files}.items():
            target = entry / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")


def write_plans(home: Path, lock: Path, environments: Mapping[str, Mapping[str, tuple[str, ...]]]) -> dict[str, Path]:
    """Write a lock (its text means nothing here) and one plan for each environment.

    Args:
        home: the store; the packages are in it.
        lock: where the lock is to be.
        environments: name to pins (`name==version`), each with the pins it depends on.
    """
    text = f"environments: { ({name: dict(pins) for name, pins in environments.items()})!r}\n"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(text, encoding="utf-8")
    plans = []
    for environment, pins in environments.items():
        planned = [_planned(home, pin, needs) for pin, needs in pins.items()]
        imports: dict[str, tuple[str, ...]] = {}
        for pin in pins:
            for name in _names(home / folder_of(pin)):
                imports[name] = (*imports.get(name, ()), folder_of(pin))
        plans.append(
            Plan(
                environment=environment,
                lock=str(lock),
                store=str(home),
                runtime=str(Path(envknit.__file__).parents[1]),
                pins=planned,
                imports=imports,
            )
        )
    return write_views(home, text, plans)


def worlds(
    project: Project,
    packages: Mapping[str, Files],
    environments: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> dict[str, Path]:
    """Write packages and plans for a project; return the plan files by environment."""
    write_packages(project.machine.home, packages)
    return write_plans(project.machine.home, project.lock_file, environments)


def folder_of(pin: str) -> str:
    """Return the store folder of a pin."""
    name, version = pin.split("==")
    return f"packages/site-packages/{name}-{version}-py3-none-any-00000000"


def info_of(pin: str) -> str:
    """Return the name of a pin's dist-info folder."""
    name, version = pin.split("==")
    return f"{name.replace('-', '_')}-{version}.dist-info"


def _planned(home: Path, pin: str, needs: tuple[str, ...]) -> Pin:
    name, version = pin.split("==")
    native = any(True for _ in (home / folder_of(pin)).rglob("*.so"))
    dependencies = [tuple(need.split("==")) for need in needs]
    return Pin(
        name,
        version,
        folder_of(pin),
        native=native,
        dist_info=info_of(pin),
        dependencies=dependencies,
        imports=_names(home / folder_of(pin)),
    )


def _names(entry: Path) -> list[str]:
    found = [path for path in entry.iterdir() if path.suffix != ".dist-info" and path.name != "__pycache__"]
    return sorted(path.name.partition(".")[0] for path in found)
