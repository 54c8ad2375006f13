"""A project with packages that can live in one place and not in another, for tests of `use(isolation=...)`."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit.gadget import GADGET, PARTS
from kit.interpreters import HAS
from kit.planned import folder_of, write_packages, write_plans
from kit.programs import source_of

if TYPE_CHECKING:
    from kit.machine import Machine, Project
    from kit.programs import Program

# Extension modules of Python's own: one that interpreters with a GIL of their own can have, and one that they cannot
MULTI, SINGLE = "_testmultiphase", "_testsinglephase" if HAS else "_testmultiphase"
# `ctypes` is initialised in a single phase on 3.12
GADGET_HERE = GADGET.replace("import ctypes, ", "from fast import _testmultiphase\nimport ")


def fast(version: str) -> dict[str, str]:
    return {"fast/__init__.py": GADGET_HERE.replace('"1.0"', repr(version)), "fast/parts.py": PARTS}


PACKAGES = {
    "plain==1.0": {"plain.py": "__version__ = '1.0'\n"},
    "plain==2.0": {"plain.py": "__version__ = '2.0'\n"},
    "fast==1.0": fast("1.0"),
    "fast==2.0": fast("2.0"),
    "slow==1.0": {"slow/__init__.py": f"from slow import {SINGLE}\n"},
    "optional==1.0": {
        "optional/__init__.py": f"try:\n    from optional import {SINGLE}\nexcept ImportError:\n    pass\n"
    },
    "literal==1.0": {
        "literal/__init__.py": "from . import part\nKIND = {'literal.part': 1}[part.__name__]\n",
        "literal/part.py": "",
    },
    "over-fast==1.0": {"over_fast.py": "import fast\nBELOW = fast.__version__\n"},
}
EXTENSIONS = {"fast==1.0": MULTI, "fast==2.0": MULTI, "slow==1.0": SINGLE, "optional==1.0": SINGLE}
ENVIRONMENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "default": {"plain==2.0": (), "fast==2.0": ()},
    "old": {
        "plain==1.0": (),
        "fast==1.0": (),
        "slow==1.0": (),
        "optional==1.0": (),
        "over-fast==1.0": ("fast==1.0",),
        "literal==1.0": (),
    },
}


def places_project(machine: Machine) -> Project:
    """Make a project whose environment `old` has another version of each package, installed."""
    project = machine.project()
    write_packages(machine.home, PACKAGES)
    for pin, extension in EXTENSIONS.items():
        spec = importlib.util.find_spec(extension)
        if spec is None or spec.origin is None or not Path(spec.origin).is_file():
            pytest.skip(f"this Python has no {extension}")
        package = machine.home / folder_of(pin) / pin.partition("==")[0]
        shutil.copy(spec.origin, package / Path(spec.origin).name)
    write_plans(machine.home, project.lock_file, ENVIRONMENTS)
    return project


def run(project: Project, program: Program, first: str = "", **options: object) -> str:
    """Run a program that finds envknit and what it asks with imported; return what it prints."""
    imports = "import envknit, importlib.metadata, os, sys, threading\n"
    return project.code(first + imports + source_of(program), **options).out  # type: ignore[arg-type]
