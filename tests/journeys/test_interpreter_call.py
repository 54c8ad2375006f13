"""`SubInterpreterEnv.call` and `InterpreterPool`: what crosses, as what, and on which threads."""

from __future__ import annotations

import sys

import pytest

from kit.interpreters import HAS, inside, interpreter_project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kit import Machine, Project

pytestmark = pytest.mark.skipif(not HAS, reason="sub-interpreters need CPython 3.12")
SHARES = sys.version_info >= (3, 13)


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    return interpreter_project(machine)


def test_values_beyond_json_cross_both_ways(project: Project) -> None:
    def program():
        import array
        import datetime
        import decimal
        import pathlib

        from envknit import SubInterpreterEnv

        cycle = []
        cycle.append(cycle)
        values = [
            None,
            1 << 90,
            1j,
            b"ab",
            bytearray(b"cd"),
            (1, (2,)),
            {1: {2}},
            frozenset({3}),
            "ä\ud800",
            b"x" * 200_000,
            bytearray(b"y" * 200_000),
            datetime.date(2024, 1, 2),
            decimal.Decimal("1.10"),
            pathlib.Path("a/b"),
            array.array("d", [1.5]),
            range(3),
            {"deep": [b"z" * 100_000, {"k": bytearray(3)}]},
        ]

        def same(value):
            return value

        with SubInterpreterEnv() as interp:
            print([v for v in values if interp.call(same, v) != v or type(interp.call(same, v)) is not type(v)])
            print(interp.call(same, cycle)[0][0].__class__.__name__)
            view = interp.call(same, memoryview(array.array("i", [1, 2, 3])))
            print(type(view).__name__, view.format, view.tolist())

    assert inside(project, program) == "[]\nlist\nmemoryview i [1, 2, 3]\n"


def test_a_function_travels_as_its_code_or_is_found_by_its_path(project: Project) -> None:
    def program(lock):
        import math
        import os.path

        from envknit import SubInterpreterEnv

        def area(r, *, scale=1):
            import math

            return round(math.pi * r * r * scale, 2)

        with SubInterpreterEnv() as interp:
            interp.configure_from_lock(lock)
            print(interp.call(area, 1), interp.call(area, 1, scale=2), interp.call(lambda a, b=2: a + b, 1))
            print(interp.call("math:hypot", 3, 4), interp.call(math.factorial, 5), interp.call(dict, a=1))
            print(interp.call("alpha.late:NAME.upper"), interp.call(len, "abc"))
            interp.run_string("seen = 'defined inside'")
            print(interp.call(lambda: seen))  # noqa: F821 - it is there, inside

    assert inside(project, program) == "3.14 6.28 3\n5.0 120 {'a': 1}\nALPHA.LATE 3\ndefined inside\n"


def test_what_cannot_travel_is_told(project: Project) -> None:
    def program():
        import threading

        from envknit import SubInterpreterEnv

        captured = 1

        def outer():
            inner = threading.Lock()
            return lambda: inner

        with SubInterpreterEnv() as interp:
            calls = (outer(),), ("no colon",), (len, threading.Lock()), ("".join, []), (lambda: (i for i in ()),)
            for fn, *args in calls:
                try:
                    interp.call(fn, *args)
                except Exception as error:
                    print(type(error).__name__, str(error).splitlines()[0])

    assert inside(project, program).splitlines() == [
        "WorkerError outer.<locals>.<lambda> closes over inner, which is more than plain data and stays here",
        "WorkerError a function is named as package.module:name",
        "TypeError cannot pickle '_thread.lock' object",
        "WorkerError only what an import finds, and functions written in Python, can be called elsewhere",
        "TypeError cannot pickle 'generator' object",
    ]


