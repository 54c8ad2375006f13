"""The verbs, as a person uses them: real processes, a real store, an index on the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine, Project, Ran

pytestmark = pytest.mark.ends


@pytest.fixture(name="index")
def _index(index: LoopbackIndex) -> LoopbackIndex:
    index.publish("alpha", "1.0", requires=["beta"], entry_points={"console_scripts": {"alpha": "alpha.cli:main"}})
    index.publish("beta", "1.0")
    index.publish("beta", "2.0")
    index.publish("gamma", "1.0", requires=["beta<2"])
    show = "print(sys.argv[1:], os.path.basename(os.environ['VIRTUAL_ENV']))"
    script = f"import os, sys\ndef main():\n    {show}\n    sys.exit(7)\n"
    files = {"alpha/__init__.py": "", "alpha/cli.py": script}
    index.publish(
        "alpha", "2.0", files, requires=["beta"], entry_points={"console_scripts": {"alpha": "alpha.cli:main"}}
    )
    return index


@pytest.fixture(name="project")
def _project(machine: Machine, index: LoopbackIndex) -> Project:
    return machine.project(["alpha"])


def _data(ran: Ran) -> object:
    return json.loads(ran.out)


def test_init_writes_a_project_file_once(machine: Machine) -> None:
    assert "envknit.yaml" in machine.envknit("init").out
    assert (machine.root / "envknit.yaml").exists()

    assert "error: " in machine.envknit("init", status=2).err


def test_add_edits_locks_and_installs(machine: Machine, project: Project) -> None:
    said = project.envknit("add", "beta<2").out

    assert "  + alpha 2.0\n  + beta 1.0\n" in said
    assert "beta<2" in project.file.read_text()
    assert "1.0\n" == project.run("-c", "import beta; print(beta.__version__)").out
    assert machine.home.exists()


def test_an_add_that_cannot_be_locked_leaves_the_project_file_as_it_was(project: Project) -> None:
    project.write("envknit.yaml", "# mine\n" + project.file.read_text())
    before = project.file.read_bytes()

    said = project.envknit("add", "gamma", "beta>=2", status=3).err

    assert said.startswith("error: ") or "\nerror: " in said
    assert before == project.file.read_bytes()
    assert not project.lock_file.exists()


def test_remove_forgets_a_package_and_what_it_brought(project: Project) -> None:
    project.envknit("add", "gamma")
    said = project.envknit("remove", "alpha").out

    assert "  - alpha 2.0" in said
    assert "gamma" in project.file.read_text()
    assert project.run("-c", "import alpha", status=1)


def test_lock_shows_what_changed_and_then_nothing(project: Project) -> None:
    assert "  + alpha 2.0\n  + beta 2.0\n" in project.lock().out
    written = project.lock_file.read_bytes()

    assert "up to date" in project.lock().out
    assert written == project.lock_file.read_bytes()


def test_a_dry_run_and_a_check_write_nothing(project: Project) -> None:
    facts = _data(project.envknit("lock", "--dry-run", "--json"))
    rows = [{"name": "alpha", "before": [], "after": ["2.0"]}, {"name": "beta", "before": [], "after": ["2.0"]}]
    assert {"changed": True, "environments": {"default": rows}} == facts
    assert "would change" in project.envknit("lock", "--check", status=1).out
    assert not project.lock_file.exists()

    project.lock()
    assert "up to date" in project.envknit("lock", "--check").out


def test_update_moves_one_package_and_upgrade_moves_all(project: Project, index: LoopbackIndex) -> None:
    project.lock()
    index.publish("alpha", "3.0", requires=["beta"])
    index.publish("beta", "3.0")
    assert "the same versions" in project.lock().out

    assert "  ~ beta 2.0 -> 3.0\n" in project.lock("--update", "beta").out
    assert "alpha 2.0 -> 3.0" in project.lock("--upgrade").out


def test_an_unsatisfiable_project_is_told_without_a_traceback(machine: Machine, project: Project) -> None:
    said = machine.project(["gamma", "beta>=2"], name="bad").envknit("lock", status=3).err

    assert "error: " in said
    assert "gamma" in said
    assert "Traceback" not in said


def test_install_without_a_lock_says_what_to_run(project: Project) -> None:
    said = project.envknit("install", status=2).err

    assert "error: this project has no lock" in said
    assert "hint: run: envknit lock" in said


def test_install_warns_where_the_project_asks_for_other_packages(project: Project) -> None:
    project.ready()
    project.write("envknit.yaml", project.file.read_text().replace("alpha", "gamma"))
    later = time.time() + 5
    os.utime(project.file, (later, later))

    assert "warning: the project file asks for something else" in project.install().err


def test_a_warm_install_is_quick_and_loads_nothing_heavy(project: Project) -> None:
    project.ready()
    assert "everything is installed\n" == project.install().out
    code = (
        "import sys; from envknit.cli.main import main; main(['-q', 'install']);"
        "print(sorted({'rich', 'urllib3', 'yaml', 'resolvelib', 'ruamel', 'tomlkit', 'installer', 'packaging'}"
        " & set(sys.modules)))"
    )

    assert "[]\n" == project.run("-c", code, env={"ENVKNIT": "0"}).out


def test_status_names_the_next_command_until_all_is_ready(project: Project) -> None:
    def following(status: int) -> object:
        return _data(project.envknit("status", "--json", status=status))["next"]

    assert "envknit lock" == following(1)
    project.lock()
    assert "envknit install" == following(1)
    project.install()
    assert following(0) is None
    assert "default: 2 pins, installed, active" in project.envknit("status").out

    project.write("envknit.yaml", project.file.read_text().replace("alpha", "gamma"))
    assert "envknit lock" == following(1)


def test_tree_and_why_tell_who_needs_what(project: Project) -> None:
    project.lock()

    assert "alpha 2.0\n└── beta 2.0\n" == project.envknit("tree").out
    assert "alpha 2.0\n" == project.envknit("tree", "--depth", "0").out
    assert "beta 2.0\n└── alpha 2.0\n" == project.envknit("tree", "--invert", "Beta").out
    assert "gamma is not in" in project.envknit("tree", "--invert", "gamma", status=1).out
    assert "default:\n  alpha 2.0 -> beta 2.0\n" == project.envknit("why", "Beta").out
    assert {"default": [["alpha 2.0", "beta 2.0"]]} == _data(project.envknit("why", "beta", "--json"))
    assert ["alpha", "beta"] == [row["name"] for row in _data(project.envknit("tree", "--json"))]
    assert "gamma is not in" in project.envknit("why", "gamma", status=1).out
    assert "has no environment 'ml'" in project.envknit("tree", "--env", "ml", status=2).err


def test_run_passes_arguments_environment_and_exit_status_through(project: Project) -> None:
    project.ready()

    assert "['--env', 'x'] default\n" == project.envknit("run", "--", "alpha", "--env", "x", status=7).out


def test_run_gives_the_lock_to_python_and_to_its_children(project: Project) -> None:
    project.ready()
    child = "import beta, shutil; print(beta.__version__, bool(shutil.which('alpha')))"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], cwd='/', check=True)"

    assert "2.0 True\n" == project.envknit("run", "--", "python", "-c", code).out


def test_run_hands_signals_to_the_command(project: Project) -> None:
    project.ready()
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *a: sys.exit(9));"
        "print(flush=True); time.sleep(30)"
    )
    command = [sys.executable, "-m", "envknit", "run", "--", "python", "-c", code]
    with subprocess.Popen(command, cwd=project.root, env=project.machine.env, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)

        assert 9 == process.wait(20)


def test_run_says_what_is_missing(project: Project) -> None:
    project.lock()
    assert "hint: run: envknit install" in project.envknit("run", "--", "alpha", status=4).err
    project.install()

    assert "no-such-command" in project.envknit("run", "--", "no-such-command", status=127).err
    assert "no command to run" in project.envknit("run", status=2).err


def test_verify_finds_what_changed(machine: Machine, project: Project) -> None:
    project.ready()
    assert "all as it was placed" in project.envknit("verify").out
    (file,) = machine.home.glob("packages/site-packages/beta-2.0-*/beta/__init__.py")
    file.chmod(0o644)
    file.write_text("changed")

    said = project.envknit("verify", status=1).out
    assert "changed: packages/site-packages/beta-2.0-" in said
    assert 1 == project.envknit("verify", "--all", status=1).status
    findings = _data(project.envknit("verify", "--json", status=1))["findings"]
    assert {"changed", "mode"} == {row["kind"] for row in findings}


def test_doctor_is_content_with_what_works(project: Project) -> None:
    project.ready()
    findings = _data(project.envknit("doctor", "--json"))

    assert [] == [row for row in findings if row["level"] != "ok"]
    assert {"interpreter", "store", "hook", "active", "project", "lock", "plan"} == {row["topic"] for row in findings}


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda project: project.lock_file.unlink(), "no lock"),
        (lambda project: project.lock_file.write_text("{["), "lock"),
        (lambda project: project.lock_file.write_text(project.lock_file.read_text() + "# changed\n"), "not installed"),
        (lambda project: project.write("envknit.yaml", "environments: 3"), "project"),
        (lambda project: project.machine.home.chmod(0o777), "may be written by others"),
        (lambda project: project.machine.env.update(ENVKNIT="0"), "turns envknit off"),
    ],
)
def test_doctor_names_what_is_broken(project: Project, harm: object, words: str) -> None:
    project.ready()
    harm(project)

    assert words in "\n".join(
        line for line in project.envknit("doctor", status=1).out.splitlines() if line.startswith("fail")
    )


def test_doctor_finds_a_lost_entry(machine: Machine, project: Project) -> None:
    project.ready()
    (entry,) = machine.home.glob("packages/site-packages/beta-2.0-*")
    entry.chmod(0o755)
    entry.rename(machine.root / "elsewhere")

    assert "the store lost beta 2.0" in project.envknit("doctor", status=1).out
    assert "lost: beta 2.0" in project.envknit("status", status=None).out


def test_doctor_works_without_a_project(machine: Machine) -> None:
    assert "no project file here" in machine.envknit("doctor").out


def test_the_store_is_listed_counted_and_collected(machine: Machine, project: Project) -> None:
    project.ready()
    assert f"{machine.home}\n" == machine.envknit("store", "path").out
    assert ["alpha", "beta"] == [row["name"] for row in _data(machine.envknit("store", "list", "--json"))]
    assert "entries  2, of 2 names" in machine.envknit("store", "stats").out
    assert machine.envknit("store").out == machine.envknit("store", "stats").out
    facts = _data(machine.envknit("store", "gc", "--dry-run", "--json"))

    assert ([], 0, True) == (facts["removed"], facts["entries"], facts["dry_run"])
    assert "removed 0 entries" in machine.envknit("store", "gc").out


def test_another_folder_is_worked_on_by_c(machine: Machine, project: Project) -> None:
    machine.envknit("-C", project.root, "lock")

    assert project.lock_file.exists()
    assert "no such folder" in machine.envknit("-C", machine.root / "nowhere", "lock", status=2).err


def test_a_reader_that_leaves_early_is_no_error(project: Project) -> None:
    project.lock()
    shell = f"{sys.executable} -m envknit tree | true; echo ${{PIPESTATUS[0]}}"
    ran = project.machine.run("/bin/bash", "-c", shell, cwd=project.root)

    assert ran.out in {"0\n", "141\n"}
    assert "" == ran.err


def test_a_plan_for_another_interpreter_is_made_without_envknit_there(project: Project, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    other = str(tmp_path / "venv" / "bin" / "python")
    project.envknit("--python", other, "lock")
    project.envknit("--python", other, "install")
    assert "['x'] default\n" == project.envknit("run", "--python", other, "--", "alpha", "x", status=7).out

    project.envknit("--python", other, "hook", "install")
    assert "2.0\n" == project.run(other, "-c", "import beta; print(beta.__version__)").out


def test_a_project_that_pins_our_own_libraries_does_not_disturb_us(machine: Machine, index: LoopbackIndex) -> None:
    names = {"packaging": "packaging", "pyyaml": "yaml", "rich": "rich", "urllib3": "urllib3", "installer": "installer"}
    for name, module in names.items():
        index.publish(name, "0.1", {f"{module}/__init__.py": "raise SystemExit('the wrong module')"})
    project = machine.project(names).ready()
    script = Path(sys.executable).parent / "envknit"

    assert "up to date" in project.envknit("lock", "--check").out
    assert "everything is installed\n" == project.run(script, "install").out
    assert "the wrong module" in project.run("-c", "import yaml", status=1).err


def test_an_interrupted_add_leaves_the_project_file_as_it_was(project: Project, index: LoopbackIndex) -> None:
    index.fail("slow", times=50, seconds=20)
    before = project.file.read_bytes()
    command = [sys.executable, "-m", "envknit", "add", "gamma"]
    with subprocess.Popen(command, cwd=project.root, env=project.machine.env, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 20
        while not index.asked and time.monotonic() < deadline:
            time.sleep(0.05)
        assert before != project.file.read_bytes()
        process.send_signal(signal.SIGINT)
        assert process.stderr

        assert 130 == process.wait(20)
        assert process.stderr.read().endswith(b"error: interrupted\n")
    assert before == project.file.read_bytes()


def test_a_command_that_cannot_be_run_has_the_statuses_of_a_shell(project: Project) -> None:
    project.ready()
    data = project.write("data.txt", "no program")
    data.chmod(0o755)

    assert "the command cannot be run" in project.envknit("run", "--", str(data), status=126).err
