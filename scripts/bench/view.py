"""What it costs to make the view of 187 pins, beside a bare loop of as many links: no view can be made of fewer."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from harness import ROOT, fresh, table, versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PINS = 187


def main(rounds: int) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from envknit.plan import Plan
    from envknit.store.store import Store
    from envknit.view.place import place_views
    from kit.planned import write_packages, write_plans

    versions()
    store = Store(fresh("view") / "store").open()
    pins = [f"bench-package-{number:03}==1.0" for number in range(PINS)]
    write_packages(store.root, {pin: _files(number) for number, pin in enumerate(pins)})
    made = write_plans(store.root, store.root.parent / "lock", {"default": dict.fromkeys(pins, ())})["default"]
    plan = Plan.read(str(made))
    count = _links(made.parent) + _links(made.resolve().parent)
    target = f"{'../' * 9}packages/site-packages/bench-package-000-1.0-py3-none-any-00000000/bench_package_000"
    wall: dict[str, list[float]] = {"as many bare links": [], "a view": []}
    busy: dict[str, list[float]] = {name: [] for name in wall}

    def timed(name: str, act: Callable[[], object]) -> None:
        began, worked = time.perf_counter(), time.process_time()
        act()
        wall[name].append(time.perf_counter() - began)
        busy[name].append(time.process_time() - worked)

    for number in range(rounds):
        folder = store.root / f"bare-{number}"
        folder.mkdir()
        links = [folder / str(each) for each in range(count)]
        timed("as many bare links", lambda links=links: [link.symlink_to(target) for link in links])
        os.sync()  # else the view's own write-out has these to write
        timed("a view", lambda number=number: place_views(store, b"round %d" % number, [plan]))
    table(f"a view of {PINS} pins, {count} links, written out", wall, "as many bare links")
    table("the same, processor time alone", busy, "as many bare links")


def _files(number: int) -> dict[str, str]:
    """Give every fifth package a second module, every sixth a part of a namespace package, every fourth a script."""
    package = f"bench_package_{number:03}"
    files = {f"{package}/__init__.py": "", f"{package}/inside.py": ""}
    if not number % 5:
        files[f"_{package}.py"] = ""
    if not number % 6:
        files[f"bench_space_{number % 4}/{package}/__init__.py"] = ""
    if not number % 4:
        info = f"{package}-1.0.dist-info"
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\nbench-{number} = {package}.inside:main\n"
    return files


def _links(folder: Path) -> int:
    return sum(path.is_symlink() for path in folder.rglob("*"))
