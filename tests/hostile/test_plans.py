"""Plans that no `envknit install` wrote: Python starts, stdout is its own, and nothing of them runs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from envknit.errors import PlanError
from envknit.plan import Plan

if TYPE_CHECKING:
    from conftest import Bounded, Verb
    from kit import LoopbackIndex, Machine

pytestmark = pytest.mark.once

PIN = "pin\tlib\t1.0\tpackages/site-packages/lib\tpure\tlib-1.0.dist-info\t-\tlib\tlib\tresident\n"


def plan(body: str = PIN, head: str = "envknit-plan 2\n", end: str = "end\n") -> str:
    facts = {"abi": "x", "environment": "default", "lock": "/l", "runtime": "/r", "site": "hidden", "chosen": "-"}
    return head + "".join(f"{name}\t{value}\n" for name, value in facts.items()) + body + end


GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "NUL": bytes(4096),
    "no text": b"\xff\xfe" * 512,
    "another format": plan(head="envknit-plan 1\n").encode(),
    "a later format": plan(head="envknit-plan 3\n").encode(),
    "no end": plan(end="").encode(),
    "two ends": plan(end="end\nend\n").encode(),
    "a head alone": b"envknit-plan 2\nend\n",
    "carriage returns": plan().replace("\n", "\r\n").encode(),
    "spaces for tabs": plan().replace("\t", " ").encode(),
    "a short pin": plan("pin\tlib\n").encode(),
    "a long pin": plan(PIN.replace("resident", "resident\tmore")).encode(),
    "an unknown line": plan("run\tevil\n").encode(),
    "start-up code elsewhere": plan(PIN + "startup\tlib\t../../../evil.py\n").encode(),
    "an import from elsewhere": plan(PIN + "import\tevil\t/tmp\n").encode(),
    "a folder of no kind": plan("path\t\0\n").encode(),
    "a path that is relative": plan("path\tevil\n").encode(),
    "a pickle": b"cos\nsystem\n(S'touch evil'\ntR.",
    "a program": b"import os; os.system('touch evil')\n",
    "many pins": plan(PIN * 20_000).encode(),
    "a long line": plan("import\t" + "x" * (1 << 20) + "\t/tmp\n").encode(),
}


@pytest.mark.parametrize("title", GARBAGE)
@pytest.mark.timeout(60)
def test_python_starts_whatever_the_plan_is(title: str, machine: Machine, index: LoopbackIndex, verb: Verb) -> None:
    index.publish("lib", "1.0", {"lib/__init__.py": "x = 1\n"})
    project = machine.project(["lib"])
    verb(project, "lock")
    verb(project, "install")
    (path,) = machine.home.glob("plans/*/*/*/trees/*/plan")
    path.chmod(0o600)
    path.write_bytes(GARBAGE[title])

    assert "alive\n" == project.code("print('alive')", timeout=20).out
    assert not list(machine.root.rglob("evil*"))
    verb(project, "install")
    assert "1\n" == project.code("import lib; print(lib.x)").out


@pytest.mark.parametrize("title", GARBAGE)
def test_the_reader_gives_a_plan_or_one_error(title: str, bounded: Bounded) -> None:
    with bounded(), suppress(PlanError):
        Plan.parse(GARBAGE[title].decode(errors="surrogateescape"), "/store/plans/2/abi/key/views/v/plan")
