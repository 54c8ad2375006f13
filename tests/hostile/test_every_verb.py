"""Every verb where something of the machine is in the way: one error of the usual shape, and the project stays."""

# The program is about descriptors, working folders and names that are no text:
# ruff: noqa: PTH104, PTH106, PTH109, PTH112, PTH202
from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from envknit.cli.parser import VERBS
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine

pytestmark = pytest.mark.once

LINES = [
    "init",
    "add one",
    "remove one",
    "import requirements.txt",
    "export",
    "lock --upgrade",
    "install",
    "sync",
    "bundle",
    "unbundle no.bundle",
    "run -- true",
    "shell",
    "env",
    "env list",
    "view",
    "python list",
    "python pin 3.13",
    "status",
    "list",
    "tree",
    "why one",
    "outdated",
    "compat one",
    "verify --all",
    "verify --repair",
    "doctor",
    "store stats",
    "store gc",
    "hook",
]
HINDRANCES = [
    "full stdout",
    "full stderr",
    "closed pipe",
    "few files",
    "gone folder",
    "closed streams",
    "no home",
    "odd path",
]


def run_all(hindrance: str, lines: list[str]) -> None:  # noqa: C901, PLR0915 - a program, with a branch a hindrance
    """Run command lines, each in a child of this process with the modules loaded; print status and stderr of each."""
    import json
    import os
    import resource
    import shutil
    import sys
    import tempfile

    def hinder() -> None:
        if hindrance == "full stdout":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        elif hindrance == "full stderr":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
        elif hindrance == "closed pipe":
            reader, writer = os.pipe()
            os.close(reader)
            os.dup2(writer, 1)
        elif hindrance == "few files":
            resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))
        elif hindrance == "gone folder":
            gone = tempfile.mkdtemp()
            os.chdir(gone)
            os.rmdir(gone)
        elif hindrance == "closed streams":
            sys.stdin = sys.stdout = None  # type: ignore[assignment] # as Python does
            os.close(0)
            os.close(1)
        elif hindrance == "no home":
            os.environ |= {"HOME": "/proc/nowhere", "ENVKNIT_HOME": ""}
        else:
            os.rename("../copy", "../c\udcff")
            os.chdir("../c\udcff")

    from envknit.cli.main import main
    from envknit.cli.parser import VERBS, VerbParser

    for verb in VERBS:
        VerbParser(verb=verb, prog=verb).load()
    told = {}
    here = os.getcwd()
    for line in lines:
        os.chdir(here)
        for copy in ("../copy", "../c\udcff"):
            shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(".", "../copy")
        os.chdir("../copy")
        out = tempfile.TemporaryFile("w+")  # noqa: SIM115 - the child writes it
        if not (child := os.fork()):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(out.fileno(), 2)
            hinder()
            status = 5
            try:
                status = main(line.split())
            except SystemExit as ended:
                status = int(ended.code or 0)
            finally:
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        at = "../c\udcff" if os.path.isdir("../c\udcff") else "../copy"
        sizes = [os.path.getsize(f"{at}/{name}") for name in ("envknit.yaml", "envknit.lock.yaml")]
        told[line] = status, out.read(), min(sizes)
    print(json.dumps(told))


def test_the_lines_are_of_every_verb() -> None:
    assert set(VERBS) == {line.partition(" ")[0] for line in LINES}


@pytest.mark.parametrize("hindrance", HINDRANCES)
def test_no_verb_has_a_fault_or_loses_a_project(hindrance: str, machine: Machine, index: LoopbackIndex) -> None:
    index.publish("one", "1.0", {"one.py": ""})
    project = machine.project(["one"]).ready()
    project.write("requirements.txt", "one\n")
    env = {"SHELL": "/bin/true"}

    # No `-c`: CPython 3.13.0 fails in getattr where it stands in a folder that is gone
    program = project.write("../every_verb.py", source_of(run_all, hindrance=hindrance, lines=LINES))
    ran = project.run(program, env=env)

    told = json.loads(ran.out)
    assert set(LINES) == set(told)
    for line, (status, err, size) in told.items():
        assert status in {0, 1, 2, 3, 4, 141}, (line, status, err)
        assert "Traceback" not in err, (line, err)
        assert "has a fault" not in err, (line, err)
        assert size > 0, line
