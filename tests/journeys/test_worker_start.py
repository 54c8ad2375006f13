"""How workers start: whatever the host is, with which interpreter and packages, and what is told where they do not."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import _envknit_bootstrap
import envknit
from envknit.errors import WorkerError
from envknit.pythons import ask_python
from envknit.worker.orders import interpreter_path
from kit.gadget import GADGET
from kit.machine import RUNNING, UNMEASURED
from kit.planned import make_plan
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Machine, Project


def test_the_child_is_clean(folder: Path, machine: Machine) -> None:
    (machine.root / "planted").mkdir()

    def program(folder):
        import os

        import envknit

        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            argv, main = gadget.argv()
            assert argv == [""] and main.endswith("worker/child.py"), (argv, main)
            path = gadget.path()
            assert not any("site-packages" in entry or "planted" in entry for entry in path), path
            assert os.getcwd() not in path and os.path.dirname(main) not in path and "" not in path, path
            assert gadget.finders() == ["BuiltinImporter", "FrozenImporter", "PathFinder"], gadget.finders()
        print("clean")

    ran = machine.run(
        "-c",
        source_of(program, folder=str(folder)),
        env={"PYTHONPATH": str(machine.root / "planted")} | UNMEASURED,
    )
    assert ran.out == "clean\n"


@pytest.mark.parametrize("flag", ["-P", "-I", "-S", "-B", "-Xdev", "-Werror"])
def test_a_worker_starts_whatever_the_flags_of_its_host(folder: Path, machine: Machine, flag: str) -> None:
    if flag == "-P" and sys.version_info < (3, 11):
        pytest.skip("this Python has no -P")
    site = str(Path(envknit.__file__).parents[1]), str(Path(_envknit_bootstrap.__file__).parent)

    def program(site, folder):
        import sys

        sys.path += site
        import envknit

        with envknit.worker("gadget", "1.0", install_path=folder) as gadget:
            print(gadget.echo(sys.version_info[0]))

    ran = machine.run(
        flag,
        "-c",
        source_of(program, site=site, folder=str(folder)),
        env=UNMEASURED,
    )
    assert (ran.out, ran.err) == ("3\n", "")


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_processes_that_a_worker_starts_see_its_environment(project: Project, method: str) -> None:
    def program(method):
        import envknit

        with envknit.worker("gadget", "1.0") as gadget:
            here = gadget.where()
            print(gadget.child(method) == here, gadget.child_program() == here)

    ran = project.code(source_of(program, method=method))
    assert ran.out == "True True\n"


def test_a_worker_sees_the_hosts_packages_where_the_project_says_so(machine: Machine) -> None:
    project = machine.project()
    source = {"gadget/__init__.py": GADGET + "\ndef find(name): return __import__(name).__name__\n"}
    make_plan(project, {"gadget==1.0": source}, site_visible=True)

    def program():
        import envknit

        with envknit.worker("gadget", "1.0") as gadget:
            try:
                print(gadget.find("pytest"))
            except ModuleNotFoundError as error:
                print(error)

    assert project.code(program).out == "pytest\n"
    make_plan(project, {"gadget==1.0": source})
    assert "No module named 'pytest'" in project.code(program).out


def test_the_worker_of_a_pin_has_the_plan_of_its_environment(project: Project) -> None:
    make_plan(
        project,
        {"gadget==2.0": {"gadget/__init__.py": GADGET.replace("1.0", "2.0")}, "other==1": {"other.py": "X = 1\n"}},
        environment="ml",
        lock=project.lock_file.read_text(),
    )

    def program():
        import gadget

        import envknit

        with envknit.worker("gadget", "1.0") as one, envknit.worker("Gadget", "2.0") as two:
            print(gadget.__version__, one.__version__, two.__version__, one.pid() != two.pid())
            print(two.children().split(":")[2].partition("-")[0])
            print(two.apply(__import__, "math").__name__)
        with envknit.worker("other", "1", env="ml") as other:
            print(other.X)
        for name, version, env in [("gadget", "3.0", None), ("gadget", "2.0", "default"), ("gadget", "1.0", "none")]:
            try:
                envknit.worker(name, version, env=env)
            except envknit.LinkError as error:
                print(error)

    ran = project.code(program)
    lines = ran.out.splitlines()
    assert lines[:4] == ["1.0 1.0 2.0 True", "ml", "math", "1"]
    assert "no installed environment holds gadget 3.0" in ran.out
    assert "versions: 1.0 (default), 2.0 (ml)" in ran.out
    assert "python -m envknit add gadget==3.0 --env NAME" in ran.out
    assert "'default' holds no gadget 2.0" in ran.out
    assert "no environment named 'none' is installed" in ran.out


def test_a_distribution_with_another_import_name_gives_its_module(project: Project) -> None:
    make_plan(
        project,
        {
            "pyyaml==6.0": {"yaml/__init__.py": "V = 'yaml'\n", "_yaml/__init__.py": ""},
            "two-faces==1": {"one.py": "", "other.py": "V = 'other'\n"},
        },
    )

    def program():
        import envknit

        with envknit.worker("PyYAML", "6.0") as yaml:
            print(yaml.V)
        with envknit.worker("two_faces", "1") as one, envknit.use("two_faces", "1") as same:
            print(envknit.explain(one).module, same.__name__)
        with envknit.worker("two_faces", "1", module="other") as other:
            print(other.V)

    ran = project.code(program)
    assert ran.out == "yaml\none one\nother\n"


SOURCE = """
import envknit
with envknit.worker("gadget", "1.0") as gadget:
    print(gadget.echo("hello"))
