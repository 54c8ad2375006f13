"""`SubInterpreterEnv` as a program uses it: each statement of the API document, and isolation both ways."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from kit.interpreters import HAS, inside, interpreter_project
from kit.machine import UNMEASURED

if TYPE_CHECKING:
    from kit import Machine, Project

pytestmark = pytest.mark.skipif(not HAS, reason="sub-interpreters need CPython 3.12")


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    return interpreter_project(machine)


@pytest.mark.parametrize("gil", ["own", "shared"])
def test_it_has_the_packages_of_its_environment_and_the_host_keeps_its_own(project: Project, gil: str) -> None:
    # As documented, "completely independent sys.modules, sys.path"; "retrieve a JSON-serialisable result"
    source = f"""
        import alpha, sys
        with SubInterpreterEnv("other", gil={gil!r}) as interp:
            print(interp.configure_from_lock(lock, env_name="other"))
            print(interp.eval_json('''
        import alpha
        result = {{"version": alpha.VERSION, "value": 42}}
        '''))
            print(alpha.VERSION, sys.modules["alpha"] is alpha)
    """

    assert inside(project, source) == "2\n{'version': '2.0', 'value': 42}\n1.0 True\n"


@pytest.mark.parametrize("gil", ["own", "shared"])
def test_nothing_of_the_host_is_visible_before_it_is_configured(project: Project, gil: str) -> None:
    # As documented, "Host site-packages are never visible inside the sub-interpreter"
    source = f"""
        import sys
        sys.path.append("/somewhere/of/the/host")
        with SubInterpreterEnv(gil={gil!r}) as interp:
            facts = interp.eval_json('''
        import sys, importlib.metadata
        result = {{"path": sys.path, "finders": [getattr(f, "__name__", str(f)) for f in sys.meta_path],
                  "hooks": len(sys.path_hooks), "distributions": len(list(importlib.metadata.distributions()))}}
        ''')
            for name in "alpha", "pytest", "pip":
                try:
                    interp.try_import(name)
                except ImportError as error:
                    print(error)
        print(facts["finders"], facts["hooks"], facts["distributions"])
        print([path for path in facts["path"] if "site-packages" in path or "host" in path or "lock" in path])
    """
    out = inside(project, source).splitlines()

    assert [f"No module named {name!r}" for name in ("alpha", "pytest", "pip")] == out[:3]
    assert out[3] == "['BuiltinImporter', 'FrozenImporter', 'PathFinder'] 2 0"
    assert out[4] == "[]"


def test_what_the_host_s_start_up_files_began_inside_is_undone(project: Project) -> None:
    """As coverage's and profilers' do; with tracing left on, calls inside hang on 3.12.1."""
    project.write(
        "startup/sitecustomize.py",
        """
        import atexit, gc, json, os, sys, threading
        def trace(*args): return trace
        sys.settrace(trace); sys.setprofile(trace); threading.settrace(trace)
        sys.excepthook = trace
        sys.monitoring.use_tool_id(1, "startup")
        sys.monitoring.set_events(1, sys.monitoring.events.LINE)
        sys.monitoring.set_local_events(1, os.get_exec_path.__code__, sys.monitoring.events.PY_START)
        sys.monitoring.register_callback(1, sys.monitoring.events.PY_START, lambda *_: os.write(1, b"measured\\n"))
        atexit.register(os.write, 1, b"an exit handler ran\\n")
        gc.callbacks.append(trace)
        os._exit = json.dumps = threading.Thread = trace
        """,
    )
    source = """
        def look():
            import atexit, gc, json, os, sys, threading
            threading.Thread(target=print).start()
            os.get_exec_path()
            return (sys.gettrace(), sys.getprofile(), threading.gettrace(), sys.excepthook is sys.__excepthook__,
                    sys.monitoring.get_tool(1), "trace" in [call.__name__ for call in gc.callbacks],
                    type(os._exit).__name__, json.dumps([1]))
        with SubInterpreterEnv() as interp:
            print(interp.call(look), flush=True)
        print(sys.gettrace() is not None, sys.monitoring.get_tool(1))
    """
    ran = inside(project, f"import sys\n{textwrap.dedent(source)}", env={"PYTHONPATH": "startup"} | UNMEASURED)

    inner = "(None, None, None, True, None, False, 'builtin_function_or_method', '[1]')"
    assert ran == f"\n{inner}\nTrue startup\nan exit handler ran\n"


def test_the_path_is_the_standard_library_and_the_lock(project: Project) -> None:
    # As documented, "Replace sys.path with lockfile paths + stdlib only"
    def program(lock):
        import os

        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            interp.configure_from_lock(lock)
            *library, view, last = interp.eval_json("import sys; result = sys.path")
            prefix = interp.eval_json("import sys; result = sys.prefix")
            print(view.startswith(prefix), last.endswith("packages/site-packages"))
            print(all(os.path.basename(p)[:6] in ("python", "lib-dy") for p in library))

    assert inside(project, program) == "True True\nTrue\n"


def test_imports_metadata_resources_and_namespaces_work_inside(project: Project) -> None:
    source = """
        CODE = '''
        import alpha.late, importlib.metadata as m, importlib.resources as r, inspect, pkgutil
        result = [alpha.late.NAME, m.version("alpha"), sorted(d.name for d in m.distributions()),
                  r.files("alpha").joinpath("data.txt").read_text(), inspect.getsource(alpha.late),
                  "alpha" in [n.name for n in pkgutil.iter_modules()]]
        '''
        with SubInterpreterEnv() as interp, SubInterpreterEnv() as other:
            interp.configure_from_lock(lock)
            print(interp.eval_json(CODE))
            other.configure_from_lock(lock, "other")
            print(other.eval_json("import space.a, space.b; result = len(list(space.__path__))"))
    """
    first = "['alpha.late', '1.0', ['alpha', 'wrap'], 'some data\\n', 'NAME = __name__\\n', True]"

    assert inside(project, source) == f"{first}\n1\n"  # one folder of the view, in which both portions lie


def test_a_missing_module_is_explained_inside(project: Project) -> None:
    def program(lock):
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            interp.configure_from_lock(lock)
            try:
                interp.run_string("import gamma")
            except RuntimeError as error:
                print(error)

    assert "environment 'default' of" in inside(project, program)


def test_an_unknown_environment_is_a_value_error_that_names_those_there_are(project: Project) -> None:
    # As documented, "Raises ValueError if env_name is not found"
    def program(lock):
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            try:
                interp.configure_from_lock(lock, env_name="nothing")
            except ValueError as error:
                print(error.message, error.environments)
            print(interp.configure_from_lock(lock))

    assert inside(project, program) == "the lock holds no environment 'nothing' default, other\n2\n"


def test_a_lock_that_is_missing_or_was_never_installed_says_so(project: Project) -> None:
    def program():
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            for lock in "nowhere.yaml", "envknit.yaml":
                try:
                    interp.configure_from_lock(lock)
                except Exception as error:
                    told = isinstance(error, (ValueError, OSError)), bool(getattr(error, "hint", 1))
                    print(type(error).__name__, *told)

    out = inside(project, program).splitlines()

    assert out[0] == "FileNotFoundError True True"
    assert out[1].endswith("True True")


def test_it_is_configured_once(project: Project) -> None:
    def program(lock):
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            print(interp.configure_from_lock(lock), interp.configure_from_lock(lock))
            try:
                interp.configure_from_lock(lock, "other")
            except RuntimeError as error:
                print(error.message, error.hint)

    assert inside(project, program) == (
        "2 2\nthe interpreter has an environment already make another SubInterpreterEnv\n"
    )


def test_without_a_result_eval_json_gives_an_empty_dict(project: Project) -> None:
    # As documented, "Returns {} if result is not defined"
    def program():
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            print(interp.eval_json("x = 1"), interp.eval_json("result = x"), interp.eval_json("y = 2"))
            interp.run_string("def double(n): return 2 * n")
            print(interp.eval_json("result = [None, 1.5, 'ä', {'a': (double(2), True)}]"))

    assert inside(project, program) == "{} 1 {}\n[None, 1.5, 'ä', {'a': [4, True]}]\n"


def test_large_results_arrive(project: Project) -> None:
    def program():
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            for code in "'a' * 5_000_000", "list(range(700_000))", "{'x': 'ä' * 3_000_000}":
                print(interp.eval_json("result = " + code) == eval(code))
            print(len(interp.call(lambda n: ["b" * n, b"c" * n, bytearray(n)], 2_000_000)[1]))

    assert inside(project, program) == "True\nTrue\nTrue\n2000000\n"


@pytest.mark.parametrize("method", ["eval_json", "run_string"])
def test_errors_inside_are_runtime_errors_with_the_inner_traceback(project: Project, method: str) -> None:
    # As documented, "RuntimeError: sub-interpreter code raised an exception"
    source = f"""
        with SubInterpreterEnv("mine") as interp:
            try:
                interp.{method}("def deep():\\n    raise KeyError('k')\\n\\ndeep()")
            except RuntimeError as error:
                print(error, repr(error.__cause__))
            try:
                interp.{method}("import sys; sys.exit(3)")
            except RuntimeError as error:
                print(error.message)
            try:
                interp.{method}("not python code")
            except RuntimeError as error:
                print(error.message[:27])
    """
    out = inside(project, source)

    assert out.startswith("the code raised KeyError: 'k'\n  interpreter: mine\n")
    assert "line 2, in deep\n    raise KeyError('k')\n" in out
    assert "interpreter/inside.py" not in out
    assert "KeyError('k')\nthe code raised WorkerError: SystemExit: 3\nthe code raised SyntaxError\n" in out


def test_a_result_that_is_not_json_is_an_error(project: Project) -> None:
    def program():
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            try:
                interp.eval_json("result = {1, 2}")
            except RuntimeError as error:
                print(error.message)

    assert inside(project, program) == "the code raised TypeError: Object of type set is not JSON serializable\n"


def test_try_import_tells_loaded_from_missing_and_from_failing(project: Project) -> None:
    # As documented, "True: Module loaded successfully"; "ImportError: Module not found or unrelated import failure"
    def program(lock):
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            interp.configure_from_lock(lock)
            print(interp.try_import("alpha"), interp.try_import("alpha.late"), interp.try_import("json"))
            for name in "nowhere", "alpha.nowhere", "alpha.needy", "alpha.broken", "", ".relative":
                try:
                    interp.try_import(name)
                except ImportError as error:
                    print(type(error).__name__, error)

    relative = "the 'package' argument is required to perform a relative import for '.relative'"

    assert inside(project, program).splitlines() == [
        "True True True",
        "ModuleNotFoundError No module named 'nowhere'",
        "ModuleNotFoundError No module named 'alpha.nowhere'",
        "ModuleNotFoundError No module named 'nowhere_to_be_found'",
        "ImportError the import of alpha.broken raised ZeroDivisionError: division by zero",
        "ImportError the import of  raised ValueError: Empty module name",
        f"ImportError the import of .relative raised TypeError: {relative}",
    ]


def test_a_module_name_is_data_and_never_code(project: Project) -> None:
    # As documented, "never interpolated into Python code — preventing code injection"
    def program():
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            for name in "os; open('hacked', 'w')", "os\nopen('hacked', 'w')", "'); open('hacked', 'w'); ('":
                try:
                    interp.try_import(name)
                except ImportError as error:
                    print(error.name == name)
        import os

        print(os.path.exists("hacked"))

    assert inside(project, program) == "True\nTrue\nTrue\nFalse\n"


def test_the_standard_library_works_inside_and_the_process_ends_well(project: Project) -> None:
    # CPython 3.12.0 to 3.12.3 abort at exit after such calls (gh-119213)
    source = """
        CODE = '''
        import array, asyncio, bz2, csv, datetime, decimal, fractions, hashlib, json, lzma, math, pickle, queue, random
        import re, socket, sqlite3, ssl, struct, subprocess, tempfile, threading, uuid, zlib, zipfile
        from concurrent.futures import ThreadPoolExecutor
        queue.SimpleQueue().put(1, block=True)
        with ThreadPoolExecutor(2) as pool:
            added = sum(pool.map(abs, [1, -2]))
        result = [math.isclose(1, 1, rel_tol=0.1), hashlib.md5(b"", usedforsecurity=False).hexdigest()[:4],
                  len(zlib.compress(b"a" * 100, level=9)), asyncio.run(asyncio.sleep(0, "slept")), added,
                  str(decimal.Decimal("1.10")), datetime.date(2024, 1, 2).isoformat(),
                  pickle.loads(pickle.dumps({1}, protocol=5)) == {1},
                  sqlite3.connect(":memory:").execute("select 1").fetchone(), ssl.OPENSSL_VERSION[:7]]
        '''
        for gil in "own", "shared":
            with SubInterpreterEnv(gil=gil) as interp:
                print(interp.eval_json(CODE))
    """
    expected = "[True, 'd41d', 12, 'slept', 3, '1.10', '2024-01-02', True, [1], 'OpenSSL']\n"

    assert inside(project, source) == expected * 2


def test_nothing_leaks_into_the_host(project: Project) -> None:
    def program(lock):
        import os
        import signal
        import sys

        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            interp.configure_from_lock(lock, "other")

        def looks():
            return (
                set(sys.modules),
                os.getcwd(),
                [signal.getsignal(n) for n in signal.valid_signals()],
                sys.stdout,
                list(sys.path),
                list(sys.meta_path),
                dict(os.environ),
                os.listdir("/proc/self/fd"),
                sys.flags,
            )

        c_environ = os.popen("env").read()
        looks()
        before = looks()
        for gil in "own", "shared":
            with SubInterpreterEnv(gil=gil) as interp:
                interp.configure_from_lock(lock, "other")
                interp.run_string("import alpha, logging, signal, sys; sys.stdout = None; logging.basicConfig()")
        after = looks()
        print([a == b for a, b in zip(before, after, strict=True)], "alpha" in sys.modules)
        print(os.popen("env").read() == c_environ)

    if sys.platform != "linux":
        pytest.skip("looks into /proc")

    assert inside(project, program) == f"{[True] * 9} False\nTrue\n"


def test_output_comes_in_the_order_in_which_it_was_printed(project: Project) -> None:
    def program():
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            for number in range(3):
                print("host", number, flush=True)
                interp.run_string(f"print('inside', {number})")

    assert inside(project, program) == "".join(f"host {n}\ninside {n}\n" for n in range(3))


def test_wrong_arguments_are_told_at_once(project: Project) -> None:
    def program(lock):
        from envknit import SubInterpreterEnv

        for call in (
            lambda i: SubInterpreterEnv(gil="mine"),
            lambda i: i.run_string(1),
            lambda i: i.eval_json(b""),
            lambda i: i.try_import(None),
            lambda i: i.configure_from_lock(lock, None),
        ):
            with SubInterpreterEnv() as interp:
                try:
                    call(interp)
                except (TypeError, ValueError) as error:
                    print(type(error).__name__, error)

    assert inside(project, program).splitlines() == [
        "ValueError gil must be 'own' or 'shared', not 'mine'",
        "TypeError code must be a str, not int",
        "TypeError code must be a str, not bytes",
        "TypeError a module's name must be a str, not NoneType",
        "TypeError env_name must be a str, not NoneType",
    ]
