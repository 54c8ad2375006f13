"""Workers as a program uses them: real processes, of this process and of programs of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import _envknit_bootstrap
import envknit
from envknit.errors import WorkerError
from envknit.pythons import ask_python
from envknit.worker.orders import interpreter_path
from envknit.worker.pool import pool
from kit.gadget import GADGET, PARTS, write_gadget
from kit.machine import UNMEASURED, shared_memory
from kit.planned import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit import Machine, Project


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield write_gadget(tmp_path_factory.mktemp("gadget"))
    pool.close()


@pytest.fixture(name="gadget")
def _gadget(folder: Path) -> Iterator[Any]:
    with envknit.worker("gadget", "1.0", install_path=folder, timeout=20) as gadget:
        yield gadget


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    project = machine.project()
    make_plan(project, {"gadget==1.0": {"gadget/__init__.py": GADGET, "gadget/parts.py": PARTS}})
    return project


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


def test_the_child_is_clean(folder: Path, machine: Machine) -> None:
    (machine.root / "planted").mkdir()
    ran = machine.run(
        "-c",
        f"""if 1:
        import envknit, os
        with envknit.worker("gadget", "1.0", install_path={str(folder)!r}) as gadget:
            argv, main = gadget.argv()
            assert argv == [""] and main.endswith("worker/child.py"), (argv, main)
            path = gadget.path()
            assert not any("site-packages" in entry or "planted" in entry for entry in path), path
            assert os.getcwd() not in path and os.path.dirname(main) not in path and "" not in path, path
            assert gadget.finders() == ["BuiltinImporter", "FrozenImporter", "PathFinder"], gadget.finders()
        print("clean")
        """,
        env={"PYTHONPATH": str(machine.root / "planted")} | UNMEASURED,
    )
    assert ran.out == "clean\n"


@pytest.mark.parametrize("flag", ["-P", "-I", "-S", "-B", "-Xdev", "-Werror"])
def test_a_worker_starts_whatever_the_flags_of_its_host(folder: Path, machine: Machine, flag: str) -> None:
    if flag == "-P" and sys.version_info < (3, 11):
        pytest.skip("this Python has no -P")
    site = str(Path(envknit.__file__).parents[1]), str(Path(_envknit_bootstrap.__file__).parent)
    ran = machine.run(
        flag,
        "-c",
        f"""if 1:
        import sys
        sys.path += {site!r}
        import envknit
        with envknit.worker("gadget", "1.0", install_path={str(folder)!r}) as gadget:
            print(gadget.echo(sys.version_info[0]))
        """,
        env=UNMEASURED,
    )
    assert (ran.out, ran.err) == ("3\n", "")


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_processes_that_a_worker_starts_see_its_environment(project: Project, method: str) -> None:
    ran = project.code(f"""
        import envknit
        with envknit.worker("gadget", "1.0") as gadget:
            here = gadget.where()
            print(gadget.child({method!r}) == here, gadget.child_program() == here)
    """)
    assert ran.out == "True True\n"


def test_a_worker_sees_the_hosts_packages_where_the_project_says_so(machine: Machine) -> None:
    project = machine.project()
    source = {"gadget/__init__.py": GADGET + "\ndef find(name): return __import__(name).__name__\n"}
    make_plan(project, {"gadget==1.0": source}, site_visible=True)
    program = """
        import envknit
        with envknit.worker("gadget", "1.0") as gadget:
            try:
                print(gadget.find("pytest"))
            except ModuleNotFoundError as error:
                print(error)
    """
    assert project.code(program).out == "pytest\n"
    make_plan(project, {"gadget==1.0": source})
    assert "No module named 'pytest'" in project.code(program).out


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
        assert list(threads.map(lambda n: gadget.sleep(0.2, n), range(5))) == list(range(5))
    assert time.perf_counter() - began < 0.6


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


def test_a_worker_that_is_late_is_killed_where_nobody_else_uses_it(folder: Path) -> None:
    with envknit.worker("gadget", "1.0", install_path=folder, timeout=0.2) as hasty:
        pid, box = hasty.pid(), hasty.Box(1)
        with pytest.raises(TimeoutError, match=r"gadget 1\.0 did not answer within 0\.2 seconds and was killed"):
            hasty.sleep(5)
        with pytest.raises(WorkerError, match="killed"):
            box.get()
        assert hasty.pid() != pid  # replaced by the next call


def test_blocks_share_the_process_and_one_that_is_late_leaves_it_to_the_others(folder: Path) -> None:
    began = threading.Event()

    def other() -> tuple[int, str]:
        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            return gadget.apply(lambda: (began.set(), gadget.pid())[1]), gadget.sleep(1.5, "enough")

    with ThreadPoolExecutor(1) as threads:
        patient = threads.submit(other)
        assert began.wait(20)
        with envknit.worker("gadget", "1.0", install_path=folder, timeout=0.2) as hasty:
            pid, box = hasty.pid(), hasty.Box(1)
            with pytest.raises(TimeoutError, match=r"did not answer within 0\.2 seconds; others use it"):
                hasty.sleep(5)
            assert (hasty.pid(), box.get()) == (pid, 1)
        assert patient.result() == (pid, "enough")
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


def test_async_with_is_a_type_error_that_says_so(folder: Path) -> None:
    async def wrong() -> None:
        async with envknit.worker("gadget", "1.0", install_path=folder):
            pass

    with pytest.raises(TypeError, match="opened with `with`, not `async with`"):
        asyncio.run(wrong())


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
    inodes = [os.readlink(f"/proc/{gadget.pid()}/fd/{fd}") for fd in os.listdir(f"/proc/{gadget.pid()}/fd")]  # noqa: PTH115, PTH208
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert not {f"socket:[{row[9]}]" for row in listening} & set(inodes)


def test_the_worker_of_a_pin_has_the_plan_of_its_environment(project: Project) -> None:
    make_plan(
        project,
        {"gadget==2.0": {"gadget/__init__.py": GADGET.replace("1.0", "2.0")}, "other==1": {"other.py": "X = 1\n"}},
        environment="ml",
        lock=project.lock_file.read_text(),
    )
    ran = project.code("""
        import envknit, gadget
        with envknit.worker("gadget", "1.0") as one, envknit.worker("Gadget", "2.0") as two:
            print(gadget.__version__, one.__version__, two.__version__, one.pid() != two.pid())
            print(two.children().split(":")[2])
            print(two.apply(__import__, "math").__name__)
        with envknit.worker("other", "1", env="ml") as other:
            print(other.X)
        for name, version, env in [("gadget", "3.0", None), ("gadget", "2.0", "default"), ("gadget", "1.0", "none")]:
            try:
                envknit.worker(name, version, env=env)
            except envknit.LinkError as error:
                print(error)
    """)
    lines = ran.out.splitlines()
    assert lines[:4] == ["1.0 1.0 2.0 True", "ml", "math", "1"]
    assert "no installed environment holds gadget 3.0" in ran.out
    assert "versions: 1.0 (default), 2.0 (ml)" in ran.out
    assert "python -m envknit add gadget==3.0 --env NAME" in ran.out
    assert "'default' holds no gadget 2.0" in ran.out
    assert "no environment named 'none' is installed" in ran.out


def test_a_distribution_with_another_import_name_gives_its_module(project: Project) -> None:
    make_plan(
        project,
        {
            "pyyaml==6.0": {"yaml/__init__.py": "V = 'yaml'\n", "_yaml/__init__.py": ""},
            "two-faces==1": {"one.py": "", "other.py": "V = 'other'\n"},
        },
    )
    ran = project.code("""
        import envknit
        with envknit.worker("PyYAML", "6.0") as yaml:
            print(yaml.V)
        with envknit.worker("two_faces", "1") as one, envknit.use("two_faces", "1") as same:
            print(envknit.explain(one).module, same.__name__)
        with envknit.worker("two_faces", "1", module="other") as other:
            print(other.V)
    """)
    assert ran.out == "yaml\none one\nother\n"


SOURCE = """
import envknit
with envknit.worker("gadget", "1.0") as gadget:
    print(gadget.echo("hello"))
