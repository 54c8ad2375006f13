"""Workers that die, hang or misbehave, and hosts that do (reliability T57 to T60, F20)."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import envknit
from envknit.errors import WorkerError
from envknit.wire.frames import CALL, HEADER
from envknit.wire.line import Lost
from envknit.worker.pool import pool
from kit.gadget import gone
from kit.machine import shared_memory
from kit.programs import source_of

if TYPE_CHECKING:
    from pathlib import Path

    from envknit.wire.line import Line
    from kit.programs import Program


@pytest.mark.parametrize(
    ("act", "ended"),
    [
        (lambda gadget: gadget.kill(), "signal 9 (SIGKILL)"),
        (lambda gadget: gadget.leave(7), "exit status 7"),
        (lambda gadget: gadget.crash(), "signal 11 (SIGSEGV)"),
    ],
    ids=["kill -9", "os._exit", "segfault"],
)
def test_a_worker_that_dies_in_a_call_is_replaced_by_the_next(gadget: Any, act: Any, ended: str) -> None:
    pid, box = gadget.pid(), gadget.Box(1)
    with pytest.raises(WorkerError, match=r"the worker of gadget 1\.0 died during this call") as caught:
        act(gadget)
    assert (caught.value.pid, caught.value.ended) == (pid, ended)
    assert ("crash" in str(caught.value)) == ("SIGSEGV" in ended)  # the last words: where it was
    assert gone(pid)
    with pytest.raises(WorkerError, match="died"):
        box.get()
    assert gadget.echo("again") == "again"
    assert gadget.pid() != pid


def test_a_worker_that_dies_between_calls_is_replaced_without_a_word(gadget: Any) -> None:
    for _ in range(3):
        pid = gadget.pid()
        echo = gadget.echo
        os.kill(pid, signal.SIGKILL)
        assert gone(pid)
        assert echo("through a kept function") == "through a kept function"
        assert gadget.pid() != pid


def test_a_call_that_was_sent_is_never_made_twice(gadget: Any) -> None:
    with pytest.raises(WorkerError):
        gadget.apply(lambda: (gadget.CALLS.append(1), gadget.kill()))
    assert gadget.count() == 1


def test_a_worker_that_dies_while_it_starts_says_so(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(60)\n")

    def kill_it() -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for worker in envknit.workers():
                if worker.order.label == "slow 1":
                    os.kill(worker.pid or 0, signal.SIGKILL)
                    return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_it, daemon=True)
    killer.start()
    with pytest.raises(WorkerError, match="died"), envknit.worker("slow", "1", install_path=tmp_path):
        pass
    killer.join()


def test_a_stopped_worker_is_replaced_after_its_deadline(folder: Path) -> None:
    with envknit.worker("gadget", "1.0", install_path=folder, timeout=0.3) as gadget:
        pid = gadget.pid()
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            gadget.echo(1)
        assert time.monotonic() - began < 20
        assert gone(pid)
        assert gadget.echo(2) == 2


def test_all_threads_hear_of_a_death_and_one_worker_follows(gadget: Any) -> None:
    errors: list[str] = []
    pids: list[int] = []
    begun = threading.Semaphore(0)

    def wait() -> None:
        try:
            gadget.begin(begun.release, "sleep", 20)
        except WorkerError as error:
            errors.append(error.message)
        pids.append(gadget.pid())

    threads = [threading.Thread(target=wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=20)
    os.kill(gadget.pid(), signal.SIGKILL)
    for thread in threads:
        thread.join(10)
    assert len(errors) == 5
    assert len(set(pids)) == 1


def test_what_does_not_pickle_crosses_all_the_same(gadget: Any) -> None:
    lock, generator = threading.Lock(), (n for n in range(3))
    assert gadget.apply(lambda there: there is lock, lock) is True
    assert gadget.echo(lock) is lock
    assert list(gadget.apply(list, generator)) == [0, 1, 2]


def test_recursion_there_and_between_the_two_ends_cleanly(gadget: Any) -> None:
    def again() -> Any:
        return gadget.apply(again)

    with pytest.raises(RecursionError):
        gadget.apply(again)
    assert gadget.echo(1) == 1


def test_a_result_over_the_limit_is_refused_with_its_size(folder: Path) -> None:
    pool.close()
    before = pool.largest
    try:
        envknit.configure_workers(largest=10_000_000)
        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            pid = gadget.pid()
            with pytest.raises(WorkerError, match="over the limit") as caught:
                gadget.huge(10_000_001)
            assert "10000001" in str(caught.value)
            assert len(gadget.huge(9_999_999)) == 9_999_999
            assert gadget.pid() == pid
    finally:
        envknit.configure_workers(largest=before)
        pool.close()


def test_a_gigabyte_over_the_default_limit_is_refused(gadget: Any) -> None:
    with pytest.raises(WorkerError, match="over the limit"):
        gadget.huge((1 << 30) + 1)
    assert gadget.echo(1) == 1


def test_printing_in_the_middle_of_a_call_disturbs_nothing(gadget: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert gadget.say("noise " * 10_000) == 60_000
    assert gadget.apply(lambda: gadget.say("inner")) == 5
    assert "inner" in capfd.readouterr().out or gadget.echo(1) == 1  # (the worker kept the stdout it was started with)


def test_garbage_on_a_line_ends_the_line_and_not_the_host(gadget: Any) -> None:
    worker = next(worker for worker in envknit.workers() if worker.pid == gadget.pid())
    channel = worker.process().channel
    frames = [
        b"\xff" * 64,
        HEADER.pack(2**31, CALL, 0, 1),
        HEADER.pack(8, CALL, 0, 1) + b"notmarsh",
        HEADER.pack(0, 99, 0, 0),
    ]
    for data in frames:
        line = channel._open()
        line.wait_at_most(2)
        line.end.sendall(data)
        with pytest.raises((Lost, WorkerError)):
            _refusal(line)
        line.close()
        assert gadget.echo("fine") == "fine"


def _refusal(line: Line) -> None:
    kind, _, body, _ = line.receive()  # its end of file, or an answer that says what it was
    raise WorkerError(f"{kind} {bytes(body)!r}")


def test_a_call_out_of_a_signal_handler_is_answered_while_another_waits(gadget: Any) -> None:
    answers = []
    before = signal.signal(signal.SIGALRM, lambda *_: answers.append(gadget.echo("inner")))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert gadget.sleep(0.3, "outer") == "outer"
        assert answers == ["inner"]
        assert gadget.on_main_thread()
    finally:
        signal.signal(signal.SIGALRM, before)


def run_host(program: Program, folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    prelude = "import os, signal, sys, time, threading, envknit\nfolder = sys.argv[1]\n"
    return subprocess.Popen(
        [sys.executable, "-c", prelude + source_of(program), str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


HOLD = """
def busy(name):
    begun = threading.Event()
    threading.Thread(target=gadget.begin, args=(begun.set, name, 30), daemon=True).start()
    begun.wait(20)
