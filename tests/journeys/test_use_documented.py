"""What the documentation of the Python API promises of blocks, `import_version` and the choice of isolation."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

import envknit
from kit.interpreters import HAS
from kit.planned import EXTENSION
from kit.versions import Configured, configured_project

if TYPE_CHECKING:
    from kit import Machine


@pytest.fixture(name="configured")
def _configured(machine: Machine) -> Configured:
    return configured_project(machine)


def test_a_block_holds_for_its_duration_and_is_then_removed(configured: Configured) -> None:
    """Inside it is the version asked for; after it the override is gone, also after an error."""

    def program(version):
        with envknit.use("lib", "1.0"):
            import lib

            assert lib.__version__ == "1.0"
        assert version() == "2.0"
        try:
            with envknit.use("lib", "1.0"):
                assert version() == "1.0"
                raise KeyError
        except KeyError:
            pass
        assert version() == "2.0"

    configured.run(program)


def test_blocks_do_not_share_what_they_cache_across_versions(configured: Configured) -> None:
    """A fresh module cache for the context.

    Ours is deliberately one module per version in the process: blocks of different versions never meet, and blocks
    of one version get one module, executed once.
    """

    def program():
        import sys

        with envknit.use("lib", "1.0"):
            import lib as one
        with envknit.use("lib", "2.0"):
            import lib as other
        with envknit.use("lib", "1.0"):
            import lib as again
        assert again is one and one is not other and one.__dict__ is not other.__dict__
        assert one.Thing is not other.Thing and sys.lib_runs == ["1.0", "2.0"]

    configured.run(program)


def test_the_spec_points_to_the_install_path_of_the_version(configured: Configured) -> None:
    """With the override active, the spec of the import lies in that version's folder."""

    def program():
        import os

        for number in ("1.0", "2.0"):
            with envknit.use("lib", number):
                import dep
                import lib
                import lib.sub

                assert f"/lib-{number}-py3-" in os.path.realpath(lib.__spec__.origin), lib.__spec__
                assert lib.__file__ == lib.__spec__.origin
                assert f"/lib-{number}-py3-" in os.path.realpath(lib.sub.__file__)
                assert lib.sub.WHO == number and lib.dep.VERSION == number

    configured.run(program)


def test_at_the_end_of_a_block_things_are_what_they_were_before_it(configured: Configured) -> None:
    """The values revert to what they were, which may be another open block."""

    def program(version):
        with envknit.use("lib", "1.0"):
            with envknit.use("lib", "2.0"), envknit.use("dep", "1.0"):
                import dep

                assert (version(), dep.VERSION) == ("2.0", "1.0")
            import dep

            assert (version(), dep.VERSION) == ("1.0", "2.0")
        assert version() == "2.0"

    configured.run(program)


def test_the_plain_names_in_sys_modules_are_not_contaminated(configured: Configured) -> None:
    """Modules of a block are cached apart from `sys.modules`, to keep the global registry clean.

    Ours are in `sys.modules`, under names of their own (`lib@1_0`), so that pickle, reload and debuggers find them;
    the promise holds for the plain names: none appears, none changes.
    """

    def program():
        import sys

        with envknit.use("lib", "1.0"):
            import lib
            import lib.sub

            assert not {"lib", "lib.sub", "dep"} & set(sys.modules)
            assert sys.modules[lib.__name__] is lib and lib.__name__ == "lib@1_0"
        assert not {"lib", "lib.sub", "dep"} & set(sys.modules)
        import dep
        import lib
        import lib.sub

        mine = {name: sys.modules[name] for name in ("lib", "lib.sub", "dep")}
        state = {name: dict(vars(module)) for name, module in mine.items()}
        with envknit.use("lib", "1.0"), envknit.use("dep", "1.0"):
            import dep
            import lib
            import lib.sub

            assert (lib.__version__, lib.sub.WHO, dep.VERSION) == ("1.0", "1.0", "1.0")
        assert all(sys.modules[name] is module for name, module in mine.items())
        assert all(vars(module) == state[name] for name, module in mine.items())

    configured.run(program)


