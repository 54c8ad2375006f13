"""`configure_from_lock`, `enable`, `disable` and strict mode."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kit.planned import write_packages, write_plans
from kit.programs import source_of

if TYPE_CHECKING:
    from pathlib import Path

    from kit import Machine, Project

PACKAGES = {
    "lib==1.0": {"lib.py": "import dep\nVERSION = '1.0'\nDEP = dep.VERSION\n"},
    "lib==2.0": {"lib.py": "import dep\nVERSION = '2.0'\nDEP = dep.VERSION\n"},
    "dep==1.0": {"dep.py": "VERSION = '1.0'\n"},
    "dep==2.0": {"dep.py": "VERSION = '2.0'\n"},
    "tool==1.0": {"tool.py": "import dep\nDEP = dep.VERSION\n"},
}
ENVIRONMENTS = {
    "default": {"lib==2.0": ("dep==2.0",), "dep==2.0": ()},
    "ml": {"lib==1.0": ("dep==1.0",), "dep==1.0": (), "tool==1.0": ("dep==1.0",)},
}
OTHER = {"default": {"tool==1.0": ("dep==2.0",), "dep==2.0": ()}}


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    """A project with a lock of two environments, which nothing activates by itself."""
    project = machine.project()
    write_packages(machine.home, PACKAGES)
    write_plans(machine.home, project.root / "locks/envknit.lock.yaml", ENVIRONMENTS)
    write_plans(
        machine.home, project.root / "locks/other.yaml", {"default": {"tool==1.0": ("dep==2.0",), "dep==2.0": ()}}
    )
    return project


def test_plain_imports_give_the_locked_versions(project: Project) -> None:
    """ "Now imports resolve to the locked versions automatically"; it returns how many were registered."""

    def program():
        import pathlib

        import envknit

        assert envknit.configure_from_lock(pathlib.Path("locks/envknit.lock.yaml")) == 5
        import dep
        import lib
        import tool

        assert (lib.VERSION, lib.DEP, dep.VERSION) == ("2.0", "2.0", "2.0")
        assert tool.DEP == "1.0", "only ml has it, with its own dependency"
        with envknit.use("lib", "1.0"):
            import lib

            assert (lib.VERSION, lib.DEP) == ("1.0", "1.0")
        assert envknit.configure_from_lock("locks/envknit.lock.yaml") == 5

    project.code(program)


def test_one_environment_can_be_chosen(project: Project) -> None:
    """ "Environment name to load"; the others stay within reach of `use()`."""

    def program():
        import envknit

        assert envknit.configure_from_lock("locks/envknit.lock.yaml", env="ml") == 3
        import importlib.metadata

        import lib
        import tool

        assert (lib.VERSION, tool.DEP, importlib.metadata.version("lib"), lib.__name__) == ("1.0", "1.0", "1.0", "lib")
        with envknit.use("lib", "2.0") as lib:
            assert (lib.VERSION, lib.DEP) == ("2.0", "2.0")
        try:
            envknit.configure_from_lock("locks/envknit.lock.yaml", env="nope")
        except envknit.errors.LockError as error:
            assert "'nope'" in str(error) and "default, ml" in str(error), error
        else:
            raise SystemExit

    project.code(program)


def test_an_explicit_choice_wins_over_the_lock_found_at_start_up(project: Project) -> None:
    def program():
        import envknit

        assert envknit.configure_from_lock("locks/envknit.lock.yaml", env="ml") == 3
        import lib

        assert lib.__name__ == "lib" and lib.VERSION == "1.0", "nothing was imported yet, so it is resident"
        with envknit.use("lib", "2.0") as new:
            assert new.__name__ == "lib@2_0"

    project.code(program, env={"ENVKNIT_LOCK": "locks/envknit.lock.yaml"})

    def other():
        import lib as before

        import envknit

        assert before.VERSION == "2.0"
        assert envknit.configure_from_lock("locks/envknit.lock.yaml", env="ml") == 3
        import lib
        import tool

        assert lib.VERSION == lib.DEP == tool.DEP == "1.0" and before.VERSION == before.DEP == "2.0"

    project.code(
        other,
        env={"ENVKNIT_LOCK": "locks/envknit.lock.yaml"},
    )


def test_several_locks_live_in_one_process(project: Project) -> None:
    def program():
        import envknit

        envknit.configure_from_lock("locks/envknit.lock.yaml", env="default")
        assert envknit.configure_from_lock("locks/other.yaml") == 2
        import dep
        import lib
        import tool

        assert (lib.VERSION, tool.DEP) == ("2.0", "2.0")
        assert envknit.import_version("tool", "1.0", env="ml").DEP == "1.0"

    project.code(program)


def test_without_auto_install_nothing_changes_until_enable(project: Project) -> None:
    """ "Set to False if you want to call enable() manually"; `enable()` is idempotent."""
    project.write("hosted/lib.py", "VERSION = 'host'\n")

    def program():
        import sys

        import envknit

        assert envknit.configure_from_lock("locks/envknit.lock.yaml", auto_install=False) == 5
        sys.path.append("hosted")
        import lib

        assert lib.VERSION == "host"
        del sys.modules["lib"], sys.path[-1]
        envknit.enable()
        envknit.enable(strict=False)
        finders = list(sys.meta_path)
        envknit.enable()
        assert sys.meta_path == finders and len({id(each) for each in finders}) == len(finders)
        import lib

        assert lib.VERSION == "2.0"

    project.code(program)


def test_disable_reverts_to_standard_behaviour_and_enable_comes_back(project: Project) -> None:
    """ "Remove the hook — imports revert to standard Python behavior"."""

    def program():
        import importlib
        import sys

        import envknit

        before = list(sys.path)
        envknit.configure_from_lock("locks/envknit.lock.yaml")
        envknit.set_default("lib", "1.0")
        import lib

        assert lib.VERSION == "1.0"
        envknit.disable()
        assert sys.path == before
        for name in ("lib", "dep", "tool"):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                pass
            else:
                raise SystemExit(name)
        with envknit.use("lib", "1.0") as still:
            assert still is lib
        envknit.disable()
        envknit.enable()
        import lib
        import tool

        assert lib.VERSION == "1.0" and tool.DEP == "1.0"
        envknit.set_default("lib", "2.0")
        import lib

        assert lib.VERSION == "2.0"

    project.code(program)


def test_disable_takes_away_what_enable_put_into_the_import_system(project: Project) -> None:
    watched = """
        import builtins, importlib._bootstrap, importlib.util, logging.config, pkgutil, sys
        def state():
            return [
                *sys.meta_path, *sys.path_hooks, *sys.path, builtins.__import__, importlib._bootstrap._gcd_import,
                importlib.util.find_spec, pkgutil.get_data, logging.config.BaseConfigurator.importer,
            ]
        before = state()
        import envknit
    """

    def program(before, state):
        import envknit

        for _ in range(2):
            envknit.configure_from_lock("locks/envknit.lock.yaml")
            import lib

            assert state() != before
            envknit.disable()
            assert state() == before, (before, state())

    project.code(source_of(watched) + source_of(program))
    project.code(
        watched
        + """
        import warnings
        envknit.configure_from_lock("locks/envknit.lock.yaml")
        with envknit.use("lib", "1.0"), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            envknit.disable()
            import lib
            assert lib.VERSION == "1.0" and "a use() block is open" in str(said[0].message), said
    """
    )


def test_what_the_host_had_stays_importable_behind_the_lock(project: Project) -> None:
    """ "Fall through to the next finder": a program that configures a lock could import its own packages before."""
    project.write("host/site-packages/mine.py", "")
    project.write("host/site-packages/lib.py", "VERSION = 'host'\n")
    program = """
        import sys
        sys.path.append("host/site-packages")
        import envknit
        for _ in range(2):
            envknit.configure_from_lock("locks/envknit.lock.yaml")
            import lib, mine
            assert lib.VERSION == "2.0", lib
            envknit.disable()
            envknit.enable(strict=False)
            import mine
            del sys.modules["mine"]
        envknit.enable(strict=True)
        for block in ({blocks}):
            with block:
                try: import mine
                except envknit.LinkError as error: assert error.name == "mine"
                else: raise SystemExit(str(block))
    """
    project.code(program.format(blocks="__import__('contextlib').nullcontext(),"))
    project.code(program.format(blocks="envknit.use('lib', '1.0'), envknit.use('ml')"))


def test_the_first_registered_version_is_the_default(project: Project) -> None:
    """ "the first registered version of each package becomes the default"."""

    def program():
        import envknit

        envknit.configure_from_lock("locks/envknit.lock.yaml", env="ml")
        envknit.configure_from_lock("locks/envknit.lock.yaml", env="default")
        import lib

        assert lib.VERSION == "1.0"
        envknit.set_default("lib", "2.0")
        import lib

        assert lib.VERSION == "2.0"

    project.code(program)


def test_strict_mode_refuses_what_nobody_locked(project: Project) -> None:
    """ "Install in strict mode — unregistered imports raise ImportError"."""
    project.write("own.py", "import lib\n")
    project.write("../elsewhere/stranger.py", "")

    def program():
        import importlib.util
        import sys

        import envknit

        envknit.configure_from_lock("locks/envknit.lock.yaml")
        sys.path.append("../elsewhere")
        envknit.enable(strict=True)
        import json
        import wave

        import lib
        import own
        import tool

        try:
            import stranger
        except ImportError as error:
            assert error.name == "stranger" and "strict" in str(error) and "elsewhere" in str(error), error
        else:
            raise SystemExit
        assert importlib.util.find_spec("stranger")
        try:
            import nowhere
        except ModuleNotFoundError as error:
            assert not isinstance(error, envknit.LinkError)
        with envknit.use("lib", "1.0") as lib:
            assert lib.DEP == "1.0"
        envknit.enable()
        import stranger

    project.code(program)


def test_a_missing_lock_and_a_newer_schema_are_told_apart(project: Project) -> None:
    """FileNotFoundError; SchemaVersionError(ValueError) "when … greater than what the library supports"."""
    project.write("new.yaml", 'schema_version: "2.0"\nenvironments: {}\n')
    project.write("bad.yaml", "schema_version: [\n")

    def program():
        import envknit
        from envknit.isolation.import_hook import SchemaVersionError

        assert SchemaVersionError is envknit.SchemaVersionError and issubclass(SchemaVersionError, ValueError)
        wanted = {"none.yaml": FileNotFoundError, "new.yaml": SchemaVersionError, "bad.yaml": ValueError}
        for path, kind in wanted.items():
            try:
                envknit.configure_from_lock(path)
            except kind as error:
                assert kind is not ValueError or not isinstance(error, SchemaVersionError)
            else:
                raise SystemExit(path)

    project.code(program)


def test_what_the_store_lacks_is_an_error_with_the_command(project: Project, machine: Machine) -> None:
    entries = machine.home / "packages/site-packages"
    (entries / "dep-2.0-py3-none-any-00000000").rename(entries / "gone")

    def program():
        import envknit

        try:
            envknit.configure_from_lock("locks/envknit.lock.yaml")
        except envknit.EnvknitError as error:
            assert "dep 2.0" in str(error) and "envknit install" in error.hint
        else:
            raise SystemExit

    project.code(program)


def _lock_of_folders(root: Path) -> None:
    bundled = root / "paths/bundled"
    alone = root / "paths/alone"
    for folder, files in {
        bundled: {"app_lib/__init__.py": "import helper\nHELPER = helper.WHO\n", "helper.py": "WHO = 'bundled'\n"},
        alone: {"thing.py": "import helper\nHELPER = helper.WHO\nNAME = __name__\n"},
        root / "paths/loose": {"loose.py": "import helper\nHELPER = helper.WHO\n"},
        root / "paths/helper": {"helper.py": "WHO = 'entry'\n"},
        root / "paths/old": {
            "thing.py": "import helper\nHELPER = helper.WHO\nNAME = __name__\n",
            "helper.py": "WHO='old'\n",
        },
    }.items():
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    rows = [
        'schema_version: "1.0"',
        "environments:",
        "  default:",
        f"    - {{name: thing, version: 2.0.0, install_path: {alone}, dependencies: ['helper>=1']}}",
        f"    - {{name: helper, version: 1.0.0, install_path: {root / 'paths/helper'}, dependencies: []}}",
        "  old:",
        f"    - {{name: thing, version: 1.0.0, install_path: {root / 'paths/old'}, dependencies: []}}",
        f"    - {{name: app-lib, version: 2.0.0, install_path: {bundled}, dependencies: [helper]}}",
        f"    - {{name: helper, version: 1.0.0, install_path: {root / 'paths/helper'}, dependencies: []}}",
        f"    - {{name: loose, version: 1.0.0, install_path: {root / 'paths/loose'}, dependencies: [helper]}}",
    ]
    (root / "folders.yaml").write_text("\n".join(rows) + "\n")


def test_a_lock_of_folders_is_planned_on_the_way(project: Project) -> None:
    """A folder that bundles dependencies owns them; one that does not is linked to the environment's entries."""
    _lock_of_folders(project.root)

    def program():
        import envknit

        assert envknit.configure_from_lock("folders.yaml") == 5
        import thing

        assert (thing.HELPER, thing.NAME) == ("entry", "thing")
        with envknit.use("thing", "1.0.0") as old:
            import thing

            assert thing is old and (thing.HELPER, thing.NAME) == ("old", "thing@1_0_0")
        with envknit.use("app-lib", "2.0.0") as app:
            import app_lib

            assert app is app_lib and app.HELPER == "bundled", app.HELPER
        with envknit.use("loose", "1.0.0") as loose:
            assert loose.HELPER == "entry" and loose.helper.__name__ == "helper", "an equal entry is shared"

    project.code(program)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="ownership is POSIX")
