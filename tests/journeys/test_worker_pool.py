"""The pool of workers: which blocks share a process, when one ends, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import envknit
from envknit.errors import WorkerError
from envknit.worker.pool import pool
from kit.gadget import write_gadget
from kit.machine import UNMEASURED, shared_memory
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Machine
    from kit.programs import Program


def test_a_worker_that_is_late_is_killed_where_nobody_else_uses_it(folder: Path) -> None:
    with envknit.worker("gadget", "1.0", install_path=folder, timeout=0.2) as hasty:
        pid, box = hasty.pid(), hasty.Box(1)
        with pytest.raises(TimeoutError, match=r"gadget 1\.0 did not answer within 0\.2 seconds and was killed"):
            hasty.sleep(5)
        with pytest.raises(WorkerError, match="killed"):
            box.get()
        assert hasty.pid() != pid  # replaced by the next call


def test_blocks_share_the_process_and_one_that_is_late_leaves_it_to_the_others(folder: Path) -> None:
    def late(timeout: float) -> tuple[int, int, int]:
        with envknit.worker("gadget", "1.0", install_path=folder, timeout=timeout) as hasty:
            box = hasty.Box(1)
            with pytest.raises(TimeoutError, match=r"did not answer within 0\.2 seconds; others use it"):
                hasty.sleep(5)
            return hasty.pid(), box.get(), hasty.echo(2)

    with envknit.worker("gadget", "1.0", install_path=folder) as gadget, ThreadPoolExecutor(2) as threads:
        pid = gadget.pid()
        begun = threading.Event()
        patient = threads.submit(gadget.begin, begun.set, "sleep", 1.5, "enough")
        assert begun.wait(20)
        # From the main thread, whose call the main thread of the worker serves, and from another
        assert [late(0.2), threads.submit(late, 0.2).result()] == [(pid, 1, 2)] * 2
        assert patient.result() == "enough"
    # When all are done, it ends with what was given up
    with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
        assert gadget.pid() != pid


def test_a_stopped_worker_is_killed_whoever_uses_it(gadget: Any, folder: Path) -> None:
    pid = gadget.pid()
    with envknit.worker("gadget", "1.0", install_path=folder, timeout=0.2) as hasty:
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(TimeoutError, match="was killed"):
            hasty.echo()
    assert gadget.pid() != pid


def test_a_private_worker_is_nobody_elses_and_ends_with_its_block(gadget: Any, folder: Path) -> None:
    context = envknit.worker("gadget", "1.0", install_path=folder, private=True)
    with context as mine, envknit.worker("gadget", "1.0", install_path=folder, private=True) as other:
        pids = [mine.pid(), other.pid(), gadget.pid()]
        assert len(set(pids)) == 3
    assert [Path(f"/proc/{pid}").exists() for pid in pids] == [False, False, True]
    with context as again:
        assert again.pid() not in pids


def test_workers_are_listed_and_closed(gadget: Any) -> None:
    pid = gadget.pid()
    (worker,) = [worker for worker in envknit.workers() if worker.pid == pid]
    assert (worker.order.label, worker.alive) == ("gadget 1.0", True)
    assert worker.python.startswith(sys.version.split()[0])
    box = gadget.Box()
    worker.close()
    assert worker not in envknit.workers()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(WorkerError, match="was closed"):
        box.get()
    assert "gone" in repr(box) or "closed" in repr(box)
    assert gadget.pid() != pid


def test_exit_handlers_of_the_worker_run(gadget: Any, tmp_path: Path) -> None:
    gadget.at_exit(str(tmp_path / "ended"))
    (worker,) = [worker for worker in envknit.workers() if worker.pid == gadget.pid()]
    worker.close()
    assert (tmp_path / "ended").exists()


def test_idle_workers_end_and_the_limit_ends_the_idlest(tmp_path: Path) -> None:
    before = pool.idle, pool.processes
    pool.close()
    try:
        envknit.configure_workers(idle=60, processes=2)
        for number in range(3):
            folder = write_gadget(tmp_path / str(number))
            with envknit.worker("gadget", f"{number}", install_path=folder) as gadget:
                assert gadget.echo(number) == number
            assert len(envknit.workers()) <= 2
        assert [worker.order.label for worker in envknit.workers()] == ["gadget 1", "gadget 2"]
        del gadget
        envknit.configure_workers(idle=0.2)
        deadline = time.monotonic() + 10
        while envknit.workers() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert envknit.workers() == []
        with (
            envknit.worker("gadget", "0", install_path=tmp_path / "0"),
            envknit.worker("gadget", "1", install_path=tmp_path / "1"),
            pytest.raises(WorkerError, match="2 workers are in use, which is the limit"),
            envknit.worker("gadget", "2", install_path=tmp_path / "2"),
        ):
            pass
    finally:
        pool.configure(idle=before[0], processes=before[1])


def count_rounds(machine: Machine, folder: Path, program: Program) -> None:
    """Run rounds in a process of its own: what other tests left in this one may end meanwhile."""
    ran = machine.run(
        "-c",
        f"""
import envknit, gc, os, resource

def open_gadget():
    return envknit.worker("gadget", "1.0", install_path={str(folder)!r})

def held(*processes):
    gc.collect()
    children = open(f"/proc/self/task/{{os.getpid()}}/children").read().split()
    return [len(os.listdir(f"/proc/{{pid}}/fd")) for pid in ("self", *processes)], children, envknit.workers()

def memory(*processes):
    return [int(open(f"/proc/{{pid}}/statm").read().split()[1]) * resource.getpagesize() for pid in processes]
{source_of(program)}
""",
        env=UNMEASURED,
    )
    assert ran.out == "done\n", ran.out + ran.err


def test_dropped_objects_and_rounds_leave_nothing_behind(folder: Path, machine: Machine) -> None:
    """1,000 rounds of open and close: no growth of descriptors, processes, memory, shared memory or objects."""
    names = shared_memory()

    def program(held, memory, open_gadget):
        def rounds(count):
            for number in range(count):
                with open_gadget() as gadget:
                    box = gadget.Box(b"x" * 70_000)  # beside the frame's body
                    assert len(box.get()) == 70_000
                    assert gadget.echo(number) == number

        rounds(20)
        (worker,) = envknit.workers()
        before, sizes = held(worker.pid), memory("self", worker.pid)
        rounds(1000)
        grown = [now - size for now, size in zip(memory("self", worker.pid), sizes, strict=True)]
        assert max(grown) < 16_000_000, grown  # 1,000 leaked boxes would be 70 MB
        assert held(worker.pid) == before, (before, held(worker.pid))
        print("done")

    count_rounds(machine, folder, program)
    assert shared_memory() == names


def test_processes_that_come_and_go_leave_nothing_behind(folder: Path, machine: Machine) -> None:
    def program(held, open_gadget):
        def one():
            with open_gadget() as gadget:
                assert gadget.echo(1) == 1
            (worker,) = envknit.workers()
            worker.close()

        one()
        before = held()
        for _ in range(10):
            one()
        assert held() == before, (before, held())
        print("done")

    count_rounds(machine, folder, program)
