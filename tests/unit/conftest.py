"""A store of the test's own, and a short way to fill it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from envknit.files.model import Artifact, Lock, Pin
from envknit.install.choose import ChosenPin, PlacedPin
from envknit.install.planner import make_plan
from envknit.naming import store_folder
from envknit.store.entry import read_entry
from envknit.store.store import Store
from envknit.view.place import place_views
from envknit.wheel.unpack import unpack_wheel
from kit import make_wheel, wheel_name
from kit.pair import Pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envknit.plan import Plan


class Shelf:
    """A store that takes wheels made on the spot."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / "store").open()

    def put(self, name: str, version: str, files: dict[str, bytes | str] | None = None, **wheel: Any) -> PlacedPin:
        """Make a wheel, place it, and return the pin that it became."""
        tags = wheel.get("tags", "py3-none-any")
        data = make_wheel(name, version, files, **wheel)
        sha256 = hashlib.sha256(data).hexdigest()
        file = wheel_name(name, version, tags)
        folder = store_folder(name, version, file, sha256)
        with self.store.workspace() as workspace:
            (workspace / "wheel").write_bytes(data)
            unpack_wheel(workspace / "wheel", workspace / "x", wheel=file, name=name, version=version, sha256=sha256)
            self.store.place([(workspace / "x", folder)])
        artifact = Artifact(name=file, sha256=sha256, size=len(data))
        pin = Pin(name=name, version=version, files=(artifact,), roots=("",))
        return PlacedPin(
            chosen=ChosenPin(pin=pin, artifact=artifact, dependencies=()),
            entry=read_entry(str(self.store.root), folder),
        )

    def plan(self, *placed: PlacedPin, startup: tuple[str, ...] = ()) -> tuple[Plan, list[str]]:
        """Compile a plan of pins, sorted as `choose` would."""
        lock_path = self.root / "envknit.lock.yaml"
        return make_plan(Lock(startup=startup), "default", placed, store=self.store, lock_path=lock_path)

    def view(self, *placed: PlacedPin, lock: bytes = b"lock") -> tuple[Path, list[str]]:
        """Place the view of pins; returns it, and what was said about it."""
        plan, _ = self.plan(*placed)
        views, warnings = place_views(self.store, lock, [plan])
        return views["default"], warnings


@pytest.fixture(name="shelf")
def _shelf(tmp_path: Path) -> Shelf:
    """An empty store."""
    return Shelf(tmp_path)


@pytest.fixture(name="pair")
def _pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()
