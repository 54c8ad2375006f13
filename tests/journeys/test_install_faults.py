"""Installing where things go wrong: many at once, killed, a full disk, a store that cannot be written."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.files.model import Artifact, Environment, Lock, Pin
from envknit.files.written_lock import write_lock
from envknit.plan import Plan
from envknit.store.store import Store

if TYPE_CHECKING:
    from kit import LoopbackIndex

INSTALL = """
import sys
from envknit.errors import EnvknitError
from envknit.install.flow import install
try:
    done = install(sys.argv[1])
except EnvknitError as error:
    sys.exit(str(error))
print(done.placed, done.views["default"] + "/plan")
"""
SOURCE = "x = 1\n" * 2000

needs_root = pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="needs root to mount")


class Stage:
    """A lock of several packages, and processes that install it."""

    def __init__(self, root: Path, index: LoopbackIndex, packages: int = 4) -> None:
        self.root = root
        self.index = index
        self.lock = root / "envknit.lock.yaml"
        self.home = root / "store"
        pins = []
        for name in "abcdefgh"[:packages]:
            file = index.publish(name, "1.0", {f"{name}/m{at}.py": SOURCE + str(at) for at in range(20)})
            artifact = Artifact(name=file.name, sha256=file.sha256, size=len(file.data))
            pins.append(Pin(name=name, version="1.0", files=(artifact,), roots=("",)))
        write_lock(self.lock, Lock(environments={"default": Environment(name="default", pins=tuple(pins))}))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ENVKNIT", "PIP_"))}
        self.env = kept | {
            "ENVKNIT_HOME": str(self.home),
            "ENVKNIT": "0",
            "PIP_INDEX_URL": index.url,
            "PIP_CONFIG_FILE": os.devnull,
        }

    def start(self, *before: str) -> subprocess.Popen[str]:
        """Start an install in a process of its own; `before` is put in front of its command."""
        return subprocess.Popen(
            [*before, sys.executable, "-c", INSTALL, str(self.lock)],
            env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def install(self, *before: str) -> tuple[int, str, str]:
        """Install, and return exit status, stdout and stderr."""
        with self.start(*before) as process:
            out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def whole(self) -> bool:
        """Tell whether all that is in the store is as it was placed."""
        return not Store(self.home).verify().findings


@pytest.fixture(name="stage")
def _stage(tmp_path: Path, index: LoopbackIndex) -> Stage:
    return Stage(tmp_path, index)


def test_eight_installers_at_once_all_succeed_with_one_download_of_each_file(stage: Stage) -> None:
    processes = [stage.start() for _ in range(8)]
    ended = [process.communicate(timeout=60) for process in processes]

    assert [""] * 8 == [err for _, err in ended]
    assert [0] * 8 == [process.returncode for process in processes]
    assert 4 == sum(int(out.split()[0]) for out, _ in ended)
    assert 4 == stage.index.count("/files/*", "GET")
    assert stage.whole()
    assert [] == list((stage.home / "tmp").iterdir())


@pytest.mark.ends
def test_an_install_that_is_killed_anywhere_leaves_entries_absent_or_whole(stage: Stage) -> None:
    began = time.monotonic()
    assert 0 == stage.install()[0]
    whole_run = time.monotonic() - began
    chance = random.Random(9)
    for _ in range(12):
        for folder in ("packages", "plans"):
            remove(stage.home / folder)
        with stage.start() as process:
            time.sleep(whole_run * (0.4 + 0.6 * chance.random()))
            process.send_signal(signal.SIGKILL)
        assert stage.whole()
        for plan in stage.home.glob("plans/2/*/*/environments/*/plan"):
            assert all((stage.home / pin.folder).is_dir() for pin in Plan.read(str(plan)).pins.values())
    remove(stage.home / "plans")  # the last may have come so far that the next has nothing to do, not even to clean
    status, out, err = stage.install()

    assert (0, "") == (status, err), out
    assert stage.whole()
    assert [] == list((stage.home / "tmp").iterdir())


def test_gc_at_the_same_time_takes_nothing_that_an_install_needs(stage: Stage) -> None:
    collect = "from envknit.store.collect import collect; from envknit.store.store import Store\n"
    collect += "for _ in range(20): collect(Store().open(), grace=0)"
    collectors = [
        subprocess.Popen([sys.executable, "-c", collect], env=stage.env, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    installers = [stage.start() for _ in range(4)]
    ended = [process.communicate(timeout=60) for process in [*collectors, *installers]]

    assert [""] * 6 == [err for _, err in ended]
    assert stage.whole()
    for out, _ in ended[2:]:
        plan = Plan.read(out.split()[1])
        assert all((stage.home / pin.folder).is_dir() for pin in plan.pins.values())


def remove(folder: Path) -> None:
    """Delete a tree of read-only folders."""
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def test_a_file_that_may_not_grow_is_one_error_and_the_next_install_succeeds(stage: Stage) -> None:
    status, out, err = stage.install("sh", "-c", 'ulimit -f 8; exec "$@"', "sh")

    assert (1, "") == (status, out)
    assert "larger than this process may write" in err
    assert str(stage.home) in err
    assert stage.whole()
    assert 0 == stage.install()[0]


@needs_root
def test_a_full_disk_is_one_error(stage: Stage) -> None:
    stage.home.mkdir(mode=0o700)
    script = (
        f'mount -t tmpfs -o size=400k,mode=700 none {stage.home} && "$@"; status=$?; ls {stage.home}/tmp; exit $status'
    )
    status, out, err = stage.install("unshare", "--mount", "sh", "-c", script, "sh")

    assert (1, "") == (status, out)
    assert "the disk is full" in err
    assert str(stage.home) in err


@needs_root
def test_gc_works_with_no_byte_free(stage: Stage) -> None:
    stage.home.mkdir(mode=0o700)
    script = f"""
        mount -t tmpfs -o size=16m,mode=700 none {stage.home} && "$@" || exit
        rm {stage.lock}
        head -c 32m /dev/zero > {stage.home}/filler 2>&-
        {sys.executable} -c 'if True:
            from envknit.store.collect import collect
            from envknit.store.store import Store
            print(collect(Store(), grace=0, patience=0).entries, list(Store().entries()))'
    """
    status, out, err = stage.install("unshare", "--mount", "sh", "-c", script, "sh")

    assert (0, "") == (status, err)
    assert "4 []" == out.splitlines()[-1]


@needs_root
def test_a_read_only_store_is_no_fault_where_all_is_there(stage: Stage) -> None:
    assert 0 == stage.install()[0]
    script = f'mount --bind {stage.home} {stage.home} && mount -o remount,bind,ro {stage.home} && exec "$@"'
    read_only = ("unshare", "--mount", "sh", "-c", script, "sh")
    status, out, err = stage.install(*read_only)

    assert (0, "") == (status, err)
    assert out.startswith("0 ")

    stage.lock.write_text(stage.lock.read_text() + "# changed\n")
    status, _, err = stage.install(*read_only)
    assert 1 == status
    assert "the store is on a read-only file system" in err
    assert 3 == len(err.splitlines())