"""


def test_every_way_to_run_a_program_can_start_a_worker(project: Project) -> None:
    assert project.code(SOURCE).out == "hello\n"  # a script without a main guard
    assert project.run("-c", SOURCE).out == "hello\n"
    assert project.run("-", stdin=SOURCE).out == "hello\n"
    assert "hello" in project.run("-i", "-q", stdin=SOURCE + "\n").out  # a REPL
    project.write("package/__init__.py", "")
    project.write("package/__main__.py", SOURCE)
    assert project.run("-m", "package").out == "hello\n"


def test_standard_streams_of_the_worker_are_the_hosts(project: Project) -> None:
    ran = project.run(
        "-c",
        """if 1:
        import envknit
        with envknit.worker("gadget", "1.0") as gadget:
            print("first", flush=True)
            assert gadget.say("second") == 6
            gadget.say("third", "stderr")
            assert gadget.echo(4) == 4
            assert gadget.ask() == "typed"
            print("last")
        """,
        stdin="typed\n",
    )
    assert (ran.out, ran.err) == ("first\nsecond\nlast\n", "third\n")


def test_a_worker_that_cannot_start_says_why(folder: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(WorkerError, match="no interpreter /bin/false was found"),
        envknit.worker("gadget", "1.0", install_path=folder, python="/bin/false"),
    ):
        pass
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "loud.py").write_text("import os, sys\nprint('my last words', file=sys.stderr)\nos._exit(3)\n")
    with (
        pytest.raises(WorkerError, match="died") as caught,
        envknit.worker("loud", "1", install_path=tmp_path / "loud"),
    ):
        pass
    assert (caught.value.ended, "my last words" in str(caught.value)) == ("exit status 3", True)
    (tmp_path / "loud" / "loud.py").write_text("raise ValueError('at import')\n")
    with pytest.raises(ValueError, match="at import"), envknit.worker("loud", "1", install_path=tmp_path / "loud"):
        pass
    with pytest.raises(WorkerError, match="not a folder"):
        envknit.worker("gadget", "1.0", install_path=tmp_path / "none")


def test_a_worker_may_run_another_interpreter(project: Project) -> None:
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    others = [version for version in ("3.10", "3.11", "3.12", "3.13") if version != mine and _python(version)]
    if not others:
        pytest.skip("this machine has one CPython only")
    other = others[0]
    program = f"""
        import envknit
        with envknit.worker("gadget", "1.0", python={other!r}) as gadget:
            print(gadget.sys.version_info[:2], gadget.echo([1, "a", {{2.0}}]), gadget.__version__)
            box = gadget.Box(5)
            print(box.get(), len(gadget.huge(100_000)))
            try:
                gadget.apply(lambda: 1 / 0)
            except ZeroDivisionError as error:
                print(error)
        """
    refused = project.code(program, status=1)
    assert "the lock is not installed for this interpreter" in refused.err
    assert "-m envknit install" in refused.err
    (plan,) = project.machine.home.glob("plans/2/*/*/trees/*/plan")
    folder = plan.parents[2]
    own, abi = folder.parts[-2], ask_python(_python(other)).abi
    target = Path(str(folder).replace(own, abi))
    shutil.copytree(folder, target, symlinks=True)
    (target / plan.relative_to(folder)).chmod(0o644)
    (target / plan.relative_to(folder)).write_text(plan.read_text().replace(own, abi))
    major, minor = other.split(".")
    assert project.code(program).out == f"({major}, {minor}) [1, 'a', {{2.0}}] 1.0\n5 100000\ndivision by zero\n"
    ran = project.code("import envknit\nenvknit.worker('gadget', '1.0', python='2.7')", status=1)
    assert "no interpreter 2.7 was found" in ran.err


def _python(version: str) -> str:
    try:
        return interpreter_path(version)
    except WorkerError:
        return ""


def test_a_program_without_a_lock_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="no lock is active"):
        envknit.worker("gadget", "1.0")
    assert tmp_path.exists()


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
    ran = project.code("""
        import os, envknit, tasks
        value, pid = envknit.run_in("ml", tasks.train, 2, scale=3)
        print(value, pid != os.getpid())
        print(envknit.run_in("ml", "tasks:train", 1) == (9, pid))
        print(tasks.train_there(4) == (36, pid))
        print(len(envknit.run_in("ml", tasks.Holder.make, 10)))
        print(envknit.submit("ml", tasks.train, 5).result()[0])
        with envknit.EnvironmentExecutor("ml", max_workers=2) as executor:
            print([value for value, _ in executor.map(tasks.train, range(4))])
            print(len({pid for _, pid in executor.map(tasks.train, range(8))}) <= 2)
        def inner(): pass
        for wrong in (lambda: 1, inner, "no_colon", (lambda: inner)()):
            try:
                envknit.run_in("ml", wrong)
            except envknit.WorkerError as error:
                print(error.message)
        def outer():
            def closure(): pass
            return closure
        tasks.closure = outer()
        try:
            envknit.run_in("ml", tasks.closure)
        except envknit.WorkerError as error:
            print(error.hint)
    """)
    lines = ran.out.splitlines()
    assert lines[:7] == ["54 True", "True", "True", "10", "45", "[0, 9, 18, 27]", "True"]
    assert lines[7] == "<lambda> is a function of the script itself, which a worker does not run"
    assert lines[9] == "a function is named as package.module:name"
    assert len(lines) == 12


@pytest.mark.parametrize("timeout", [0, -1, "5", float("inf"), float("nan")])
def test_a_timeout_that_is_no_time_is_told_at_once(folder: Path, timeout: Any) -> None:
    for call in (
        lambda: envknit.worker("gadget", "1.0", install_path=folder, timeout=timeout),
        lambda: envknit.in_env("ml", timeout=timeout),
        lambda: envknit.EnvironmentExecutor("ml", timeout=timeout),
    ):
        with pytest.raises(ValueError, match=r"seconds above zero, or None for as long as it takes; not"):
            call()


def test_a_name_that_is_no_text_is_told_at_once(project: Project) -> None:
    ran = project.code("""
        import envknit
        for call in envknit.worker, envknit.use:
            try:
                call(5, "1.0")
            except TypeError as error:
                print(error)
    """)
    assert ran.out == "the name of a distribution is a str such as 'requests', not 5\n" * 2


def count_rounds(machine: Machine, folder: Path, source: str) -> None:
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
{textwrap.dedent(source)}
""",
        env=UNMEASURED,
    )
    assert ran.out == "done\n", ran.out + ran.err


