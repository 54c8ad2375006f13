"""Two versions in one process, as a program under a lock sees them (docs/explanation/worlds.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.versions import versions_project

if TYPE_CHECKING:
    from kit import Machine, Project


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    return versions_project(machine)


def test_a_block_gives_the_version_with_its_own_dependencies_and_ends(project: Project) -> None:
    """ "Imports within the block are redirected to the requested version"."""

    def program():
        import lib

        import envknit

        host = lib
        assert (lib.__version__, lib.dep.VERSION) == ("2.0", "2.0")
        with envknit.use("lib", "1.0") as given:
            import lib

            assert given is lib and given is not host
            assert (lib.__version__, lib.dep.VERSION, lib.__name__) == ("1.0", "1.0", "lib@1_0")
            import dep

            assert dep.VERSION == "2.0", "only what the block names is another version"
        import lib

        assert lib is host
        assert (given.late(), host.late()) == (("1.0",) * 3, ("2.0",) * 3)

    project.code(program)


def test_blocks_nest_and_restore(project: Project) -> None:
    """ "On context exit … revert to what they were before the block"."""

    def program():
        import envknit

        def version():
            import lib

            return lib.__version__, lib.dep.VERSION

        with envknit.use("lib", "1.0"):
            assert version() == ("1.0", "1.0")
            with envknit.use("lib", "2.0"):
                assert version() == ("2.0", "2.0")
                with envknit.use("lib", "2.0", env="mixed"), envknit.use("dep", "1.0"):
                    import dep

                    assert (version(), dep.VERSION) == (("2.0", "1.0"), "1.0")
                assert version() == ("2.0", "2.0")
            try:
                with envknit.use("lib", "2.0"):
                    raise KeyError
            except KeyError:
                pass
            assert version() == ("1.0", "1.0")
        assert version() == ("2.0", "2.0")

    project.code(program)


def test_two_blocks_of_one_version_give_one_module_executed_once(project: Project) -> None:
    def program():
        import sys

        import envknit

        with envknit.use("lib", "1.0") as one:
            pass
        with envknit.use("lib", "1.0") as two:
            pass
        with envknit.use("lib", "1") as three:
            pass
        assert one is two is three is sys.modules["lib@1_0"]
        with envknit.use("lib", "2.0") as resident:
            import lib
        assert resident is lib and lib.__name__ == "lib"

    project.code(program)


def test_members_with_equal_links_are_shared_and_others_are_not(project: Project) -> None:
    def program():
        import sys

        import dep
        import same

        import envknit

        with envknit.use("same", "1.0", env="old") as shared:
            assert shared is same
        with envknit.use("lib", "2.0", env="mixed") as mixed:
            assert mixed.__name__.startswith("lib@2_0") and mixed.dep.VERSION == "1.0"
        with envknit.use("dep", "1.0", env="old") as first, envknit.use("dep", "1.0", env="mixed") as second:
            assert first is second is mixed.dep

    project.code(program)


def test_names_asked_for_at_run_time_are_routed_too(project: Project) -> None:
    def program():
        import lib.named

        import envknit

        one = envknit.import_version("lib", "1.0")
        named = __import__("lib@1_0.named", fromlist=["x"])
        expected = ["V"] * 6 + ["data of V"] * 2 + ["V"] * 3
        assert list(named.by_name()) == [e.replace("V", "1.0") for e in expected], named.by_name()
        assert list(lib.named.by_name()) == [e.replace("V", "2.0") for e in expected], lib.named.by_name()
        assert named.generated() == ("1.0", "1.0") and lib.named.generated() == ("2.0", "2.0")

    project.code(program)


def test_a_guest_sees_sys_modules_in_its_own_names(project: Project) -> None:
    def program():
        import io
        import sys

        import envknit

        one = envknit.import_version("lib", "1.0")
        import lib

        named = __import__("lib@1_0.named", fromlist=["x"])
        one.late()
        got = named.modules()
        assert got == ("1.0", True, "1.0", None, True, ["lib.alias", "lib.inner"], True, dict), got
        assert "lib.alias" not in sys.modules and sys.modules["lib@1_0.alias"].VERSION == "1.0"
        guest = named.sys
        assert guest is not sys and guest.exit is sys.exit and guest.modules["sys"] is guest
        assert named.depth() is None, "as deep as without us (flask/cli.py, locate_app)"
        guest.stdout, before = io.StringIO(), sys.stdout
        print("x")
        got = sys.stdout.getvalue()
        sys.stdout = before
        assert got == "x\n" and guest.stdout is before
        assert "lib" in guest.modules and guest.modules["lib"] is one and sys.modules["lib"] is lib
        assert "only" not in guest.modules and "lib@1_0.named" in guest.modules and guest.modules.get("x", 3) == 3
        guest.modules["lib.made"] = 5
        assert sys.modules.pop("lib@1_0.made") == 5
        try:
            del guest.modules["lib.made"]
        except KeyError as error:
            assert error.args == ("lib.made",)
        assert len(guest.modules) == len(list(guest.modules)) > 10

    project.code(program)


def test_a_whole_environment_can_be_used(project: Project) -> None:
    def program():
        import envknit

        with envknit.use("old"):
            import dep
            import extra
            import lib
            import same

            assert (lib.__version__, dep.VERSION, extra.LIB) == ("1.0", "1.0", "1.0")
            import importlib.metadata as metadata

            assert metadata.version("dep") == "1.0" and metadata.version("extra") == "1.0"
        import dep
        import lib

        assert (lib.__version__, dep.VERSION) == ("2.0", "2.0")

    project.code(program)


def test_a_name_only_another_environment_provides_is_not_there_for_a_guest(project: Project) -> None:
    project.write("own.py", "WHO = 'host'\n")

    def program():
        import only

        import envknit

        envknit.import_version("lib", "1.0")
        named = __import__("lib@1_0.named", fromlist=["x"])
        look = eval("lambda name: __import__(name)", vars(named))
        assert look("extra").LIB == "1.0", "undeclared, but in its environment"
        assert look("own").WHO == "host", "the project's own module"
        try:
            look("only")
        except ModuleNotFoundError as error:
            assert isinstance(error, envknit.LinkError) and error.name == "only" and "locked without" in str(error)
        else:
            raise SystemExit("found")

    project.code(program)


def test_import_version_gives_the_module_and_an_alias(project: Project) -> None:
    """ "Import with alias (registers as an importable name)"."""

    def program():
        import sys

        import envknit

        old = envknit.import_version("lib", "1.0")
        assert old.__version__ == "1.0"
        assert envknit.import_version("lib", "1.0", alias="lib_v1") is old
        import lib_v1.inner.deep as deep
        import lib_v1.sub
        from lib_v1 import Thing
        from lib_v1.inner.deep import VERSION

        assert lib_v1 is old and Thing is old.Thing and VERSION == "1.0" and lib_v1.sub.WHO == "1.0"
        assert deep is sys.modules["lib@1_0.inner.deep"] and deep.__spec__.name == "lib@1_0.inner.deep"
        envknit.import_version("lib", "1.0", alias="lib_v1")
        for taken in ("json", "dep", "1x"):
            try:
                envknit.import_version("lib", "1.0", alias=taken)
            except envknit.LinkError:
                pass
            else:
                raise SystemExit(taken)

    project.code(program)


def test_set_default_changes_plain_imports_of_the_host_only(project: Project) -> None:
    """ "When code does `import requests` without an active `use()` override, the default version is used"."""
    project.write("other.py", "import lib\nVERSION = lib.__version__\n")

    def program():
        import importlib.metadata

        import envknit

        envknit.set_default("lib", "1.0")
        import lib
        import other

        assert lib.__version__ == other.VERSION == importlib.metadata.version("lib") == "1.0"
        with envknit.use("lib", "2.0"):
            import lib

            assert lib.__version__ == "2.0"
            assert importlib.metadata.version("lib") == "2.0"
        import lib

        assert lib.__version__ == importlib.import_module("lib").__version__ == "1.0"
        envknit.set_default("lib", "2.0")
        import lib

        assert lib.__version__ == "2.0" == importlib.metadata.version("lib")

    project.code(program)


def test_extension_modules_are_refused_unless_resident_optional_or_in_a_worker(project: Project) -> None:
    """ "it raises CExtensionError by default"; its class is an ImportError, at both module paths."""

    def program():
        import envknit
        from envknit.isolation.import_hook import CExtensionError

        assert issubclass(CExtensionError, ImportError) and CExtensionError is envknit.CExtensionError
        try:
            with envknit.use("native", "1.0"):
                raise SystemExit
        except CExtensionError as error:
            assert "envknit.worker('native', '1.0')" in error.hint, error.hint
        with envknit.use("native", "1.0", pure=True) as module:
            pass
        try:
            __import__("native@1_0.core")
        except CExtensionError as error:
            assert "core" in error.path and error.name == "native@1_0.core"
        else:
            raise SystemExit
        for function in (envknit.set_default, envknit.import_version):
            try:
                function("native", "1.0")
            except CExtensionError:
                pass
            else:
                raise SystemExit
        assert envknit.import_version("needs-speedy", "1.0").HOW == "slow", "its own code does without"
        try:
            envknit.import_version("needs-native", "1.0")
        except CExtensionError as error:
            assert "native 1.0" in str(error)
        else:
            raise SystemExit
        with envknit.use("native", "1.0", auto_worker=True) as module:
            assert type(module).__name__ == "ModuleProxy"
        try:
            envknit.use("needs-native", "1.0", auto_worker=True).__enter__()
        except ImportError as error:
            assert not isinstance(error, envknit.CExtensionError), "it was tried in a worker"
        else:
            raise SystemExit
        with envknit.use("lib", "1.0", auto_worker=True) as module:
            assert module.__version__ == "1.0"

    project.code(program)


def test_a_twin_in_python_stands_in_for_a_compiled_module(project: Project) -> None:
    """mypyc and Cython put `md.cpython-….so` beside `md.py` (charset-normalizer)."""

    def program():
        import envknit

        envknit.use("old")
        from envknit.runtime.router import router

        router.demote(next(iter(router.plans)))
        assert envknit.import_version("native", "2.0", pure=True).x == 2

    project.code(program)


def test_errors_name_what_there_is_and_the_command_that_adds_it(project: Project) -> None:
    def program():
        import envknit

        def error(*args, **options):
            try:
                envknit.use(*args, **options)
            except envknit.LinkError as error:
                return str(error)

        said = error("lib", "9.9")
        assert "1.0 (old)" in said and "2.0 (default, mixed)" in said and "envknit add lib==9.9" in said, said
        said = error("nothing", "1.0")
        assert "versions: none" in said and "envknit add nothing==1.0" in said, said
        said = error("lib", "1.0", env="mixed")
        assert "'mixed'" in said and "--env mixed" in said, said
        said = error("unknown")
        assert "no environment named 'unknown' is installed" in said and "default, mixed, old" in said, said
        said = error("lib")
        assert "which version" in said and "1.0 (old)" in said, said
        assert envknit.use("lib", env="mixed").main.startswith("lib@2_0")

    project.code(program)


def test_a_version_that_the_store_lost_is_an_error_with_the_command(project: Project) -> None:
    import shutil

    shutil.rmtree(project.machine.home / "packages/site-packages/lib-1.0-py3-none-any-00000000")

    def program():
        import envknit

        try:
            envknit.use("lib", "1.0")
        except envknit.LinkError as error:
            assert "not in the store" in str(error) and "envknit install" in error.hint
        else:
            raise SystemExit

    project.code(program)


def test_without_a_lock_the_error_says_how_to_get_one(machine: Machine) -> None:
    machine.root.joinpath("app.py").write_text(
        "import envknit\ntry: envknit.use('lib', '1.0')\n"
        "except envknit.LinkError as error: assert 'configure_from_lock' in error.hint, error\n"
        "else: raise SystemExit(1)\n"
    )
    machine.run("app.py")


def test_envknit_has_metadata_for_who_asks_by_name_and_is_no_package_of_the_lock(project: Project) -> None:
    def program():
        import importlib.metadata as metadata

        import envknit

        assert metadata.version("envknit") == envknit.__version__
        assert "envknit" not in {each.metadata["Name"] for each in metadata.distributions()}
        with envknit.use("lib", "1.0"):
            assert metadata.version("envknit") == envknit.__version__

    project.code(program)


def test_explain_says_where_something_came_from(project: Project) -> None:
    def program():
        import json

        import lib

        import envknit

        old = envknit.import_version("lib", "1.0")
        origin = envknit.explain(old.Thing())
        assert (origin.name, origin.version, origin.environments, origin.guest) == ("lib", "1.0", ["old"], True)
        assert "/lib-1.0-py3-" in origin.folder and "lib 1.0" in str(origin) and "dep 1.0" in str(origin)
        origin = envknit.explain(lib)
        assert (origin.version, origin.environments, origin.guest) == ("2.0", ["default"], False), origin
        assert "lib 2.0" in str(envknit.explain(lib.late)) and "from no lock" in str(envknit.explain(json))
        assert "lib 2.0" in repr(envknit.explain("lib")) and "json" in repr(envknit.explain(json))
        said = envknit.explain_isinstance(old.Thing(), lib.Thing)
        assert said.startswith("same name, different versions") and "lib 1.0" in said and "lib 2.0" in said, said
        assert "is lib.Thing of lib 2.0" in envknit.explain_isinstance(lib.Thing(), lib.Thing)
        assert "nothing to do" in envknit.explain_isinstance(3, lib.Thing)

    project.code(program)


def test_a_local_module_of_the_project_is_what_a_block_of_its_name_replaces(project: Project) -> None:
    project.write(
        "helper.py", "import lib\nVERSION = lib.__version__\ndef late():\n    import lib\n    return lib.__version__\n"
    )

    def program():
        import envknit

        with envknit.use("lib", "1.0"):
            import helper

            assert helper.VERSION == helper.late() == "1.0"
        assert (helper.VERSION, helper.late()) == ("1.0", "2.0")

    project.code(program)


def test_installed_packages_never_follow_a_block_of_the_host(project: Project) -> None:
    def program():
        import lib
        import lib.named

        import envknit

        with envknit.use("dep", "1.0"):
            import dep

            assert dep.VERSION == "1.0"
            assert lib.late() == ("2.0",) * 3
            assert lib.named.by_name()[0] == "2.0"

    project.code(program)


def test_importing_envknit_loads_nothing_and_use_is_what_installs_the_doors(project: Project) -> None:
    def program():
        import builtins
        import sys

        before, importer, kind = set(sys.modules), builtins.__import__, type(builtins)
        import envknit

        assert set(sys.modules) - before == {"envknit", "_envknit_finder"}  # which the first import from a lock loads
        envknit.use
        assert builtins.__import__ is importer and type(builtins) is kind
        assert sorted(envknit.__all__) == list(envknit.__all__) and set(envknit.__all__) <= set(dir(envknit))
        for name in envknit.__all__:
            getattr(envknit, name)
        assert builtins.__import__ is importer and type(builtins) is kind
        with envknit.use("lib", "2.0"):
            pass
        assert builtins.__import__ is not importer
        heavy = {"typing", "dataclasses", "json", "yaml", "urllib3"} & (set(sys.modules) - before)
        assert not heavy - {"typing"}, heavy

    project.code(program)
