"""A project with modules of its own, which tell what they import when they begin, later, in threads and by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.versions import versions_project

if TYPE_CHECKING:
    from kit.machine import Machine, Project

CLIENT = """
    import dataclasses, lib, threading, typing
    from helper import HELPED

    @dataclasses.dataclass
    class Answer:
        version: typing.ClassVar[str] = lib.__version__
        value: "Inner" = None
    @dataclasses.dataclass
    class Inner:
        number: int = 0

    def early(): return lib.__version__, HELPED
    def late():
        import lib, dep.late
        from pack.deep import DEEP
        return lib.__version__, dep.late.VERSION, DEEP
    def generated():
        space = {}
        exec("import dep\\ndef inner():\\n    import lib\\n    return dep.VERSION, lib.__version__", space)
        return space["inner"]()
    def by_name():
        import importlib, importlib.metadata, importlib.util, pkgutil, sys
        return (importlib.import_module("lib").__version__, importlib.import_module("pack.deep").DEEP,
                pkgutil.resolve_name("dep:VERSION"), importlib.metadata.version("lib"), sys.modules["lib"].__version__,
                sys.modules["helper"].HELPED, importlib.util.find_spec("pack.deep").name, __import__("lib").__version__)
    async def task():
        import asyncio
        await asyncio.sleep(0)
        return late()
    def in_thread():
        found = []
        thread = threading.Thread(target=lambda: found.append(late()))
        thread.start(); thread.join()
        return found[0]
"""


def client_project(machine: Machine) -> Project:
    """Make a project of `client`, `helper` and the package `pack`, and an installed lock of several versions."""
    project = versions_project(machine)
    project.write("client.py", CLIENT)
    project.write("helper.py", "import dep\nHELPED = dep.VERSION\n")
    project.write("pack/__init__.py", "from .deep import DEEP\nimport pack.deep as again\nassert again.DEEP is DEEP\n")
    project.write("pack/deep.py", "import lib\nDEEP = lib.__version__\n")
    return project
