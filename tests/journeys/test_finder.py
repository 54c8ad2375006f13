"""Imports, metadata and resources out of the store, as a program under a lock sees them."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.plan import SITE_PACKAGES
from envknit.view.runtime import HOOK
from kit.planned import make_plan
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Machine, Project

ENTRY_POINTS = "[console_scripts]\nalpha = alpha:main\n[plugins]\none = alpha.late:NAME\n"
RECORD = "alpha/__init__.py,,\nalpha/data.txt,,\nalpha-1.0.dist-info/METADATA,,\nalpha-1.0.dist-info/RECORD,,\n"
ALPHA = {
    "alpha/__init__.py": "VERSION = '1.0'\n",
    "alpha/late.py": "NAME = __name__\n",
    "alpha/called.py": "def main(): pass\n",
    "alpha/data.txt": "some data\n",
    "alpha-1.0.dist-info/entry_points.txt": ENTRY_POINTS,
    "alpha-1.0.dist-info/RECORD": RECORD,
}


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    """A project with a package, a module and a namespace package of two pins."""
    project = machine.project()
    beta = {"beta.py": "X = 1\n", "space/beta/__init__.py": "WHO = 'beta'\n", "space/shared/b.py": ""}
    gamma = {"space/gamma.py": "WHO = 'gamma'\n", "space/shared/g.py": ""}
    make_plan(project, {"alpha==1.0": ALPHA, "beta==2.0": beta, "gamma-space==3.0": gamma})
    return project


def test_a_namespace_package_merges_pins_and_native_portions(project: Project) -> None:
    project.write("space/own.py", "WHO = 'own'\n")

    def program():
        import space.beta
        import space.gamma
        import space.own
        import space.shared.b
        import space.shared.g

        print(space.beta.WHO, space.gamma.WHO, space.own.WHO, len(list(space.__path__)))

    assert project.code(program).out == "beta gamma own 2\n"


def test_a_namespace_package_survives_changes_of_the_path(project: Project) -> None:
    project.write("later/space/more.py", "WHO = 'more'\n")

    def program():
        import sys

        import space.gamma

        sys.path.append("later")
        import space.beta
        import space.more

        print(space.more.WHO, space.beta.WHO)
        sys.path.remove("later")
        import space.shared.g

        print(len(list(space.__path__)))

    assert project.code(program).out == "more beta\n1\n"


def test_modules_have_the_paths_of_the_view(project: Project) -> None:
    def program():
        import inspect
        import sys

        import alpha.called
        import beta

        print(sys.prefix, alpha.called.__file__, alpha.__path__[0], alpha.called.__spec__.cached, sep="\n")
        print(alpha.called.main.__code__.co_filename)
        print(inspect.getsource(alpha.called).strip(), type(beta.__loader__).__mro__[1].__name__)

    home = project.machine.home
    for _ in range(2):  # compiled, and from bytecode
        prefix, file, path, cached, code, last = project.code(program).out.splitlines()

        assert path == f"{prefix}/{SITE_PACKAGES}/alpha"
        assert file == code == f"{path}/called.py"
        assert cached.startswith(str(home / "bytecode" / sys.implementation.cache_tag))
        assert last == "def main(): pass SourceFileLoader"


def test_bytecode_is_kept_beside_the_store_and_used(project: Project) -> None:
    write = {"PYTHONDONTWRITEBYTECODE": None}
    project.code("import alpha.late", env=write)
    entry = project.machine.home / "packages/site-packages/alpha-1.0-py3-none-any-00000000"
    kept = list((project.machine.home / "bytecode").rglob("late.pyc"))
    (entry / "alpha/late.py").write_text("NAME = 'the source is not read again'\n")

    assert not list(entry.rglob("*.pyc"))
    assert len(kept) == 1
    assert project.code("import alpha.late; print(alpha.late.NAME)").out == "alpha.late\n"


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, "torn"])
def test_damaged_bytecode_is_made_anew(project: Project, damage: bytes | str) -> None:
    project.code("import alpha.late")
    (kept,) = (project.machine.home / "bytecode").rglob("late.pyc")
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2] if isinstance(damage, str) else damage)

    assert project.code("import alpha.late; print(alpha.late.NAME)").out == "alpha.late\n"
    assert len(kept.read_bytes()) == len(whole)


def test_optimised_bytecode_is_kept_apart(project: Project) -> None:
    project.write("app.py", "import alpha.late")
    project.run("-O", "app.py")
    project.run("app.py")

    assert len(list((project.machine.home / "bytecode").rglob("late.pyc"))) == 2


def test_a_store_that_cannot_be_written_still_serves(project: Project) -> None:
    (project.machine.home / "bytecode").write_text("not a folder\n")

    assert project.code("import alpha.late; print(alpha.late.NAME)").out == "alpha.late\n"


def test_metadata_shows_exactly_the_pins(project: Project) -> None:
    def program():
        import importlib.metadata as m

        print(sorted(d.metadata["Name"] for d in m.distributions()))
        print(m.version("Alpha"), m.version("gamma_space"), m.version("Gamma.Space"))
        print(sorted(e.name for e in m.entry_points(group="plugins")), m.entry_points(group="plugins")["one"].load())
        print(min(map(str, m.files("alpha"))), m.files("alpha")[1].read_text().strip())
        print(sorted(m.packages_distributions().items())[:1] if hasattr(m, "packages_distributions") else "")
        try:
            m.version("pytest")
        except m.PackageNotFoundError as error:
            print("none", error.name)

    lines = project.code(program).out.splitlines()

    assert lines[0] == "['alpha', 'beta', 'gamma-space']"
    assert lines[1] == "1.0 3.0 3.0"
    assert lines[2] == "['one'] alpha.late"
    assert lines[3] == "alpha-1.0.dist-info/METADATA some data"
    assert lines[-1] == "none pytest"


def test_metadata_of_another_path_is_not_mixed_with_the_lock(project: Project) -> None:
    def program():
        import importlib.metadata as m
        import sys

        lock = sys.path[-2]
        print([d.metadata["Name"] for d in m.distributions(path=["/"])])
        print(sorted(d.metadata["Name"] for d in m.distributions(path=[lock])))
        print([d.metadata["Name"] for d in m.distributions(name="beta", path=[lock])])

    assert project.code(program).out == "[]\n['alpha', 'beta', 'gamma-space']\n['beta']\n"


def test_resources_and_pkgutil_work(project: Project) -> None:
    def program():
        import importlib.resources as r
        import pkgutil

        import alpha
        import space.gamma

        print((r.files("alpha") / "data.txt").read_text().strip(), pkgutil.get_data("alpha", "data.txt"))
        ours = {m.name: m.ispkg for m in pkgutil.iter_modules() if m.name in ("alpha", "beta", "space")}
        print(ours, [m.name for m in pkgutil.iter_modules(alpha.__path__)])
        print(sorted(m.name for m in pkgutil.iter_modules(space.__path__, "space.")))

    out = project.code(program).out.splitlines()

    assert out[0] == "some data b'some data\\n'"
    assert out[1] == "{'alpha': True, 'beta': False} ['called', 'late']"
    assert out[2] == "['space.beta', 'space.gamma']"


def test_running_modules_reloading_and_forgetting_caches_work(project: Project) -> None:
    def program():
        import importlib
        import runpy
        import sys

        import alpha.late

        print(runpy.run_module("alpha.late")["NAME"], runpy.run_module("beta")["X"])
        importlib.invalidate_caches()
        print(importlib.reload(alpha.late) is alpha.late, importlib.import_module("space.gamma").WHO)

    assert project.code(program).out == "alpha.late 1\nTrue gamma\n"


def test_what_appears_in_a_folder_is_seen_after_the_caches_are_forgotten(project: Project) -> None:
    folder = project.machine.home / "packages/site-packages/alpha-1.0-py3-none-any-00000000/alpha"

    def program(folder):
        import importlib
        import pathlib

        import alpha.late

        pathlib.Path(folder, "fresh.py").write_text("X = 5")
        importlib.invalidate_caches()
        import alpha.fresh

        print(alpha.fresh.X)

    assert project.code(source_of(program, folder=str(folder))).out == "5\n"


def test_importing_from_many_threads_at_once_gives_one_module(project: Project) -> None:
    def program():
        import threading

        seen, gate = set(), threading.Barrier(16)

        def work():
            gate.wait()
            import alpha.late
            import space.beta

            seen.add((id(alpha.late), id(space.beta)))

        threads = [threading.Thread(target=work) for _ in range(16)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        print(len(seen))

    assert project.code(program).out == "1\n"


def test_start_up_code_runs_only_for_pins_that_asked(machine: Machine) -> None:
    project = machine.project()
    hook = "import sys\nimport talker; talker.say('pth')\nnot code\n# comment\n"
    files = {"talker.py": "def say(x='start'): print('said', x)\n", "talker.pth": hook, "talker.start": "talker:say\n"}
    make_plan(project, {"talker==1": files, "quiet==1": {"quiet.pth": "import talker; talker.say('never')\n"}})
    assert project.code("print('app')").out == "app\n"

    startup = (("talker", "talker.pth"), ("talker", "talker.start"))
    make_plan(project, {"talker==1": files}, startup=startup)
    assert project.code("print('app')").out == "said pth\nsaid start\napp\n"


def test_start_up_code_that_fails_is_told_and_python_goes_on(machine: Machine) -> None:
    project = machine.project()
    make_plan(project, {"bad==1": {"bad.pth": "import nothing_of_that_name\n"}}, startup=(("bad", "bad.pth"),))

    ran = project.code("print('app')")

    assert ran.out == "app\n"
    assert "start-up code of bad failed" in ran.err


@pytest.mark.ends
def test_threads_that_import_envknit_and_a_locked_package_do_not_wait_for_each_other(machine: Machine) -> None:
    project = machine.project()
    make_plan(project, {"alpha==1": {"alpha.py": "VERSION = '1'\n"}})
    source = """
        import importlib._bootstrap as b, threading, time
        there = threading.Event()
        def other():
            lock = b._get_module_lock("_envknit_finder")  # as one that imports it has
            with lock:
                there.set()
                time.sleep(0.5)
                import wave
        class Lock(b._ModuleLock):
            __enter__, __exit__ = b._ModuleLock.acquire, lambda self, *_: self.release()
        b._ModuleLock = Lock
        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        there.wait()
        import alpha
        thread.join(10)
        print(alpha.VERSION, thread.is_alive())
    """

    assert project.code(source, timeout=60).out == "1 False\n"


def test_what_a_hosts_pth_file_did_does_not_stay_under_a_locked_name(machine: Machine) -> None:
    host = machine.root / "host"
    machine.run("-m", "venv", "--without-pip", host)
    (site,) = host.glob("lib/python*/site-packages")
    for name in HOOK:
        shutil.copy(Path(sysconfig.get_path("purelib"), name), site)
    (site / "both.py").write_text("WHO = 'host'\n")
    (site / "finder.py").write_text("class F:\n    def find_spec(self, *a): print('host finder asked for', a[0])\n")
    (site / "aaa.pth").write_text("import both, finder, sys; sys.meta_path.append(finder.F())\n")
    project = machine.project()
    make_plan(project, {"both==1": {"both.py": "WHO = 'locked'\n"}})
    project.write("app.py", "import both; print(both.WHO)\nimport colorsys, nowhere")

    ran = project.run(host / "bin" / "python", "app.py", status=1)

    assert ran.out == "locked\n"
    assert "has nothing that provides 'nowhere'" in ran.err
