"""Many threads and tasks, each in a version of its own, and never a wrong one (issue "use", point 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.planned import make_plans
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Machine, Project

ROUNDS = 1_000

COMMON = """\
import asyncio, sys, threading, envknit
sys.setswitchinterval(1e-5)
WANTED = ("1.0", "2.0")
wrong = []
count = 0
lock = threading.Lock()

def look(wanted, late):
    global count
    import lib
    from lib import late_import
    found = {lib.VERSION, lib.dep.VERSION, late_import(late)}
    if found != {wanted}:
        wrong.append((wanted, found))
    with lock:
        count += 1

def default(late):
    look("2.0", late)
"""


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    """A project with two versions of a package that has many modules to import late."""
    project = machine.project()
    packages = {}
    for version in ("1.0", "2.0"):
        packages[f"lib=={version}"] = {
            "lib.py": f"import dep\nVERSION = {version!r}\ndef late_import(n):\n"
            "    return __import__(f'dep.m{n % 100}', fromlist=['x']).VERSION\n"
        }
        packages[f"dep=={version}"] = {
            "dep/__init__.py": f"VERSION = {version!r}\n",
            **{
                f"dep/m{n}.py": f"import dep\nVERSION = dep.VERSION\nassert VERSION == {version!r}\n"
                for n in range(100)
            },
        }
    make_plans(
        project,
        packages,
        {v: {f"lib=={n}": (f"dep=={n}",), f"dep=={n}": ()} for v, n in (("default", "2.0"), ("old", "1.0"))},
    )
    return project


def test_threads_never_see_a_wrong_version(project: Project) -> None:
    project.code(
        COMMON
        + f"""
start = threading.Barrier(8)

def run(index):
    start.wait()
    for n in range({ROUNDS}):
        wanted = WANTED[(index + n) % 2]
        with envknit.use("lib", wanted):
            look(wanted, n)
            if n % 50 == 0:
                inner = WANTED[(index + n + 1) % 2]
                with envknit.use("lib", inner):
                    look(inner, n)
                plain = threading.Thread(target=default, args=(n,)); plain.start(); plain.join()
                mine = envknit.ContextThread(target=look, args=(wanted, n)); mine.start(); mine.join()
            look(wanted, n + 1)
        look("2.0", n)

threads = [threading.Thread(target=run, args=(index,)) for index in range(8)]
for each in threads: each.start()
for each in threads: each.join()
assert not wrong, wrong[:5]
assert count == 8 * ({ROUNDS} * 3 + {ROUNDS // 50} * 3), count
"""
    )


def test_tasks_never_see_a_wrong_version(project: Project) -> None:
    project.code(
        COMMON
        + f"""
@envknit.use("lib", "1.0")
async def decorated(n):
    look("1.0", n)
    await asyncio.sleep(0)
    look("1.0", n)

async def task(index):
    for n in range({ROUNDS // 200}):
        wanted = WANTED[(index + n) % 2]
        with envknit.use("lib", wanted):
            look(wanted, n)
            await asyncio.sleep(0)
            look(wanted, n)
            if index % 20 == 0:
                await asyncio.to_thread(look, wanted, n)
                await asyncio.get_running_loop().run_in_executor(None, default, n)
                await asyncio.get_running_loop().run_in_executor(pool, look, wanted, n)
                await asyncio.get_running_loop().run_in_executor(None, envknit.context_wrap(look), wanted, n)
                await decorated(n)
            await asyncio.sleep(0)
            look(wanted, n)
        look("2.0", n)

async def main():
    for _ in range({200 // 40}):
        await asyncio.gather(*(task(index) for index in range(200)))

pool = envknit.ContextExecutor(4)
with pool:
    asyncio.run(main())
assert not wrong, wrong[:5]
assert count == 5 * 200 * {ROUNDS // 200} * 4 + 5 * 10 * {ROUNDS // 200} * 6, count
"""
    )


def test_the_first_import_of_a_version_by_many_threads_executes_it_once(project: Project) -> None:
    def program(look, threading, wrong):
        import builtins

        import envknit

        builtins.executed = []
        start = threading.Barrier(16)
        got = []

        def run():
            start.wait()
            with envknit.use("lib", "1.0") as module:
                got.append(module)
                look("1.0", 1)

        threads = [threading.Thread(target=run) for _ in range(16)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert not wrong and len({id(module) for module in got}) == 1 and len(got) == 16

    project.code(COMMON + source_of(program))
