"""Verbs in the process of the test: a hundred of them cost what ten processes would."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest

from envknit.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from kit import Machine, Project


_SECONDS = 5.0  # of this thread's processor time
_BYTES = 96 << 20


class Bounded(Protocol):
    """Holds what is done within to five seconds and 96 MiB, whatever an input says that it holds."""

    def __call__(self) -> AbstractContextManager[None]: ...


@pytest.fixture(name="bounded")
def _bounded() -> Bounded:
    @contextmanager
    def within() -> Iterator[None]:
        began = time.thread_time()
        tracemalloc.start()
        try:
            yield
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert time.thread_time() - began < _SECONDS
        assert peak < _BYTES

    return within


class Verb(Protocol):
    """Runs one command line in a project, and returns what it printed."""

    def __call__(self, project: Project, line: str, status: int = 0) -> str: ...


@pytest.fixture(name="verb")
def _verb(machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Verb:
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ENVKNIT", "0")

    def run(project: Project, line: str, status: int = 0) -> str:
        monkeypatch.chdir(project.root)
        capfd.readouterr()
        ended = main(line.split())
        out, err = capfd.readouterr()
        assert status == ended, out + err
        return out + err

    return run
