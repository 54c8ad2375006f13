"""From an empty home to a program with two versions of a package, in the words that a reader of the README types."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from kit.machine import RUNNING
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine, Project, Ran

pytestmark = pytest.mark.once


def app() -> None:
    import envknit

    with envknit.use("requests", "2.28.2"):
        import requests

        print(requests.__version__)

    with envknit.use("requests", "2.31.0"):
        import requests

        print(requests.__version__)


def train() -> None:
    import sys

    import abacus  # type: ignore[import-not-found] # of the test's own index

    print(abacus.__version__, *sys.version_info[:2])


def worker() -> None:
    import envknit

    with envknit.worker("abacus", "1.26.4") as np:
        print(np.__version__)


def isolated() -> None:
    from envknit import SubInterpreterEnv

    with SubInterpreterEnv("ml") as interpreter:
        interpreter.configure_from_lock("envknit.lock.yaml", env_name="ml")
        print(interpreter.eval_json("import abacus\nresult = {'version': abacus.__version__}"))


@pytest.fixture(name="project")
def _project(machine: Machine, index: LoopbackIndex) -> Project:
    for version in ("2.28.2", "2.31.0"):
        index.publish("requests", version)
    index.publish("abacus", "1.26.4")
    main = "def main(): print('tested')\n"
    index.publish("pytest", "8.0.0", {"pytest/__init__.py": main, "pytest/__main__.py": "print('tested')\n"})
    project = machine.project()
    project.file.unlink()
    return project


def _type(project: Project, line: str, status: int = 0) -> Ran:
    """Run a command line as it is written; `envknit` is the one under test."""
    first, *rest = shlex.split(line)
    return project.envknit(*rest, status=status) if first == "envknit" else project.run(*rest, status=status)


def test_what_a_reader_types_from_top_to_bottom_works(project: Project) -> None:
    for program in (app, train, worker, isolated):
        project.write(f"{program.__name__}.py", source_of(program))

    _type(project, "envknit init")
    _type(project, 'envknit add "requests==2.28.2"')
    _type(project, 'envknit add "requests==2.31.0" --env new')
    _type(project, "envknit add --env ml abacus==1.26.4")
    _type(project, "envknit add pytest")
    _type(project, "envknit lock")
    _type(project, "envknit install")

    assert "2.28.2\n2.31.0\n" == _type(project, "python app.py").out
    assert "2.28.2\n2.31.0\n" == _type(project, "envknit run -- python app.py").out
    assert f"1.26.4 {RUNNING.replace('.', ' ')}\n" == _type(project, "envknit run --env ml -- python train.py").out
    assert "tested\n" == _type(project, "envknit run --no-dev -- python -m pytest").out
    assert "1.26.4\n" == _type(project, "python worker.py").out
    if RUNNING not in ("3.10", "3.11"):
        assert "{'version': '1.26.4'}\n" == _type(project, "python isolated.py").out
    for line in ("envknit verify", "envknit doctor", "envknit status", "envknit store stats", "envknit store gc"):
        _type(project, line)
