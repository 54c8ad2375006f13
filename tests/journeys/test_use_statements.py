"""What the Python API document (seed 001) says about `use` and its family: each test names the statement it checks.

Statements that test_use.py and test_configure.py cite are not repeated here; those about `worker()` are in
test_worker_statements.py, those about `SubInterpreterEnv` in test_interpreter.py.
"""

from __future__ import annotations

import importlib.metadata
import inspect
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import TYPE_CHECKING

import pytest

import envknit
import envknit.isolation
import envknit.isolation.import_hook
from kit.interpreters import HAS
from kit.planned import EXTENSION, write_packages, write_plans

if TYPE_CHECKING:
    from kit import Machine, Project


def lib(version: str) -> dict[str, str]:
    """Return a pure package with a dependency, a submodule, a class and a count of its executions."""
    return {
        "lib/__init__.py": f"""\
import os, sys
import dep
__version__ = {version!r}
sys.lib_runs = [*getattr(sys, "lib_runs", ()), __version__]
class Thing: pass
def check(thing): return isinstance(thing, Thing)
def fill(things): things.append(__version__)
def pid(): return os.getpid()
""",
        "lib/sub.py": f"WHO = {version!r}\n",
    }


# Its extension module is no real one, and optional: what refuses it is that the file is there
NATIVE = {
    "native/__init__.py": "import os\n__version__ = '1.0'\ndef pid(): return os.getpid()\ndef echo(v): return v\n",
    f"native/core.{EXTENSION}": "",
}
PACKAGES = {
    "lib==1.0": lib("1.0"),
    "lib==2.0": lib("2.0"),
    "dep==1.0": {"dep.py": "VERSION = '1.0'\n"},
    "dep==2.0": {"dep.py": "VERSION = '2.0'\n"},
    "native==1.0": NATIVE,
    "tool==1.0": {"tool.py": ""},
}
ENVIRONMENTS = {
    "default": {"lib==2.0": ("dep==2.0",), "dep==2.0": (), "tool==1.0": ()},
    "ml": {"lib==1.0": ("dep==1.0",), "dep==1.0": (), "native==1.0": (), "tool==1.0": ()},
}
CONFIGURED = "import envknit; envknit.configure_from_lock('locks/envknit.lock.yaml')\n"
VERSION = """\
def version():
    import lib
    return lib.__version__
"""