def test_the_host_s_own_code_is_told_by_where_it_lies_not_by_how_its_folder_is_named(machine: Machine) -> None:
    for name in ("plain", "my-site-packages-tool", "site-packages", "_pytest"):
        project = machine.project(name=name)
        write_packages(machine.home, PACKAGES)
        write_plans(machine.home, project.lock_file, ENVIRONMENTS)
        project.write("inner.py", "def f():\n    import lib\n    return lib.VERSION\n")
        project.write("deps/site-packages/third.py", "def f():\n    import lib\n    return lib.VERSION\n")

        def program():
            import sys

            import inner

            import envknit

            sys.path.append("deps/site-packages")
            import third

            with envknit.use("lib", "1.0"):
                print(inner.f(), third.f())

        ran = project.code(program)
        own = "2.0" if name == "site-packages" else "1.0"  # a folder that is on sys.path by that name holds packages
        assert ran.out == f"{own} 2.0\n", name


def test_a_store_that_others_can_write_is_not_read(project: Project, machine: Machine) -> None:
    machine.home.chmod(0o777)

    def program():
        import envknit

        try:
            envknit.configure_from_lock("locks/envknit.lock.yaml")
        except envknit.EnvknitError as error:
            assert "may be written by others" in str(error)
        else:
            raise SystemExit

    project.code(program)
