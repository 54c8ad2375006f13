"""Lock and install beside uv and pip: one project, one index, in turn; the index answers from disk, 20 ms late."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from harness import CACHE, ROOT, Rival, alternate, environment, fresh, interpreter, mirror, set_aside, table, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

SETS = {
    "12 pins": ("flask", "requests"),
    "100 pins": (
        *("fastapi[standard]", "sqlalchemy", "pandas", "httpx", "pytest", "boto3", "django"),
        *("scikit-learn", "sphinx"),
    ),
    "200 pins": (
        *("fastapi[standard]", "sqlalchemy", "pandas", "httpx", "pytest", "boto3", "django", "jupyterlab"),
        *("scikit-learn", "sphinx", "matplotlib", "celery[redis]", "black", "mypy", "tox", "dask[complete]"),
    ),
}
BUILT = ("boto3", "urllib3<1.26", "s3fs", "awscli")  # leads through sdists without static metadata
ADDED = "humanize"

_PROJECT = """\
[project]
name = "beside-uv"
version = "1"
requires-python = "==3.{minor}.*"
dependencies = [{wanted}]

[tool.uv]
package = false
"""


@dataclass(frozen=True)
class Side:
    """One tool with a project, a cache and, once installed, an environment of its own."""

    name: str
    command: tuple[str | Path, ...]
    folder: Path
    env: Mapping[str, str]
    lock: str

    @property
    def project(self) -> Path:
        """Where its project is."""
        return self.folder / "project"

    def write(self, wanted: Sequence[str], minor: int) -> None:
        """Write the project; there is no lock then."""
        self.project.mkdir(parents=True, exist_ok=True)
        text = _PROJECT.format(wanted=", ".join(f'"{name}"' for name in wanted), minor=minor)
        (self.project / "pyproject.toml").write_text(text, encoding="utf-8")
        self.unlock()

    def unlock(self) -> None:
        """Remove the lock."""
        (self.project / self.lock).unlink(missing_ok=True)

    def empty(self) -> None:
        """Forget everything but the project and its lock."""
        set_aside(self.folder / "cache", self.project / ".venv")

    def run(self, *arguments: str) -> None:
        """Run the tool, unmeasured."""
        subprocess.run([*self.command, *arguments], cwd=self.project, env=dict(self.env), check=True)

    def rival(self, *arguments: str, before: Callable[[], object] = lambda: None, name: str = "") -> Rival:
        """Return it as a row."""
        return Rival(name or self.name, [*self.command, *arguments], self.project, self.env, before)


def main(rounds: int) -> None:
    versions()
    rounds = max(3, rounds // 4)
    knit = interpreter("envknit", ROOT)
    minor = int(subprocess.check_output([knit, "-c", "import sys; print(sys.version_info[1])"], text=True))
    uv = interpreter("uv", "uv").with_name("uv")
    with mirror(knit) as host:
        for flavour in ("modern", "plain"):
            for title, wanted in SETS.items():
                sides = _sides(knit, uv, f"{host}/{flavour}/simple")
                _locks(f"{title}, {flavour} index", sides, wanted, minor, rounds)
                if flavour == "modern":
                    _installs(title, sides, rounds)
        sides = _sides(knit, uv, f"{host}/plain/simple")
        _cold_locks("sdists to build, plain index", sides, BUILT, minor, rounds)
    fresh("aside")


def _sides(knit: Path, uv: Path, index: str) -> tuple[Side, Side]:
    folder = fresh("beside-uv")
    path = os.pathsep.join([str(knit.parent), os.environ["PATH"]])  # as in a shell in which it is activated
    plain = environment(
        PATH=path, PIP_CONFIG_FILE="/dev/null", PIP_INDEX_URL=index, PIP_FIND_LINKS="", UV_DEFAULT_INDEX=index
    )
    own = folder / "knit", folder / "uv"
    return (
        Side(
            "envknit", (knit.with_name("envknit"), "-q"), own[0],
            plain | {"ENVKNIT_HOME": str(own[0] / "cache")}, "envknit.lock.yaml",
        ),
        Side(
            "uv", (uv, "-q"), own[1],
            plain | {"UV_CACHE_DIR": str(own[1] / "cache"), "UV_PYTHON": str(knit), "UV_PYTHON_DOWNLOADS": "never"},
            "uv.lock",
        ),
    )  # fmt: skip


def _cold_locks(title: str, sides: Sequence[Side], wanted: Sequence[str], minor: int, rounds: int) -> None:
    for side in sides:
        side.write(wanted, minor)

    def before(side: Side) -> None:
        side.empty()
        side.unlock()

    found = alternate([side.rival("lock", before=partial(before, side)) for side in sides], rounds)
    table(f"lock, cold: {title}", found, "uv")


def _locks(title: str, sides: Sequence[Side], wanted: Sequence[str], minor: int, rounds: int) -> None:
    _cold_locks(title, sides, wanted, minor, rounds)
    found = alternate([side.rival("lock", before=side.unlock) for side in sides], rounds)
    table(f"lock, warm: {title}", found, "uv")
    found = alternate([side.rival("lock") for side in sides], rounds)
    table(f"lock, nothing changed: {title}", found, "uv")
    for side in sides:
        _keep(side)
    found = alternate(
        [
            side.rival("add", ADDED, only, before=partial(_restore, side))
            for side, only in zip(sides, ("--no-install", "--no-sync"), strict=True)
        ],
        rounds,
    )
    table(f"add one, the lock alone: {title}", found, "uv")
    for side in sides:
        _restore(side)


def _installs(title: str, sides: Sequence[Side], rounds: int) -> None:
    knit, uv = sides
    found = alternate(
        [knit.rival("install", "--no-compile", before=knit.empty), uv.rival("sync", before=uv.empty)], rounds
    )
    table(f"install, cold: {title}", found, "uv")
    found = alternate(
        [knit.rival("install", before=knit.empty), uv.rival("sync", "--compile-bytecode", before=uv.empty)], rounds
    )
    table(f"install with bytecode, cold: {title}", found, "uv")
    _warm_installs(title, knit, uv, rounds)
    found = alternate(
        [
            knit.rival("install"),
            knit.rival("status", name="envknit status"),
            uv.rival("sync"),
        ],
        rounds,
    )
    table(f"nothing to install: {title}", found, "uv")
    found = alternate([side.rival("add", ADDED, before=partial(_restore, side)) for side in sides], rounds)
    table(f"add one: {title}", found, "uv")


def _warm_installs(title: str, knit: Side, uv: Side, rounds: int) -> None:
    """Measure what a second project costs: the same lock in another folder, and another lock of the same pins."""
    for side in (knit, uv):
        side.run("install" if side is knit else "sync")
    elsewhere = knit.folder / "elsewhere"

    def move() -> None:
        set_aside(elsewhere)
        shutil.copytree(knit.folder / "kept", elsewhere)

    move()
    lock = knit.project / knit.lock

    def another() -> None:
        lock.write_text(f"{lock.read_text(encoding='utf-8')}#\n", encoding="utf-8")

    entries = knit.folder / "cache" / "packages"
    copy = CACHE / "aside" / "copy"
    found = alternate(
        [
            Rival("envknit, the same lock", knit.rival("install").command, elsewhere, knit.env, move),
            knit.rival("install", before=another, name="envknit, another lock"),
            uv.rival("sync", before=partial(set_aside, uv.project / ".venv")),
            Rival("a copy of the bytes", ["cp", "-r", entries, copy], CACHE, knit.env, partial(set_aside, copy)),
            Rival("a look at each file", ["find", entries, "-newer", "/"], CACHE, knit.env),
        ],
        rounds,
    )
    table(f"install, pins are there: {title}", found, "uv")
    _restore(knit)
    knit.run("install")


def _keep(side: Side) -> None:
    (side.folder / "kept").mkdir(exist_ok=True)
    for name in ("pyproject.toml", side.lock):
        shutil.copy(side.project / name, side.folder / "kept" / name)


def _restore(side: Side) -> None:
    for name in ("pyproject.toml", side.lock):
        shutil.copy(side.folder / "kept" / name, side.project / name)
