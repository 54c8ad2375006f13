"""The pytest plugin: tests over versions of a package, each with the code under test imported anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.planned import make_plans
from kit.versions import PACKAGES

if TYPE_CHECKING:
    from kit import Machine, Project

CONFTEST = """
    import client, pytest
    @pytest.fixture
    def of_conftest(): return client.version()
    @pytest.fixture(scope="session")
    def of_session(): return client.version()
"""
TESTS = """
    import sys
    from unittest import mock
    import client, lib, pytest
    SET_UP = []
    VERSIONS = pytest.mark.envknit(lib=["1.0", "2.0"])
    def setup_module(module): SET_UP.append(client.version())
    @pytest.fixture
    def own(): return client.version()

    def test_plain(of_conftest): assert of_conftest == client.version() == ("2.0", "2.0")
    @VERSIONS
    def test_versions(of_conftest, of_session, own, request, monkeypatch):
        wanted = "1.0" if "lib=1.0" in request.node.name else "2.0"
        assert of_conftest == of_session == own == client.version() == (wanted, wanted) and SET_UP == [own]
        assert sys.modules["lib"].__version__ == pytest.importorskip("lib").__version__ == wanted
        monkeypatch.setattr("client.lib.__version__", "patched")
        assert client.version()[0] == "patched"
    @VERSIONS
    @pytest.mark.parametrize("n", [1, 2])
    def test_param(n, request): assert f"[{n}-lib={client.version()[0]}]" in request.node.nodeid
    @mock.patch("client.version", lambda: "patched")
    @VERSIONS
    def test_patched(): assert client.version() == "patched"
    @VERSIONS
    class TestAll:
        def setup_method(self): self.version = client.version()[0]
        def test_in(self, request): assert self.version in request.node.name
    class TestSome:
        @VERSIONS
        def test_marked(self): pass
        def test_plain(self): assert client.version() == ("2.0", "2.0")
    @VERSIONS
    @pytest.mark.xfail(strict=True, raises=AssertionError)
    def test_assertions_are_rewritten():
        found = client.version()
        try: assert found == 5
        except AssertionError as error:
            assert "== 5" in str(error)
            raise
"""
FOUND = """\
tests/test_client.py::test_plain
tests/test_client.py::test_versions[lib=1.0]
tests/test_client.py::test_versions[lib=2.0]
tests/test_client.py::test_param[1-lib=1.0]
tests/test_client.py::test_param[2-lib=1.0]
tests/test_client.py::test_param[1-lib=2.0]
tests/test_client.py::test_param[2-lib=2.0]
tests/test_client.py::test_patched[lib=1.0]
tests/test_client.py::test_patched[lib=2.0]
tests/test_client.py::TestAll::test_in[lib=1.0]
tests/test_client.py::TestAll::test_in[lib=2.0]
tests/test_client.py::TestSome::test_marked[lib=1.0]
tests/test_client.py::TestSome::test_marked[lib=2.0]
tests/test_client.py::TestSome::test_plain
tests/test_client.py::test_assertions_are_rewritten[lib=1.0]
tests/test_client.py::test_assertions_are_rewritten[lib=2.0]
"""


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    """A project whose lock has a package in two versions, and which takes pytest from the interpreter."""
    project = machine.project()
    packages = {pin: PACKAGES[pin] for pin in ("lib==1.0", "lib==2.0", "dep==1.0", "dep==2.0")}
    environments = {
        "default": {"lib==2.0": ("dep==2.0",), "dep==2.0": ()},
        "old": {"lib==1.0": ("dep==1.0",), "dep==1.0": ()},
    }
    make_plans(project, packages, environments, site_visible=True)
    project.write("client.py", "import lib\ndef version():\n    import dep\n    return lib.__version__, dep.VERSION\n")
    project.write("tests/conftest.py", CONFTEST)
    project.write("tests/test_client.py", TESTS)
    return project


def run(project: Project, *args: str, status: int = 0) -> str:
    common = ("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    return project.run(*common, *args, status=status).out


@pytest.mark.ends
def test_tests_run_once_for_each_version_with_everything_of_the_project_imported_anew(project: Project) -> None:
    assert run(project, "--collect-only").partition("\n\n")[0] + "\n" == FOUND
    assert "14 passed, 2 xfailed" in run(project)
    chosen = "tests/test_client.py::test_param[1-lib=1.0]", "tests/test_client.py::TestAll::test_in[lib=2.0]"
    assert "2 passed" in run(project, *chosen)


@pytest.mark.ends
def test_a_matrix_is_for_every_test_and_for_several_processes(project: Project) -> None:
    project.write(
        "tests/test_client.py",
        """
        import client
        def test_it(request): assert f"lib={client.version()[0]}" in request.node.name
        class TestIt:
            def test_in(self, of_conftest): assert of_conftest == client.version()
    """,
    )
    matrix = ("--envknit-matrix", "lib=1,2.0")
    assert "4 passed" in run(project, *matrix, "-n", "2", "-k", "It")
    named = run(project, *matrix, "--envknit-matrix", "dep=2", "--collect-only", "-k", "test_it")
    assert named.startswith(
        "tests/test_client.py::test_it[lib=1.0,dep=2.0]\ntests/test_client.py::test_it[lib=2.0,dep=2.0]"
    )
    assert "no installed environment holds lib 7" in run(project, "--envknit-matrix", "lib=7", status=2)
    project.run("-m", "pytest", "--envknit-matrix", "lib", status=2)


@pytest.mark.ends
def test_whoever_does_not_use_it_does_not_meet_it(project: Project) -> None:
    project.write(
        "tests/test_client.py",
        """
        import sys
        def test_nothing_is_loaded():
            assert not [name for name in sys.modules if name.startswith(("envknit.worlds", "envknit.isolation"))]
    """,
    )
    project.write("tests/conftest.py", "")
    for args in ((), ("-p", "no:envknit"), ("--strict-markers",)):
        assert "1 passed" in run(project, *args)
    off = project.run("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", env={"ENVKNIT": "0"})
    assert "1 passed" in off.out
