"""The life of a `SubInterpreterEnv`: each is a new interpreter, and none is left when it is closed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kit.interpreters import HAS, OWN, inside, interpreter_project
from kit.machine import UNMEASURED

if TYPE_CHECKING:
    from kit import Machine, Project

pytestmark = pytest.mark.skipif(not HAS, reason="sub-interpreters need CPython 3.12")
COUNT = """
    import sys
    if sys.version_info >= (3, 13): from _interpreters import list_all
    else: from _xxsubinterpreters import list_all
    first = len(list_all())
"""


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    return interpreter_project(machine)


def test_each_is_a_new_interpreter(project: Project) -> None:
    source = """
        DIRTY = '''
        import atexit, builtins, codecs, gc, json, os, sys, threading, warnings
        builtins.mine = os.mine = os._Environ.mine = sys.mine = mine = 1
        os.environ._data[b"MINE"] = b"1"  # (putenv() would say it to the whole process)
        os.putenv = None
        sys.path.insert(0, "/mine"); sys.meta_path.clear(); sys.modules["mine"] = sys
        sys.setrecursionlimit(500); gc.disable(); sys.settrace(lambda *a: None)
        sys.stdout = sys.stderr = None
        atexit.register(os.write, 1, b"exit handler\\\\n")
        threading.Thread(target=os.write, args=(1, b"thread\\\\n")).start()
        '''
        LOOK = '''
        import builtins, gc, os, sys
        result = [hasattr(x, "mine") for x in (builtins, os, os._Environ, sys)] + ["mine" in globals(), len("ab"),
            "MINE" in os.environ, callable(os.putenv), "/mine" in sys.path, len(sys.meta_path), "mine" in sys.modules,
            sys.getrecursionlimit(), gc.isenabled(), sys.gettrace(), sys.stdout is None, "alpha" in sys.modules]
        '''
        for _ in range(2):
            with SubInterpreterEnv() as interp:
                print(interp.eval_json(LOOK), flush=True)
                interp.configure_from_lock(lock)
                interp.try_import("alpha")
                interp.run_string(DIRTY)
    """
    clean = "[False, False, False, False, False, 2, False, True, False, 3, False, 1000, True, None, False, False]"
    out = inside(project, source).splitlines()

    assert [clean] * 2 == [line for line in out if line.startswith("[")]
    assert sorted(line for line in out if not line.startswith("[")) == ["exit handler"] * 2 + ["thread"] * 2


def test_after_close_every_use_is_an_error(project: Project) -> None:
    def program(lock):
        from envknit import SubInterpreterEnv

        interp = SubInterpreterEnv("gone")
        print(repr(interp), interp.closed)
        interp.close()
        interp.close()
        print(repr(interp), interp.closed)
        for use in (
            lambda: interp.run_string("1"),
            lambda: interp.eval_json("1"),
            lambda: interp.try_import("os"),
            lambda: interp.call(len, "a"),
            lambda: interp.configure_from_lock(lock),
        ):
            try:
                use()
            except RuntimeError as error:
                print(error.message)

    assert inside(project, program).splitlines() == [
        f"<SubInterpreterEnv 'gone': not configured, {OWN} GIL> False",
        f"<SubInterpreterEnv 'gone': closed, {OWN} GIL> True",
        *["the interpreter is closed"] * 5,
    ]


def test_one_that_is_never_closed_ends_with_the_program(project: Project) -> None:
    def program():
        from envknit import SubInterpreterEnv

        interp = SubInterpreterEnv()
        interp.run_string("import atexit, os; atexit.register(os.write, 1, b'ended\\n')")
        print("host", flush=True)

    assert inside(project, program) == "host\nended\n"


def test_a_closed_one_is_destroyed(project: Project) -> None:
    source = f"""{COUNT}
    for gil in "own", "shared":
        with SubInterpreterEnv(gil=gil) as interp:
            interp.configure_from_lock(lock)
            print(interp.call("alpha.late:NAME.count", "a"), len(list_all()) - first)
        print(len(list_all()) - first)
    """

    assert inside(project, source) == "3 1\n0\n3 1\n0\n"


def test_it_says_which_gil_it_has(project: Project) -> None:
    # Before CPython 3.12.4 those with a GIL of their own make the process crash at its end (gh-119213)
    def program():
        from envknit import SubInterpreterEnv

        for gil in "own", "shared":
            with SubInterpreterEnv(gil=gil) as interp:
                print(interp.gil)

    assert inside(project, program) == f"{OWN}\nshared\n"


@pytest.mark.parametrize("gil", ["own", "shared"])
def test_what_imported_threading_on_one_thread_is_closed_on_another(project: Project, gil: str) -> None:
    # `threading` of CPython 3.12 takes the thread of the first import for its main thread, and waits for it at the end
    source = f"""{COUNT}
    import threading
    from envknit import InterpreterPool
    def log(n):
        import logging, threading
        threading.Thread(target=logging.getLogger, args=("a",)).start()
        return threading.current_thread().name, n
    with InterpreterPool("default", workers=2, gil={gil!r}) as pool:
        print(len(list(pool.map(log, range(4)))), flush=True)
    interp = SubInterpreterEnv(gil={gil!r})
    thread = threading.Thread(target=interp.run_string, args=("import logging",))
    thread.start()
    thread.join()
    print(interp.call(log, 1)[1], flush=True)
    interp.close()
    print(len(list_all()) - first)
    """

    assert inside(project, source, timeout=60) == "4\n1\n0\n"


def test_five_hundred_calls_of_a_pool_do_not_grow(project: Project) -> None:
    def program():
        import os

        from envknit import InterpreterPool

        def kilobytes():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024

        with InterpreterPool(workers=1) as pool:
            for number in range(500):
                if number == 100:
                    before = kilobytes()
                pool.submit("alpha.late:NAME.count", "a").result()
            print(kilobytes() - before < 1024, kilobytes() - before)

    if sys.platform != "linux":
        pytest.skip("looks into /proc")

    assert inside(project, program, env=UNMEASURED).startswith("True")


def test_a_process_can_fork_when_its_interpreters_are_closed_and_is_warned_when_not(project: Project) -> None:
    def program():
        import os
        import warnings

        from envknit import SubInterpreterEnv

        warnings.simplefilter("always")
        with SubInterpreterEnv() as interp:
            pass
        if not os.fork():
            with SubInterpreterEnv() as interp:
                print("child", interp.call(max, 1, 2), flush=True)
            os._exit(0)
        print(os.wait()[1])

    assert inside(project, program) == "child 2\n0\n"


def test_one_that_nobody_closed_is_told_and_ended(project: Project) -> None:
    def program():
        import gc
        import os
        import sys
        import threading
        import warnings

        from envknit import SubInterpreterEnv

        def lose():
            SubInterpreterEnv("lost").run_string("import atexit, os; atexit.register(print, 'ended')")

        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            lose()
            gc.collect()
        print([str(warning.message)[:30] for warning in told], flush=True)
        busy = SubInterpreterEnv()
        reader, writer = os.pipe()
        code = f"import os, time; os.write({writer}, b'!'); time.sleep(0.5)"
        threading.Thread(target=busy.run_string, args=(code,), daemon=True).start()
        os.read(reader, 1)
        sys.exit(3)

    assert inside(project, program, status=3) == '["unclosed <SubInterpreterEnv \'l"]\nended\n'
