"""Compile what an install places, as pip does: once for each interpreter, while other things are downloaded.

`PYTHONDONTWRITEBYTECODE` says nothing about it: that is about programs, which write beside their sources.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import _envknit_finder
from _envknit_finder import bytecode_path
from envknit.errors import InstallError
from envknit.naming import BUNDLE
from envknit.reporter import count
from envknit.store.bundle import bundled_entries, link_tree
from envknit.store.disk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Any

    from envknit.reporter import Reporter
    from envknit.store.store import Store

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compile_modules.py")
_MOST_PROCESSES = 8
_JOB = 50  # modules: small enough that one large package keeps all processors busy


class Compiler:
    """Compiles the modules of folders, in as many processes as there are processors; `close()` ends them.

    Args:
        store: where the folders will be.

    Cost: about two milliseconds a module and process; no process is started before there is something to compile.
    """

    def __init__(self, store: Store) -> None:
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        count = min(processors, _MOST_PROCESSES)
        self._root = str(store.root)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="envknit-compile")
        self._idle: SimpleQueue[subprocess.Popen[str] | None] = SimpleQueue()
        for _ in range(count):
            self._idle.put(None)
        self._jobs: list[Future[None]] = []
        self._ready: list[tuple[Path, str]] = []

    def close(self) -> None:
        """End the processes; what is not compiled yet will not be."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            process = self._idle.get()
            if process is not None:
                process.communicate()

    def add(self, source: Path, folder: str, into: Path) -> None:
        """Begin to compile what lies in a folder.

        Args:
            source: where it is now.
            folder: where it will be, relative to the store.
            into: the folder for its bytecode; does not exist yet.
        """
        modules = list(_modules(str(source)))
        if modules:
            into.mkdir(mode=0o700, parents=True)
            self._ready.append((into, bytecode_folder(self._root, folder)))
        for at in range(0, len(modules), _JOB):
            job = (str(source), f"{self._root}/{folder}", str(into), modules[at : at + _JOB])
            self._jobs.append(self._threads.submit(self._compile, job))

    def finish(self) -> list[tuple[Path, str]]:
        """Wait for all that was begun; returns the folders of bytecode, and the places they shall have.

        Raises:
            InstallError: a process ended badly.
        """
        for job in self._jobs:
            job.result()
        ready, self._ready, self._jobs = self._ready, [], []
        return ready

    def _compile(self, job: tuple[Any, ...]) -> None:
        process = self._idle.get() or self._start()
        try:
            assert process.stdin is not None  # noqa: S101 - for mypy: both are pipes
            assert process.stdout is not None  # noqa: S101 - as above
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            self._idle.put(process)
        if answer != "\n":
            reason = answer.strip() or f"the process ended with status {process.wait()}"
            raise InstallError(f"modules could not be compiled: {reason}", folder=job[1], hint="try: --no-compile")

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-I", "-S", *["-O"] * sys.flags.optimize, _PROGRAM, _envknit_finder.__file__]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self._root)


def compile_missing(store: Store, folders: Iterable[str], compiler: Compiler, reporter: Reporter) -> None:
    """Compile what was placed before, for another interpreter say, and give bundles the bytecode of their entries.

    Args:
        store: where the folders are.
        folders: of pins, relative to the store; what a lock names elsewhere is none of ours.
        compiler: does it.
        reporter: hears of it.
    """
    root = str(store.root)

    def lacks(folder: str) -> bool:
        return not os.path.isabs(folder) and not os.path.isdir(os.path.join(root, bytecode_folder(root, folder)))

    missing = sorted(filter(lacks, set(folders)))
    with store.workspace() as workspace:
        bundles = [folder for folder in missing if folder.startswith(BUNDLE)]
        inside = [entry for bundle in bundles for entry in bundled_entries(store, bundle)]
        entries = {*missing, *filter(lacks, inside)}.difference(bundles)
        if entries:
            reporter.stage(f"Compiling {count(len(entries), 'package')}")
        for number, folder in enumerate(sorted(entries)):
            compiler.add(store.path(folder), folder, workspace / str(number))
        store.place(compiler.finish())
        joined = [_joined(store, bundle, workspace / os.path.basename(bundle)) for bundle in bundles]
        store.place([each for each in joined if each[0].is_dir()])


def bytecode_folder(root: str, folder: str) -> str:
    """Name the folder that holds the bytecode of a folder of the store for this interpreter, relative to the store."""
    return os.path.relpath(os.path.dirname(bytecode_path(root, f"{root}/{folder}/_.py")), root)


def _joined(store: Store, bundle: str, into: Path) -> tuple[Path, str]:
    for entry in bundled_entries(store, bundle):
        source = store.path(bytecode_folder(str(store.root), entry))
        if source.is_dir():
            link_tree(str(source), into)
    return into, bytecode_folder(str(store.root), bundle)


def _modules(folder: str) -> Iterator[str]:
    for parent, folders, names in walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        inside = os.path.relpath(parent, folder)
        for name in sorted(names):
            if name.endswith(".py"):
                yield name if inside == "." else f"{inside}/{name}"