class Program:
    """A project whose lock nothing activates by itself: programs of it call `configure_from_lock`."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def run(self, source: str, *, configured: bool = True) -> str:
        """Run a program; the usual one has a configured lock and a function `version()`."""
        start = CONFIGURED if configured else "import envknit\n"
        return self.project.code(start + VERSION + inspect.cleandoc(source) + "\n").out


@pytest.fixture(name="program")
def _program(machine: Machine) -> Program:
    project = machine.project()
    write_packages(machine.home, PACKAGES)
    write_plans(machine.home, project.root / "locks/envknit.lock.yaml", ENVIRONMENTS)
    return Program(project)


def test_it_requires_python_3_10_or_newer() -> None:
    """001, installation and the last row of the table: 3.10+."""
    assert importlib.metadata.metadata("envknit")["Requires-Python"].startswith(">=3.10")


def test_every_name_is_at_the_path_that_the_document_imports_it_from() -> None:
    """001: all from `envknit`; threads from `envknit.isolation`; the errors from `envknit.isolation.import_hook`."""
    for name in "configure_from_lock", "use", "worker", "import_version", "set_default", "enable", "disable":
        assert callable(getattr(envknit, name))
    for name in "ContextThread", "ContextExecutor", "context_wrap":
        assert getattr(envknit.isolation, name) is getattr(envknit, name)
    for name in "CExtensionError", "SchemaVersionError":
        assert getattr(envknit.isolation.import_hook, name) is getattr(envknit, name)


def test_configure_from_lock_has_the_documented_parameters() -> None:
    """001, its table: lock_path is required, env is None, auto_install is True; it returns an int."""
    parameters = inspect.signature(envknit.configure_from_lock).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert defaults == {"lock_path": inspect.Parameter.empty, "env": None, "auto_install": True}


def test_all_packages_are_registered_and_the_hook_is_installed(program: Program) -> None:
    """001: it reads the lock, registers every package, and installs the import hook.

    Ours is an entry of `sys.path` with a finder of its own for what is resident, and a finder on `sys.meta_path` for
    the other versions. The promise: afterwards plain imports and `use` of each registered version work.
    """
    program.run(
        """
        import sys, importlib
        for name in ("lib", "dep", "tool"):
            try: importlib.import_module(name)
            except ModuleNotFoundError: pass
            else: raise SystemExit(name)
        before = list(sys.meta_path), list(sys.path)
        assert envknit.configure_from_lock("locks/envknit.lock.yaml") == 6
        assert (sys.meta_path, sys.path) != before
        import lib, dep, tool
        for name, number in {("lib", "1.0"), ("lib", "2.0"), ("dep", "1.0"), ("dep", "2.0"), ("tool", "1.0")}:
            with envknit.use(name, number) as module: assert module
        """,
        configured=False,
    )


def test_the_lock_is_given_as_a_string_or_a_path(program: Program) -> None:
    """001, type of lock_path: str | Path."""
    program.run(
        """
        from pathlib import Path
        assert envknit.configure_from_lock("locks/envknit.lock.yaml", env="default") == 3
        assert envknit.configure_from_lock(Path("locks/envknit.lock.yaml"), env="default") == 3
        """,
        configured=False,
    )


def test_without_env_all_environments_are_merged_and_equal_pins_count_once(program: Program) -> None:
    """001, env: None merges all environments, without the duplicates of name and version (tool 1.0 is in both)."""
    out = program.run(
        """
        n = envknit.configure_from_lock("locks/envknit.lock.yaml")
        print(f"Registered {n} packages")
        a, b = (envknit.configure_from_lock("locks/envknit.lock.yaml", env=e) for e in ("default", "ml"))
        assert (a, b) == (3, 4)
        with envknit.use("tool", "1.0", env="default") as one, envknit.use("tool", "1.0", env="ml") as two:
            assert one is two
        """,
        configured=False,
    )
    assert out == "Registered 6 packages\n"


def test_auto_install_calls_enable_and_without_it_that_is_left_to_you(program: Program) -> None:
    """001, auto_install: True calls `enable()`; False leaves plain imports alone until you do."""
    program.run(
        """
        import importlib.util
        assert envknit.configure_from_lock("locks/envknit.lock.yaml", auto_install=False) == 6
        assert importlib.util.find_spec("lib") is None
        envknit.enable()
        assert version() == "2.0"
        """,
        configured=False,
    )


def test_a_schema_of_our_major_is_read_and_a_newer_major_says_upgrade(program: Program) -> None:
    """001: only a newer *major* raises SchemaVersionError; supported is 1; the solution is to upgrade with pip."""
    for number in "1.9", "2.0", "10.0":
        name = f"schema{number.partition('.')[0]}.yaml"
        program.project.write(name, f'schema_version: "{number}"\nenvironments: {{default: []}}\n')
    program.run(
        """
        assert envknit.configure_from_lock("schema1.yaml") == 0
        for lock in ("schema2.yaml", "schema10.yaml"):
            try: envknit.configure_from_lock(lock)
            except ValueError as error:
                assert type(error) is envknit.SchemaVersionError
                assert "pip install --upgrade" in error.hint, error.hint
            else: raise SystemExit(lock)
        try: envknit.configure_from_lock("nowhere.yaml")
        except FileNotFoundError: pass
        else: raise SystemExit("nowhere.yaml")
        """,
        configured=False,
    )


def test_a_block_holds_for_its_duration_and_is_then_removed(program: Program) -> None:
    """001, first example: inside it is the version asked for; after it the override is gone, also after an error."""
    program.run("""
        with envknit.use("lib", "1.0"):
            import lib
            assert lib.__version__ == "1.0"
        assert version() == "2.0"
        try:
            with envknit.use("lib", "1.0"):
                assert version() == "1.0"
                raise KeyError
        except KeyError: pass
        assert version() == "2.0"
    """)


def test_the_override_is_a_context_variable_of_the_current_context(program: Program) -> None:
    """001, step 1: it is set in the current context, so a copied context has it and another does not."""
    program.run("""
        import contextvars
        outside = contextvars.copy_context()
        with envknit.use("lib", "1.0"):
            inside = contextvars.copy_context()
            assert version() == "1.0" and outside.run(version) == "2.0"
        assert inside.run(version) == "1.0" and version() == "2.0"
        block = envknit.use("lib", "1.0")
        outside.run(block.__enter__)
        assert outside.run(version) == "1.0" and version() == "2.0"
    """)


def test_blocks_do_not_share_what_they_cache_across_versions(program: Program) -> None:
    """001, step 2: a fresh module cache for the context.

    Ours is deliberately one module per version in the process: blocks of different versions never meet, and blocks
    of one version get one module, executed once.
    """
    program.run("""
        import sys
        with envknit.use("lib", "1.0"):
            import lib as one
        with envknit.use("lib", "2.0"):
            import lib as other
        with envknit.use("lib", "1.0"):
            import lib as again
        assert again is one and one is not other and one.__dict__ is not other.__dict__
        assert one.Thing is not other.Thing and sys.lib_runs == ["1.0", "2.0"]
    """)


def test_the_spec_points_to_the_install_path_of_the_version(program: Program) -> None:
    """001, step 3: with the override active, the spec of the import lies in that version's folder."""
    program.run("""
        for number in ("1.0", "2.0"):
            with envknit.use("lib", number):
                import lib, lib.sub, dep
                assert f"/lib-{number}-py3-" in lib.__spec__.origin, lib.__spec__
                assert lib.__file__ == lib.__spec__.origin and f"/lib-{number}-py3-" in lib.sub.__file__
                assert lib.sub.WHO == number and lib.dep.VERSION == number
    """)


