"""Programs written as functions run as texts of their own, and their assertions show values."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from kit.programs import source_of

if TYPE_CHECKING:
    from kit.programs import Program


def run(program: Program, before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", before + source_of(program)], capture_output=True, text=True, check=False
    )


def test_a_body_runs_at_the_top_of_a_module() -> None:
    def program(given):
        total = given + 1
        print(__name__, globals()["total"])

    assert run(program, "given = 1\n").stdout == "__main__ 2\n"


def test_both_sides_of_a_comparison_are_shown_and_evaluated_once() -> None:
    def program():
        calls = []
        assert (
            calls.append("é")
            or len(calls)
        ) == 2, "why"  # fmt: skip

    assert run(program).stderr.splitlines()[-1] == "AssertionError: ('why', 1, 2)"


def test_what_was_compared_is_let_go() -> None:
    def program():
        import weakref

        class Thing:
            pass

        def same(a, b):
            assert a is b, "not the same"

        thing = Thing()
        seen = weakref.ref(thing)
        assert [thing] == [thing]
        assert thing is not None
        same(thing, thing)
        del thing
        assert seen() is None

    ran = run(program)
    assert (ran.stdout, ran.stderr) == ("", "")
