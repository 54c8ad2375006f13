"""Stores of others: what they hold whole is taken from there, and nothing is ever changed in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Verb
    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.once
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to play several users")


@pytest.fixture(name="shared")
def _shared(machine: Machine, index: LoopbackIndex, verb: Verb, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that is installed in a store of root's, which all may read."""
    machine.root.chmod(0o755)
    index.publish("lib", "1.0", {"lib/__init__.py": "x = 1\n", "lib/data.txt": "data"})
    index.publish("one", "1.0", {"space/one.py": "x = 1\n"})
    index.publish("two", "1.0", {"space/two.py": "x = 2\n"})
    index.publish_sdist("made", "1.0")
    project = machine.project(["lib", "one", "two", "made"])
    verb(project, "lock")
    monkeypatch.setenv("ENVKNIT_HOME", str(machine.root / "shared"))
    verb(project, "install --no-compile")
    for folder in ("", "packages", "packages/site-packages"):
        (machine.root / "shared" / folder).chmod(0o755)
    stores = os.pathsep.join([str(machine.home), str(machine.root / "shared")])
    monkeypatch.delenv("ENVKNIT_HOME")
    monkeypatch.setenv("ENVKNIT_STORES", stores)
    del machine.env["ENVKNIT_HOME"]
    machine.env["ENVKNIT_STORES"] = stores
    return project


def _state(store: Path) -> list[tuple[str, int, int, int]]:
    found = [(str(path), path.lstat()) for path in sorted(store.rglob("*"))]
    return [(path, each.st_mtime_ns, each.st_ctime_ns, each.st_mode) for path, each in found]


def _entries(store: Path, name: str = "") -> list[Path]:
    return sorted((store / "packages" / "site-packages").glob(f"{name}*-1.0-*"))


PROGRAM = "import lib, space.one, space.two, made; print(lib.x, space.one.x + space.two.x, lib.__spec__.cached)"


def test_what_a_shared_store_holds_is_linked_and_nothing_is_written_there(
    machine: Machine, index: LoopbackIndex, shared: Project, verb: Verb
) -> None:
    store = machine.root / "shared"
    before, asked = _state(store), index.count()

    verb(shared, "install")
    assert [str(store / "packages" / "site-packages" / path.name) for path in _entries(machine.home)] == [
        str(path.readlink()) for path in _entries(machine.home)
    ]
    ran = machine.run("-c", PROGRAM, cwd=shared.root)
    assert ran.out.startswith(f"1 3 {machine.home}/bytecode/")
    shared.envknit("run", "--", "python", "-c", PROGRAM)
    assert "all as it was placed" in verb(shared, "verify --all")
    verb(shared, "store gc")
    verb(shared, "install")

    assert asked == index.count()
    assert _state(store) == before


def test_gc_removes_links_and_nothing_that_is_not_its_own(machine: Machine, shared: Project, verb: Verb) -> None:
    store = machine.root / "shared"
    before = _state(store)
    verb(shared, "install")
    collect = "import envknit.store.collect as c, envknit.store.store as s; c.collect(s.Store(), grace=-9, patience=-9)"

    machine.run("-c", collect, cwd=machine.root)

    assert 4 == len(_entries(machine.home))  # the lock keeps them
    shared.lock_file.unlink()
    machine.run("-c", collect, cwd=machine.root)
    machine.run("-c", collect, cwd=machine.root)
    assert [] == _entries(machine.home)
    assert _state(store) == before


def test_what_is_damaged_there_is_downloaded_and_repair_changes_nothing_there(
    machine: Machine, shared: Project, verb: Verb
) -> None:
    (entry,) = _entries(machine.root / "shared", "lib")
    verb(shared, "install")
    module = entry / "lib" / "__init__.py"
    module.chmod(0o644)
    module.write_text("x = 666\n")
    before = _state(machine.root / "shared")

    assert "changed: packages" in verb(shared, "verify", status=1)
    said = verb(shared, "verify --repair")

    assert "is not as it was placed" in said
    assert not _entries(machine.home, "lib")[0].is_symlink()
    assert _entries(machine.home, "one")[0].is_symlink()
    assert "1 3" in machine.run("-c", PROGRAM, cwd=shared.root).out
    assert _state(machine.root / "shared") == before


@pytest.mark.parametrize("folder", ["", "packages", "packages/site-packages"])
def test_a_shared_store_that_others_may_write_is_neither_taken_from_nor_used(
    folder: str, machine: Machine, shared: Project, verb: Verb
) -> None:
    loose = machine.root / "shared" / folder
    loose.chmod(0o777)
    assert f"others may write to {loose}".rstrip("/") in verb(shared, "install --no-compile")
    assert not any(path.is_symlink() for path in _entries(machine.home))

    loose.chmod(0o755)
    for path in (machine.home / "packages", machine.home / "plans"):
        path.rename(machine.root / f"{path.name}-away")
    verb(shared, "install --no-compile")
    loose.chmod(0o777)

    assert "ModuleNotFoundError" in machine.run("-c", PROGRAM, cwd=shared.root, status=1).err
    assert "others: packages/site-packages/lib" in verb(shared, "verify", status=1)
    assert "others may write" in verb(shared, "doctor", status=1)
    verb(shared, "install --no-compile")
    assert not any(path.is_symlink() for path in _entries(machine.home))
    assert "1 3" in machine.run("-c", PROGRAM, cwd=shared.root).out


def test_a_shared_store_that_is_gone_costs_a_new_install(machine: Machine, shared: Project, verb: Verb) -> None:
    verb(shared, "install")
    (machine.root / "shared").rename(machine.root / "elsewhere")

    assert "the store lost" in machine.run("-c", PROGRAM, cwd=shared.root, status=1).err
    verb(shared, "install")
    assert "1 3" in machine.run("-c", PROGRAM, cwd=shared.root).out


def _as_nobody(*argv: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *argv], cwd=cwd, env=env, user=65534, group=65534, extra_groups=[], capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip


@needs_root
def test_another_user_takes_from_the_store_of_root(machine: Machine, shared: Project) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are 0700
        top, own = Path(folder), Path(folder) / "home"
        top.chmod(0o755)
        try:
            _as_nobody("-c", "pass", cwd=top, env=machine.env)
        except PermissionError:
            pytest.skip("others may not run this interpreter")
        own.mkdir()
        os.chown(own, 65534, 65534)
        shutil.copytree(machine.root / "shared", top / "shared", symlinks=True)
        shutil.copytree(shared.root, top / "project")
        env = {**machine.env, "HOME": str(own), "ENVKNIT_STORES": f":{top / 'shared'}"}
        for argv in (["-m", "envknit", "install"], ["-c", PROGRAM], ["-m", "envknit", "verify"]):
            ran = _as_nobody(*argv, cwd=top / "project", env=env)
            assert (0, False) == (ran.returncode, b"warning" in ran.stderr), ran.stderr
        assert 4 == len(_entries(own / ".envknit"))
        assert all(path.is_symlink() for path in _entries(own / ".envknit"))