def test_exceptions_come_back_as_their_builtin_type_with_the_inner_traceback(project: Project) -> None:
    def program(lock):
        import traceback

        from envknit import SubInterpreterEnv

        def read():
            open("/nowhere/at/all")

        with SubInterpreterEnv() as interp:
            interp.configure_from_lock(lock)
            calls = [("alpha.failing:fail",), ("alpha.failing:fail", "own"), (read,), (int, "x"), (lambda: {}["k"],)]
            for call in *calls, ("sys:exit", 1):
                try:
                    interp.call(*call)
                except Exception as error:
                    print(type(error).__name__, type(error).__mro__[1].__name__, isinstance(error, KeyError), error)
                    text = "".join(traceback.format_exception(error))
            try:
                interp.call("alpha.failing:fail")
            except ValueError as error:
                print("alpha/failing.py" in str(error.__cause__), "interpreter/inside" in str(error.__cause__))

    assert inside(project, program).splitlines() == [
        "ValueError Exception False bad luck",
        "Own RemoteError True 'bad luck'",
        "FileNotFoundError OSError False [Errno 2] No such file or directory: '/nowhere/at/all'",
        "ValueError Exception False invalid literal for int() with base 10: 'x'",
        "KeyError LookupError True 'k'",
        "WorkerError EnvknitError False SystemExit: 1",
        "True False",
    ]


@pytest.mark.skipif(not SHARES, reason="CPython 3.12 shares no memory between interpreters")
def test_a_memoryview_is_the_same_memory_on_both_sides(project: Project) -> None:
    def program():
        from envknit import SubInterpreterEnv

        data = bytearray(50_000_000)

        def fill(view):
            view[:3] = b"abc"
            return view.nbytes, view.readonly

        def peak():
            with open("/proc/self/status") as file:
                return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

        with SubInterpreterEnv() as interp:
            before = peak()
            print(interp.call(fill, memoryview(data)), bytes(data[:3]), peak() - before < 20_000)
        data.append(1)
        print(len(data))

    assert inside(project, program) == "(50000000, False) b'abc' True\n50000001\n"


@pytest.mark.skipif(SHARES, reason="CPython 3.12 only")
def test_where_no_memory_is_shared_a_memoryview_arrives_as_a_copy(project: Project) -> None:
    def program():
        from envknit import SubInterpreterEnv

        data = bytearray(b"abc")
        with SubInterpreterEnv() as interp:
            print(interp.call(lambda view: (bytes(view), view.readonly), memoryview(data)))

    assert inside(project, program) == "(b'abc', True)\n"


def test_threads_wait_for_each_other_in_one_interpreter(project: Project) -> None:
    def program():
        import threading

        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            interp.run_string("n = 0")

            def add():
                global n
                for _ in range(200):
                    n = n + 1

            threads = [threading.Thread(target=interp.call, args=(add,)) for _ in range(5)]
            [t.start() for t in threads]
            [t.join() for t in threads]
            print(interp.eval_json("result = n"))

    assert inside(project, program) == "1000\n"


def test_with_gils_of_their_own_interpreters_are_inside_at_the_same_time(project: Project) -> None:
    # Two that wait for each other without ever giving up a GIL of their own: with a shared one neither would get on
    def program():
        import os
        import threading

        from envknit import SubInterpreterEnv

        def meet(mine, other):
            import os

            os.write(mine, b"x")
            while not os.read(other, 1):
                pass
            return "met"

        (a, b), (c, d) = os.pipe(), os.pipe()
        with SubInterpreterEnv() as one, SubInterpreterEnv() as two:
            out = []
            threads = [
                threading.Thread(target=lambda e, *p: out.append(e.call(meet, *p)), args=args)
                for args in ((one, b, c), (two, d, a))
            ]
            [t.start() for t in threads]
            [t.join(30) for t in threads]
            print(out)

    assert inside(project, program) == "['met', 'met']\n"


def test_threads_started_inside_end_before_the_interpreter_does(project: Project) -> None:
    source = """
        import time
        with SubInterpreterEnv() as interp:
            interp.run_string('''
        import threading, time, os
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        pool.submit(abs, 1).result()
        threading.Thread(target=lambda: (time.sleep(0.3), os.write(1, b"thread\\\\n"))).start()
        ''')
            print(interp.call(max, 1, 2), flush=True)
        print("closed")
    """
    expected = ["2", "thread", "closed"] if SHARES else ["thread", "2", "closed"]  # 3.12 waits within the call

    assert inside(project, source).splitlines() == expected


