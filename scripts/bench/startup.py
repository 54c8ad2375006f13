"""What a lock costs when Python starts, and what imports cost under it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from harness import CACHE, ROOT, Rival, alternate, environment, fresh, interpreter, pip, printed, table, versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PINS = (120, 1000)
IMPORTED = ("django", "sympy", "pandas", "boto3", "sqlalchemy", "fastapi")
PLUGINS = ("pytest", "django", "pytest-django", "pytest-asyncio", "pytest-cov", "pytest-xdist", "anyio", "hypothesis")

_NOTHING = "pass"
_IMPORT = "import time; began = time.process_time(); import {name}; print(time.process_time() - began)"
# The hook alone, in a fresh process each: what the budgets of the design are about
_START = (
    "import os, sys, time; sys.path.insert(0, {folder!r}); began = time.process_time(); "
    "import _envknit_bootstrap as hook; hook.start(); print(time.process_time() - began)"
)


def main(rounds: int) -> None:
    versions()
    bare = interpreter("bare", ROOT)
    for file in bare.parent.parent.glob("lib/*/site-packages/envknit.*"):
        file.unlink()  # the same packages, but for the hook
    idle = interpreter("idle")
    next(idle.parent.parent.glob("lib/*/site-packages")).joinpath("idle.pth").write_text("import sys\n")
    knit = {"": interpreter("envknit", ROOT)}
    if commit := os.environ.get("BENCH_AGAINST"):  # to see whether it became slower
        knit[f" at {commit}"] = interpreter("before", _source(commit))
    stores = {name: fresh(f"store{name.replace(' ', '-')}") for name in knit}
    _startup(rounds, stores, (bare, idle), knit)
    _first_run(max(3, rounds // 8), knit[""])
    _imports(max(5, rounds // 4), stores[""], knit[""])
    _pytest(max(5, rounds // 4), stores[""], knit[""])
    _warm_install(max(5, rounds // 4), stores[""], knit[""])


def _startup(rounds: int, stores: Mapping[str, Path], others: tuple[Path, Path], knit: Mapping[str, Path]) -> None:
    bare, idle = others
    wheels = fresh("wheels")
    names = _make_wheels(wheels, max(PINS))
    empty = fresh("empty")
    same = interpreter("same")
    pip(same, "install", "--no-index", "--find-links", wheels, *names[: min(PINS)])
    rivals, alone = [Rival("no hook", [bare, "-c", _NOTHING], empty, environment())], []
    rivals.append(Rival("a .pth that does nothing", [idle, "-c", _NOTHING], empty, environment()))
    for which, python in knit.items():
        env = environment(ENVKNIT_HOME=str(stores[which]))
        folder = next((python.parent.parent / "lib").glob("*/site-packages"))
        code = _START.format(folder=str(folder))
        rivals.append(Rival(f"no lock{which}", [python, "-c", _NOTHING], empty, env))
        alone.append(Rival(f"no lock{which}", [bare, "-S", "-c", code], empty, env))
        for count in PINS:
            name = f"{count} pins{which}"
            locked = _project(python, stores[which], name.replace(" ", "-"), names[:count], indexes=[wheels])
            rivals.append(Rival(name, [python, "-c", _NOTHING], locked, env))
            alone.append(Rival(name, [bare, "-S", "-c", code], locked, env))
    rivals.append(Rival(f"venv of {min(PINS)} pins", [same, "-c", _NOTHING], empty, environment()))
    table("start-up of Python, whole process", alternate(rivals, rounds), "no hook")
    table("import of the hook and start() alone", printed(alternate(alone, rounds)), alone[0].name)


def _first_run(rounds: int, knit: Path) -> None:
    """Import everything for the first time after an install, and once more."""
    wheels, found = CACHE / "wheels", {"second run": [], "first run": []}  # type: dict[str, list[Run]]
    names = [f"bench-package-{number:04}" for number in range(min(PINS))]
    code = "; ".join(f"import {name.replace('-', '_')}" for name in names)
    for _ in range(rounds):
        store = fresh("first-store")
        project = _project(knit, store, "first", names, indexes=[wheels])
        run = Rival("first run", [knit, "-c", code], project, environment(ENVKNIT_HOME=str(store)))
        found["first run"].append(run.run())
        found["second run"].append(run.run())
    table("the first run after an install", found, "second run")


def _source(commit: str) -> Path:
    """Take the project as it was at a commit."""
    folder = fresh("source")
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "x"], cwd=folder, check=True, input=archive)
    return folder


def _imports(rounds: int, store: Path, knit: Path) -> None:
    project, same = _twins(store, knit, "imports", IMPORTED)
    env = environment(ENVKNIT_HOME=str(store))
    for name in IMPORTED:
        code = _IMPORT.format(name=name)
        rivals = [Rival("lock", [knit, "-c", code], project, env), Rival("venv", [same, "-c", code], project, env)]
        table(f"import {name}", printed(alternate(rivals, rounds)), "venv")


def _pytest(rounds: int, store: Path, knit: Path) -> None:
    """Start pytest, which rewrites its plugins and keeps what it made beside them."""
    project, same = _twins(store, knit, "pytest", PLUGINS)
    (project / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")  # not those above
    (project / "test_nothing.py").write_text("def test(): pass\n")
    words = ["-m", "pytest", "-q"]
    env = environment(ENVKNIT_HOME=str(store))
    rivals = [Rival("lock", [knit, *words], project, env), Rival("venv", [same, *words], project, env)]
    table("start of pytest with plugins", alternate(rivals, rounds), "venv")


def _twins(store: Path, knit: Path, name: str, packages: Sequence[str]) -> tuple[Path, Path]:
    """Install packages from a lock and, the same versions, into a virtual environment; returns project and Python."""
    project = _project(knit, store, name, packages)
    frozen = subprocess.run(
        [knit, "-c", "import importlib.metadata as m; print(*{f'{d.name}=={d.version}' for d in m.distributions()})"],
        cwd=project, env=environment(ENVKNIT_HOME=str(store)), stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.split()  # fmt: skip
    same = interpreter(f"same-{name}")
    pip(same, "install", "--no-deps", *frozen)
    return project, same


def _warm_install(rounds: int, store: Path, knit: Path) -> None:
    env = environment(ENVKNIT_HOME=str(store))
    project = CACHE / "imports"
    rivals = [
        Rival("envknit install, nothing to do", [knit, "-m", "envknit", "install"], project, env),
        Rival("pip --version", [knit, "-m", "pip", "--version"], project, env),
    ]
    table("a warm install", alternate(rivals, rounds), "pip --version")


def _make_wheels(folder: Path, count: int) -> list[str]:
    sys.path.insert(0, str(ROOT / "tests"))
    from kit import make_wheel, wheel_name

    names = [f"bench-package-{number:04}" for number in range(count)]
    for name in names:
        (folder / wheel_name(name, "1.0")).write_bytes(make_wheel(name, "1.0"))
    return names


def _project(knit: Path, store: Path, name: str, packages: Sequence[str], indexes: Sequence[Path] = ()) -> Path:
    folder = fresh(name)
    rows = [*(["indexes:"] if indexes else []), *(f"  - {index}" for index in indexes), "environments:", "  default:"]
    rows += ["    packages:", *(f"      - {package}" for package in packages)]
    (folder / "envknit.yaml").write_text("\n".join([*rows, ""]), encoding="utf-8")
    env = environment(ENVKNIT_HOME=str(store))
    for verb in (["lock"], ["install"]):
        began = time.perf_counter()
        subprocess.run([knit, "-m", "envknit", "-q", *verb], cwd=folder, env=env, check=True)
        print(f"envknit {' '.join(verb)} of {name}: {time.perf_counter() - began:.1f} s")
    return folder
