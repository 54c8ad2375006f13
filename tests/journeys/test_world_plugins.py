"""Plugins with locks of their own: each lives in a world, beside its host and the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.client import client_project
from kit.planned import write_plans

if TYPE_CHECKING:
    from kit import Machine, Project

PLUGIN = """
    import lib, api, sibling
    NAME = {name!r}
    def run():
        import dep.late, lib
        return NAME, lib.__version__, dep.late.VERSION, sibling.back()
    def reach():
        import late_sibling
        return late_sibling.__name__
    api.REGISTRY[NAME] = run
"""


@pytest.fixture(name="host")
def _host(machine: Machine) -> Project:
    """A host with two plugins, each with a lock of its own."""
    project = client_project(machine)
    project.write("api.py", "REGISTRY = {}\n")
    for name, version in (("one", "1.0"), ("two", "2.0")):
        lock = project.root / "plugins" / name / "envknit.lock.yaml"
        write_plans(
            project.machine.home, lock, {"default": {f"lib=={version}": (f"dep=={version}",), f"dep=={version}": ()}}
        )
        project.write(f"plugins/{name}/plugin.py", PLUGIN.format(name=name))
        project.write(f"plugins/{name}/sibling.py", "import plugin\ndef back(): return plugin.NAME\n")  # a circle
        project.write(f"plugins/{name}/late_sibling.py", "")
    return project


def test_plugins_with_locks_of_their_own_share_the_modules_of_their_host(host: Project) -> None:
    def program():
        import api

        import envknit

        one, two = envknit.world(lock="plugins/one"), envknit.world(lock="plugins/two/envknit.lock.yaml")
        first, second = one.import_module("plugin"), two.load("plugins/two/plugin.py")
        assert two.import_module("plugin") is second is not first
        assert [run() for run in api.REGISTRY.values()] == [("one", "1.0", "1.0", "one"), ("two", "2.0", "2.0", "two")]
        assert one.metadata.version("lib") == "1.0" and two.metadata.version("lib") == "2.0"
        import client

        assert one.run(client.late) == ("1.0", "1.0", "2.0")  # by its code: the program's modules are the program's
        try:
            one.import_module("client")
        except envknit.LinkError as error:
            assert "outside of the world" in str(error)
        else:
            raise SystemExit
        whole = envknit.world(lock="plugins/one", project=".")
        assert whole.import_module("client").late() == ("1.0",) * 3
        assert envknit.versions("lib", lock="plugins/one") == {"1.0": ["default"]}
        assert list(envknit.versions("lib")) == ["2.0", "1.0"]
        assert envknit.environments()[0] == "default" and envknit.environments(lock="plugins/two") == ["default"]

    host.code(program)


def test_a_plugin_is_unloaded_and_loaded_anew_while_another_runs(host: Project) -> None:
    def program():
        import gc
        import sys
        import weakref

        import api

        import envknit

        one, two = envknit.world(lock="plugins/one"), envknit.world(lock="plugins/two")
        first, second = one.import_module("plugin"), two.import_module("plugin")
        one.reload()
        again = one.import_module("plugin")
        assert again is not first and again.run() == first.run() and api.REGISTRY["one"] is again.run
        try:
            first.reach()  # a module of the old one must not be mixed with those of the new one
        except ModuleNotFoundError as error:
            assert "is closed" in str(error)
        else:
            raise SystemExit
        assert again.reach() == f"late_sibling@{one.name}"

        one.close()
        one.close()
        for ask in (lambda: one.import_module("plugin"), one.__enter__, one.reload, lambda: one.run(list)):
            try:
                ask()
            except envknit.LinkError as error:
                assert "is closed" in str(error)
            else:
                raise SystemExit
        assert second.run() == ("two", "2.0", "2.0", "two")
        gone = [weakref.ref(each) for each in (one, again, first, first.run)]
        tag = one.name
        one = again = first = None
        api.REGISTRY.clear()
        gc.collect()
        assert [each() for each in gone] == [None] * 4
        assert not [name for name in sys.modules if name.endswith(tag)]
        assert envknit.world(lock="plugins/one").import_module("plugin").run()[1] == "1.0"

    host.code(program)


def test_a_reload_goes_by_what_the_lock_says_now_also_where_it_says_again_what_it_said(host: Project) -> None:
    home, locks = host.machine.home, {}
    for version in ("2.0", "1.0"):
        pins = {f"lib=={version}": (f"dep=={version}",), f"dep=={version}": ()}
        lock = host.root / "plugins" / "one" / "envknit.lock.yaml"
        write_plans(home, lock, {"default": pins})
        locks[version] = lock.read_text()
    host.write("plugins/one/newer.lock", locks["2.0"])

    def program():
        import pathlib

        import envknit

        one, lock = envknit.world(lock="plugins/one"), pathlib.Path("plugins/one/envknit.lock.yaml")
        old, new = lock.read_text(), pathlib.Path("plugins/one/newer.lock").read_text()
        for text, version in ((old, "1.0"), (new, "2.0"), (old, "1.0")):
            lock.write_text(text)
            one.reload()
            assert one.import_module("plugin").run()[1:3] == (version, version)
            with envknit.use("default", lock=lock):
                import lib

                assert lib.__version__ == version
        lock.write_text("nonsense")
        try:
            one.reload()
        except envknit.EnvknitError:
            pass
        else:
            raise SystemExit
        assert one.import_module("plugin").run()[1] == "1.0"  # it is as it was

    host.code(program)


def test_a_plugin_whose_lock_is_not_there_or_not_installed_is_an_error_that_a_host_can_survive(host: Project) -> None:
    host.write(
        "plugins/three/envknit.lock.yaml",
        """
        schema_version: "1.0"
        environments:
          default:
            - {name: missing, version: '1.0', dependencies: []}
    """,
    )

    def program():
        import envknit

        found = {}
        for name in ("one", "three", "four", "two"):
            try:
                found[name] = envknit.world(lock=f"plugins/{name}").import_module("plugin").run()[1]
            except (envknit.EnvknitError, FileNotFoundError) as error:
                found[name] = type(error).__name__
        assert found == {"one": "1.0", "two": "2.0", "three": found["three"], "four": "FileNotFoundError"}, found
        assert found["three"].endswith("Error")

    host.code(program)