def test_at_the_end_of_a_block_things_are_what_they_were_before_it(program: Program) -> None:
    """001, step 4: the values revert to what they were, which may be another open block."""
    program.run("""
        with envknit.use("lib", "1.0"):
            with envknit.use("lib", "2.0"), envknit.use("dep", "1.0"):
                import dep
                assert (version(), dep.VERSION) == ("2.0", "1.0")
            import dep
            assert (version(), dep.VERSION) == ("1.0", "2.0")
        assert version() == "2.0"
    """)


def test_the_plain_names_in_sys_modules_are_not_contaminated(program: Program) -> None:
    """001: modules of a block are cached apart from `sys.modules`, to keep the global registry clean.

    Ours are in `sys.modules`, under names of their own (`lib@1_0`), so that pickle, reload and debuggers find them;
    the promise holds for the plain names: none appears, none changes.
    """
    program.run("""
        import sys
        with envknit.use("lib", "1.0"):
            import lib, lib.sub
            assert not {"lib", "lib.sub", "dep"} & set(sys.modules)
            assert sys.modules[lib.__name__] is lib and lib.__name__ == "lib@1_0"
        assert not {"lib", "lib.sub", "dep"} & set(sys.modules)
        import lib, lib.sub, dep
        mine = {name: sys.modules[name] for name in ("lib", "lib.sub", "dep")}
        state = {name: dict(vars(module)) for name, module in mine.items()}
        with envknit.use("lib", "1.0"), envknit.use("dep", "1.0"):
            import lib, lib.sub, dep
            assert (lib.__version__, lib.sub.WHO, dep.VERSION) == ("1.0", "1.0", "1.0")
        assert all(sys.modules[name] is module for name, module in mine.items())
        assert all(vars(module) == state[name] for name, module in mine.items())
    """)


def test_concurrent_tasks_each_see_their_own_version(program: Program) -> None:
    """001, async example: two tasks gathered, one version each, no interference."""
    program.run("""
        import asyncio
        async def task(number):
            with envknit.use("lib", number):
                for _ in range(20):
                    import lib
                    assert lib.__version__ == number
                    await asyncio.sleep(0)
        async def main():
            await asyncio.gather(*(task(number) for number in ("2.0", "1.0") * 4))
            assert version() == "2.0"
        asyncio.run(main())
    """)


def test_a_task_inherits_the_parents_block_and_keeps_its_own_to_itself(program: Program) -> None:
    """001: a task gets a copy of its parent's state; what it sets is isolated to that copy."""
    program.run("""
        import asyncio
        async def child(opened, seen):
            assert version() == "1.0", "inherited"
            with envknit.use("lib", "2.0"):
                opened.set()
                await seen.wait()
                assert version() == "2.0"
        async def main():
            opened, seen = asyncio.Event(), asyncio.Event()
            with envknit.use("lib", "1.0"):
                task = asyncio.create_task(child(opened, seen))
                await opened.wait()
                assert version() == "1.0", "isolated"
            assert version() == "2.0"
            seen.set()
            await task
        asyncio.run(main())
    """)