def test_a_pool_runs_functions_in_interpreters_of_one_environment(project: Project) -> None:
    def program(lock):
        import concurrent.futures

        from envknit import InterpreterPool, SubInterpreterEnv

        def version(n):
            import alpha

            return alpha.VERSION, n

        def fail():
            raise LookupError("inside")

        with InterpreterPool("other", workers=2) as pool:
            print(isinstance(pool, concurrent.futures.Executor), list(pool.map(version, range(3))))
            print(repr(pool.submit(fail).exception()), pool.submit("alpha:VERSION.join", "ab").result())
        with SubInterpreterEnv() as interp:
            interp.configure_from_lock(lock)
            with InterpreterPool(interp, 1) as pool:
                print(pool.submit(version, 0).result())
        try:
            InterpreterPool("nothing", 1)
        except ValueError as error:
            print(error.environments)
        try:
            InterpreterPool(workers=0)
        except ValueError as error:
            print(error)
        try:
            pool.submit(len, "")
        except RuntimeError:
            print("shut down")

    assert inside(project, program).splitlines() == [
        "True [('2.0', 0), ('2.0', 1), ('2.0', 2)]",
        "LookupError('inside') a2.0b",
        "('1.0', 0)",
        "default, other",
        "max_workers must be greater than 0",
        "shut down",
    ]


def test_a_pool_is_the_standard_one_where_there_is_one(project: Project) -> None:
    def program():
        import concurrent.futures as futures

        from envknit import InterpreterPool

        base = getattr(futures, "InterpreterPoolExecutor", futures.ThreadPoolExecutor)
        with InterpreterPool(workers=1) as pool:
            print(isinstance(pool, base))

    assert inside(project, program) == "True\n"


def test_a_pool_cancels_what_waits_and_closes_what_it_made(project: Project) -> None:
    def program():
        import os
        import threading

        from envknit import InterpreterPool
        from envknit.interpreter.subinterpreter import _open

        def nap(seconds, begun):
            import os
            import time

            os.write(begun, b"!")
            time.sleep(seconds)
            return seconds

        reader, begun = os.pipe()
        pool = InterpreterPool("other", workers=1)
        first, second = pool.submit(nap, 0.3, begun), pool.submit(nap, 0, begun)
        os.read(reader, 1)
        pool.shutdown(cancel_futures=True)
        print(first.result(), second.cancelled(), len(_open))
        with InterpreterPool("other", workers=2) as never_used:
            pass
        print(len(_open), [t.name for t in threading.enumerate()])

    assert inside(project, program) == "0.3 True 0\n0 ['MainThread']\n"


def test_each_thread_of_a_pool_keeps_its_interpreter_and_they_run_at_once(project: Project) -> None:
    def program():
        from envknit import InterpreterPool

        def meet(name, reader, writer):
            import os

            os.write(writer, b"!")
            os.read(reader, 1)  # returns only if the other one runs, too
            import sys

            sys.modules.setdefault("met", [0])[0] += 1
            return sys.modules["met"][0]

        import os

        (r1, w1), (r2, w2) = os.pipe(), os.pipe()
        with InterpreterPool(workers=2) as pool:
            for _ in range(3):
                both = pool.submit(meet, "a", r1, w2), pool.submit(meet, "b", r2, w1)
                print(*(each.result(timeout=30) for each in both))

    assert inside(project, program) == "1 1\n2 2\n3 3\n"


def test_a_pool_that_nobody_holds_ends_its_threads(project: Project) -> None:
    def program():
        import gc
        import threading
        import time
        import warnings

        from envknit import InterpreterPool

        pool = InterpreterPool(workers=1)
        pool.submit("alpha:VERSION.join", "ab").result()
        warnings.simplefilter("ignore", ResourceWarning)
        del pool
        gc.collect()
        deadline = time.monotonic() + 20
        while threading.active_count() > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        print(threading.active_count())

    assert inside(project, program) == "1\n"
