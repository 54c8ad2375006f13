"""Lazy imports (PEP 810) and `use()`: a name means what its statement means where it stands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kit.planned import make_plans

if TYPE_CHECKING:
    from kit import Machine, Project

pytestmark = pytest.mark.skipif(sys.version_info < (3, 15), reason="this Python has no lazy imports")

PACKAGES = {
    f"lib=={version}": {
        "lib/__init__.py": f"lazy import dep\nfrom . import sub\nV = {version!r}\ndef below(): return dep.V\n",
        "lib/sub.py": f"V = {version!r}\n",
    }
    for version in ("1.0", "2.0")
} | {f"dep=={version}": {"dep.py": f"V = {version!r}\n"} for version in ("1.0", "2.0")}
ENVIRONMENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "default": {"lib==2.0": ("dep==2.0",), "dep==2.0": ()},
    "old": {"lib==1.0": ("dep==1.0",), "dep==1.0": ()},
}


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    project = machine.project()
    make_plans(project, PACKAGES, ENVIRONMENTS)
    return project


def test_a_lazy_import_before_the_block_gives_the_resident_also_inside(project: Project) -> None:
    out = project.code("""
        lazy import lib
        lazy from lib.sub import V
        import envknit
        with envknit.use("lib", "1.0") as old:
            print(lib.V, V, old.V)
            import lib as statement
            print(statement.V, __import__("lib").V, __import__("lib", globals()).V)
        print(lib.V)
    """).out
    assert out == "2.0 2.0 1.0\n1.0 1.0 1.0\n2.0\n"


def test_a_lazy_import_in_the_block_gives_its_version_also_after(project: Project) -> None:
    out = project.code("""
        import envknit
        with envknit.use("lib", "1.0") as old:
            lazy import lib
            lazy from lib.sub import V
            lazy import lib.sub as sub
        print(type(globals()["lib"]).__name__)
        print(lib.V, V, sub.V, lib is old)
        import lib as resident
        print(resident.V)
    """).out
    assert out == "lazy_import\n1.0 1.0 1.0 True\n2.0\n"


def test_python_may_make_every_import_lazy(project: Project) -> None:
    project.write(
        "app.py",
        """
        import envknit
        with envknit.use("lib", "1.0") as old:
            import lib
            from lib import sub
        import lib as resident
        print(lib.V, sub.V, resident.V, old.below())
        """,
    )
    assert project.run("-X", "lazy_imports=all", "app.py").out == "1.0 1.0 2.0 1.0\n"


def test_the_lazy_imports_of_a_package_give_what_it_was_locked_with(project: Project) -> None:
    def program():
        import lib

        import envknit

        with envknit.use("lib", "1.0") as old:
            print(lib.below())
        print(old.below(), lib.below())

    out = project.code(program).out
    assert out == "2.0\n1.0 2.0\n"
