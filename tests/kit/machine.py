"""A machine of the test's own: store, home, environment variables and folders, and real processes in them."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.programs import source_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kit.loopback import LoopbackIndex
    from kit.programs import Program

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"

# What of the outer environment would reach into a test: also the data file of our coverage, which a pytest-cov in a
# test would empty. The rest of coverage's variables must get through
_LEAKS = (
    "PYTHON",
    "PIP",
    "ENVKNIT",
    "VIRTUAL_ENV",
    "PYTEST",
    "COVERAGE_FILE",
    "XDG_",
    "FORCE_COLOR",
    "NO_COLOR",
    "CLICOLOR",
)

# Variables for a process whose modules or time are what is measured: coverage would be a part of both
UNMEASURED: dict[str, None] = {"COVERAGE_PROCESS_CONFIG": None, "COVERAGE_PROCESS_START": None}


def lent_descriptors() -> int:
    """Count the descriptors of workers' memory in this process; others may come and go with what other tests left."""
    gc.collect()
    count = 0
    for entry in os.scandir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the descriptor of this very listing
            count += "envknit" in os.path.basename(os.readlink(entry.path))  # noqa: PTH115,PTH119 - no path of a file
    return count


def shared_memory() -> list[str]:
    """List what has a name in shared memory, but for the semaphores of processes that other tests start meanwhile."""
    return sorted(name for name in os.listdir("/dev/shm") if not name.startswith("sem."))  # noqa: PTH208 - as above


@dataclass(frozen=True)
class Ran:
    """A process that ended."""

    out: str
    err: str
    status: int
    seconds: float
    command: tuple[str, ...]


class Machine:
    """Runs processes with a home, a store and an index of their own.

    Args:
        root: an empty folder.
        index: what `PIP_INDEX_URL` points to; None leaves pip's own settings of the outer environment in place.
    """

    def __init__(self, root: Path, index: LoopbackIndex | None) -> None:
        self.root = root
        self.index = index
        self.home = root / "store"
        self.python = sys.executable
        outer = {k: v for k, v in os.environ.items() if not k.startswith(_LEAKS)}
        user = root / "user"
        temporary = root / "pytest"
        for folder in user, temporary:
            folder.mkdir(parents=True, exist_ok=True)
        self.env = outer | {"ENVKNIT_HOME": str(self.home), "COLUMNS": "120", "LC_ALL": "C.UTF-8"}
        # As after `activate`: `python` is the interpreter that runs the tests
        self.env["PATH"] = os.pathsep.join([os.path.dirname(self.python), os.environ.get("PATH", "")])  # noqa: PTH120 - a link
        # A pytest in a test would clear away what other runs left, which takes minutes where they left much
        self.env["PYTEST_DEBUG_TEMPROOT"] = str(temporary)
        if index is None:
            self.env |= {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
        else:
            self.env |= {"HOME": str(user), "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index.url}

    def run(
        self,
        *args: str | Path | Program,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        status: int | None = 0,
        stdin: str = "",
        timeout: float = 120,
    ) -> Ran:
        """Run Python with these arguments and wait for its end.

        Args:
            args: what follows `python`, a function as its source; an absolute path of an executable as the first runs
                that instead.
            cwd: working folder; by default the machine's root.
            env: variables to add; None removes one.
            status: the exit status to insist on; None takes any.
            stdin: what the process reads.
            timeout: seconds.
        """
        first = str(args[0]) if args else ""
        is_program = os.path.isabs(first) and os.access(first, os.X_OK)  # noqa: PTH117 - it may be no path at all
        command = [
            *([] if is_program else [self.python]),
            *(source_of(each) if callable(each) else str(each) for each in args),
        ]
        merged = {k: v for k, v in {**self.env, **(env or {})}.items() if v is not None}
        began = time.perf_counter()
        done = subprocess.run(
            command, cwd=cwd or self.root, env=merged, input=stdin, capture_output=True, text=True, timeout=timeout,
            check=False, encoding="utf-8", errors="surrogateescape",
        )  # fmt: skip
        ran = Ran(done.stdout, done.stderr, done.returncode, time.perf_counter() - began, tuple(command))
        if status is not None and ran.status != status:
            raise AssertionError(
                f"{command} ended with {ran.status}, not {status}\n--- stdout\n{ran.out}\n--- stderr\n{ran.err}"
            )
        return ran

    def envknit(self, *args: str | Path, cwd: Path | None = None, status: int | None = 0, **options: object) -> Ran:
        """Run `python -m envknit` with these arguments."""
        return self.run("-m", "envknit", *args, cwd=cwd, status=status, **options)  # type: ignore[arg-type]

    def project(
        self,
        packages: Iterable[str] = (),
        *,
        dev: Iterable[str] = (),
        name: str = "project",
        environments: Mapping[str, Iterable[str]] | None = None,
        python_version: str = f">={RUNNING}",
        more: str = "",
    ) -> Project:
        """Write a folder with an `envknit.yaml`.

        Args:
            packages: requirements of the environment `default`.
            dev: its dev requirements.
            name: the folder's name.
            environments: further environments and their requirements.
            python_version: of every environment.
            more: YAML to put at the top level.
        """
        rows = ["environments:"]
        for environment, wanted in {"default": packages, **(environments or {})}.items():
            rows += [f"  {environment}:", f"    python_version: '{python_version}'"]
            rows += _listed("packages", wanted)
            rows += _listed("dev_packages", dev if environment == "default" else ())
        project = Project(self, self.root / name)
        project.root.mkdir(parents=True, exist_ok=True)
        project.write("envknit.yaml", "\n".join(rows) + "\n" + textwrap.dedent(more))
        return project


class Project:
    """A folder with a project file, on a machine."""

    def __init__(self, machine: Machine, root: Path) -> None:
        self.machine = machine
        self.root = root

    @property
    def file(self) -> Path:
        """The project file."""
        return self.root / "envknit.yaml"

    @property
    def lock_file(self) -> Path:
        """The lock."""
        return self.root / "envknit.lock.yaml"

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project, its text dedented."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text), encoding="utf-8")
        return target

    def envknit(self, *args: str | Path, status: int | None = 0, **options: object) -> Ran:
        """Run `python -m envknit` in the project's folder."""
        return self.machine.envknit(*args, cwd=self.root, status=status, **options)  # type: ignore[arg-type]

    def lock(self, *args: str) -> Ran:
        """Run `python -m envknit lock`."""
        return self.envknit("lock", *args)

    def install(self, *args: str) -> Ran:
        """Run `python -m envknit install`."""
        return self.envknit("install", *args)

    def ready(self) -> Project:
        """Lock and install; return the project."""
        self.lock()
        self.install()
        return self

    def run(self, *args: str | Path | Program, status: int | None = 0, **options: object) -> Ran:
        """Run plain Python in the project's folder."""
        return self.machine.run(*args, cwd=self.root, status=status, **options)  # type: ignore[arg-type]

    def code(self, program: Program, status: int | None = 0, **options: object) -> Ran:
        """Run `python app.py` with this program."""
        self.write("app.py", source_of(program))
        return self.run("app.py", status=status, **options)


def _listed(key: str, values: Iterable[str]) -> list[str]:
    values = list(values)
    return [f"    {key}:", *(f'      - "{value}"' for value in values)] if values else [f"    {key}: []"]
