"""What a program does with a worker's objects: exceptions, containers, output, log records, coroutines, copies."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import envknit
from envknit.errors import WorkerError
from kit.planned import make_plan
from kit.programs import source_of

if TYPE_CHECKING:
    from pathlib import Path

    from kit import Machine

LIBRARY = """
import asyncio, builtins, collections, json, logging, os, subprocess, sys
log = logging.getLogger("library.part")
class Session:
    async def __aenter__(self): return self
    async def __aexit__(self, *error): self.closed = True
    async def get(self, n): await asyncio.sleep(0.01); return n * 2
    async def rows(self):
        for n in range(3): yield n
def boom(): raise subprocess.CalledProcessError(3, "cmd")
def is_a(value, name): return isinstance(value, getattr(collections, name))
def say(text, stream="stdout"): print(text, file=getattr(sys, stream))
def tell(level, text, *args): log.log(level, text, *args)
def fail_in_log():
    try: 1 / 0
    except ZeroDivisionError: log.exception("failed with %s", object)
async def main(n): return await Session().get(n)
class Thing:
    def __init__(self, x): self.x = x
"""


@pytest.fixture(name="library_folder", scope="module")
def _library_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    (folder / "library.py").write_text(LIBRARY)
    return folder


@pytest.fixture(name="library")
def _library(library_folder: Path) -> Any:
    with envknit.worker("library", "1.0", install_path=library_folder, timeout=20) as library:
        yield library


def test_everyday_except_clauses_catch(library: Any) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        library.json.loads("{")
    assert caught.value.pos == 1
    with pytest.raises(subprocess.CalledProcessError) as failed:
        library.boom()
    assert failed.value.returncode == 3


@pytest.mark.parametrize("name", ["OrderedDict", "Counter", "deque"])
def test_containers_are_for_the_library_what_they_are(library: Any, name: str) -> None:
    assert library.is_a(getattr(collections, name)(), name)


def test_what_is_printed_obeys_the_hosts_streams(library: Any, capfd: pytest.CaptureFixture[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        library.say("redirected")
        library.say("an error", "stderr")
        library.builtins.print("a", 1, sep="-")
    assert (out.getvalue(), err.getvalue()) == ("redirected\na-1\n", "an error\n")

    library.say("as ever")
    assert capfd.readouterr().out == "as ever\n"


def test_where_the_host_redirected_nothing_the_descriptor_is_written_to(library_folder: Path, machine: Machine) -> None:
    def program(library_folder):
        import contextlib
        import io

        import envknit

        with envknit.worker("library", "1.0", install_path=library_folder) as library:
            library.say("first")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                library.say("second")
            library.say("third")
            library.subprocess.run(["echo", "fourth"])
            print(repr(out.getvalue()))
            library.sys.__stdout__.write("fifth\n")

    assert (
        machine.run("-c", source_of(program, library_folder=str(library_folder))).out
        == "first\nthird\nfourth\nfifth\n'second\\n'\n"
    )


def test_log_records_reach_the_hosts_loggers(library_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "library.part")
    with envknit.worker("library", "1.0", install_path=library_folder) as library:
        library.tell(logging.DEBUG, "%s and %d", "text", 2)
        library.fail_in_log()
    debug, error = caplog.records
    assert (debug.name, debug.levelname, debug.getMessage()) == ("library.part", "DEBUG", "text and 2")
    assert (error.levelname, error.module) == ("ERROR", "library")
    assert "ZeroDivisionError" in str(error.exc_text)

    caplog.clear()
    caplog.set_level(logging.WARNING, "library.part")
    with envknit.worker("library", "1.0", install_path=library_folder) as library:
        library.tell(logging.INFO, "not wanted")
        library.tell(logging.WARNING, "wanted")
    assert [record.getMessage() for record in caplog.records] == ["wanted"]


def test_asynchronous_interfaces_are_awaited_here(library: Any) -> None:
    async def main() -> list[Any]:
        async with library.Session() as session:
            found = [await session.get(1), *await asyncio.gather(*map(session.get, range(50)))]
            return [*found, [row async for row in session.rows()], session]

    first, *many, rows, session = asyncio.run(main())
    assert (first, many, rows, session.closed) == (2, [2 * n for n in range(50)], [0, 1, 2], True)
    assert asyncio.run(library.main(4)) == 8


def test_who_awaits_a_worker_that_dies_hears_of_it(library_folder: Path) -> None:
    with envknit.worker("library", "1.0", install_path=library_folder, private=True, timeout=None) as library:

        async def main() -> None:
            task = asyncio.create_task(library.asyncio.sleep(60))
            await asyncio.sleep(0.1)
            os.kill(library.os.getpid(), 9)
            await task

        with pytest.raises(WorkerError):
            asyncio.run(main())


def test_objects_are_sent_by_value_to_a_worker_and_from_one_to_another(library_folder: Path) -> None:
    with (
        envknit.worker("library", "1.0", install_path=library_folder) as one,
        envknit.worker("library", "1.0", install_path=library_folder, private=True) as two,
    ):
        thing = envknit.send(one.Thing({"a": [1]}), to=two)
        assert (type(thing).__qualname__, thing.x, two.is_a(envknit.send(thing, to=thing), "Counter")) == (
            "Thing",
            {"a": [1]},
            False,
        )
        assert envknit.send(collections.UserList([1]), to=two.Thing).data == [1]
        with pytest.raises(WorkerError, match="sent to a module or an object of a worker"):
            envknit.send(1, to=2)


def test_what_the_worker_cannot_make_is_refused_with_the_reason(library_folder: Path, tmp_path: Path) -> None:
    module = tmp_path / "only_here.py"
    module.write_text("class Thing: pass")
    sys.path.insert(0, str(tmp_path))
    try:
        import only_here  # type: ignore[import-not-found] # made above

        with (
            envknit.worker("library", "1.0", install_path=library_folder) as library,
            pytest.raises(WorkerError, match="cannot be made in the worker") as caught,
        ):
            envknit.send(only_here.Thing(), to=library)
        assert "ModuleNotFoundError" in caught.value.facts["reason"]
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("only_here", None)


@pytest.mark.ends
def test_an_object_that_outlives_everything_ends_the_program_quietly(library_folder: Path, machine: Machine) -> None:
    def program(folder):
        import os

        import envknit

        with envknit.worker("library", "1.0", install_path=folder) as library:
            os.kept = library.Thing(1)  # `os` is among the last modules that Python clears

    assert machine.run("-c", source_of(program, folder=str(library_folder))).err == ""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sub-interpreters need CPython 3.12")
def test_an_interpreter_that_holds_a_package_does_all_of_this_too(machine: Machine) -> None:
    project = machine.project()
    make_plan(project, {"library==1.0": {"library.py": LIBRARY}})

    def program():
        import asyncio
        import contextlib
        import io
        import json
        import logging

        import envknit

        logging.basicConfig(format="%(name)s %(message)s", level=logging.INFO, stream=(logged := io.StringIO()))
        with envknit.use("library", "1.0", isolation="interpreter") as library:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                library.say("redirected")
            library.tell(logging.INFO, "told")
            try:
                library.json.loads("{")
            except json.JSONDecodeError as error:
                print(error.pos, repr(out.getvalue()), logged.getvalue().strip())
            print(asyncio.run(library.main(4)))

    ran = project.code(program)

    assert ran.out == "1 'redirected\\n' library.part told\n8\n"


def test_variables_and_the_working_folder_are_handed_on_where_that_is_asked(
    library_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDED", "first")
    follows = envknit.worker("library", "1.0", install_path=library_folder, follow=True, private=True)
    stays = envknit.worker("library", "1.0", install_path=library_folder, private=True)
    with follows, stays:
        monkeypatch.setenv("HANDED", "second")
        monkeypatch.setenv("ADDED", "yes")
        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.chdir(tmp_path)
        with follows as there, stays as here:
            code = "(lambda os: (os.environ.get('HANDED'), os.environ.get('ADDED'), 'HOME' in os.environ, os.getcwd()))"
            assert there.builtins.eval(code)(there.os) == ("second", "yes", False, str(tmp_path))
            assert here.os.environ.get("HANDED") == "first"
            assert here.os.getcwd() != str(tmp_path)


def test_blocks_are_given_processes_in_turn(library_folder: Path) -> None:
    pids = []
    for _ in range(6):
        with envknit.worker("library", "1.0", install_path=library_folder, size=2) as library:
            pids.append(library.os.getpid())
        envknit.worker("library", "1.0", install_path=library_folder)  # takes no turn
    assert pids == pids[:2] * 3
    assert len(set(pids)) == 2
    with pytest.raises(ValueError, match="one process or more"):
        envknit.worker("library", "1.0", install_path=library_folder, size=0)


@pytest.mark.network
@pytest.mark.once
def test_they_are_awaited_by_trio_and_anyio_as_well(online: Machine, library_folder: Path) -> None:
    def program(folder):
        import time

        import anyio
        import trio

        import envknit

        async def main():
            async with library.Session() as session:
                assert await session.get(4) == 8
                assert [row async for row in session.rows()] == [0, 1, 2]
                with trio.move_on_after(0.2) as scope:
                    await library.asyncio.sleep(60)
                assert scope.cancelled_caught
                got = []

                async def one(n):
                    got.append(await session.get(n))

                async with trio.open_nursery() as nursery:
                    for n in range(50):
                        nursery.start_soon(one, n)
                assert sorted(got) == [2 * n for n in range(50)]
                async with envknit.worker("library", "1.0", install_path=folder, private=True) as own:
                    assert await own.Session().get(2) == 4
                with trio.move_on_after(0) as scope:
                    async with envknit.worker("library", "1.0", install_path=folder, private=True):
                        raise AssertionError("cancelled before")
                assert scope.cancelled_caught
            try:
                await library.asyncio.wait_for(library.asyncio.sleep(9), 0.01)
            except TimeoutError as error:
                print(type(error).__name__)
            except Exception as error:  # asyncio's own before 3.11
                print(type(error).__name__)

        async def late():
            with envknit.worker("library", "1.0", install_path=folder, timeout=0.3) as hasty:
                try:
                    await hasty.asyncio.sleep(60)
                except TimeoutError as error:
                    print(error)

        async def common():
            return await library.Session().get(3)

        began = time.monotonic()
        with envknit.worker("library", "1.0", install_path=folder) as library:
            trio.run(main)
            trio.run(late)
            print(anyio.run(common, backend="trio"), anyio.run(common, backend="asyncio"))
        assert time.monotonic() - began < 30

    project = online.project(["trio", "anyio"]).ready()
    out = project.code(source_of(program, folder=str(library_folder))).out
    assert out == "TimeoutError\nwhat was awaited in a worker took more than 0.3 seconds and was cancelled\n6 6\n"