def test_threads_with_blocks_of_their_own_do_not_meet(program: Program) -> None:
    """001: thread safety follows the same pattern."""
    program.run("""
        from threading import Barrier
        from concurrent.futures import ThreadPoolExecutor
        together = Barrier(4)
        def task(number):
            together.wait(10)
            with envknit.use("lib", number):
                together.wait(10)
                got = {version() for _ in range(200)}
                together.wait(10)
                return got
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(task, ["1.0", "2.0"] * 2)) == [{"1.0"}, {"2.0"}] * 2
        assert version() == "2.0"
    """)


def test_extension_files_are_refused_as_an_import_error_that_names_the_worker(program: Program) -> None:
    """001: `use` of a package with `.so`/`.pyd` files raises CExtensionError(ImportError); solution: `worker()`.

    Ours comes from `use()` itself, before the block's body; nothing of the package has run by then, and the process
    goes on as before.
    """
    assert inspect.signature(envknit.use).parameters["auto_worker"].default is False
    program.run(
        """
        import sys
        try:
            with envknit.use("native", "1.0"):
                raise SystemExit("the body ran")
        except ImportError as error:
            assert type(error) is envknit.CExtensionError and "envknit.worker('native', '1.0')" in error.hint
        assert not [name for name in sys.modules if name.startswith("native")]
        with envknit.use("lib", "1.0"): assert version() == "1.0"
        with envknit.worker("native", "1.0") as native: assert native.echo(3) == 3
    """.replace("inspect_default", "__import__('inspect').signature(envknit.use).parameters['auto_worker'].default")
    )


def test_a_lock_with_install_paths_is_held_to_the_same(program: Program) -> None:
    """001: what counts are the files in the package's folder.

    Ours deliberately counts those that this interpreter could load: a `.pyd` on Linux is another platform's, so a
    package that carries one only for Windows is pure Python here.
    """
    root = program.project.root
    rows = ['schema_version: "1.0"', "environments:", "  default: []", "  other:"]
    for name, suffix in {"here": EXTENSION, "elsewhere": "cp313-win_amd64.pyd"}.items():
        program.project.write(f"paths/{name}/{name}/__init__.py", "")
        program.project.write(f"paths/{name}/{name}/core.{suffix}", "")
        rows.append(f"    - {{name: {name}, version: '1.0', install_path: {root / 'paths' / name}, dependencies: []}}")
    program.project.write("paths.yaml", "\n".join(rows) + "\n")
    program.run(
        """
        assert envknit.configure_from_lock("paths.yaml", env="default") == 0
        assert envknit.configure_from_lock("paths.yaml", env="other") == 2
        """,
        configured=False,
    )
    program.run("""
        envknit.configure_from_lock("paths.yaml", auto_install=False)
        try: envknit.use("here", "1.0")
        except envknit.CExtensionError as error: assert "here 1.0" in str(error), error
        else: raise SystemExit
        with envknit.use("elsewhere", "1.0") as module: assert module.__name__ == "elsewhere@1_0"
    """)


def test_auto_worker_gives_the_module_or_a_proxy_behind_one_interface(program: Program) -> None:
    """001: pure Python comes as the module, in this process; a C extension as ModuleProxy, by IPC; same statement."""
    program.run("""
        import os, sys, types
        got = {}
        for name, number in {"lib": "1.0", "native": "1.0"}.items():
            with envknit.use(name, number, auto_worker=True) as module:
                got[name] = module.__version__, type(module).__name__, module.pid() == os.getpid()
                if name == "lib":
                    import lib
                    assert module is lib and isinstance(module, types.ModuleType)
        assert got["native"] == ("1.0", "ModuleProxy", False), got
        assert got["lib"][0] == "1.0" and got["lib"][2] is True, got
        assert not [name for name in sys.modules if name.startswith("native")]
        blocks = [envknit.use("lib", "1.0", auto_worker=True), envknit.use("native", "1.0", auto_worker=True)]
        assert all(hasattr(block, "__enter__") and hasattr(block, "__exit__") for block in blocks)
    """)


