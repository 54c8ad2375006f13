"""Entries, placed whole or not at all; who may own a store; what dead processes leave."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.errors import InstallError, StoreError
from envknit.files.atomic import write_atomically
from envknit.regular import make_private
from envknit.store.collect import collect
from envknit.store.disk import disk_faults
from envknit.store.entry import Note, read_entry, read_note
from envknit.store.flock import hold
from envknit.store.store import Store

if TYPE_CHECKING:
    from conftest import Shelf


def test_an_entry_is_the_wheel_as_it_lies_in_site_packages(shelf: Shelf) -> None:
    placed = shelf.put(
        "Foo.Bar", "1.0", {"foo/__init__.py": "x = 1\n"},
        data={"scripts/tool": "#!python\n", "data/share/doc.txt": "d", "headers/foo.h": "h", "purelib/pure.py": ""},
    )  # fmt: skip
    root = shelf.store.path(placed.entry.folder)

    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    info = "Foo_Bar-1.0.dist-info"
    texts = {f"{info}/{text}" for text in ("ARTIFACT", "INSTALLER", "METADATA", "RECORD", "WHEEL")}
    data = {f"Foo_Bar-1.0.data/{path}" for path in ("bin/tool", "share/doc.txt", "include/foo-bar/foo.h")}
    assert {"foo/__init__.py", "pure.py", *data, *texts} == found
    assert "envknit\n" == (root / info / "INSTALLER").read_text()


def test_files_and_folders_of_an_entry_are_read_only(shelf: Shelf) -> None:
    placed = shelf.put("x", "1", {"x/__init__.py": "", "x/tool": ""}, executable=["x/tool"])
    root = shelf.store.path(placed.entry.folder)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")]}
    assert 0o444 == modes["__init__.py"]
    assert 0o555 == modes["tool"] == modes["x"] == modes[root.name]


def test_record_tells_importlib_metadata_what_is_there(shelf: Shelf) -> None:
    placed = shelf.put("x", "1", data={"scripts/tool": "#!python\n"})
    root = shelf.store.path(placed.entry.folder)
    text = PathDistribution(root / placed.entry.dist_info).read_text("RECORD") or ""
    files = [row.partition(",")[0] for row in text.splitlines()]

    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert there == {file.replace("../../../", "x-1.data/") for file in files}
    assert "../../../bin/tool" in files  # as pip writes it
    assert all(entry.path in there for entry in read_entry(str(shelf.store.root), placed.entry.folder).files)


def test_a_store_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "store").open()

    assert 0o700 == stat.S_IMODE(store.root.stat().st_mode)


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_store_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)

    with pytest.raises(StoreError, match="may be written by others") as caught:
        Store(tmp_path).open()
    assert f"run: chmod go-w {tmp_path}" == caught.value.hint


def test_a_folder_of_other_things_is_no_store_and_nothing_in_it_is_removed(tmp_path: Path) -> None:
    (tmp_path / "tmp" / "work-of-mine").mkdir(parents=True)
    (tmp_path / "letters").mkdir()
    store = Store(tmp_path)

    for use in (store.open, lambda: collect(store), lambda: collect(store, dry_run=True)):
        with pytest.raises(StoreError, match="a folder of other things"):
            use()
    assert ["letters", "tmp", "tmp/work-of-mine"] == sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*"))


def test_what_envknit_did_not_make_stays_in_the_folder_of_work_under_way(shelf: Shelf) -> None:
    mine = shelf.store.root / "tmp" / "mine"
    mine.mkdir(parents=True)

    assert 0 == shelf.store.clean()
    assert mine.is_dir()


def test_the_folder_of_a_volume_and_what_a_lock_left_are_a_store(tmp_path: Path) -> None:
    for name in ("lost+found", "cache"):
        (tmp_path / name).mkdir()

    assert tmp_path == Store(tmp_path).open().root


@pytest.mark.parametrize("name", ["a:b", "a\tb", "a\nb", "\udcff", "d/" * 700])
def test_a_path_that_no_store_can_have_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="the path of the store"):
        Store(tmp_path / name).open()
    assert not list(tmp_path.iterdir())


def test_a_private_folder_may_lie_deep(tmp_path: Path) -> None:
    deep = tmp_path / ("d/" * 1200)
    make_private(deep)

    assert 0o700 == stat.S_IMODE(deep.stat().st_mode) == stat.S_IMODE((tmp_path / "d").stat().st_mode)
    with pytest.raises(OSError, match="too long"):
        make_private(tmp_path / ("e/" * 3000))
    assert ["d"] == os.listdir(tmp_path)
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # too deep for pytest to remove


def test_where_there_is_no_store_nothing_is_removed(tmp_path: Path) -> None:
    assert () == collect(Store(tmp_path / "none")).removed
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give a folder away")
def test_a_store_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)

    with pytest.raises(StoreError, match="belongs to another user"):
        Store(tmp_path).open()


def test_an_entry_made_of_another_artifact_is_no_answer(shelf: Shelf) -> None:
    placed = shelf.put("x", "1")
    artifact = placed.chosen.artifact
    assert artifact

    assert shelf.store.has(placed.entry.folder, artifact.sha256)
    with pytest.raises(StoreError, match="another artifact"):
        shelf.store.has(placed.entry.folder, artifact.sha256[:8] + "0" * 56)


def test_placing_an_entry_twice_leaves_the_first(shelf: Shelf) -> None:
    first = shelf.put("x", "1")
    before = shelf.store.path(first.entry.folder).stat().st_ino
    shelf.put("x", "1")

    assert before == shelf.store.path(first.entry.folder).stat().st_ino
    assert [] == list((shelf.store.root / "tmp").iterdir())


def test_entries_are_listed_with_name_and_version(shelf: Shelf) -> None:
    shelf.put("b", "2")
    shelf.put("a", "1")
    shelf.put("a", "1.5")

    assert [("a", "1"), ("a", "1.5"), ("b", "2")] == [(entry.name, entry.version) for entry in shelf.store.entries()]
    stats = shelf.store.stats()
    assert (3, 2) == (stats.entries, stats.names)


def test_a_note_with_one_bit_changed_is_refused() -> None:
    data = Note(
        artifact="x-1-py3-none-any.whl", sha256="a" * 64, record="b" * 64, executables=frozenset({"share"})
    ).render()
    assert frozenset({"share"}) == Note.parse(data, "").executables
    for at in range(len(data)):
        with pytest.raises(StoreError):
            Note.parse(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], "")


def test_an_entry_that_is_gone_or_empty_is_a_store_error(shelf: Shelf) -> None:
    with pytest.raises(StoreError, match="lost an entry"):
        read_note(str(shelf.store.root / "packages/x/1/y"))
    (shelf.store.root / "packages/x/1/y").mkdir(parents=True)
    with pytest.raises(StoreError, match="does not hold one dist-info"):
        read_entry(str(shelf.store.root), "packages/x/1/y")


def test_the_next_install_cleans_what_a_killed_one_left(shelf: Shelf) -> None:
    program = (
        "import os, signal, sys\nfrom envknit.store.store import Store\n"
        "with Store(sys.argv[1]).workspace() as w:\n (w / 'x').mkdir(0o555)\n os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, shelf.store.root], check=False)
    assert -signal.SIGKILL == done.returncode
    with shelf.store.workspace() as living:
        assert 1 == shelf.store.clean()
        assert [living] == list((shelf.store.root / "tmp").iterdir())


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom envknit.store.flock import hold\n"
        "with hold(sys.argv[1], exclusive=True):\n print('held', flush=True)\n time.sleep(60)\n"
    )
    path = str(tmp_path / "lock")
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert "held\n" == holder.stdout.readline()
        with pytest.raises(StoreError, match="another envknit") as caught, hold(path, exclusive=False, timeout=0.1):
            pass
        assert f"process {holder.pid}" == caught.value.holder
        holder.kill()
        with hold(path, exclusive=True, timeout=5) as held:
            assert held


def test_shared_holders_do_not_wait_for_each_other(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")

    with hold(path, exclusive=False, timeout=0) as one, hold(path, exclusive=False, timeout=0) as two:
        assert one
        assert two


def test_where_nothing_can_be_locked_entries_are_placed_and_nothing_is_removed(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr("fcntl.flock", refuse)
    with shelf.store.installing(), shelf.store.claiming(["a" * 64]):
        shelf.put("x", "1")
    assert 1 == len(list(shelf.store.entries()))
    assert 0 == shelf.store.clean()
    with pytest.raises(StoreError, match="cannot be locked"), shelf.store.collecting():
        pass


def test_where_files_cannot_be_linked_a_bundle_is_copied(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another device")

    pins = shelf.put("one", "1", {"p/__init__.py": ""}), shelf.put("two", "1", {"p/two.py": "2"})
    monkeypatch.setattr(os, "link", refuse)
    plan, _ = shelf.plan(*pins)

    copied = shelf.store.path(plan.pins["two", "1"].folder) / "p/two.py"
    assert "2" == copied.read_text()
    assert 1 == copied.stat().st_nlink
    assert () == shelf.store.verify().findings


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [(28, InstallError, "the disk is full"), (122, InstallError, "quota"), (30, StoreError, "read-only file system"),
     (13, StoreError, "not writable"), (27, InstallError, "larger than this process may write")],
)  # fmt: skip
def test_a_fault_of_the_disk_is_one_error_that_names_the_place(fault: int, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught, disk_faults(Path("/store")):
        raise OSError(fault, "no", "/store/packages/x")

    assert "/store/packages/x" in str(caught.value)


def test_a_reader_sees_the_old_file_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "plan"
    write_atomically(path, b"a" * 100_000)
    writer = multiprocessing.get_context("spawn").Process(target=_rewrite, args=(path,))
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add(len(set(path.read_bytes())) == 1)
    writer.join()

    assert {True} == seen
    assert ["plan"] == [file.name for file in tmp_path.iterdir()]


def _rewrite(path: Path) -> None:
    for letter in b"bcdefgh":
        write_atomically(path, bytes([letter]) * 100_000)
