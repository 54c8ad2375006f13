"""Threads that work ahead."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from envknit.http.threads import Threads

pytestmark = pytest.mark.ends


def test_work_is_done_by_so_many_threads_and_no_more() -> None:
    threads, begin = Threads(3, "test"), threading.Event()
    names = [threads.submit(lambda: (begin.wait(), threading.current_thread().name)[1]) for _ in range(20)]
    begin.set()

    assert {future.result().rpartition("-")[0] for future in names} == {"test"}
    assert len({future.result() for future in names}) <= 3
    threads.close()


def test_what_is_raised_comes_out_of_the_future() -> None:
    threads = Threads(1, "test")

    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 / 0).result()
    assert threads.submit(lambda: 1).result() == 1, "the thread lives on"
    threads.close()


def test_what_has_not_begun_is_cancelled_by_closing() -> None:
    threads, begun, end = Threads(1, "test"), threading.Event(), threading.Event()
    running = threads.submit(lambda: (begun.set(), end.wait()))
    waiting = threads.submit(lambda: None)
    begun.wait()
    threads.close()

    assert waiting.cancelled()
    end.set()
    assert running.result()
    with pytest.raises(RuntimeError, match="closed"):
        threads.submit(lambda: None)


def test_python_ends_without_waiting_for_them() -> None:
    program = (
        "import time; from envknit.http.threads import Threads; t = Threads(2, 'x')\n"
        "t.submit(time.sleep, 60); t.submit(time.sleep, 60); time.sleep(0.2); t.close(); print('said')"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "said\n"
    assert time.perf_counter() - began < 30
