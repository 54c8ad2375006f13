"""`use(isolation="interpreter")`: what a sub-interpreter has in common with a process, and what it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.interpreters import HAS
from kit.machine import UNMEASURED
from kit.places import places_project, run
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Machine, Project

pytestmark = pytest.mark.skipif(not HAS, reason="sub-interpreters need CPython 3.12")

HEAD = """\
context = envknit.use("fast", "1.0", isolation="interpreter")
fast = context.__enter__()
"""


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    return places_project(machine)


def test_threads_call_it_at_once_and_each_gets_its_own_answers(project: Project) -> None:
    def program(fast):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(8) as threads:
            print(list(threads.map(fast.echo, range(2000))) == list(range(2000)))
            began = __import__("time").monotonic()
            list(threads.map(fast.sleep, [0.3] * 8))
            print(__import__("time").monotonic() - began < 2.3)  # one after the other: 2.4 s

    assert run(project, HEAD + source_of(program)) == "True\nTrue\n"


def test_errors_cross_with_their_traceback(project: Project) -> None:
    def program(fast):
        import sys

        try:
            fast.echo(*range(5))
        except TypeError as error:
            print(type(error).__name__)

        def fail():
            raise KeyError("mine")

        try:
            fast.apply(fail)
        except KeyError as error:
            print(error.args, "fail" in str(error.__cause__))
        try:
            fast.apply(sys.exit, 3)
        except SystemExit as error:
            print(error.code)
        print(fast.echo("alive"))

    assert run(project, HEAD + source_of(program)) == "TypeError\n('mine',) True\n3\nalive\n"


def test_large_values_cross_both_ways(project: Project) -> None:
    def program(fast):
        print(fast.echo(b"x" * 5_000_000) == b"x" * 5_000_000, len(fast.huge(3_000_000)))
        kept = [fast.echo(bytes([n]) * 300_000) for n in range(9)]
        print([value[7] for value in kept])

    assert run(project, HEAD + source_of(program)) == f"True 3000000\n{list(range(9))}\n"


def test_a_deadline_leaves_it_and_the_next_call_has_another(project: Project) -> None:
    def program(context, fast):
        hasty = context.worker.module("fast", 0.3)
        print(fast.count(), fast.count())
        try:
            hasty.sleep(1.5)
        except TimeoutError as error:
            print("did not answer within 0.3 seconds" in str(error))
        print(fast.count())

    assert run(project, HEAD + source_of(program)) == "1 2\nTrue\n1\n"


def test_a_call_that_never_ends_does_not_keep_the_program(project: Project) -> None:
    def program(context, fast):
        hasty = context.worker.module("fast", 0.3)
        try:
            hasty.sleep(600)
        except TimeoutError:
            print("too late", flush=True)

    ran = project.code("import envknit, os, sys\n" + HEAD + source_of(program), status=1, env=UNMEASURED)
    assert ran.out == "too late\n"
    assert ran.err == "envknit: a call in the interpreter of fast 1.0 does not end; the process ends without it\n"


def test_ctrl_c_interrupts_the_waiting_and_the_interpreter_stays_usable(project: Project) -> None:
    def program(fast, threading):
        import os
        import signal

        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            fast.sleep(2)
        except KeyboardInterrupt:
            print("interrupted")
        print(fast.echo(1))

    assert run(project, HEAD + source_of(program)) == "interrupted\n1\n"


def test_a_fork_ends_an_idle_one_first_and_the_parent_makes_another(project: Project) -> None:
    def program(context, fast):
        import os

        import envknit

        print(fast.echo(1))
        context.__exit__(None, None, None)
        del fast
        child = os.fork()
        if not child:
            os._exit(0 if envknit.workers() == [] else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        with context as fast:
            print(fast.echo(2))

    assert run(project, "import warnings; warnings.simplefilter('ignore')\n" + HEAD + source_of(program)) == "1\n0\n2\n"


def test_what_it_prints_comes_out_in_order(project: Project) -> None:
    source = 'print("here", flush=True); fast.say("there"); print("here again")\n'
    assert run(project, HEAD + source) == "here\nthere\nhere again\n"


def test_it_leaves_the_hosts_modules_alone(project: Project) -> None:
    def program(context, fast):
        import sys

        before = set(sys.modules)
        context.worker.call(None, "import", ("wave",))
        fast.echo(1)
        print(sorted(name for name in set(sys.modules) - before if "wave" in name or "fast" in name))

    assert run(project, HEAD + source_of(program)) == "[]\n"
