"""Fixtures of the journeys with workers: a package that does what workers must survive, and a project that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import envknit
from envknit.worker.pool import pool
from kit.gadget import GADGET, PARTS, write_gadget
from kit.planned import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kit import Machine, Project


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that holds the package `gadget`."""
    yield write_gadget(tmp_path_factory.mktemp("gadget"))
    pool.close()


@pytest.fixture(name="gadget")
def _gadget(folder: Path) -> Iterator[Any]:
    """The package in a worker of this process."""
    with envknit.worker("gadget", "1.0", install_path=folder, timeout=20) as gadget:
        yield gadget


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    """A project that has the package; other journeys have projects of their own by this name."""
    project = machine.project()
    make_plan(project, {"gadget==1.0": {"gadget/__init__.py": GADGET, "gadget/parts.py": PARTS}})
    return project
