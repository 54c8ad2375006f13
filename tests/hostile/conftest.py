"""Verbs in the process of the test: a hundred of them cost what ten processes would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from envknit.cli.main import main

if TYPE_CHECKING:
    from kit import Machine, Project


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
