"""What the documentation of the Python API promises of names, `configure_from_lock`, defaults and strict mode."""

from __future__ import annotations

import importlib.metadata
import inspect
from typing import TYPE_CHECKING

import pytest

import envknit
import envknit.isolation
import envknit.isolation.import_hook
from kit.versions import Configured, configured_project

if TYPE_CHECKING:
    from kit import Machine


@pytest.fixture(name="configured")
def _configured(machine: Machine) -> Configured:
    return configured_project(machine)


def test_it_requires_python_3_10_or_newer() -> None:
    """3.10+."""
    assert importlib.metadata.metadata("envknit")["Requires-Python"].startswith(">=3.10")


def test_every_name_is_at_the_path_that_the_document_imports_it_from() -> None:
    """All from `envknit`; threads from `envknit.isolation`; the errors from `envknit.isolation.import_hook`."""
    for name in "configure_from_lock", "use", "worker", "import_version", "set_default", "enable", "disable":
        assert callable(getattr(envknit, name))
    for name in "ContextThread", "ContextExecutor", "context_wrap":
        assert getattr(envknit.isolation, name) is getattr(envknit, name)
    for name in "CExtensionError", "SchemaVersionError":
        assert getattr(envknit.isolation.import_hook, name) is getattr(envknit, name)


def test_configure_from_lock_has_the_documented_parameters() -> None:
    """Lock_path is required, env is None, auto_install is True; it returns an int."""
    parameters = inspect.signature(envknit.configure_from_lock).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert defaults == {"lock_path": inspect.Parameter.empty, "env": None, "auto_install": True}


def test_all_packages_are_registered_and_the_hook_is_installed(configured: Configured) -> None:
    """It reads the lock, registers every package, and installs the import hook.

    Ours is an entry of `sys.path` with a finder of its own for what is resident, and a finder on `sys.meta_path` for
    the other versions. The promise: afterwards plain imports and `use` of each registered version work.
    """

    def program():
        import importlib
        import sys

        for name in ("lib", "dep", "tool"):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                pass
            else:
                raise SystemExit(name)
        before = list(sys.meta_path), list(sys.path)
        assert envknit.configure_from_lock("locks/envknit.lock.yaml") == 6
        assert (sys.meta_path, sys.path) != before
        import dep
        import lib
        import tool

        for name, number in {("lib", "1.0"), ("lib", "2.0"), ("dep", "1.0"), ("dep", "2.0"), ("tool", "1.0")}:
            with envknit.use(name, number) as module:
                assert module

    configured.run(program, configured=False)


def test_the_lock_is_given_as_a_string_or_a_path(configured: Configured) -> None:
    """Str | Path."""

    def program():
        from pathlib import Path

        assert envknit.configure_from_lock("locks/envknit.lock.yaml", env="default") == 3
        assert envknit.configure_from_lock(Path("locks/envknit.lock.yaml"), env="default") == 3

    configured.run(program, configured=False)


def test_without_env_all_environments_are_merged_and_equal_pins_count_once(configured: Configured) -> None:
    """None merges all environments, without the duplicates of name and version (tool 1.0 is in both)."""

    def program():
        n = envknit.configure_from_lock("locks/envknit.lock.yaml")
        print(f"Registered {n} packages")
        a, b = (envknit.configure_from_lock("locks/envknit.lock.yaml", env=e) for e in ("default", "ml"))
        assert (a, b) == (3, 4)
        with envknit.use("tool", "1.0", env="default") as one, envknit.use("tool", "1.0", env="ml") as two:
            assert one is two

    out = configured.run(program, configured=False)
    assert out == "Registered 6 packages\n"


def test_auto_install_calls_enable_and_without_it_that_is_left_to_you(configured: Configured) -> None:
    """True calls `enable()`; False leaves plain imports alone until you do."""

    def program(version):
        import importlib.util

        assert envknit.configure_from_lock("locks/envknit.lock.yaml", auto_install=False) == 6
        assert importlib.util.find_spec("lib") is None
        envknit.enable()
        assert version() == "2.0"

    configured.run(program, configured=False)


def test_a_schema_of_our_major_is_read_and_a_newer_major_says_upgrade(configured: Configured) -> None:
    """Only a newer *major* raises SchemaVersionError; supported is 1; the solution is to upgrade with pip."""
    for number in "1.9", "2.0", "10.0":
        name = f"schema{number.partition('.')[0]}.yaml"
        configured.project.write(name, f'schema_version: "{number}"\nenvironments: {{default: []}}\n')

    def program():
        assert envknit.configure_from_lock("schema1.yaml") == 0
        for lock in ("schema2.yaml", "schema10.yaml"):
            try:
                envknit.configure_from_lock(lock)
            except ValueError as error:
                assert type(error) is envknit.SchemaVersionError
                assert "pip install --upgrade" in error.hint, error.hint
            else:
                raise SystemExit(lock)
        try:
            envknit.configure_from_lock("nowhere.yaml")
        except FileNotFoundError:
            pass
        else:
            raise SystemExit("nowhere.yaml")

    configured.run(program, configured=False)


def test_the_default_applies_around_blocks_which_win(configured: Configured) -> None:
    """The default, the override wins inside, the default again."""

    def program(version):
        envknit.set_default("lib", "1.0")
        assert version() == "1.0"
        with envknit.use("lib", "2.0"):
            assert version() == "2.0"
        assert version() == "1.0"

    configured.run(program)


def test_set_default_after_configuring_overrides_the_first_registered(configured: Configured) -> None:
    """The first registered version is the default; call `set_default` afterwards to override it."""

    def program(version):
        assert version() == "2.0", "default is the first environment"
        envknit.set_default("lib", "1.0")
        assert version() == "1.0"
        envknit.configure_from_lock("locks/envknit.lock.yaml")
        assert version() == "1.0", "an explicit choice stays"

    configured.run(program)


def test_enable_and_disable_install_and_remove_the_hook(configured: Configured) -> None:
    """By hand as configure does it; again changes nothing; removed, imports are Python's own."""

    def program():
        import sys

        program = list(sys.path)
        envknit.configure_from_lock("locks/envknit.lock.yaml", auto_install=False)
        envknit.enable()
        placed = list(sys.meta_path), list(sys.path), list(sys.path_hooks)
        envknit.enable()
        envknit.enable()
        assert placed == (sys.meta_path, sys.path, sys.path_hooks)
        import tool

        envknit.disable()
        assert sys.path == program
        try:
            import lib
        except ModuleNotFoundError:
            pass
        else:
            raise SystemExit

    configured.run(program, configured=False)


def test_strict_is_off_by_default_and_unregistered_imports_fall_through(configured: Configured) -> None:
    """`strict=False` is the default, and falls through to the next finder; strict raises ImportError."""
    assert inspect.signature(envknit.enable).parameters["strict"].default is False
    configured.project.write("../elsewhere/stranger.py", "")
    configured.project.write("../elsewhere/other.py", "")

    def program():
        import sys

        sys.path.append("../elsewhere")
        envknit.enable(strict=True)
        try:
            import stranger
        except ImportError:
            pass
        else:
            raise SystemExit
        envknit.enable()
        import stranger

        envknit.enable(strict=False)
        import other

    configured.run(program)
