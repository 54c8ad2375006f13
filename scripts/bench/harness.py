"""What benches share: interpreters to compare, alternating runs, medians and a table of ratios."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import venv
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "bench"
_LEAKS = ("PYTHON", "ENVKNIT", "VIRTUAL_ENV", "COVERAGE")


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a rival's process: nothing of ours but what is given."""
    return {k: v for k, v in os.environ.items() if not k.startswith(_LEAKS)} | more


FOUND: list[dict[str, Any]] = []  # every row that was printed, for `--json`


@dataclass(frozen=True)
class Run:
    """What one run took: seconds, seconds of processor time, bytes of memory in one process; and what it printed."""

    seconds: float
    cpu: float
    peak: int
    out: str


@dataclass(frozen=True)
class Rival:
    """One way to do the same thing.

    Args:
        name: its row in the table.
        command: what to run.
        cwd: where.
        env: with which variables.
        before: called before each run, and not measured.
    """

    name: str
    command: Sequence[str | Path]
    cwd: Path
    env: Mapping[str, str]
    before: Callable[[], object] = lambda: None

    def run(self) -> Run:
        """Run it once."""
        self.before()
        command = [str(part) for part in self.command]
        began = time.perf_counter()
        with subprocess.Popen(
            command, cwd=self.cwd, env=dict(self.env), stdout=subprocess.PIPE, text=True, close_fds=False
        ) as process:
            out = process.stdout.read() if process.stdout else ""
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{self.name}: status {process.returncode}")
        return Run(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, out)


def alternate(rivals: Sequence[Rival], rounds: int) -> dict[str, list[Run]]:
    """Run all rivals in turn, `rounds` times, after one round that only warms up."""
    found: dict[str, list[Run]] = {rival.name: [] for rival in rivals}
    for number in range(rounds + 1):
        # Whoever runs first after the others meets other caches: so the order turns
        shift = number % len(rivals)
        for rival in [*rivals[shift:], *rivals[:shift]]:
            measured = rival.run()
            if number:
                found[rival.name].append(measured)
    return found


def printed(found: Mapping[str, Sequence[Run]]) -> dict[str, list[float]]:
    """Return the seconds that the runs measured themselves, and printed."""
    return {name: [float(run.out) for run in runs] for name, runs in found.items()}


def table(title: str, found: Mapping[str, Sequence[float | Run]], against: str) -> None:
    """Print medians in milliseconds, the middle half of the runs, and ratios of medians against one rival.

    Of whole processes, processor time and memory are told too.
    """
    rows = {name: [run.seconds if isinstance(run, Run) else run for run in runs] for name, runs in found.items()}
    base = median(rows[against])
    print(f"\n{title} ({len(rows[against])} runs each, ratios against: {against})")
    width = max(map(len, rows))
    for name, seconds in rows.items():
        low, _, high = quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3
        middle = median(seconds)
        runs = [run for run in found[name] if isinstance(run, Run)]
        cpu = median(run.cpu for run in runs) if runs else None
        peak = median(run.peak for run in runs) if runs else None
        FOUND.append({"table": title, "row": name, "seconds": middle, "ratio": middle / base, "cpu": cpu, "peak": peak})
        more = f"  cpu {cpu * 1e3:8.2f} ms  {peak / 1e6:4.0f} MB" if cpu is not None and peak is not None else ""
        print(
            f"  {name:<{width}}  {middle * 1e3:9.2f} ms  [{low * 1e3:8.2f} .. {high * 1e3:8.2f}]"
            f"  {middle / base:6.3f} x  {(middle - base) * 1e3:+8.2f} ms{more}"
        )


@contextmanager
def mirror(python: Path) -> Iterator[str]:
    """Serve what was ever asked of the real index from disk; gives the address. See `_mirror`."""
    certificates = os.environ.get("PIP_CERT", "")
    command = [python, Path(__file__).with_name("_mirror.py"), CACHE / "mirror", certificates]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


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


def set_aside(*paths: Path) -> None:
    """Move folders away; they are removed with the next `fresh("aside")`, not between runs.

    ext4 does not hand out again the inodes that were deleted in the last minutes, and takes long to walk past them.
    """
    folder = CACHE / "aside"
    folder.mkdir(exist_ok=True)
    for path in paths:
        if path.exists():
            path.rename(folder / f"{time.monotonic_ns()}-{path.name}")


def versions() -> None:
    """Print what is measured, for whoever reads the figures later."""
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} CPUs, {sys.platform}")
