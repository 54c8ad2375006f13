"""What type checkers conclude of the public API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import Machine

PROGRAM = """
    import envknit
    from concurrent.futures import Future

    def double(x: int, *, more: str = "") -> list[int]:
        return [x, x]

    reveal_type(envknit.run_in("ml", double, 1, more="a"))
    reveal_type(envknit.submit("ml", double, 1))
    reveal_type(envknit.run_in("ml", double, 1, lock="other.lock"))
    reveal_type(envknit.in_env("ml")(double))
    reveal_type(envknit.world("ml").run(double, 1))
    reveal_type(envknit.world(requests="2.28.2").metadata.version("requests"))
    reveal_type(envknit.versions("requests"))
    reveal_type(envknit.context_wrap(double))
    reveal_type(envknit.use("requests", "2.28.2")(double))
    reveal_type(envknit.EnvironmentExecutor("ml").submit(double, 1))
    reveal_type(envknit.InterpreterPool("ml").submit(double, 1))
    reveal_type(envknit.SubInterpreterEnv("ml").call(double, 1))
    reveal_type(envknit.ContextExecutor().submit(double, 1))
    reveal_type(envknit.world("ml").run("tasks:double", 1))
    envknit.run_in("ml", double, "one")
    envknit.world("ml").run(double, more=1)
    envknit.SubInterpreterEnv("ml").call(double)
    envknit.EnvironmentExecutor("ml").submit(double, 1, less="")
"""
FOUND = [
    "list[int]",
    "Future[list[int]]",
    "list[int]",
    "def (x: int, *, more: str =) -> list[int]",
    "list[int]",
    "str",
    "dict[str, list[str]]",
    "def (x: int, *, more: str =) -> list[int]",
    "def (x: int, *, more: str =) -> list[int]",
    "Future[list[int]]",
    "Future[list[int]]",
    "list[int]",
    "Future[list[int]]",
    "Any",
]
WRONG = ["22", "23", "24", "25"]  # lines that call a function as it cannot be called


# What pyright calls the two that are functions
WRITTEN = {"def (x: int, *, more: str =) -> list[int]": '(x: int, *, more: str = "") -> list[int]'}


@pytest.mark.network
@pytest.mark.once
def test_calls_that_go_elsewhere_keep_the_types_of_their_functions(online: Machine) -> None:
    project = online.project(["mypy", "basedpyright"]).ready()
    project.write("program.py", PROGRAM)

    out = project.run("-m", "mypy", "--strict", "program.py", status=1).out
    plain = out.replace("builtins.", "").replace("concurrent.futures._base.", "")
    assert re.findall(r'Revealed type is "(.*)"', plain) == FOUND
    assert re.findall(r"program.py:(\d+): error: ", out) == WRONG

    out = project.run("-m", "basedpyright", "--level", "error", "program.py", status=1).out
    assert sorted(set(re.findall(r"program.py:(\d+):\d+ - error: ", out))) == WRONG
    out = project.run("-m", "basedpyright", "program.py", status=1).out
    assert re.findall(r'information: Type of ".*" is "(.*)"', out) == [WRITTEN.get(found, found) for found in FOUND]
