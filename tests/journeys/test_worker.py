"""Workers as a program uses them: real processes, of this process and of programs of their own."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import envknit
from envknit.errors import WorkerError
from kit.planned import make_plan

if TYPE_CHECKING:
    from kit import Project


def test_the_module_answers_from_another_process(gadget: Any) -> None:
    assert gadget.pid() != os.getpid()
    assert gadget.__version__ == "1.0"
    assert gadget.__doc__ == "A gadget."
    assert gadget.__name__ == "gadget"
    assert gadget.__file__.endswith("gadget/__init__.py")
    assert repr(gadget) == "<module 'gadget' of the worker of gadget 1.0>"
    assert {"Box", "echo"} <= set(dir(gadget))


@pytest.mark.parametrize(
    "name", ["__class__", "__wrapped__", "__call__", "__iter__", "__array_interface__", "__spec__"]
)
def test_protocol_dunders_of_a_module_raise(gadget: Any, name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(gadget, name)


def test_submodules_are_imported_by_attribute(gadget: Any) -> None:
    assert gadget.parts.part() == "gadget.parts"
    assert gadget.parts is gadget.parts
    with pytest.raises(AttributeError, match="nothing"):
        _ = gadget.nothing
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        _ = gadget.broken


def test_module_attributes_are_set_and_deleted_there(gadget: Any) -> None:
    gadget.extra = 5
    assert gadget.apply(lambda: 1) == 1
    assert gadget.extra == 5
    del gadget.extra
    with pytest.raises(AttributeError):
        _ = gadget.extra


def test_the_same_function_is_the_same_proxy(gadget: Any) -> None:
    assert gadget.echo is gadget.echo
    assert gadget.Box is gadget.Box
    box = gadget.Box(5)
    assert gadget.echo(box) is box
    assert isinstance(box, gadget.Box)


def test_each_thread_of_the_host_has_its_own_thread_there(gadget: Any) -> None:
    def use(number: int) -> tuple[object, object]:
        gadget.remember(number)
        time.sleep(0.01)
        return gadget.recall(), gadget.on_main_thread()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(use, range(8))) == [(number, False) for number in range(8)]
    gadget.remember("main")
    assert (gadget.recall(), gadget.on_main_thread()) == ("main", True)


def test_calls_of_different_threads_overlap(gadget: Any) -> None:
    began = time.perf_counter()
    with ThreadPoolExecutor(5) as threads:
        assert list(threads.map(lambda n: gadget.sleep(0.5, n), range(5))) == list(range(5))
    assert time.perf_counter() - began < 2.3  # one after the other: 2.5 s


def test_no_caller_ever_gets_another_callers_answer(gadget: Any) -> None:
    def ask(first: int) -> int:
        return sum(gadget.echo(first + number) != first + number for number in range(200))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(0, 80_000, 10_000))) == 0

    async def task(number: int) -> bool:
        return await asyncio.to_thread(gadget.sleep, 0.001 * (number % 7), number) == number

    async def tasks() -> list[bool]:
        return await asyncio.gather(*(task(number) for number in range(60)))

    assert all(asyncio.run(tasks()))


def test_a_thread_of_the_worker_calls_the_host_when_no_call_is_under_way(gadget: Any) -> None:
    heard: list[int] = []
    done = threading.Event()

    def hear(value: int) -> None:
        heard.append(value)
        done.set()

    gadget.later(hear, 7)
    assert done.wait(10)
    assert heard == [7]


def test_fetch_brings_a_picklable_object_over_by_value(gadget: Any) -> None:
    ordered = gadget.apply(gadget.sys.modules["collections"].OrderedDict, [("a", 1)])
    assert envknit.fetch(ordered) == {"a": 1}
    assert envknit.fetch(5) == 5
    with pytest.raises(WorkerError, match="cannot be made here"):
        envknit.fetch(gadget.Box(1))  # this process has no gadget


def test_what_is_fetched_cannot_choose_the_code_that_runs_here(gadget: Any) -> None:
    """Threat T57: a reduce that names os.system."""
    with pytest.raises(WorkerError, match="not trusted") as caught:
        envknit.fetch(gadget.Evil())
    assert caught.value.needs == "posix.system"
    with pytest.raises(WorkerError, match="not trusted"):
        envknit.fetch(gadget.Evil(), trust=["posix", "os"])


def test_no_socket_of_a_worker_has_a_name(gadget: Any) -> None:
    """Threat T58: nothing that another process could connect to."""
    assert gadget.pid()
    named = [line for line in Path("/proc/net/unix").read_text().splitlines()[1:] if "envknit" in line]
    assert named == []
    inodes = [os.readlink(f"/proc/{gadget.pid()}/fd/{fd}") for fd in os.listdir(f"/proc/{gadget.pid()}/fd")]
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert not {f"socket:[{row[9]}]" for row in listening} & set(inodes)


def test_run_in_runs_functions_of_the_project_with_a_whole_environment(project: Project) -> None:
    make_plan(project, {"tool==9": {"tool.py": "V = 9\n"}}, environment="ml", lock=project.lock_file.read_text())
    project.write(
        "tasks.py",
        """
        import os
        import envknit

        def train(x, *, scale=1):
            import tool
            return tool.V * x * scale, os.getpid()

        @envknit.in_env("ml")
        def train_there(x):
            return train(x)[0], nested(x)

        @envknit.in_env("ml")
        def nested(x):
            return os.getpid()

        class Holder:
            @staticmethod
            def make(n):
                return bytes(n)
        """,
    )

    def program():
        import os

        import tasks

        import envknit

        value, pid = envknit.run_in("ml", tasks.train, 2, scale=3)
        print(value, pid != os.getpid())
        print(envknit.run_in("ml", "tasks:train", 1) == (9, pid))
        print(tasks.train_there(4) == (36, pid))
        print(len(envknit.run_in("ml", tasks.Holder.make, 10)))
        print(envknit.submit("ml", tasks.train, 5).result()[0])
        with envknit.EnvironmentExecutor("ml", max_workers=2) as executor:
            print([value for value, _ in executor.map(tasks.train, range(4))])
            print(len({pid for _, pid in executor.map(tasks.train, range(8))}) <= 2)

        for wrong in ("no_colon", [].append):
            try:
                envknit.run_in("ml", wrong)
            except envknit.WorkerError as error:
                print(error.message)

    ran = project.code(program)
    lines = ran.out.splitlines()
    assert lines[:7] == ["54 True", "True", "True", "10", "45", "[0, 9, 18, 27]", "True"]
    assert lines[7:] == [
        "a function is named as package.module:name",
        "only what an import finds, and functions written in Python, can be called elsewhere",
    ], lines


def test_functions_that_no_import_finds_go_by_their_code(project: Project) -> None:
    make_plan(project, {"tool==9": {"tool.py": ""}}, environment="ml", lock=project.lock_file.read_text())
    project.write("numbers_of.py", "def seven(): return 7\n")

    def program():
        import math
        import os

        from numbers_of import seven

        import envknit

        LIMIT = 3

        def factorial(n):
            return 1 if n < 2 else n * factorial(n - 1)

        def named(x, *, more=0):
            return factorial(x), math.floor(2.5), seven(), LIMIT, more, os.getpid()

        @envknit.in_env("ml")
        def decorated():
            return os.getpid()

        def outer(step):
            return lambda x: [x + step for _ in range(2)]

        if __name__ == "__main__":
            *found, pid = envknit.run_in("ml", named, 5, more=1)
            assert found == [120, 2, 7, 3, 1] and pid != os.getpid() and decorated() == pid
            assert envknit.run_in("ml", outer(2), 1) == [3, 3]
            assert envknit.submit("ml", lambda: LIMIT).result() == 3
            try:
                envknit.submit("ml", print).result()
            except envknit.WorkerError:
                raise SystemExit from None

    project.code(program)


@pytest.mark.parametrize("timeout", [0, -1, "5", float("inf"), float("nan")])
def test_a_timeout_that_is_no_time_is_told_at_once(folder: Path, timeout: Any) -> None:
    for call in (
        lambda: envknit.worker("gadget", "1.0", install_path=folder, timeout=timeout),
        lambda: envknit.in_env("ml", timeout=timeout),
        lambda: envknit.EnvironmentExecutor("ml", timeout=timeout),
    ):
        with pytest.raises(ValueError, match=r"seconds above zero, or None for as long as it takes; not"):
            call()
