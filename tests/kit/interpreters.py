"""A project with two environments, pure and native packages, for tests of sub-interpreters."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit.planned import lock_text, make_plan
from kit.programs import source_of

if TYPE_CHECKING:
    from kit.machine import Machine, Project
    from kit.programs import Program

HAS = sys.version_info >= (3, 12) and sys.implementation.name == "cpython"
OWN = "own" if sys.version_info >= (3, 12, 4) else "shared"  # what the GIL of one of its own is
HEAD = "from envknit import SubInterpreterEnv\nlock = 'envknit.lock.yaml'\n"
LOCK = lock_text({"default": {}, "other": {}})

ALPHA = {
    "alpha/__init__.py": "VERSION = '1.0'\n",
    "alpha/late.py": "NAME = __name__\n",
    "alpha/data.txt": "some data\n",
    "alpha/failing.py": "def fail(kind='value'):\n    raise {'value': ValueError, 'own': Own}[kind]('bad luck')\n"
    "class Own(KeyError): pass\n",
    "alpha/broken.py": "1 / 0\n",
    "alpha/needy.py": "import nowhere_to_be_found\n",
}


def interpreter_project(machine: Machine) -> Project:
    """Make a project whose host, `default`, has alpha 1.0; and `other`, with alpha 2.0."""
    project = machine.project()
    two = {"alpha/__init__.py": "VERSION = '2.0'\n", "space/a.py": ""}
    make_plan(project, {"alpha==2.0": two, "beta==1.0": {"space/b.py": ""}}, environment="other", lock=LOCK)
    native = {"wrap/__init__.py": "", "crash/__init__.py": "from crash import _testmultiphase\nimport os; os.abort()\n"}
    native["covers/__init__.py"] = (
        "try:\n    import wrap._testsinglephase\nexcept ImportError:\n    failed = True\n"
        "if failed:\n    raise ImportError('this package forgot why')\n"
    )
    native["falls/__init__.py"] = "try:\n    import wrap._testsinglephase\nexcept ImportError:\n    FAST = False\n"
    make_plan(project, {"alpha==1.0": ALPHA, "wrap==1.0": native}, lock=LOCK)
    return project


def add_extension(project: Project, package: str, name: str) -> Path:
    """Put one of Python's own test extensions into a package of the pin `wrap`; return the file."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        pytest.skip(f"this Python has no {name}")
    return Path(shutil.copy(spec.origin, entry(project) / package / Path(spec.origin).name))


def entry(project: Project) -> Path:
    """Return the store entry of `wrap`."""
    return project.machine.home / "packages/site-packages/wrap-1.0-py3-none-any-00000000"


def inside(project: Project, program: Program, **options: object) -> str:
    """Run a program of the project that has its `lock`; return what it prints."""
    return project.code(HEAD + source_of(program), **options).out  # type: ignore[arg-type]