def test_worker_is_for_isolation_whatever_the_package_and_for_a_timeout(program: Program) -> None:
    """001, when to call it directly: a process also for pure Python; control of `timeout`, which `use` has not."""
    assert "timeout" in inspect.signature(envknit.worker).parameters
    assert "timeout" not in inspect.signature(envknit.use).parameters
    program.run("""
        import os, sys
        with envknit.worker("lib", "1.0", timeout=20) as lib:
            assert lib.pid() != os.getpid() and lib.__version__ == "1.0"
        assert not hasattr(sys, "lib_runs"), "nothing of it ran here"
    """)


def test_import_version_returns_the_module_and_opens_no_block(program: Program) -> None:
    """001: it imports once and returns the module; no context block, so plain imports stay; the alias resolves."""
    program.run("""
        import sys
        old = envknit.import_version("lib", "1.0")
        assert old.__version__ == "1.0" and version() == "2.0"
        assert envknit.import_version("lib", "1.0", alias="lib_v1") is old
        import lib_v1
        assert lib_v1 is old and sys.lib_runs == ["1.0", "2.0"]
        with envknit.use("lib", "1.0") as block:
            assert block is old, "the same version, as use() gives it"
    """)


def test_the_default_applies_around_blocks_which_win(program: Program) -> None:
    """001, its example: the default, the override wins inside, the default again."""
    program.run("""
        envknit.set_default("lib", "1.0")
        assert version() == "1.0"
        with envknit.use("lib", "2.0"):
            assert version() == "2.0"
        assert version() == "1.0"
    """)


def test_set_default_after_configuring_overrides_the_first_registered(program: Program) -> None:
    """001: the first registered version is the default; call `set_default` afterwards to override it."""
    program.run("""
        assert version() == "2.0", "default is the first environment"
        envknit.set_default("lib", "1.0")
        assert version() == "1.0"
        envknit.configure_from_lock("locks/envknit.lock.yaml")
        assert version() == "1.0", "an explicit choice stays"
    """)


def test_enable_and_disable_install_and_remove_the_hook(program: Program) -> None:
    """001: by hand as configure does it; again changes nothing; removed, imports are Python's own."""
    program.run(
        """
        import sys
        program = list(sys.path)
        envknit.configure_from_lock("locks/envknit.lock.yaml", auto_install=False)
        envknit.enable()
        placed = list(sys.meta_path), list(sys.path), list(sys.path_hooks)
        envknit.enable(); envknit.enable()
        assert placed == (sys.meta_path, sys.path, sys.path_hooks)
        import tool
        envknit.disable()
        assert sys.path == program
        try: import lib
        except ModuleNotFoundError: pass
        else: raise SystemExit
        """,
        configured=False,
    )


def test_strict_is_off_by_default_and_unregistered_imports_fall_through(program: Program) -> None:
    """001: `strict=False` is the default, and falls through to the next finder; strict raises ImportError."""
    assert inspect.signature(envknit.enable).parameters["strict"].default is False
    program.project.write("../elsewhere/stranger.py", "")
    program.project.write("../elsewhere/other.py", "")
    program.run("""
        import sys
        sys.path.append("../elsewhere")
        envknit.enable(strict=True)
        try: import stranger
        except ImportError: pass
        else: raise SystemExit
        envknit.enable()
        import stranger
        envknit.enable(strict=False)
        import other
    """)


def test_the_wrappers_are_what_the_table_says() -> None:
    """001, its table: subclasses of Thread and ThreadPoolExecutor, and a function that returns a closure."""
    assert issubclass(envknit.ContextThread, Thread)
    assert issubclass(envknit.ContextExecutor, ThreadPoolExecutor)
    wrapped = envknit.context_wrap(len)
    assert inspect.isfunction(wrapped)
    assert wrapped.__closure__
    assert wrapped([1, 2]) == 2


def test_a_plain_thread_drops_the_block_silently(program: Program) -> None:
    """001: `threading.Thread` does not inherit context variables (but where Python itself is told to)."""
    program.run("""
        import sys, threading
        got = []
        with envknit.use("lib", "1.0"):
            thread = threading.Thread(target=lambda: got.append(version()))
            thread.start(); thread.join()
        inherits = getattr(sys.flags, "thread_inherit_context", 0)
        assert got == ["1.0" if inherits else "2.0"]
    """)


