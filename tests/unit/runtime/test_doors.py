"""The doors of the import system, where a whole process would tell less."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from kit.programs import source_of

if TYPE_CHECKING:
    from kit.programs import Program


def _run(program: Program) -> None:
    subprocess.run([sys.executable, "-c", source_of(program)], check=True, env={"ENVKNIT": "0", "PATH": ""})


def test_a_hook_that_somebody_put_back_is_installed_again() -> None:
    def program():
        import builtins

        original = builtins.__import__
        from envknit.runtime import doors

        doors.install()
        ours = builtins.__import__
        builtins.__import__ = original
        doors.install()
        assert builtins.__import__ is ours is not original

    _run(program)


def test_import_errors_are_what_they_would_be_without_us() -> None:
    def program():
        import importlib

        from envknit.runtime import doors

        doors.install()
        for name, kind in (("", ValueError), (3, TypeError), ("nothing.at.all", ModuleNotFoundError)):
            try:
                importlib.import_module(name)
            except (kind, AttributeError):
                pass
            else:
                raise SystemExit(name)
        assert importlib.import_module(".decoder", "json").__name__ == "json.decoder"

    _run(program)


def test_both_doors_of_isolation_give_the_same_objects() -> None:
    def program():
        import envknit
        import envknit.isolation
        import envknit.isolation.import_hook as hook

        for module in (envknit.isolation, hook):
            for name in module.__all__:
                assert getattr(module, name) is getattr(envknit, name), name
                assert name in dir(module)
        try:
            envknit.isolation.nothing
        except AttributeError:
            pass
        else:
            raise SystemExit
        try:
            envknit.nothing
        except AttributeError as error:
            assert "nothing" in str(error)
        else:
            raise SystemExit

    _run(program)
