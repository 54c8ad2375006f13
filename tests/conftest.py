"""Fixtures for every test; the equipment itself is in `tests/kit`."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from kit import LoopbackIndex, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_configure() -> None:
    """Make Ctrl-C work in the processes under test, also where the run itself was started to ignore it."""
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