with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
    print(gadget.pid(), flush=True)
    {act}
"""


@pytest.mark.parametrize(
    "act",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os._exit(1)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "pass",
        "raise SystemExit(2)",
        "busy('sleep')",
        "busy('hold_gil'); os.kill(os.getpid(), signal.SIGKILL)",
    ],
)
def test_no_worker_outlives_its_host_however_the_host_ends(folder: Path, act: str) -> None:
    segments = shared_memory()
    host = run_host(HOLD.format(act=act), folder)
    out, err = host.communicate(timeout=20)
    assert gone(int(out)), err
    assert shared_memory() == segments


def test_a_fork_uses_workers_of_its_own_and_leaves_its_parents_alone(folder: Path) -> None:
    def program(folder):
        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            box, first = gadget.Box(5), gadget.pid()
            child = os.fork()
            if not child:
                try:
                    box.get()
                except envknit.WorkerError as error:
                    print(error.message.split(",")[0].replace(str(os.getppid()), "PARENT"))
                own = gadget.pid()
                print(own != first, gadget.echo(1))
                with envknit.worker("gadget", "1.0", install_path=folder) as again:
                    print(again.pid() == own, flush=True)
                sys.exit()
            os.waitpid(child, 0)
            print(box.get(), gadget.pid() == first)

    host = run_host(program, folder)
    out, err = host.communicate(timeout=20)
    assert (out, err) == ("this worker belongs to process PARENT\nTrue 1\nTrue\n5 True\n", "")


def test_memory_that_a_fork_of_the_worker_sees_is_never_used_again(folder: Path) -> None:
    with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
        assert gadget.keep(memoryview(b"k" * 300_000)) == b"kkk"
        gadget.fork()
        for _ in range(5):
            assert gadget.keep(memoryview(b"n" * 300_000)) == b"nnn"
        assert gadget.join() == 0


def test_a_fork_that_lives_on_does_not_keep_its_parents_worker(folder: Path) -> None:
    def program(folder):
        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            print(gadget.pid(), flush=True)
            if not os.fork():
                os.close(1)
                os.close(2)
                time.sleep(5)
                os._exit(0)
            os._exit(0)

    host = run_host(program, folder)
    out, _ = host.communicate(timeout=20)
    assert gone(int(out))


def test_multiprocessing_by_fork_uses_workers_in_each_process(folder: Path) -> None:
    def program(folder):
        import multiprocessing

        def use(number):
            with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
                return gadget.echo(number), gadget.pid()

        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            mine = gadget.pid()
            with multiprocessing.get_context("fork").Pool(2) as processes:
                answers = processes.map(use, range(20))
                processes.close()
                processes.join()
            print([value for value, _ in answers] == list(range(20)), mine in {pid for _, pid in answers})

    host = run_host(program, folder)
    out, err = host.communicate(timeout=30)
    assert out == "True False\n", err


@pytest.mark.parametrize("group", [True, False], ids=["from the terminal", "to the host alone"])
def test_ctrl_c_interrupts_the_call_and_not_the_pool(folder: Path, group: bool) -> None:  # noqa: FBT001 - a parameter
    def program(folder):
        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            pid, box = gadget.pid(), gadget.Box("kept")
            for name in "sleep", "spin":
                try:
                    gadget.begin(lambda: print("ready", flush=True), name, 15)
                except KeyboardInterrupt:
                    began = time.monotonic()
                    same, main = gadget.pid() == pid, gadget.on_main_thread()
                    print(same, box.get(), main, time.monotonic() - began < 3, flush=True)

    host = run_host(
        program,
        folder,
        start_new_session=True,
    )
    assert host.stdout is not None
    for _ in range(2):
        assert host.stdout.readline() == "ready\n"
        (os.killpg if group else os.kill)(host.pid, signal.SIGINT)
        assert select.select([host.stdout], [], [], 10)[0]
        assert host.stdout.readline() == "True kept True True\n"
    _, err = host.communicate(timeout=20)
    assert (host.returncode, err) == (0, "")


def test_a_worker_needs_few_descriptors_and_says_when_there_are_none(folder: Path) -> None:
    def program(folder):
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
        try:
            with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
                print(gadget.pid())
        except OSError as error:
            print(error.errno)

    host = run_host(program, folder)
    out, err = host.communicate(timeout=20)
    assert out == "24\n", err
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 64


def test_a_worker_without_descriptors_for_large_values_says_so_and_lives(folder: Path) -> None:
    with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
        assert gadget.keep(memoryview(b"kept" * 100_000)) == b"kep"
        worker = next(worker for worker in envknit.workers() if worker.pid == gadget.pid())
        lent = len(worker.process().channel.arena._leases)
        gadget.take_descriptors()
        with pytest.raises(OSError, match="no file descriptor is left"):
            gadget.echo(b"x" * 500_000)
        with pytest.raises(OSError, match="Too many open files"):
            gadget.huge(500_000)
        assert gadget.echo(b"small") == b"small"
        gadget.give_descriptors()
        assert gadget.echo(b"x" * 500_000) == b"x" * 500_000
        gadget.pid()
        assert len(worker.process().channel.arena._leases) == lent, "what could not be taken came back"


def test_a_host_with_closed_streams_can_have_workers(folder: Path, tmp_path: Path) -> None:
    def program(folder):
        for number in (0, 1, 2):
            os.close(number)
        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            answer = gadget.echo("ok")
            open(sys.argv[2], "w").write(answer)

    host = run_host(
        program,
        folder,
        str(tmp_path / "answer"),
    )
    host.communicate(timeout=20)
    assert (tmp_path / "answer").read_text() == "ok"


def test_threads_may_open_a_fresh_worker_at_the_same_time(folder: Path) -> None:
    def open_one() -> str:
        barrier.wait(20)
        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            return str(gadget.echo("ok"))

    barrier = threading.Barrier(8)
    with ThreadPoolExecutor(8) as threads:
        for _ in range(10):
            pool.close()
            assert list(threads.map(lambda _: open_one(), range(8))) == ["ok"] * 8


def test_a_block_that_opens_while_its_worker_dies_starts_another(folder: Path) -> None:
    for _ in range(20):
        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            pid = gadget.pid()
        os.kill(pid, signal.SIGKILL)
        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            assert gadget.pid() != pid


def test_an_object_cannot_name_the_package_that_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "sly.py").write_text(
        "import os, timeit\n"
        "class Sly:\n"
        "    def __reduce__(self): return timeit.timeit, ('pass', 'import os; os.environ[\"SLY\"] = \"1\"')\n"
        "Sly.__module__ = 'timeit'\n"
        "class Honest:\n"
        "    class Inner: pass\n"
    )
    with envknit.worker("sly", "1.0", install_path=tmp_path) as sly:
        with pytest.raises(WorkerError, match="not trusted") as caught:
            envknit.fetch(sly.Sly())
        assert caught.value.needs == "timeit.timeit"
        with pytest.raises(WorkerError, match="cannot be made here"):  # trusted, but not importable
            envknit.fetch(sly.Honest.Inner())
    assert "SLY" not in os.environ