"""


def test_every_way_to_run_a_program_can_start_a_worker(project: Project) -> None:
    assert project.code(SOURCE).out == "hello\n"  # a script without a main guard
    assert project.run("-c", SOURCE).out == "hello\n"
    assert project.run("-", stdin=SOURCE).out == "hello\n"
    assert "hello" in project.run("-i", "-q", stdin=SOURCE + "\n").out  # a REPL
    project.write("package/__init__.py", "")
    project.write("package/__main__.py", SOURCE)
    assert project.run("-m", "package").out == "hello\n"


def test_standard_streams_of_the_worker_are_the_hosts(project: Project) -> None:
    def program():
        import envknit

        with envknit.worker("gadget", "1.0") as gadget:
            print("first", flush=True)
            assert gadget.say("second") == 6
            gadget.say("third", "stderr")
            assert gadget.echo(4) == 4
            assert gadget.ask() == "typed"
            print("last")

    ran = project.run(
        "-c",
        program,
        stdin="typed\n",
    )
    assert (ran.out, ran.err) == ("first\nsecond\nlast\n", "third\n")


def test_a_worker_that_cannot_start_says_why(folder: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(WorkerError, match="no interpreter /bin/false was found"),
        envknit.worker("gadget", "1.0", install_path=folder, python="/bin/false"),
    ):
        pass
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "loud.py").write_text("import os, sys\nprint('my last words', file=sys.stderr)\nos._exit(3)\n")
    with (
        pytest.raises(WorkerError, match="died") as caught,
        envknit.worker("loud", "1", install_path=tmp_path / "loud"),
    ):
        pass
    assert (caught.value.ended, "my last words" in str(caught.value)) == ("exit status 3", True)
    (tmp_path / "loud" / "loud.py").write_text("raise ValueError('at import')\n")
    with pytest.raises(ValueError, match="at import"), envknit.worker("loud", "1", install_path=tmp_path / "loud"):
        pass
    with pytest.raises(WorkerError, match="not a folder"):
        envknit.worker("gadget", "1.0", install_path=tmp_path / "none")


def test_a_worker_may_run_another_interpreter(project: Project) -> None:
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    others = [version for version in ("3.10", "3.11", "3.12", "3.13") if version != mine and _python(version)]
    if not others:
        pytest.skip("this machine has one CPython only")
    other = others[0]

    def program(other):
        import envknit

        with envknit.worker("gadget", "1.0", python=other) as gadget:
            print(gadget.sys.version_info[:2], gadget.echo([1, "a", {2.0}]), gadget.__version__)
            box = gadget.Box(5)
            print(box.get(), len(gadget.huge(100_000)))
            try:
                gadget.apply(lambda: 1 / 0)
            except ZeroDivisionError as error:
                print(error)

    refused = project.code(source_of(program, other=other), status=1)
    assert "the lock is not installed for this interpreter" in refused.err
    assert "-m envknit install" in refused.err
    (plan,) = project.machine.home.glob("plans/2/*/*/trees/*/plan")
    folder = plan.parents[2]
    own, abi = folder.parts[-2], ask_python(_python(other)).abi
    target = Path(str(folder).replace(own, abi))
    shutil.copytree(folder, target, symlinks=True)
    (target / plan.relative_to(folder)).chmod(0o644)
    (target / plan.relative_to(folder)).write_text(plan.read_text().replace(own, abi))
    library = (target / plan.relative_to(folder)).with_name("lib")
    library.chmod(0o755)
    (library / f"python{RUNNING}").rename(library / f"python{other}")
    major, minor = other.split(".")
    assert (
        project.code(source_of(program, other=other)).out
        == f"({major}, {minor}) [1, 'a', {{2.0}}] 1.0\n5 100000\ndivision by zero\n"
    )

    def program_():
        import envknit

        envknit.worker("gadget", "1.0", python="2.7")

    ran = project.code(program_, status=1)
    assert "no interpreter 2.7 was found" in ran.err


def _python(version: str) -> str:
    try:
        return interpreter_path(version)
    except WorkerError:
        return ""


def test_a_program_without_a_lock_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="no lock is active"):
        envknit.worker("gadget", "1.0")
    assert tmp_path.exists()


def test_a_name_that_is_no_text_is_told_at_once(project: Project) -> None:
    def program():
        import envknit

        for call in envknit.worker, envknit.use:
            try:
                call(5, "1.0")
            except TypeError as error:
                print(error)

    ran = project.code(program)
    assert ran.out == "the name of a distribution is a str such as 'requests', not 5\n" * 2


def test_a_worker_is_found_in_a_lock_that_the_program_configured(machine: Machine) -> None:
    project = machine.project()
    make_plan(project, {"lib==2.0": {"lib.py": "def version(): return '2.0'\n"}})
    elsewhere = machine.root / "elsewhere"
    elsewhere.mkdir()

    def program(lock_file):
        import envknit

        envknit.configure_from_lock(lock_file, auto_install=False)
        with envknit.worker("lib", "2.0") as lib:
            print(lib.version())
        print(envknit.run_in("default", "lib:version"))

    assert machine.run("-c", source_of(program, lock_file=str(project.lock_file)), cwd=elsewhere).out == "2.0\n2.0\n"
