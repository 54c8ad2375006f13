"""One lock with two versions of a dependency: from the conflict to the program that runs with both."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine
    from kit.machine import Project

pytestmark = pytest.mark.ends

LIB = """
    import pickle, threading
    VERSION = {version!r}
    class Thing:
        def where(self):
            return VERSION
    def late():
        from lib.deep import inner
        return inner.VALUE
"""


def publish_seed(index: LoopbackIndex) -> None:
    """The graph of the wish: two dependencies that want different versions of a third, which wants a fourth."""
    for version in ("1.0", "2.0"):
        files = {"lib/__init__.py": textwrap.dedent(LIB).format(version=version), "lib/deep/__init__.py": ""}
        files["lib/deep/inner.py"] = f"import core\nVALUE = ({version!r}, core.VERSION)\n"
        index.publish("lib", version, files, requires=[f"core=={version}", "common"])
        index.publish("core", version, {"core.py": f"VERSION = {version!r}\n"})
    index.publish("common", "1.0", {"common.py": "things = []\n"})
    for name, wanted in (("dep-a", "2.0"), ("dep-b", "1.0")):
        index.publish(
            name,
            "1.0",
            {
                f"{name.replace('-', '_')}/__init__.py": textwrap.dedent("""
                    import common, lib
                    from . import part
                    def seen():
                        import lib as again
                        assert again is lib
                        return lib.VERSION, lib.late(), part.late()
                    def thing():
                        return lib.Thing()
                    def metadata():
                        from importlib.metadata import version
                        return version("lib")
                    def show():
                        print(*seen()[0:1], metadata())
                    def by_name():
                        import importlib
                        return importlib.import_module("lib.deep.inner").VALUE
                """),
                f"{name.replace('-', '_')}/__main__.py": "import lib, sys; print(__name__, lib.VERSION)",
                f"{name.replace('-', '_')}/part.py": textwrap.dedent("""
                    def late():
                        import lib.deep.inner
                        return lib.deep.inner.VALUE
                """),
            },
            requires=[f"lib=={wanted}", "common"],
            entry_points={"console_scripts": {f"show-{name}": f"{name.replace('-', '_')}:show"}},
        )


@pytest.fixture(name="seed")
def _seed(index: LoopbackIndex, machine: Machine) -> Project:
    publish_seed(index)
    return machine.project(["dep-a", "dep-b"])


def test_the_lock_explains_the_conflict_and_names_the_smallest_split(seed: Project) -> None:
    ran = seed.envknit("lock", status=3)
    assert not seed.lock_file.exists()
    assert "you ask for dep-a, which gives dep-a 1.0, which needs lib==2.0" in ran.err
    assert "you ask for dep-b, which gives dep-b 1.0, which needs lib==1.0" in ran.err
    assert "lib twice: 2.0 for dep-a 1.0 and for plain imports; 1.0 for dep-b 1.0" in ran.err
    assert "core twice: 2.0 for lib 2.0" in ran.err
    assert "stays shared: common 1.0" in ran.err
    assert "envknit lock --split" in ran.err


def test_each_dependency_sees_its_own(seed: Project) -> None:
    seed.lock("--split")
    seed.install()

    def program():
        import pickle
        import threading

        import dep_a
        import dep_b
        import lib

        print(dep_a.seen(), dep_b.seen(), lib.VERSION)
        print(dep_a.by_name(), dep_b.by_name())
        print(dep_a.metadata(), dep_b.metadata())
        import common

        print(dep_a.common is dep_b.common is common, dep_a.lib is lib, dep_a.__name__, dep_b.__name__)
        there = []
        threads = [threading.Thread(target=lambda dep=dep: there.append(dep.seen()[1])) for dep in (dep_a, dep_b) * 8]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(sorted(set(there)))
        for dep in (dep_a, dep_b):
            print(pickle.loads(pickle.dumps(dep.thing())).where())

    ran = seed.code(program)
    assert [
        "('2.0', ('2.0', '2.0'), ('2.0', '2.0')) ('1.0', ('1.0', '1.0'), ('1.0', '1.0')) 2.0",
        "('2.0', '2.0') ('1.0', '1.0')",
        "2.0 1.0",
        "True True dep_a dep_b",
        "[('1.0', '1.0'), ('2.0', '2.0')]",
        "2.0",
        "1.0",
    ] == ran.out.splitlines()


def test_use_gives_the_very_guest_that_a_dependency_sees(seed: Project) -> None:
    seed.lock("--split")
    seed.install()

    def program():
        import dep_b
        import lib

        import envknit

        with envknit.use("lib", "1.0") as guest:
            import lib as inside

            assert inside is guest is dep_b.lib
        assert lib.VERSION == "2.0"
        with envknit.use("dep-b", "1.0") as same:
            assert same is dep_b
        print("ok")

    ran = seed.code(program)
    assert "ok" == ran.out.strip()


def test_a_pickle_is_read_in_another_process(seed: Project) -> None:
    seed.lock("--split")
    seed.install()

    def program():
        import pickle

        import dep_a
        import dep_b

        with open("things", "wb") as file:
            pickle.dump([dep_a.thing(), dep_b.thing()], file)

    seed.code(program)

    def other():
        import pickle

        with open("things", "rb") as file:
            print(*(thing.where() for thing in pickle.load(file)))

    ran = seed.code(other)
    assert "2.0 1.0" == ran.out.strip()


def test_a_worker_holds_whichever_is_asked_for(seed: Project) -> None:
    seed.lock("--split")
    seed.install()

    def program():
        import envknit

        for name, version in (("lib", "1.0"), ("lib", "2.0"), ("dep-b", "1.0")):
            with envknit.worker(name, version) as there:
                print(name, there.VERSION if name == "lib" else there.seen()[0])

    ran = seed.code(program)
    assert ["lib 1.0", "lib 2.0", "dep-b 1.0"] == ran.out.splitlines()


def test_three_versions_live_together_and_who_shares_one_shares_the_module(
    index: LoopbackIndex, machine: Machine
) -> None:
    for version in ("1", "2", "3"):
        index.publish("lib", version, {"lib.py": f"VERSION = {version!r}"})
    for name, wanted in (("a", "==1"), ("b", "==2"), ("c", "==3"), ("d", "<2"), ("e", "")):
        index.publish(name, "1", {f"{name}.py": "import lib"}, requires=[f"lib{wanted}"])
    project = machine.project(["a", "b", "c", "d", "e"])
    project.lock("--split")
    project.install()

    def program():
        import a
        import b
        import c
        import d
        import e
        import lib

        print(a.lib.VERSION, b.lib.VERSION, c.lib.VERSION, d.lib is a.lib, e.lib is c.lib is lib)

    ran = project.code(program)
    assert "1 2 3 True True" == ran.out.strip()


def test_a_guest_and_a_resident_can_need_each_other(index: LoopbackIndex, machine: Machine) -> None:
    for version in ("1", "2"):
        files = {"lib.py": f"VERSION = {version!r}\ndef plugin():\n    import plugin\n    return plugin"}
        index.publish("lib", version, files, requires=["plugin"])
    index.publish("plugin", "1", {"plugin.py": "import lib"}, requires=["lib"])
    index.publish("old", "1", {"old.py": "import lib"}, requires=["lib<2"])
    index.publish("new", "1", {"new.py": "import lib"}, requires=["lib>=2"])
    project = machine.project(["old", "new"])
    assert "plugin 1 works with lib 2, and is used by lib 1:" in project.lock("--split").err
    project.install()

    def program():
        import new
        import old

        print(old.lib.VERSION, new.lib.VERSION, old.lib.plugin().lib.VERSION, new.lib.plugin().lib.VERSION)

    ran = project.code(program)
    assert "1 2 2 2" == ran.out.strip()


def test_children_see_the_same(seed: Project) -> None:
    seed.lock("--split")
    seed.install()

    def program():
        import multiprocessing

        import dep_a
        import dep_b

        def work(dep):
            return dep.seen()[0], dep.thing()

        def by_name(name):
            import importlib

            return work(importlib.import_module(name))

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                for version, thing in pool.map(by_name, ["dep_a", "dep_b"]):
                    print(version, thing.where())

    ran = seed.code(program)
    assert ["2.0 2.0", "1.0 1.0"] == ran.out.splitlines()


def test_scripts_and_entry_points_run_with_what_their_package_was_locked_with(seed: Project) -> None:
    seed.lock("--split")
    seed.install()
    assert "2.0 2.0" == seed.envknit("run", "show-dep-a").out.strip()
    assert "1.0 1.0" == seed.envknit("run", "show-dep-b").out.strip()

    def program():
        from importlib.metadata import distributions, entry_points, version

        for point in sorted(entry_points(group="console_scripts")):
            point.load()()
        print(version("lib"), sorted(d.name + " " + d.version for d in distributions() if d.name in ("lib", "core")))

    ran = seed.code(program)
    assert ["2.0 2.0", "1.0 1.0", "2.0 ['core 2.0', 'lib 2.0']"] == ran.out.splitlines()


def test_a_package_run_by_its_name_sees_its_own(seed: Project) -> None:
    seed.lock("--split")
    seed.install()
    assert "__main__ 2.0" == seed.run("-m", "dep_a").out.strip()
    assert "__main__ 1.0" == seed.run("-m", "dep_b").out.strip()


def test_a_lock_that_was_split_stays_so_without_being_told_again(seed: Project) -> None:
    seed.lock("--split")
    before = seed.lock_file.read_bytes()
    assert "up to date" in seed.lock().out
    assert before == seed.lock_file.read_bytes()
    seed.envknit("lock", "--check")


def test_the_project_can_accept_a_split_in_advance(index: LoopbackIndex, machine: Machine) -> None:
    publish_seed(index)
    machine.project(["dep-a", "dep-b"], name="auto", more="split: auto").lock()
    machine.project(["dep-a", "dep-b"], name="named", more="split: [core, lib]").lock()
    ran = machine.project(["dep-a", "dep-b"], name="less", more="split: [lib]").envknit("lock", status=3)
    assert "core twice" in ran.err
    assert "write `split: [core, lib]` into the project" in ran.err


def test_a_package_can_be_added_though_it_needs_a_split(index: LoopbackIndex, machine: Machine) -> None:
    publish_seed(index)
    project = machine.project(["dep-a"]).ready()
    before = project.file.read_bytes()
    assert "lib twice" in project.envknit("add", "dep-b", status=3).err
    assert before == project.file.read_bytes()
    project.envknit("add", "dep-b", "--split")
    assert "2.0 1.0" == project.code("import dep_a, dep_b; print(dep_a.seen()[0], dep_b.seen()[0])").out.strip()


def test_what_the_project_itself_asks_for_is_resident(index: LoopbackIndex, machine: Machine) -> None:
    publish_seed(index)
    project = machine.project(["dep-a", "dep-b", "lib<2"])
    project.lock("--split")
    project.install()
    ran = project.code("import lib, dep_a, dep_b; print(lib.VERSION, *dep_a.seen()[:1], *dep_b.seen()[:1])")
    assert "1.0 2.0 1.0" == ran.out.strip()


def test_two_requirements_of_the_project_itself_cannot_be_split(index: LoopbackIndex, machine: Machine) -> None:
    publish_seed(index)
    ran = machine.project(["lib<2", "lib>=2"]).envknit("lock", "--split", status=3)
    assert "no version of lib satisfies all that is asked of it" in ran.err
    assert "environments of its own" in ran.err.replace("\n", " ")


def test_where_types_will_cross_the_lock_warns(index: LoopbackIndex, machine: Machine) -> None:
    publish_seed(index)
    index.publish("both", "1.0", {"both.py": "import dep_b, lib"}, requires=["dep-b", "lib>=2"])
    ran = machine.project(["both", "dep-a"]).lock("--split")
    assert "dep-b 1.0 works with lib 1.0, and is used by both 1.0 with lib 2.0:" in ran.err
    assert "dep-a 1.0 works" not in ran.err


def test_what_cannot_do_without_its_extension_modules_is_refused_when_locking(
    index: LoopbackIndex, machine: Machine
) -> None:
    for version in ("1.0", "2.0"):
        index.publish("fast", version, {"fast.abi3.so": ""}, tags="cp39-abi3-manylinux_2_17_x86_64")
    index.publish("one", "1.0", requires=["fast<2"])
    index.publish("two", "1.0", requires=["fast>=2"])
    project = machine.project(["one", "two"])
    assert "whether fast 1.0 can do without them is tried then" in project.envknit("lock", status=3).err
    ran = project.envknit("lock", "--split", status=3)
    assert "fast 1.0 cannot be loaded beside the other version in the lock: it has extension modules, and" in ran.err
    assert "CExtensionError: fast 1.0 has extension modules" in ran.err
    assert "envknit.worker()" in ran.err
    assert not project.lock_file.exists()


@pytest.mark.once
def test_a_split_that_this_platform_does_not_need_is_tried_where_it_is(index: LoopbackIndex, machine: Machine) -> None:
    for version in ("1.0", "2.0"):
        index.publish("fast", version, {"fast.abi3.so": ""}, tags="cp39-abi3-manylinux_2_17_x86_64")
    index.publish("one", "1.0", requires=["fast<2"])
    index.publish("two", "1.0", requires=['fast>=2; sys_platform == "darwin"'])
    ran = machine.project(["one", "two"]).lock("--split")
    assert "default: whether fast can be split shows where it is installed: not needed here" in ran.err


def test_a_wheel_that_hides_an_extension_module_is_refused_when_installing(
    index: LoopbackIndex, machine: Machine
) -> None:
    for version in ("1.0", "2.0"):
        index.publish("sly", version, {"sly/__init__.py": "import sly._fast", "sly/_fast.abi3.so": ""})
    index.publish("one", "1.0", requires=["sly<2"])
    index.publish("two", "1.0", requires=["sly>=2"])
    project = machine.project(["one", "two"])
    project.lock("--split")
    ran = project.envknit("install", status=None)
    assert ran.status
    assert "sly 1.0 cannot be loaded beside the other version in the lock" in ran.err


def test_the_pure_wheel_of_a_guest_is_installed_even_where_a_native_one_fits(
    index: LoopbackIndex, machine: Machine
) -> None:
    for version in ("1.0", "2.0"):
        files = {"fast.py": f"VERSION = {version!r}"}
        index.publish("fast", version, {**files, "_fast.abi3.so": ""}, tags="cp39-abi3-manylinux_2_17_x86_64")
        index.publish("fast", version, files)
    index.publish("one", "1.0", {"one.py": "import fast"}, requires=["fast<2"])
    index.publish("two", "1.0", {"two.py": "import fast"}, requires=["fast>=2"])
    project = machine.project(["one", "two"])
    project.lock("--split")
    project.install()
    assert "1.0 2.0" == project.code("import one, two; print(one.fast.VERSION, two.fast.VERSION)").out.strip()
    assert ["py3-none-any"] == [
        entry.name.split("-", 2)[2].rpartition("-")[0]
        for entry in (machine.home / "packages/site-packages").glob("fast-1.0-*")
    ]


def test_the_verbs_show_both_versions(seed: Project) -> None:
    seed.lock("--split")
    seed.install()
    tree = seed.envknit("tree").out
    assert "lib 1.0 (beside 2.0)" in tree
    assert "lib 2.0 (beside 1.0)" in tree
    assert ["dep-a 1.0 -> lib 2.0", "dep-b 1.0 -> lib 1.0"] == sorted(
        line.strip() for line in seed.envknit("why", "lib").out.splitlines()[1:]
    )
    assert "default: lib in several versions: 1.0, 2.0" in seed.envknit("status").out
    seed.envknit("verify")
    seed.envknit("store", "gc")
    seed.envknit("verify")
    assert "1.0" == seed.code("import dep_b; print(dep_b.seen()[0])").out.strip()


def test_a_plan_without_guests_loads_nothing_for_them(index: LoopbackIndex, machine: Machine) -> None:
    publish_seed(index)
    project = machine.project(["dep-a"]).ready()
    ran = project.code(
        "import builtins, dep_a, sys; print('envknit.runtime.linked' in sys.modules, builtins.__import__)"
    )
    assert "False <built-in function __import__>" == ran.out.strip()


@pytest.mark.network
def test_real_applications_run_with_both_generations_of_urllib3_and_click(online: Machine) -> None:
    project = online.project(["requests==2.28.2", "dulwich>=0.25", "typer==0.3.2", "flask>=3"])
    refused = project.envknit("lock", status=3).err
    assert "click twice" in refused
    assert "urllib3 twice" in refused
    project.lock("--split")
    project.install()

    def program():
        import http.server
        import pickle
        import threading
        from importlib.metadata import version

        import click
        import dulwich.client
        import flask
        import requests
        import typer
        import urllib3
        from typer.testing import CliRunner

        class Echo(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(self.headers["User-Agent"].encode())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"

        answers = []

        def ask():
            manager = dulwich.client.default_urllib3_manager(None)
            answers.append((requests.get(url).text, manager.request("GET", url).status))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(set(answers))
        print(requests.packages.urllib3.__version__.split(".")[0], urllib3.__version__.split(".")[0])
        print(pickle.loads(pickle.dumps(requests.get(url))).text)
        try:
            requests.get("http://127.0.0.1:1/")
        except requests.ConnectionError as error:
            kind = type(error.args[0])
            print(kind.__module__.partition("_")[0], pickle.loads(pickle.dumps(kind)) is kind)

        commands = typer.Typer()

        @commands.command()
        def hello(name: str):
            typer.echo(f"hello {name} from {typer.main.click.__name__}")

        print(CliRunner().invoke(commands, ["ada"]).output.strip())

        site = flask.Flask(__name__)

        @site.cli.command("hi")
        @click.argument("name")
        def hi(name):
            click.echo(f"hi {name} from {click.__name__} {version('click').split('.')[0]}")

        print(site.test_cli_runner().invoke(args=["hi", "ada"]).output.strip())

    ran = project.code(program)
    assert [
        "{('python-requests/2.28.2', 200)}",
        "1 2",
        "python-requests/2.28.2",
        "urllib3@1 True",
        "hello ada from click@7_1_2",
        "hi ada from click 8",
    ] == ran.out.splitlines()
