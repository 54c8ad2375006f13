"""RPATH and RUNPATH of shared libraries."""

from __future__ import annotations

import ctypes
import io
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from envknit.wheel.elf import library_paths

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shelf

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None or sys.platform != "linux", reason="needs gcc and ELF")


def compiled(folder: Path, source: str, name: str, *options: str) -> bytes:
    """Compile a shared library."""
    (folder / "x.c").write_text(source)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / name, folder / "x.c", *options], check=True)
    return (folder / name).read_bytes()


@needs_gcc
@pytest.mark.parametrize("tags", ["-Wl,--enable-new-dtags", "-Wl,--disable-new-dtags"])
def test_paths_are_read_of_both_kinds(tmp_path: Path, tags: str) -> None:
    data = compiled(tmp_path, "int x;", "libx.so", tags, "-Wl,-rpath,$ORIGIN/../lib:/opt/lib")

    assert ["$ORIGIN/../lib", "/opt/lib"] == library_paths(io.BytesIO(data))


@needs_gcc
def test_a_library_without_paths_has_none(tmp_path: Path) -> None:
    assert [] == library_paths(io.BytesIO(compiled(tmp_path, "int x;", "libx.so")))


@needs_gcc
def test_no_garbage_raises(tmp_path: Path) -> None:
    data = compiled(tmp_path, "int x;", "libx.so", "-Wl,-rpath,$ORIGIN/../lib")
    chance = random.Random(829)
    for _ in range(300):
        mangled = bytearray(data[: chance.choice([len(data), chance.randrange(len(data))])])
        for _ in range(chance.randrange(40)):
            if mangled:
                mangled[chance.randrange(min(len(mangled), 1024))] = chance.randrange(256)
        library_paths(io.BytesIO(bytes(mangled)))
    assert [] == library_paths(io.BytesIO(b""))
    assert [] == library_paths(io.BytesIO(b"\x7fELF"))


@needs_gcc
def test_a_library_finds_another_pins_through_its_rpath(shelf: Shelf, tmp_path: Path) -> None:
    maths = compiled(tmp_path, "int answer(void) { return 42; }", "libmaths.so", "-Wl,-soname,libmaths.so")
    torch = compiled(
        tmp_path,
        "int answer(void); int ask(void) { return answer(); }",
        "libtorch.so",
        f"-L{tmp_path}",
        "-lmaths",
        "-Wl,-rpath,$ORIGIN/../../nvidia/maths/lib",
    )
    (tmp_path / "libmaths.so").unlink()
    nvidia = shelf.put("nvidia-maths", "12", {"nvidia/maths/lib/libmaths.so": maths})
    other = shelf.put("other", "1")
    main = shelf.put("torch", "2", {"torch/__init__.py": "", "torch/lib/libtorch.so": torch})
    plan, warnings = shelf.plan(nvidia, other, main)

    folder = plan.pins["torch", "2"].folder
    assert folder == plan.pins["nvidia-maths", "12"].folder
    assert other.entry.folder == plan.pins["other", "1"].folder
    assert 42 == ctypes.CDLL(str(shelf.store.path(folder) / "torch/lib/libtorch.so")).ask()
    assert [] == warnings
