"""Where there are no sub-interpreters, the names exist, cost nothing, and say why they cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit import UNMEASURED
from kit.interpreters import HAS, inside, interpreter_project

if TYPE_CHECKING:
    from kit import Machine


@pytest.mark.skipif(HAS, reason="this Python has sub-interpreters")
def test_making_one_says_what_is_missing(machine: Machine) -> None:
    # As documented, "Raises UnsupportedPlatformError on older Python versions"
    def program():
        from envknit import InterpreterPool, SubInterpreterEnv, UnsupportedPlatformError

        for make in SubInterpreterEnv, lambda: InterpreterPool("default", 2):
            try:
                make()
            except UnsupportedPlatformError as error:
                print(isinstance(error, RuntimeError), error.message[:50], "|", error.hint)

    line = "True sub-interpreters need CPython 3.12 or later (PEP 6 | use envknit.worker(): a process of its own\n"

    assert inside(interpreter_project(machine), program) == line * 2


def test_importing_the_names_loads_no_interpreter_module(machine: Machine) -> None:
    def program():
        import sys

        from envknit.isolation import CExtIncompatibleError, SubInterpreterEnv, UnsupportedPlatformError

        if sys.version_info < (3, 14):  # from then on the pool is the standard one, which does
            from envknit import InterpreterPool
        heavy = {"json", "pickle", "subprocess", "_xxsubinterpreters", "_interpreters", "concurrent.interpreters"}
        print(sorted(heavy & set(sys.modules)), SubInterpreterEnv is __import__("envknit").SubInterpreterEnv)

    assert inside(interpreter_project(machine), program, env=UNMEASURED) == "[] True\n"
