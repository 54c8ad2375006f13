"""What a guest does after its block has closed, each thing in its own version (issue "use", point 4)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kit.planned import make_plans
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Machine, Project

GUEST = '''\
"""A package.

>>> import dep
>>> dep.VERSION
'{version}'
"""
from __future__ import annotations

import abc, atexit, copy, dataclasses, enum, logging, logging.config, threading, typing
import dep

__version__ = {version!r}
get = lambda: "real " + __version__

@dataclasses.dataclass
class Point:
    x: int
    colour: Colour = None
    again: typing.ClassVar[typing.Optional[Point]] = None

class Colour(enum.Enum):
    RED = 1

class Base(abc.ABC):
    @abc.abstractmethod
    def f(self): ...

class Real(Base):
    def f(self):
        import dep.late
        return dep.late.VERSION

def thread():
    got = []
    def run():
        import dep.threaded
        got.append(dep.threaded.VERSION)
    one = threading.Thread(target=run); one.start(); one.join()
    return got[0]

def generator():
    yield 1
    import dep.generated
    yield dep.generated.VERSION

def at_exit():
    def leave():
        import dep.exiting
        print("exit", __version__, dep.exiting.VERSION)
    atexit.register(leave)

def configure():
    logging.config.dictConfig({{
        "version": 1,
        "handlers": {{"h": {{"class": "lib.handlers.Handler"}}, "d": {{"()": "dep.handlers.make"}}}},
        "loggers": {{"here." + __version__: {{"handlers": ["h", "d"]}}}},
    }})
    return [handler.VERSION for handler in logging.getLogger("here." + __version__).handlers]

def source():
    """Say it in a way that only this version does: {version}."""
'''


def _lib(version: str) -> dict[str, str]:
    handlers = (
        "import logging\nclass Handler(logging.Handler):\n    VERSION = {0!r}\ndef make():\n    return Handler()\n"
    )
    return {
        "lib/__init__.py": GUEST.format(version=version),
        "lib/handlers.py": handlers.format(version),
        "lib/tests.py": "import unittest, dep\nclass T(unittest.TestCase):\n    def test(self):\n"
        f"        import dep.late\n        self.assertEqual(dep.late.VERSION, {version!r})\n",
    }


def _dep(version: str) -> dict[str, str]:
    handlers = (
        "import logging\nclass Handler(logging.Handler):\n    VERSION = {0!r}\ndef make():\n    return Handler()\n"
    )
    modules = ("__init__", "late", "threaded", "generated", "exiting")
    return {f"dep/{name}.py": f"VERSION = {version!r}\n" for name in modules} | {
        "dep/handlers.py": handlers.format(version)
    }


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    """A project with two versions of a package that does many things late."""
    project = machine.project()
    packages = {f"{n}=={v}": make(v) for n, make in (("lib", _lib), ("dep", _dep)) for v in ("1.0", "2.0")}
    make_plans(
        project,
        packages,
        {v: {f"lib=={n}": (f"dep=={n}",), f"dep=={n}": ()} for v, n in (("default", "2.0"), ("old", "1.0"))},
    )
    return project


def test_each_keeps_to_its_version(project: Project) -> None:
    def program():
        import copy
        import doctest
        import inspect
        import logging.config
        import typing
        import unittest
        import unittest.mock

        import lib as new

        import envknit

        with envknit.use("lib", "1.0") as old:
            pass
        for module, version in ((old, "1.0"), (new, "2.0")):
            assert module.Real().f() == module.thread() == list(module.generator())[1] == version
            module.at_exit()
            assert module.configure() == [version, version], module.configure()
            point = module.Point(1, module.Colour.RED)
            assert copy.deepcopy(point) == point and type(copy.deepcopy(point)) is module.Point
            hints = typing.get_type_hints(module.Point)
            assert hints["colour"] is module.Colour and typing.ClassVar[module.Point | None] == hints["again"]
            assert copy.copy(module.Colour.RED) is module.Colour.RED
            assert version in inspect.getsource(module.source) and inspect.getmodule(module.source) is module
            assert doctest.testmod(module).failed == 0 and doctest.testmod(module).attempted == 2
            exec("import dep\nassert dep.VERSION == " + repr(version), vars(module))
            assert eval("__import__('dep').VERSION", vars(module)) == version
            loader = unittest.TestLoader()
            suite = loader.loadTestsFromName(module.__name__ + ".tests")
            assert suite.countTestCases() == 1
            assert unittest.TextTestRunner(stream=open("out", "w")).run(suite).wasSuccessful()
        assert new.Point(1) != old.Point(1)
        with envknit.use("lib", "1.0"):
            with unittest.mock.patch("lib.get", return_value="mock") as got:
                import lib

                assert lib.get() == old.get() == "mock" and new.get() == "real 2.0"
            assert old.get() == "real 1.0"
        with unittest.mock.patch("lib.get", return_value="mock"):
            assert (old.get(), new.get()) == ("real 1.0", "mock")
        with unittest.mock.patch("builtins.ascii", return_value=7):
            assert eval("ascii(1)", vars(old)) == 7
        assert eval("ascii(1)", vars(old)) == "1"
        import builtins

        builtins.told = 1
        assert eval("told", vars(old)) == 1
        del builtins.told
        assert "told" not in old.__builtins__

    ran = project.code(program)
    assert sorted(ran.out.split("\n")) == ["", "exit 1.0 1.0", "exit 2.0 2.0"]


def test_reloading_and_walking_a_guest_stay_in_it(project: Project) -> None:
    def program():
        import importlib
        import pkgutil

        import envknit

        old = envknit.import_version("lib", "1.0")
        assert importlib.reload(old) is old and old.Real().f() == "1.0"
        names = [m.name for m in pkgutil.walk_packages(old.__path__, old.__name__ + ".")]
        assert names == ["lib@1_0.handlers", "lib@1_0.tests"], names
        assert importlib.import_module(names[0]).Handler.VERSION == "1.0"
        spec = importlib.util.find_spec("lib@1_0.tests")
        assert spec.origin.endswith("lib/tests.py") and importlib.util.find_spec("lib@9_9") is None

    project.code(program)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_pickles_name_the_version_and_come_back_in_it(project: Project, protocol: int) -> None:
    project.code(f"""
        import envknit, pickle
        import lib as new
        with envknit.use("lib", "1.0") as old: pass
        both = [old.Point(1, old.Colour.RED), new.Point(2), old.Real, old.source]
        data = pickle.dumps(both, {protocol})
        assert pickle.loads(data) == both
        open("data", "wb").write(data)
    """)

    def program():
        import pickle

        old, new, real, _ = pickle.load(open("data", "rb"))
        assert type(old).__module__ == "lib@1_0" and type(new).__module__ == "lib"
        assert real().f() == "1.0" and old.colour.name == "RED"

    project.code(program)


def test_a_guest_of_another_process_is_the_resident_where_that_is_its_version(project: Project) -> None:
    def program():
        import pickle

        import envknit

        pickle.dump(envknit.import_version("lib", "1.0").Point(1), open("data", "wb"))

    project.code(program)
    ran = project.run(
        "-c",
        "import pickle, lib; point = pickle.load(open('data', 'rb')); assert isinstance(point, lib.Point);"
        "import sys; assert sys.modules['lib@1_0'] is lib and lib.__spec__.name == 'lib'; print(lib.__version__)",
        env={"ENVKNIT_ENV": "old"},
    )
    assert ran.out.strip() == "1.0"


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_children_of_multiprocessing_know_the_guests(project: Project, method: str) -> None:
    if method == "fork" and sys.version_info >= (3, 12):
        pytest.skip("forking is deprecated where there are threads")

    def program(method):
        import multiprocessing

        import envknit

        if __name__ == "__main__":
            old = envknit.import_version("lib", "1.0")
            with multiprocessing.get_context(method).Pool(1) as pool:
                assert pool.apply(old.Real().f) == "1.0"
                assert pool.apply(old.thread) == "1.0"
                assert type(pool.apply(old.Point, (1,))) is old.Point

    project.code(
        source_of(program, method=method),
        timeout=20,
    )
