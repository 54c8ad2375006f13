"""Worlds: code of the project's own that lives with packages of chosen versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.interpreter.cpython import why_missing
from kit.client import client_project

if TYPE_CHECKING:
    from kit import Machine, Project

PATCHER = """
    import sys, types
    from unittest import mock
    fake = types.ModuleType("json")
    sys.modules["json"] = sys.modules["brandnew"] = fake
    import brandnew, json
    assert brandnew is json is fake
    sys.modules["lib"] = None
    try: import lib
    except ImportError: blocked = True
    del sys.modules["lib"], sys.modules["json"]
    import json, lib
    assert json.dumps and blocked and lib.__version__ == "1.0"
    with mock.patch.dict(sys.modules, {"dep": fake}):
        import dep
        assert dep is fake
    import dep
    assert dep.VERSION == "1.0"
    with mock.patch("dep.VERSION", 5): assert dep.VERSION == 5
    sys.modules[__name__] = types.SimpleNamespace(facade=True)
"""


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    return client_project(machine)


def test_a_module_of_the_project_keeps_to_its_world_whenever_and_wherever_it_imports(project: Project) -> None:
    def program():
        import asyncio
        import dataclasses
        import pickle
        import sys
        import typing

        import client

        import envknit

        old = envknit.world("old")
        c = old.import_module("client")
        assert c is not client and c.__name__ == "client@old" and c is envknit.world("old").import_module("client")
        for module, version in ((client, "2.0"), (c, "1.0")):
            assert module.early() == (version, version)
            assert module.late() == module.in_thread() == asyncio.run(module.task()) == (version,) * 3
            assert module.generated() == (version, version)
            print(module.by_name())
            answer = module.Answer(module.Inner(3))
            assert typing.get_type_hints(module.Answer)["value"] is module.Inner
            assert pickle.loads(pickle.dumps(answer)) == answer == dataclasses.replace(answer)
            assert type(pickle.loads(pickle.dumps(answer))) is module.Answer
        assert sys.modules["pack"].DEEP == "2.0" and sys.modules["pack@old"].DEEP == "1.0"
        assert c.lib is envknit.import_version("lib", "1.0")
        said = str(envknit.explain(c.late))
        assert said.startswith("client@old: a module of the project, in a world\n") and "lib 1.0" in said, said
        pinned = envknit.world(lib="1.0").import_module("client")
        assert pinned.__name__ == "client@lib_1_0" and pinned is not c and pinned.lib is c.lib
        assert pinned.late() == ("1.0",) * 3

    project.code(program)


def test_blocks_and_worlds_nest_and_the_innermost_counts(project: Project) -> None:
    project.write(
        "opens.py",
        """
        import envknit
        def plain():
            import lib
            return lib.__version__
        def inside():
            with envknit.use("lib", "2.0"), envknit.world("old"), envknit.use("lib", "2.0"): return plain()
    """,
    )

    def program():
        import envknit

        def version():
            import lib
            import pack

            return lib.__version__, pack.DEEP

        old, new = envknit.world("old"), envknit.world(lib="2.0")
        with old as entered:
            assert entered is old and version() == ("1.0", "1.0")
            with new:
                assert version() == ("2.0", "2.0")
                with old:
                    assert version() == ("1.0", "1.0")
            with envknit.use("lib", "2.0"):
                assert version() == ("2.0", "1.0")
            import same  # what old has not of its own is what the program has
        assert version() == ("2.0", "2.0") and old(version)() == ("1.0", "1.0")

        # a block that code of a world opens counts for that code, one of the host does not
        project = old.import_module("opens")
        with envknit.use("lib", "2.0"):
            assert project.plain() == "1.0" and project.inside() == "2.0"
        assert project.plain() == "1.0"

    project.code(program)


def test_a_function_runs_as_code_of_the_world_wherever_it_was_written(project: Project) -> None:
    def program():
        import client
        import lib
        from client import late
        from helper import HELPED

        import envknit

        LIMIT = 3

        def named():
            import dep

            return lib.__version__, late(), by_code(dep.VERSION)

        def by_code(value, *, more=()):
            return value, lib.__version__, LIMIT, more

        def outer(x):
            return lambda: (x, lib.__version__)

        old = envknit.world("old")
        assert old.run(named) == ("1.0", ("1.0",) * 3, ("1.0", "1.0", 3, ()))
        assert named() == ("2.0", ("2.0",) * 3, ("2.0", "2.0", 3, ()))
        assert old.run(outer(7)) == (7, "1.0") and old.run(by_code, 1, more=2) == (1, "1.0", 3, 2)
        assert old.run(client.late) == old.run("client:late") == ("1.0",) * 3
        assert old.run(old.import_module("client").late) == ("1.0",) * 3
        assert old.run(lib.late) == ("1.0", "1.0", "1.0") and old.run([].__len__) == 0
        wrong = {"nothing:here": ModuleNotFoundError, "client:nothing": AttributeError, "client": ImportError}
        for path, kind in wrong.items():
            try:
                old.run(path)  # what Python loads to say so must not be looked for in the world
            except kind as error:
                assert "nothing" in str(error) or "package.module:name" in str(error)
            else:
                raise SystemExit

    project.code(program)


def test_strict_hides_what_the_world_lacks_and_shared_is_one_for_all(project: Project) -> None:
    project.write("uses_only.py", "import helper\nimport only\n")

    def program():
        import helper

        import envknit

        assert envknit.world("mixed").import_module("uses_only").only.__name__ == "only"
        strict = envknit.world("mixed", strict=True, shared=["helper"])
        for ask in (lambda: strict.import_module("uses_only"), lambda: strict.import_module("only")):
            try:
                ask()
            except ModuleNotFoundError as error:
                assert error.name == "only" and "strict" in str(error)
            else:
                raise SystemExit
        with strict:
            import json

            import helper as shared

            assert shared is helper
            try:
                import only
            except ModuleNotFoundError as error:
                assert error.name == "only"
            else:
                raise SystemExit

    project.code(program)


def test_what_a_module_puts_into_sys_modules_is_for_its_world_alone(project: Project) -> None:
    project.write("patcher.py", PATCHER)

    def program():
        import sys

        import envknit

        assert envknit.world("old").import_module("patcher").facade
        import json

        import dep
        import lib

        assert json.dumps and lib.__version__ == dep.VERSION == "2.0" and "brandnew" not in sys.modules
        assert envknit.import_version("lib", "1.0").__version__ == "1.0"

    project.code(program)


def test_pickles_name_the_world_and_another_process_finds_it(project: Project) -> None:
    project.write(
        "values.py",
        """
        import envknit
        def answers():
            for asked in (envknit.world("old"), envknit.world(lib="1.0", dep="1.0")):
                client = asked.import_module("client")
                yield client.Answer(client.Inner(4))
    """,
    )

    def program():
        import multiprocessing
        import pickle
        import subprocess
        import sys

        import values

        code = "import pickle; a = pickle.loads({!r}); print(type(a).__module__, a.version, a.value.number)"
        if __name__ == "__main__":
            for answer in values.answers():
                program = code.format(pickle.dumps(answer))
                out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
                assert out == f"{type(answer).__module__} 1.0 4\n", out
            unknown = pickle.dumps(answer).replace(b"dep_1_0+lib_1_0", b"dep_9_9+lib_9_9")
            told = subprocess.run([sys.executable, "-c", code.format(unknown)], capture_output=True, text=True).stderr
            assert "open the same world first" in told, told
            late = sys.modules["client@old"].late
            for method in ("spawn", "fork"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    assert pool.apply(late) == ("1.0",) * 3

    project.code(program)


def test_files_and_packages_are_loaded_by_their_place(project: Project) -> None:
    for place in ("a", "b"):
        project.write(f"elsewhere/{place}/tool.py", f"import lib\nimport sys\nWHERE = {place!r}, lib.__version__\n")
    project.write("elsewhere/wide/__init__.py", "from .part import PART\n")
    project.write("elsewhere/wide/part.py", "import lib\nPART = lib.__version__\n")

    def program():
        import envknit

        old = envknit.world("old")
        first, second = old.load("elsewhere/a/tool.py"), old.load("elsewhere/b/tool.py")
        assert (first.WHERE, second.WHERE) == (("a", "1.0"), ("b", "1.0")) and old.load("elsewhere/a/tool.py") is first
        assert old.load("elsewhere/wide").PART == "1.0"
        assert old.load("pack/deep.py") is old.import_module("pack.deep") is old.load("pack").deep
        for nothing in ("nowhere.py", "elsewhere"):
            try:
                old.load(nothing)
            except ImportError as error:
                assert nothing in str(error)
            else:
                raise SystemExit

    project.code(program)


def test_threads_that_import_one_module_at_once_get_one(project: Project) -> None:
    def program():
        import threading

        import envknit

        found, barrier = [], threading.Barrier(12)

        def ask():
            barrier.wait()
            client = envknit.world("old").import_module("client")
            found.append((id(client), client.late()))

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 12 and len(set(found)) == 1

    project.code(program)


def test_a_world_that_cannot_be_says_which_there_are(project: Project) -> None:
    def program():
        import envknit

        for asked, words in (
            (lambda: envknit.world("nowhere"), "no environment named 'nowhere'"),
            (lambda: envknit.world(lib="3.0"), "no installed environment holds lib 3.0"),
            (envknit.world, "which world?"),
            (lambda: envknit.world("old", lib="1.0"), "not of both"),
        ):
            try:
                asked()
            except envknit.LinkError as error:
                assert words in str(error), error
            else:
                raise SystemExit

    project.code(program)


HELD = [
    "worker",
    pytest.param("interpreter", marks=pytest.mark.skipif(why_missing() != "", reason="no sub-interpreters")),
]


@pytest.mark.parametrize("isolation", HELD)
def test_a_world_that_lives_elsewhere_has_the_same_interface(project: Project, isolation: str) -> None:
    project.write("where.py", f"isolation = {isolation!r}\nWRONG = dict(strict=True), dict(shared=['helper'])\n")

    def program():
        import os

        from where import WRONG, isolation

        import envknit

        def outside():
            return os.getpid()

        if __name__ == "__main__":
            old = envknit.world("old", isolation=isolation)
            assert old is envknit.world("old", isolation=isolation) and old.isolation == isolation
            c = old.import_module("client")
            assert c.early() == ("1.0", "1.0") and c.late() == c.in_thread() == ("1.0",) * 3
            assert c.Answer(c.Inner(3)).value.number == 3
            assert old.load("helper.py").HELPED == "1.0" and old.run("client:late") == ("1.0",) * 3
            assert (old.run(outside) == os.getpid()) is (isolation == "interpreter")
            assert old.metadata.version("lib") == "1.0"
            with old:
                import client
                import lib
                from pack import deep

                assert lib.__version__ == deep.DEEP == "1.0" and client is c
            import lib

            assert lib.__version__ == "2.0"
            old.reload()
            assert old.import_module("client").early() == ("1.0", "1.0")
            old.close()
            old.close()
            try:
                old.import_module("client")
            except envknit.LinkError as error:
                assert "is closed" in str(error)
            else:
                raise SystemExit
            assert not envknit.workers()
            for wrong in WRONG:
                try:
                    envknit.world("old", isolation=isolation, **wrong)
                except ValueError:
                    continue
                raise SystemExit

    project.code(program)


@pytest.mark.ends
def test_where_a_world_lives_is_chosen_by_evidence(project: Project) -> None:
    def program():
        import envknit

        if __name__ == "__main__":
            assert envknit.world("mixed", isolation="auto").isolation == "guest"
            old = envknit.world("old", isolation="auto")  # native 1.0 has an extension module that no interpreter loads
            assert old.isolation == "worker" and old.import_module("client").early() == ("1.0", "1.0")
            try:
                envknit.world("old", isolation="elsewhere")
            except ValueError:
                pass
            else:
                raise SystemExit

    project.code(program)
