"""What the Python API document says about `worker()`: each test cites the statement that it holds us to."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import signal
from typing import TYPE_CHECKING, Any

import pytest

import envknit
from kit.gadget import GADGET, gone, write_gadget
from kit.planned import make_plan
from kit.programs import source_of

if TYPE_CHECKING:
    from pathlib import Path

    from kit import Machine


def test_worker_is_a_synchronous_context_manager_that_returns_a_module_proxy(folder: Path) -> None:
    """'a synchronous context manager that loads a package in a dedicated worker ... and returns a ModuleProxy'."""
    with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
        assert type(gadget).__name__ == "ModuleProxy"
        assert gadget.pid() != os.getpid()


def test_all_attribute_access_and_calls_are_forwarded(folder: Path) -> None:
    """'All attribute access and function calls are forwarded to the subprocess via IPC over a local OS pipe'."""
    with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
        assert gadget.__version__ == "1.0"
        assert gadget.echo("x") == "x"
        sockets = [os.readlink(f"/proc/{gadget.pid()}/fd/{fd}") for fd in os.listdir(f"/proc/{gadget.pid()}/fd")]
        assert any(name.startswith("socket:") for name in sockets)


def test_async_with_opens_it_too(folder: Path) -> None:
    """'async with envknit.worker(...) from any event loop'."""

    async def main() -> Any:
        async with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            return gadget.echo("x")

    assert asyncio.run(main()) == "x"


def test_the_install_path_is_looked_up_or_given(machine: Machine, folder: Path) -> None:
    """'install_path looked up from registry' and 'Explicit install_path (bypasses registry lookup)'."""
    project = machine.project()
    make_plan(project, {"gadget==1.5": {"gadget/__init__.py": GADGET.replace("1.0", "1.5")}})

    def program(folder):
        import envknit

        with envknit.worker("gadget", "1.5") as found:
            print(found.__version__)
        with envknit.worker("gadget", "1.0", install_path=folder) as given:
            print(given.__version__)

    ran = project.code(source_of(program, folder=str(folder)))
    assert ran.out == "1.5\n1.0\n"


def test_configure_from_lock_comes_first_and_changes_nothing_here(machine: Machine) -> None:
    """'envknit.configure_from_lock("envknit.lock.yaml")', then the example with `worker`."""
    project = machine.project()
    make_plan(project, {"gadget==1.0": {"gadget/__init__.py": GADGET}})

    def program():
        import envknit

        print(envknit.configure_from_lock("envknit.lock.yaml"))
        with envknit.worker("gadget", "1.0") as gadget:
            print(gadget.echo(2))

    ran = project.code(program)
    assert ran.out == "1\n2\n"


def test_the_default_timeout_is_thirty_seconds() -> None:
    """'Default: 30.0 seconds.'"""
    assert inspect.signature(envknit.worker).parameters["timeout"].default == 30.0


def test_the_timeout_is_per_call_and_raises_timeout_error(folder: Path) -> None:
    """'If the worker does not respond within timeout seconds, a TimeoutError is raised.'"""
    with envknit.worker("gadget", "1.0", install_path=folder, timeout=0.3) as gadget:
        for _ in range(3):
            gadget.sleep(0.15)  # each call has its own
        with pytest.raises(TimeoutError):
            gadget.sleep(5)


def test_workers_are_not_terminated_when_the_block_exits(folder: Path) -> None:
    """'not terminated when the with block exits ... the next call with the same arguments reuses the live process'."""
    pids = []
    for _ in range(3):
        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            pids.append(gadget.pid())
    assert len(set(pids)) == 1


def test_other_arguments_are_another_process(folder: Path, tmp_path: Path) -> None:
    """'keyed by (module_name, install_paths)'."""
    other = write_gadget(tmp_path)
    with (
        envknit.worker("gadget", "1.0", install_path=folder) as one,
        envknit.worker("gadget", "1.0", install_path=other) as two,
    ):
        assert one.pid() != two.pid()


def test_all_workers_end_with_the_main_process(machine: Machine, folder: Path) -> None:
    """'All workers are terminated automatically via atexit when the main process exits.'"""
    block = f"with envknit.worker('gadget', '1.0', install_path={str(folder)!r}) as gadget: print(gadget.pid())"
    ran = machine.run("-c", f"import envknit\n{block}")
    with pytest.raises(ProcessLookupError):
        os.kill(int(ran.out), 0)


def test_a_worker_that_dies_unexpectedly_is_replaced_on_the_next_call(folder: Path) -> None:
    """'If a worker process dies unexpectedly, ProcessPool detects it on the next call and spawns a new one.'"""
    with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
        pid = gadget.pid()
        os.kill(pid, signal.SIGKILL)
        assert gone(pid)
        assert gadget.echo("next") == "next"
    with envknit.worker("gadget", "1.0", install_path=folder) as again:
        assert again.pid() != pid


def test_isinstance_works_across_the_boundary_where_the_document_expects_it_to_fail(folder: Path) -> None:
    """'isinstance() checks: objects returned from the worker are deserialized copies': ours are the objects."""
    with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
        box = gadget.Box([1])
        assert isinstance(box, gadget.Box)
        assert gadget.apply(isinstance, box, gadget.Box) is True


@pytest.mark.parametrize("name", ["__class__", "__wrapped__", "__enter__", "__len__"])
def test_dunder_attributes_of_pythons_protocols_raise(folder: Path, name: str) -> None:
    """'ModuleProxy raises AttributeError for dunder attribute access (e.g., np.__class__)'."""
    with envknit.worker("gadget", "1.0", install_path=folder) as gadget, pytest.raises(AttributeError):
        getattr(gadget, name)


def test_unlike_the_documents_worker_ours_needs_no_pickle(folder: Path) -> None:
    """'All data crossing the subprocess boundary is serialized': objects stay where they are instead."""
    with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
        generator: Any = (n for n in range(3))
        with pytest.raises(TypeError):
            pickle.dumps(generator)
        assert gadget.apply(sum, generator) == 3
