"""Where what probes found is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.native.verdicts import Verdict, remember, remembered

if TYPE_CHECKING:
    from pathlib import Path


def test_verdicts_are_remembered_by_file_and_kind_of_interpreter(tmp_path: Path) -> None:
    store, file = str(tmp_path), str(tmp_path / "packages/a/1/x/a.so")
    remember(store, file, "own", Verdict("why not"))
    remember(store, file, "shared", Verdict())
    own, shared = remembered(store, file, "own"), remembered(store, file, "shared")

    assert own is not None
    assert (own.loads, own.why) == (False, "why not")
    assert shared is not None
    assert shared.loads
    assert remembered(store, file + "x", "own") is None


def test_a_file_outside_the_store_is_known_by_its_size_and_time_too(tmp_path: Path) -> None:
    store, file = str(tmp_path / "store"), tmp_path / "a.so"
    file.write_bytes(b"one")
    remember(store, str(file), "own", Verdict("why not"))
    file.write_bytes(b"another")

    assert remembered(store, str(file), "own") is None


def test_a_store_that_cannot_be_written_forgets(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    remember(str(tmp_path), str(tmp_path / "a.so"), "own", Verdict())
