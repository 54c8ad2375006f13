"""`verify` names exactly what was changed, and nothing else."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from envknit.plan import SITE_PACKAGES
from envknit.store.verify import Finding, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Shelf

INFO = "x-1.dist-info"


def flip(path: Path) -> None:
    """Change one bit of a file, keeping its mode."""
    mode, data = path.stat().st_mode, bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(mode)


def relink(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def swap(path: Path) -> None:
    other = path.with_name("other.py")
    path.rename(path.with_name("held"))
    other.rename(path)
    path.with_name("held").rename(other)


def grow(path: Path) -> None:
    path.with_name("new.py").write_text("")


CHANGES: dict[str, tuple[Callable[[Path], object], str, set[tuple[str, str]]]] = {
    "one bit": (flip, "x/__init__.py", {("x/__init__.py", "changed")}),
    "one bit of METADATA": (flip, f"{INFO}/METADATA", {(f"{INFO}/METADATA", "changed")}),
    "one bit of the note": (flip, f"{INFO}/ARTIFACT", {(f"{INFO}/ARTIFACT", "changed")}),
    "deleted": (os.unlink, "x/__init__.py", {("x/__init__.py", "missing")}),
    "a folder deleted": (shutil.rmtree, "x/sub", {("x/sub/a.py", "missing")}),
    "added": (grow, "x/sub/a.py", {("x/sub/new.py", "extra")}),
    "link": (relink, "x/__init__.py", {("x/__init__.py", "type"), ("x/moved", "extra")}),
    "link to a folder": (relink, "x/sub", {("x/sub", "extra"), ("x/sub/a.py", "missing"), ("x/moved/a.py", "extra")}),
    "swapped": (swap, "x/__init__.py", {("x/__init__.py", "changed"), ("x/other.py", "changed")}),
    "writable": (lambda path: path.chmod(0o644), "x/__init__.py", {("x/__init__.py", "mode")}),
    "executable": (lambda path: path.chmod(0o555), "x/__init__.py", {("x/__init__.py", "mode")}),
    "no longer executable": (lambda path: path.chmod(0o444), "x-1.data/bin/tool", {("x-1.data/bin/tool", "mode")}),
    "writable folder": (lambda path: path.chmod(0o755), "x/sub", {("x/sub", "mode")}),
}


@pytest.mark.parametrize("title", CHANGES)
def test_verify_names_what_was_changed(shelf: Shelf, title: str) -> None:
    change, path, expected = CHANGES[title]
    files: dict[str, bytes | str] = {"x/__init__.py": "x = 1\n", "x/other.py": "x = 2\n", "x/sub/a.py": "x = 3\n"}
    placed = shelf.put("x", "1", files, data={"scripts/tool": "#!python\n"})
    shelf.put("y", "1")
    root = shelf.store.path(placed.entry.folder)
    change(root / path)
    result = shelf.store.verify()

    assert expected == {(finding.path, finding.kind) for finding in result.findings}
    assert (placed.entry.folder,) == result.damaged
    assert result.hint


def test_a_changed_record_is_named_with_what_it_no_longer_says(shelf: Shelf) -> None:
    placed = shelf.put("x", "1")
    record = shelf.store.path(placed.entry.folder) / INFO / "RECORD"
    record.chmod(0o644)
    record.write_text(record.read_text().replace("x/__init__.py", "x/__evil__.py"))
    record.chmod(0o444)

    found = {(finding.path, finding.kind) for finding in shelf.store.verify().findings}
    assert {(f"{INFO}/RECORD", "changed"), ("x/__init__.py", "extra"), ("x/__evil__.py", "missing")} == found


def test_an_entry_that_is_gone_is_named(shelf: Shelf) -> None:
    result = verify(shelf.store.root, ["packages/x/1/gone"])

    assert (Finding(folder="packages/x/1/gone", path="", kind="missing"),) == result.findings
    assert "missing: packages/x/1/gone" == str(result.findings[0])


def test_caches_that_programs_write_through_a_view_are_no_damage_and_other_files_beside_them_are(shelf: Shelf) -> None:
    placed = shelf.put("x", "1")
    cache = shelf.view(placed)[0] / SITE_PACKAGES / "x/__pycache__"
    for name in ("a.cpython-312.pyc", "a.cpython-312-pytest-9.2.0.pyc", "a.f-55.py312.nbi", "a.f-55.py312.1.nbc"):
        (cache / name).write_bytes(b"")
    result = shelf.store.verify()

    assert () == result.findings
    assert () == result.notes

    (cache / "planted.so").write_bytes(b"")
    assert ["x/__pycache__/planted.so"] == [finding.path for finding in shelf.store.verify().findings]


def test_a_whole_store_is_whole(shelf: Shelf) -> None:
    one = shelf.put("one", "1", {"p/__init__.py": "1"}, data={"scripts/a": "#!python\n"})
    two = shelf.put("two", "1", {"p/__init__.py": "2", "p/two.py": ""})
    shelf.plan(one, two)
    result = shelf.store.verify()

    assert () == result.findings
    assert 3 == result.folders
    assert "" == result.hint


def test_a_change_in_a_bundle_is_found_in_it_and_in_the_entry(shelf: Shelf) -> None:
    one, two = shelf.put("one", "1", {"p/__init__.py": "1"}), shelf.put("two", "1", {"p/two.py": "22"})
    plan, _ = shelf.plan(one, two)
    flip(shelf.store.path(two.entry.folder) / "p/two.py")

    expected = {plan.pins["two", "1"].folder, two.entry.folder}
    assert expected == set(shelf.store.verify().damaged)


def test_folders_that_envknit_did_not_place_are_only_noted(shelf: Shelf) -> None:
    result = verify(shelf.store.root, ["/opt/numpy"])

    assert () == result.findings
    assert ("/opt/numpy was not placed by envknit, and is not verified",) == result.notes
