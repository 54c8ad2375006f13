"""What benches share: interpreters to compare, alternating runs, medians and a table of ratios."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "bench"
_LEAKS = ("PYTHON", "ENVKNIT", "VIRTUAL_ENV", "COVERAGE")


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a rival's process: nothing of ours but what is given."""
    return {k: v for k, v in os.environ.items() if not k.startswith(_LEAKS)} | more


@dataclass(frozen=True)
class Rival:
    """One way to do the same thing.

    Args:
        name: its row in the table.
        command: what to run.
        cwd: where.
        env: with which variables.
    """

    name: str
    command: Sequence[str | Path]
    cwd: Path
    env: Mapping[str, str]

    def run(self) -> tuple[float, str]:
        """Run it once; return seconds and what it printed."""
        command = [str(part) for part in self.command]
        began = time.perf_counter()
        done = subprocess.run(
            command, cwd=self.cwd, env=dict(self.env), stdout=subprocess.PIPE, text=True, check=True, close_fds=False
        )
        return time.perf_counter() - began, done.stdout


def alternate(
    rivals: Sequence[Rival], rounds: int, value: Callable[[float, str], float] = lambda seconds, _: seconds
) -> dict[str, list[float]]:
    """Run all rivals in turn, `rounds` times, after one round that only warms up."""
    found: dict[str, list[float]] = {rival.name: [] for rival in rivals}
    for number in range(rounds + 1):
        # Whoever runs first after the others meets other caches: so the order turns
        shift = number % len(rivals)
        for rival in [*rivals[shift:], *rivals[:shift]]:
            measured = value(*rival.run())
            if number:
                found[rival.name].append(measured)
    return found


def table(title: str, found: Mapping[str, Sequence[float]], against: str) -> None:
    """Print medians in milliseconds, the middle half of the runs, and ratios of medians against one rival."""
    base = median(found[against])
    print(f"\n{title} ({len(found[against])} runs each, ratios against: {against})")
    width = max(map(len, found))
    for name, seconds in found.items():
        low, _, high = quantiles(seconds, n=4)
        middle = median(seconds)
        print(
            f"  {name:<{width}}  {middle * 1e3:9.2f} ms  [{low * 1e3:8.2f} .. {high * 1e3:8.2f}]"
            f"  {middle / base:6.3f} x  {(middle - base) * 1e3:+8.2f} ms"
        )


def interpreter(name: str, *requirements: str | Path) -> Path:
    """Make a virtual environment anew, with these requirements, and return its `python`."""
    folder = CACHE / name
    venv.create(folder, clear=True, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    if requirements:
        pip(python, "install", *requirements)
    return python


def pip(python: Path, *arguments: str | Path) -> None:
    """Run pip quietly."""
    verb, *rest = map(str, arguments)
    subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", verb, "-q", *rest], check=True, env=environment()
    )


def fresh(name: str) -> Path:
    """Make an empty folder in the cache; an older one is made writable and removed."""
    folder = CACHE / name
    if folder.exists():
        for parent, _, _ in os.walk(folder):
            Path(parent).chmod(0o755)  # entries of a store are read-only
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def versions() -> None:
    """Print what is measured, for whoever reads the figures later."""
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} CPUs, {sys.platform}")