def test_a_context_thread_takes_the_context_where_it_is_made(program: Program) -> None:
    """001: the snapshot is of `__init__`, not of `start()`; it holds after the block, and after a later block."""
    program.run("""
        got = []
        def target(): got.append(version())
        with envknit.use("lib", "1.0"):
            inside = envknit.ContextThread(target=target)
        outside = envknit.ContextThread(target=target)
        inside.start(); inside.join()
        with envknit.use("lib", "1.0"):
            outside.start(); outside.join()
        assert got == ["1.0", "2.0"]
    """)


def test_a_context_executor_takes_the_context_where_a_task_is_submitted(program: Program) -> None:
    """001: the snapshot is of `submit()`, whenever the pool and its threads were made."""
    program.run("""
        with envknit.ContextExecutor(max_workers=1) as pool:
            before = pool.submit(version)
            with envknit.use("lib", "1.0"):
                within = pool.submit(version)
            after = pool.submit(version)
            assert [each.result() for each in (before, within, after)] == ["2.0", "1.0", "2.0"]
    """)


def test_context_wrap_takes_the_context_where_it_is_called(program: Program) -> None:
    """001: a one-shot wrapper of a callable; the snapshot is of the call of `context_wrap`."""
    program.run("""
        import threading
        got = []
        def target(): got.append(version())
        outside = envknit.context_wrap(target)
        with envknit.use("lib", "1.0"):
            inside = envknit.context_wrap(target)
            outside()
        thread = threading.Thread(target=inside)
        thread.start(); thread.join()
        assert got == ["2.0", "1.0"]
    """)


def test_isinstance_works_and_memory_is_shared_in_process(program: Program) -> None:
    """001, rows `isinstance`, memory, performance: in-process objects, of classes that are the block's own."""
    program.run("""
        things = []
        with envknit.use("lib", "1.0") as lib:
            thing = lib.Thing()
            assert isinstance(thing, lib.Thing) and lib.check(thing)
            lib.fill(things)
        assert things == ["1.0"], "the very list, no copy"
        assert lib.check(thing), "and after the block"
    """)


def test_isolation_is_soft_and_global_state_is_partly_shared(program: Program) -> None:
    """001, rows isolation and global state: the package's own globals are apart, the process's are not."""
    program.run("""
        import logging, os
        with envknit.use("lib", "1.0") as old:
            import lib
            lib.SETTING = "old"
            lib.os.environ["SET_BY"] = "old"
            logging.getLogger("lib").setLevel(7)
        import lib
        assert not hasattr(lib, "SETTING") and old.SETTING == "old"
        assert os.environ["SET_BY"] == "old" and logging.getLogger("lib").level == 7
    """)


def test_use_is_for_pure_python_and_fast_and_worker_for_any_package_and_slow(program: Program) -> None:
    """001, rows package type, extension support and performance, and the first two rules of thumb."""
    program.run("""
        import os, time
        def cost(module):
            best = 1.0
            for _ in range(20):
                begin = time.perf_counter()
                module.pid()
                best = min(best, time.perf_counter() - begin)
            return best
        with envknit.use("lib", "1.0") as used, envknit.worker("lib", "1.0") as pure:
            with envknit.worker("native", "1.0") as native:
                assert len({used.pid(), pure.pid(), native.pid()}) == 3 and used.pid() == os.getpid()
                assert cost(used) < min(cost(pure), cost(native))
        try: envknit.use("native", "1.0")
        except envknit.CExtensionError: pass
        else: raise SystemExit
    """)


@pytest.mark.skipif(not HAS, reason="sub-interpreters need CPython 3.12")
def test_a_sub_interpreter_is_for_logging_configuration_that_conflicts(program: Program) -> None:
    """001, rule of thumb: hard isolation of `sys.modules` in this process, 3.12+: logging, global registries."""
    program.run("""
        import logging, os, sys
        with envknit.SubInterpreterEnv("ml") as interp:
            interp.configure_from_lock("locks/envknit.lock.yaml", env_name="ml")
            got = interp.eval_json('''
        import lib, logging
        logging.getLogger("lib").setLevel(7)
        result = {"version": lib.__version__, "pid": lib.pid(), "level": logging.getLogger("lib").level}
        ''')
        assert got == {"version": "1.0", "pid": os.getpid(), "level": 7}, got
        assert logging.getLogger("lib").level == 0 and "lib" not in sys.modules
        assert version() == "2.0"
    """)