def test_dropped_objects_and_rounds_leave_nothing_behind(folder: Path, machine: Machine) -> None:
    """1,000 rounds of open and close: no growth of descriptors, processes, memory, shared memory or objects."""
    names = shared_memory()
    count_rounds(
        machine,
        folder,
        """
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
        grown = [now - size for now, size in zip(memory("self", worker.pid), sizes)]
        assert max(grown) < 16_000_000, grown  # 1,000 leaked boxes would be 70 MB
        assert held(worker.pid) == before, (before, held(worker.pid))
        print("done")
        """,
    )
    assert shared_memory() == names


def test_processes_that_come_and_go_leave_nothing_behind(folder: Path, machine: Machine) -> None:
    count_rounds(
        machine,
        folder,
        """
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
        """,
    )


def test_a_worker_is_found_in_a_lock_that_the_program_configured(machine: Machine) -> None:
    project = machine.project()
    make_plan(project, {"lib==2.0": {"lib.py": "def version(): return '2.0'\n"}})
    elsewhere = machine.root / "elsewhere"
    elsewhere.mkdir()
    program = f"""if 1:
        import envknit
        envknit.configure_from_lock({str(project.lock_file)!r}, auto_install=False)
        with envknit.worker("lib", "2.0") as lib:
            print(lib.version())
        print(envknit.run_in("default", "lib:version"))
    """
    assert machine.run("-c", program, cwd=elsewhere).out == "2.0\n2.0\n"
