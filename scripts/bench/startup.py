"""What a lock costs when Python starts, and what imports cost under it."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from harness import CACHE, ROOT, Rival, alternate, environment, fresh, interpreter, pip, printed, table, versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PINS = 120
IMPORTED = ("django", "sympy", "pandas", "boto3")

_NOTHING = "pass"
_IMPORT = "import time; began = time.perf_counter(); import {name}; print(time.perf_counter() - began)"
# start() alone, in a fresh process each: what the budgets of the design are about
_START = (
    "import sys, time; sys.path.insert(0, {folder!r}); import _envknit_bootstrap as hook; "
    "began = time.perf_counter(); hook.start(); print(time.perf_counter() - began)"
)


def main(rounds: int) -> None:
    versions()
    store = fresh("store")
    bare = interpreter("bare", ROOT)
    for file in bare.parent.parent.glob("lib/*/site-packages/envknit.*"):
        file.unlink()  # the same packages, but for the hook
    knit = interpreter("envknit", ROOT)
    _startup(rounds, store, bare, knit)
    _imports(max(5, rounds // 4), store, knit)
    _warm_install(max(5, rounds // 4), store, knit)


def _startup(rounds: int, store: Path, bare: Path, knit: Path) -> None:
    wheels = fresh("wheels")
    names = _make_wheels(wheels)
    locked = _project(knit, store, "locked", names, indexes=[wheels])
    same = interpreter("same")
    pip(same, "install", "--no-index", "--find-links", wheels, *names)
    empty = fresh("empty")
    env = environment(ENVKNIT_HOME=str(store))
    lock = f"hook and a lock of {PINS} pins"
    venv = f"venv with the same {PINS} packages"
    rivals = [
        Rival("no hook", [bare, "-c", _NOTHING], empty, env),
        Rival("hook and no lock", [knit, "-c", _NOTHING], empty, env),
        Rival(lock, [knit, "-c", _NOTHING], locked, env),
        Rival(venv, [same, "-c", _NOTHING], locked, env),
    ]
    found = alternate(rivals, rounds)
    table("start-up of Python, whole process", found, "no hook")
    table("the same, against the virtual environment", {name: found[name] for name in (lock, venv)}, venv)

    code = _START.format(folder=str(ROOT / "bootstrap"))
    rivals = [
        Rival("no lock in sight (budget 0.2 ms)", [bare, "-S", "-c", code], empty, env),
        Rival(f"{PINS} pins (budget 0.5 ms)", [bare, "-S", "-c", code], locked, env),
    ]
    table("start() alone", printed(alternate(rivals, rounds)), rivals[0].name)


def _imports(rounds: int, store: Path, knit: Path) -> None:
    project = _project(knit, store, "imports", IMPORTED)
    frozen = subprocess.run(
        [knit, "-c", "import importlib.metadata as m; print(*{f'{d.name}=={d.version}' for d in m.distributions()})"],
        cwd=project, env=environment(ENVKNIT_HOME=str(store)), stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.split()  # fmt: skip
    same = interpreter("same-imports")
    pip(same, "install", "--no-deps", *frozen)
    env = environment(ENVKNIT_HOME=str(store))
    for name in IMPORTED:
        code = _IMPORT.format(name=name)
        rivals = [Rival("lock", [knit, "-c", code], project, env), Rival("venv", [same, "-c", code], project, env)]
        table(f"import {name}", printed(alternate(rivals, rounds)), "venv")


def _warm_install(rounds: int, store: Path, knit: Path) -> None:
    env = environment(ENVKNIT_HOME=str(store))
    project = CACHE / "imports"
    rivals = [
        Rival("envknit install, nothing to do", [knit, "-m", "envknit", "install"], project, env),
        Rival("pip --version", [knit, "-m", "pip", "--version"], project, env),
    ]
    table("a warm install", alternate(rivals, rounds), "pip --version")


def _make_wheels(folder: Path) -> list[str]:
    sys.path.insert(0, str(ROOT / "tests"))
    from kit import make_wheel, wheel_name

    names = [f"bench-package-{number:03}" for number in range(PINS)]
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
