"""Namespace packages and layouts of several folders, as guests (PEP 420)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.planned import make_plans

if TYPE_CHECKING:
    from kit import Machine, Project


def _portion(name: str, version: str, more: str = "") -> dict[str, str]:
    return {
        f"space/{name}.py": f"VERSION = {version!r}\n{more}",
        f"space/deep/{name}/__init__.py": f"V = {version!r}\n",
    }


PACKAGES = {
    "space-core==1.0": _portion("core", "1.0"),
    "space-core==2.0": _portion("core", "2.0"),
    "space-extra==1.0": _portion("extra", "1.0", "import space.core, space.deep.core\nfrom space import core as C\n"),
    "space-extra==2.0": _portion("extra", "2.0", "import space.core, space.deep.core\nfrom space import core as C\n"),
    "space-same==1.0": _portion("same", "1.0"),
}


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    project = machine.project()
    new = {"space-core==2.0": (), "space-extra==2.0": ("space-core==2.0",), "space-same==1.0": ()}
    old = {"space-core==1.0": (), "space-extra==1.0": ("space-core==1.0", "space-same==1.0"), "space-same==1.0": ()}
    make_plans(project, PACKAGES, {"default": new, "old": old})
    return project


def test_portions_of_one_namespace_join_per_world_and_each_module_exists_once(project: Project) -> None:
    def program():
        import sys

        import space.core
        import space.extra
        import space.same

        import envknit

        resident = space
        with envknit.use("space-extra", "1.0") as extra:
            import space.core
            import space.deep.core
            import space.deep.extra
            import space.extra
            import space.same

            assert space is not resident and space.extra is extra
            assert (extra.VERSION, space.core.VERSION, extra.C.VERSION) == ("1.0", "1.0", "1.0")
            assert space.deep.core.V == space.deep.extra.V == "1.0"
            assert space.same is resident.same, "equal pins are shared"
            joined = space
        with envknit.use("space-core", "1.0") as core:
            assert core is joined.core is extra.C, (core, joined.core)
            assert core.__name__ == "space@1_0~space-core.core" and core.__spec__.name == core.__name__
        import space.extra

        assert space is resident and space.extra.C.VERSION == "2.0"

    project.code(program)


def test_a_whole_environment_joins_its_namespaces(project: Project) -> None:
    def program():
        import envknit

        with envknit.use("old"):
            import space.core
            import space.extra
            import space.same
            from space.deep import core, extra

            assert (space.core.VERSION, space.extra.VERSION, extra.V, core.V) == ("1.0",) * 4
            assert space.extra.C is space.core
            try:
                import space.nothing
            except ModuleNotFoundError:
                pass
            else:
                raise SystemExit

    project.code(program)
