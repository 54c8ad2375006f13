"""Notebooks: a real Jupyter kernel of the project runs cells that use two versions, workers and functions there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kit import Machine
from kit.machine import UNMEASURED

if TYPE_CHECKING:
    from kit import Project

pytestmark = [pytest.mark.network, pytest.mark.once, pytest.mark.timeout(240)]

# A client of the kernel: reads cells as JSON, runs them in one kernel, writes what each printed, gave or raised
CLIENT = """
import json, os, signal, sys, threading
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")
told = []
for cell in json.load(sys.stdin):
    if cell == "restart":
        manager.restart_kernel(now=False)
        client.wait_for_ready(timeout=60)
        told.append(["restarted"])
        continue
    if cell.startswith("complete:"):
        reply = client.complete(cell.partition(":")[2], reply=True, timeout=60)
        told.append(reply["content"]["matches"])
        continue
    said = []
    def hear(message):
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            said.append(content["text"])
        elif kind == "execute_result":
            said.append(content["data"]["text/plain"])
        elif kind == "error":
            said.append(content["ename"])
    if "# interrupt" in cell:
        timer = threading.Timer(1.0, manager.interrupt_kernel)
        timer.start()
    client.execute_interactive(cell, timeout=100, output_hook=hear)
    told.append(said)
client.stop_channels()
manager.shutdown_kernel(now=False)
print(json.dumps(told))
"""


@pytest.fixture(name="project", scope="module")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    machine = Machine(tmp_path_factory.mktemp("machine"), None)
    project = machine.project(
        ["ipykernel", "jupyter-client", "click==8.1.7"], environments={"old": ["click==8.0.4", "markupsafe==3.0.2"]}
    ).ready()
    project.write("tasks.py", "def version():\n    import click\n    return click.__version__\n")
    project.write("client.py", CLIENT)
    return project


def cells(project: Project, *sources: str) -> list[Any]:
    user = project.machine.root / "user"
    env = {"HOME": str(user), "IPYTHONDIR": str(user / "ipython"), "JUPYTER_RUNTIME_DIR": str(user / "runtime")}
    ran = project.run("client.py", stdin=json.dumps(sources), env=env | UNMEASURED, timeout=200)
    told: list[Any] = json.loads(ran.out.splitlines()[-1])
    return told


def test_cells_use_two_versions_and_workers_that_live_over_several_cells(project: Project) -> None:
    told = cells(
        project,
        "import click, envknit; click.__version__",
        "with envknit.use('click', '8.0.4') as old:\n    import click as other\nold.__version__, other is old",
        "context = envknit.worker('markupsafe', '3.0.2', env='old'); safe = context.__enter__(); safe.escape('<')",
        "text = safe.Markup('a'); str(text + '<'), text",
        "import tasks; tasks.version(), envknit.run_in('old', tasks.version)",
        "complete:text.strip",
        "[worker.order.label for worker in envknit.workers()]",
        "with envknit.use('markupsafe', '3.0.2', isolation='auto'):\n    import markupsafe\nmarkupsafe.escape('>')",
    )
    assert told[:2] == [["'8.1.7'"], ["('8.0.4', True)"]]
    assert told[2:5] == [["Markup('&lt;')"], ["('a&lt;', Markup('a'))"], ["('8.1.7', '8.0.4')"]]
    assert {match.rpartition(".")[2] for match in told[5]} >= {"strip", "striptags"}
    assert told[6:] == [["['markupsafe 3.0.2', 'the environment old']"], ["Markup('&gt;')"]]


def test_interrupting_a_cell_interrupts_the_call_and_the_worker_stays(project: Project) -> None:
    told = cells(
        project,
        "import envknit, os; context = envknit.worker('click', '8.0.4'); click = context.__enter__()",
        "first = context.worker.pid; time = context.worker.module('time', 30); context.worker.open('time', 30)",
        "time.sleep(20)  # interrupt",
        "context.worker.pid == first, click.__version__",
    )
    assert told == [[], [], ["KeyboardInterrupt"], ["(True, '8.0.4')"]]


def test_a_restart_of_the_kernel_leaves_no_worker_behind(project: Project) -> None:
    told = cells(
        project,
        "import envknit, os\nwith envknit.worker('click', '8.0.4') as click: pass",
        "print(envknit.workers()[0].pid)",
        "restart",
        "import envknit; envknit.workers()",
        "with envknit.worker('click', '8.0.4') as click: print(click.__version__)",
    )
    assert told[2:] == [["restarted"], ["[]"], ["8.0.4\n"]]
    pid = int(told[1][0])
    assert not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ipython_in_a_terminal_can_have_workers(project: Project) -> None:
    source = "import envknit\nwith envknit.worker('click', '8.0.4') as click:\n    print(click.__version__)\n\n"
    env = {"IPYTHONDIR": str(project.machine.root / "ipython")} | UNMEASURED
    ran = project.run("-m", "IPython", "--no-banner", "--simple-prompt", "-i", stdin=source + "\nexit()\n", env=env)
    assert "8.0.4" in ran.out
    assert project.run("-m", "IPython", "-c", source.replace("\n    ", " "), env=env).out.strip().endswith("8.0.4")