def test_extension_files_are_refused_as_an_import_error_that_names_the_worker(configured: Configured) -> None:
    """`use` of a package with `.so`/`.pyd` files raises CExtensionError(ImportError); solution: `worker()`.

    Ours comes from `use()` itself, before the block's body; nothing of the package has run by then, and the process
    goes on as before.
    """
    assert inspect.signature(envknit.use).parameters["auto_worker"].default is False
    configured.run(
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


def test_a_lock_with_install_paths_is_held_to_the_same(configured: Configured) -> None:
    """What counts are the files in the package's folder.

    Ours deliberately counts those that this interpreter could load: a `.pyd` on Linux is another platform's, so a
    package that carries one only for Windows is pure Python here.
    """
    root = configured.project.root
    rows = ['schema_version: "1.0"', "environments:", "  default: []", "  other:"]
    for name, suffix in {"here": EXTENSION, "elsewhere": "cp313-win_amd64.pyd"}.items():
        configured.project.write(f"paths/{name}/{name}/__init__.py", "")
        configured.project.write(f"paths/{name}/{name}/core.{suffix}", "")
        rows.append(f"    - {{name: {name}, version: '1.0', install_path: {root / 'paths' / name}, dependencies: []}}")
    configured.project.write("paths.yaml", "\n".join(rows) + "\n")

    def program():
        assert envknit.configure_from_lock("paths.yaml", env="default") == 0
        assert envknit.configure_from_lock("paths.yaml", env="other") == 2

    configured.run(program, configured=False)

    def other():
        envknit.configure_from_lock("paths.yaml", auto_install=False)
        try:
            envknit.use("here", "1.0")
        except envknit.CExtensionError as error:
            assert "here 1.0" in str(error), error
        else:
            raise SystemExit
        with envknit.use("elsewhere", "1.0") as module:
            assert module.__name__ == "elsewhere@1_0"

    configured.run(other)


def test_auto_worker_gives_the_module_or_a_proxy_behind_one_interface(configured: Configured) -> None:
    """Pure Python comes as the module, in this process; a C extension as ModuleProxy, by IPC; same statement."""

    def program():
        import os
        import sys
        import types

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

    configured.run(program)


def test_worker_is_for_isolation_whatever_the_package_and_for_a_timeout(configured: Configured) -> None:
    """A process also for pure Python; control of `timeout`, which `use` has not."""
    assert "timeout" in inspect.signature(envknit.worker).parameters
    assert "timeout" not in inspect.signature(envknit.use).parameters

    def program():
        import os
        import sys

        with envknit.worker("lib", "1.0", timeout=20) as lib:
            assert lib.pid() != os.getpid() and lib.__version__ == "1.0"
        assert not hasattr(sys, "lib_runs"), "nothing of it ran here"

    configured.run(program)


def test_import_version_returns_the_module_and_opens_no_block(configured: Configured) -> None:
    """It imports once and returns the module; no context block, so plain imports stay; the alias resolves."""

    def program(version):
        import sys

        old = envknit.import_version("lib", "1.0")
        assert old.__version__ == "1.0" and version() == "2.0"
        assert envknit.import_version("lib", "1.0", alias="lib_v1") is old
        import lib_v1

        assert lib_v1 is old and sys.lib_runs == ["1.0", "2.0"]
        with envknit.use("lib", "1.0") as block:
            assert block is old, "the same version, as use() gives it"

    configured.run(program)


def test_isinstance_works_and_memory_is_shared_in_process(configured: Configured) -> None:
    """In-process objects, of classes that are the block's own."""

    def program():
        things = []
        with envknit.use("lib", "1.0") as lib:
            thing = lib.Thing()
            assert isinstance(thing, lib.Thing) and lib.check(thing)
            lib.fill(things)
        assert things == ["1.0"], "the very list, no copy"
        assert lib.check(thing), "and after the block"

    configured.run(program)


def test_isolation_is_soft_and_global_state_is_partly_shared(configured: Configured) -> None:
    """The package's own globals are apart, the process's are not."""

    def program():
        import logging
        import os

        with envknit.use("lib", "1.0") as old:
            import lib

            lib.SETTING = "old"
            lib.os.environ["SET_BY"] = "old"
            logging.getLogger("lib").setLevel(7)
        import lib

        assert not hasattr(lib, "SETTING") and old.SETTING == "old"
        assert os.environ["SET_BY"] == "old" and logging.getLogger("lib").level == 7

    configured.run(program)


def test_use_is_for_pure_python_and_fast_and_worker_for_any_package_and_slow(configured: Configured) -> None:
    """Package type, extension modules and performance, and the first two rules of thumb."""

    def program():
        import os
        import time

        def cost(module):
            best = 1.0
            for _ in range(20):
                begin = time.perf_counter()
                module.pid()
                best = min(best, time.perf_counter() - begin)
            return best

        with (
            envknit.use("lib", "1.0") as used,
            envknit.worker("lib", "1.0") as pure,
            envknit.worker("native", "1.0") as native,
        ):
            assert len({used.pid(), pure.pid(), native.pid()}) == 3 and used.pid() == os.getpid()
            assert cost(used) < min(cost(pure), cost(native))
        try:
            envknit.use("native", "1.0")
        except envknit.CExtensionError:
            pass
        else:
            raise SystemExit

    configured.run(program)


@pytest.mark.skipif(not HAS, reason="sub-interpreters need CPython 3.12")
def test_a_sub_interpreter_is_for_logging_configuration_that_conflicts(configured: Configured) -> None:
    """Hard isolation of `sys.modules` in this process, 3.12+: logging, global registries."""
    configured.run("""
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
