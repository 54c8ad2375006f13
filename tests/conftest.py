"""Fixtures for every test; the equipment itself is in `tests/kit`."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from kit import LoopbackIndex, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# A run is the same each time, and says of a change what it did; HYPOTHESIS_PROFILE=explore looks for what is new
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore", max_examples=1000)


def pytest_configure() -> None:
    """Choose examples; let Ctrl-C into the processes under test, also where the run was started to ignore it."""
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(name="index")
def _index() -> Iterator[LoopbackIndex]:
    """An empty index on the loopback interface."""
    with LoopbackIndex() as index:
        yield index


@pytest.fixture(name="machine")
def _machine(tmp_path: Path, index: LoopbackIndex) -> Machine:
    """A machine whose only index is `index`."""
    return Machine(tmp_path / "machine", index)


@pytest.fixture(name="online")
def _online(tmp_path: Path) -> Machine:
    """A machine with the index that pip uses here; mark such tests `network`."""
    return Machine(tmp_path / "machine", None)
