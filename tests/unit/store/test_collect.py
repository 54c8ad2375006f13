"""`store gc` takes what nobody needs, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from _envknit_finder import bytecode_path
from envknit.errors import StoreError
from envknit.files.atomic import write_atomically
from envknit.install.taken_back import register
from envknit.plan import key, plans_folder
from envknit.store.collect import collect
from envknit.store.roots import root_of
from envknit.view.place import place_views

if TYPE_CHECKING:
    from conftest import Shelf
    from envknit.install.choose import PlacedPin


def install(shelf: Shelf, lock_bytes: bytes, *placed: PlacedPin, lock: str = "envknit.lock.yaml") -> Path:
    """Do what `install` does once entries are placed; returns the plan file."""
    path = shelf.root / lock
    path.write_bytes(lock_bytes)
    plan, _ = shelf.plan(*placed)
    folder = Path(plans_folder(str(shelf.store.root), key(lock_bytes)))
    write_atomically(folder / "lock", lock_bytes)
    views, _ = place_views(shelf.store, lock_bytes, [plan])
    register(shelf.store, str(path), folder, views)
    return views["default"] / "plan"


def forget(shelf: Shelf, lock: str = "envknit.lock.yaml") -> None:
    """Install so many other locks at this path that the earlier ones are forgotten, but for the last."""
    root = root_of(str(shelf.store.root), str(shelf.root / lock))
    newest = next(iter(root.plans))
    for number in range(10):
        register(shelf.store, root.lock, shelf.store.root / newest / f"../{number}", {})
    register(shelf.store, root.lock, shelf.store.root / newest, {})


def names(shelf: Shelf) -> list[str]:
    return [entry.name for entry in shelf.store.entries()]


def test_what_a_lock_names_stays_and_the_rest_goes(shelf: Shelf) -> None:
    install(shelf, b"lock", shelf.put("used", "1"))
    idle = shelf.put("idle", "1", {"idle.py": "x" * 1000})
    report = collect(shelf.store, grace=0)

    assert ["used"] == names(shelf)
    assert (idle.entry.folder,) == report.removed
    assert 1 == report.entries
    assert report.size > 1000
    assert () == collect(shelf.store, grace=0).removed


def test_a_dry_run_tells_the_same_and_removes_nothing(shelf: Shelf) -> None:
    install(shelf, b"lock", shelf.put("used", "1"))
    shelf.put("idle", "1")
    told = collect(shelf.store, dry_run=True, grace=0)

    assert ["idle", "used"] == names(shelf)
    done = collect(shelf.store, grace=0)
    assert (told.removed, told.size, told.entries) == (done.removed, done.size, done.entries)
    assert told.dry_run
    assert not done.dry_run


def test_an_entry_placed_within_the_hour_stays(shelf: Shelf) -> None:
    placed = shelf.put("fresh", "1")

    assert () == collect(shelf.store).removed
    os.utime(shelf.store.path(placed.entry.folder), (0, time.time() - 4000))
    assert (placed.entry.folder,) == collect(shelf.store).removed


def test_an_entry_of_the_future_stays(shelf: Shelf) -> None:
    placed = shelf.put("future", "1")
    os.utime(shelf.store.path(placed.entry.folder), (0, time.time() + 10**8))

    assert () == collect(shelf.store).removed


def test_a_lock_that_is_gone_takes_all_that_only_it_needed(shelf: Shelf) -> None:
    shared, own = shelf.put("shared", "1"), shelf.put("own", "1", entry_points={"console_scripts": {"own": "own:main"}})
    install(shelf, b"one", shared, lock="one.lock")
    install(shelf, b"two", shared, own, lock="two.lock")
    cached = Path(bytecode_path(str(shelf.store.root), str(shelf.store.path(own.entry.folder) / "own/__init__.py")))
    write_atomically(cached, b"pyc")
    (shelf.root / "two.lock").unlink()
    report = collect(shelf.store, grace=0, patience=0)

    assert ["shared"] == names(shelf)
    assert (str(shelf.root / "two.lock"),) == report.roots
    assert not cached.exists()
    assert 2 == len(list((shelf.store.root / "roots").iterdir()))  # the record of one lock, and its links


def test_a_replaced_plan_goes_with_what_only_it_named(shelf: Shelf) -> None:
    old = install(shelf, b"old", shelf.put("old", "1"))
    new = install(shelf, b"new", shelf.put("new", "1"))
    collect(shelf.store, grace=0)
    assert ["new", "old"] == names(shelf)  # whoever goes back to a branch goes on working

    forget(shelf)
    collect(shelf.store, grace=0)
    assert ["new", "old"] == names(shelf)  # for weeks: processes in a container are not seen
    collect(shelf.store, grace=0, patience=0)
    assert ["new"] == names(shelf)
    assert not old.parents[2].exists()
    assert new.exists()


def test_the_plans_of_the_bytes_that_a_lock_has_now_stay_however_old_they_are(shelf: Shelf) -> None:
    old = install(shelf, b"old", shelf.put("old", "1"))
    install(shelf, b"new", shelf.put("new", "1"))
    forget(shelf)
    (shelf.root / "envknit.lock.yaml").write_bytes(b"old")  # git checkout
    collect(shelf.store, grace=0, patience=0)

    assert ["new", "old"] == names(shelf)
    assert old.exists()


def test_a_view_that_another_one_replaced_goes_after_weeks(shelf: Shelf) -> None:
    old = install(shelf, b"lock", shelf.put("old", "1"))
    new = install(shelf, b"lock", shelf.put("new", "1"))
    collect(shelf.store, grace=0)
    assert old.exists()
    for link in new.parents[2].joinpath("environments").iterdir():
        os.utime(link, (0, time.time() - 30 * 86_400), follow_symlinks=False)
    collect(shelf.store, grace=0)

    assert ["new"] == names(shelf)
    assert not old.exists()
    assert new.exists()
    assert 1 == len(list(new.parents[2].joinpath("trees").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files cannot be seen here")
@pytest.mark.parametrize("fate", ["replaced", "deleted"])
def test_a_plan_that_a_process_has_open_keeps_what_it_names(shelf: Shelf, fate: str) -> None:
    old = install(shelf, b"old", shelf.put("old", "1"))
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; f = open(sys.argv[1]); print(flush=True); sys.stdin.read()", old],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        process.stdout.readline()
        install(shelf, b"new", shelf.put("new", "1"))
        forget(shelf)
        if fate == "deleted":
            old.resolve().parent.chmod(0o755)
            old.resolve().unlink()
        kept = collect(shelf.store, grace=0, patience=0)
        process.communicate()

    assert ["new", "old"] == names(shelf)
    assert 1 == kept.in_use
    collect(shelf.store, grace=0, patience=0)
    assert ["new"] == names(shelf)


def test_a_lock_that_is_not_seen_is_told_and_keeps_its_plans_for_weeks(shelf: Shelf) -> None:
    install(shelf, b"lock", shelf.put("far", "1"))
    lock = shelf.root / "envknit.lock.yaml"
    away = lock.rename(shelf.root / "unmounted")
    told = collect(shelf.store, grace=0, dry_run=True)
    done = collect(shelf.store, grace=0)

    day = (date.today() + timedelta(days=28)).isoformat()  # noqa: DTZ011 - a day of this machine
    assert ((str(lock), day),) == told.missing == done.missing
    assert () == done.roots == done.removed
    assert ["far"] == names(shelf)

    away.rename(lock)
    assert () == collect(shelf.store, grace=0).missing
    root = root_of(str(shelf.store.root), str(lock))
    assert root is not None
    assert "" == root.missing


def test_a_lock_that_is_not_seen_for_weeks_goes_with_what_only_it_needed(shelf: Shelf) -> None:
    plan = install(shelf, b"lock", shelf.put("far", "1"))
    lock = shelf.root / "envknit.lock.yaml"
    lock.unlink()
    collect(shelf.store, grace=0)
    (record,) = (shelf.store.root / "roots").glob("*.root")
    long_ago = (date.today() - timedelta(days=30)).isoformat()  # noqa: DTZ011 - as above
    record.write_text(record.read_text().replace(date.today().isoformat(), long_ago))  # noqa: DTZ011 - as above
    for link in plan.parents[2].joinpath("environments").iterdir():
        os.utime(link, (0, time.time() - 30 * 86_400), follow_symlinks=False)
    done = collect(shelf.store, grace=0)

    assert (str(lock),) == done.roots
    assert [] == names(shelf)
    assert [] == list((shelf.store.root / "roots").iterdir())


def test_what_of_the_cache_was_not_used_for_weeks_goes(shelf: Shelf) -> None:
    cache = shelf.store.root / "cache"
    for path in ("pages/a/old", "pages/a/new", "metadata/00/old", "git/old/objects/x", "git/new/objects/x"):
        (cache / path).parent.mkdir(parents=True, exist_ok=True)
        (cache / path).write_bytes(b"x")
    for path in ("pages/a/old", "metadata/00/old", "git/old", "git/new/objects/x"):
        os.utime(cache / path, (0, time.time() - 30 * 86_400))
    os.utime(cache / "pages/a/old", (0, 0))
    done = collect(shelf.store)

    assert ("cache/git/old", "cache/metadata/00/old", "cache/pages/a/old") == done.removed
    assert (cache / "pages/a/new").exists()
    assert (cache / "git/new/objects/x").exists()


def test_a_bundle_keeps_its_entries_and_goes_with_its_plan(shelf: Shelf) -> None:
    pins = shelf.put("one", "1", {"p/__init__.py": ""}), shelf.put("two", "1", {"p/two.py": "x" * 30_000_000})
    install(shelf, b"lock", *pins)
    assert () == collect(shelf.store, grace=0).removed

    (shelf.root / "envknit.lock.yaml").unlink()
    report = collect(shelf.store, grace=0, patience=0)
    assert [] == names(shelf)
    assert [] == list(shelf.store.root.rglob("bundle=*"))
    assert 30_000_000 < report.size < 50_000_000  # not twice what is linked twice


def test_an_envknit_that_no_plan_was_made_by_goes(shelf: Shelf) -> None:
    folders = [shelf.store.root / f"packages/site-packages/envknit={digest}" for digest in ("used", "idle")]
    for folder in folders:
        (folder / "envknit").mkdir(parents=True)
    plan = install(shelf, b"lock", shelf.put("x", "1"))
    tree = plan.resolve()
    tree.chmod(0o644)
    tree.write_text(re.sub("\nruntime\t.*\n", "\nruntime\tpackages/site-packages/envknit=used\n", tree.read_text()))
    collect(shelf.store, grace=0)

    assert [True, False] == [folder.exists() for folder in folders]


def test_links_are_not_followed(shelf: Shelf, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    placed = shelf.put("idle", "1")
    inside = shelf.store.path(placed.entry.folder)
    (inside / "link").symlink_to(precious)
    (shelf.store.root / "packages/site-packages/planted").symlink_to(precious)
    collect(shelf.store, grace=0)

    assert (precious / "file").exists()
    assert not inside.exists()


def test_what_killed_processes_left_goes_too(shelf: Shelf) -> None:
    placed = shelf.put("used", "1")
    install(shelf, b"lock", placed)
    trash = shelf.store.path(placed.entry.folder).with_name(".trash-gone")
    trash.mkdir()
    cache = shelf.store.root / "cache/artifacts"
    cache.mkdir(parents=True)
    (cache / "half.part").write_bytes(b"12345")
    (cache / "whole").write_bytes(b"")
    (shelf.store.root / "roots/.half").write_bytes(b"")
    report = collect(shelf.store, grace=0)

    assert not trash.exists()
    assert ["whole"] == [path.name for path in cache.iterdir()]
    assert 3 == len(report.removed)


def test_gc_waits_for_an_install_and_not_for_ever(shelf: Shelf) -> None:
    with (
        shelf.store.installing(),
        pytest.raises(StoreError, match="another envknit"),
        shelf.store.collecting(timeout=0.05),
    ):
        pass


def test_an_empty_store_is_no_fault(shelf: Shelf) -> None:
    assert () == collect(shelf.store).removed
