"""Packages in several versions, and programs that use them, for tests of `use` and its family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.planned import EXTENSION, make_plans, write_packages, write_plans
from kit.programs import source_of

if TYPE_CHECKING:
    from kit.machine import Machine, Project
    from kit.programs import Program

SHARED = """\
    import dep
    __version__ = {version!r}

    class Thing:
        def __init__(self, value=0): self.value = value
        def __eq__(self, other): return self.value == other.value
        __hash__ = None

    def late():
        import dep.late
        from lib.sub import WHO
        return dep.late.VERSION, WHO, __import__("dep").VERSION
"""


def lib(version: str) -> dict[str, str]:
    """Return a package that imports its dependency early, late, absolutely, relatively and by name."""
    return {
        "lib/__init__.py": "\n".join(line.removeprefix("    ") for line in SHARED.format(version=version).split("\n")),
        "lib/sub.py": f"from . import Thing\nimport lib.inner.deep\nWHO = {version!r}\n",
        "lib/inner/__init__.py": "",
        "lib/inner/deep.py": f"VERSION = {version!r}\n",
        "lib/data.txt": f"data of {version}",
        "lib/named.py": """\
import importlib, importlib.metadata, importlib.resources, importlib.util, pkgutil, sys

def by_name():
    return (
        importlib.import_module("dep").VERSION,
        importlib.import_module(".sub", __package__).WHO,
        importlib.import_module("lib.sub").WHO,
        pkgutil.resolve_name("dep.late:VERSION"),
        importlib.metadata.version("dep"),
        importlib.metadata.version("lib"),
        (importlib.resources.files("lib") / "data.txt").read_text(),
        pkgutil.get_data("lib", "data.txt").decode(),
        open(importlib.util.find_spec("dep").origin).read().split("'")[1],
        list(map(__import__, ["dep"]))[0].VERSION,
        eval("__import__('dep').VERSION"),
    )

def generated():
    space = {}
    body = "    import lib.inner.deep\\n    return dep.VERSION, lib.inner.deep.VERSION"
    exec("import dep\\ndef inner():\\n" + body, space)
    return space["inner"]()

def modules():
    sys.modules["lib.alias"] = sys.modules["dep"]
    from lib.alias import VERSION
    return (
        VERSION, "dep" in sys.modules, sys.modules["lib"].__version__, sys.modules.get("nothing"),
        sys.modules[__name__].__name__ == __name__,
        sorted(n for n in sys.modules if n in {"lib.alias", "lib.inner", "lib@1_0"}),
        "json" in sys.modules or sys.modules.setdefault("json", 1) == 1, type(sys.modules.copy()),
    )

def depth():
    try:
        __import__("not_there")
    except ImportError:
        return sys.exc_info()[2].tb_next
""",
    }


def dep(version: str) -> dict[str, str]:
    return {"dep/__init__.py": f"VERSION = {version!r}\n", "dep/late.py": f"VERSION = {version!r}\n"}


PACKAGES = {
    "lib==1.0": lib("1.0"),
    "lib==2.0": lib("2.0"),
    "dep==1.0": dep("1.0"),
    "dep==2.0": dep("2.0"),
    "same==1.0": {"same.py": "KEY = object()\n"},
    "extra==1.0": {"extra.py": "VERSION = '1.0'\nimport lib\nLIB = lib.__version__\n"},
    "only==1.0": {"only.py": ""},
    "native==1.0": {"native/__init__.py": "", f"native/core.{EXTENSION}": ""},
    "native==2.0": {
        "native/__init__.py": "from .core import x\n",
        f"native/core.{EXTENSION}": "",
        "native/core.py": "x=2",
    },
    "speedy==1.0": {
        "speedy/__init__.py": "try:\n    from ._fast import f\nexcept ImportError:\n    f = 'slow'\n",
        f"speedy/_fast.{EXTENSION}": "",
    },
    "needs-speedy==1.0": {"needs_speedy.py": "import speedy\nHOW = speedy.f\n"},
    "needs-native==1.0": {"needs_native.py": "import native.core\n"},
}

ENVIRONMENTS = {
    "default": {
        "lib==2.0": ("dep==2.0", "same==1.0"), "dep==2.0": (), "same==1.0": (), "only==1.0": (), "native==2.0": (),
    },
    "old": {
        "lib==1.0": ("dep==1.0", "same==1.0"), "dep==1.0": (), "same==1.0": (), "extra==1.0": ("lib==1.0",),
        "native==1.0": (), "speedy==1.0": (), "needs-speedy==1.0": ("speedy==1.0",),
        "needs-native==1.0": ("native==1.0",),
    },
    "mixed": {"lib==2.0": ("dep==1.0",), "dep==1.0": ()},
}  # fmt: skip


def versions_project(machine: Machine) -> Project:
    """Make a project under a lock of three environments, installed."""
    project = machine.project()
    make_plans(project, PACKAGES, ENVIRONMENTS)
    return project


def plain_lib(version: str) -> dict[str, str]:
    """Return a pure package with a dependency, a submodule, a class and a count of its executions."""
    return {
        "lib/__init__.py": f"""\
import os, sys
import dep
__version__ = {version!r}
sys.lib_runs = [*getattr(sys, "lib_runs", ()), __version__]
class Thing: pass
def check(thing): return isinstance(thing, Thing)
def fill(things): things.append(__version__)
def pid(): return os.getpid()
""",
        "lib/sub.py": f"WHO = {version!r}\n",
    }


# Its extension module is no real one, and optional: what refuses it is that the file is there
NATIVE = {
    "native/__init__.py": "import os\n__version__ = '1.0'\ndef pid(): return os.getpid()\ndef echo(v): return v\n",
    f"native/core.{EXTENSION}": "",
}

CONFIGURED_PACKAGES = {
    "lib==1.0": plain_lib("1.0"),
    "lib==2.0": plain_lib("2.0"),
    "dep==1.0": {"dep.py": "VERSION = '1.0'\n"},
    "dep==2.0": {"dep.py": "VERSION = '2.0'\n"},
    "native==1.0": NATIVE,
    "tool==1.0": {"tool.py": ""},
}

CONFIGURED_ENVIRONMENTS = {
    "default": {"lib==2.0": ("dep==2.0",), "dep==2.0": (), "tool==1.0": ()},
    "ml": {"lib==1.0": ("dep==1.0",), "dep==1.0": (), "native==1.0": (), "tool==1.0": ()},
}

CONFIGURED = "import envknit; envknit.configure_from_lock('locks/envknit.lock.yaml')\n"
VERSION = """\
def version():
    import lib
    return lib.__version__
"""


class Configured:
    """A project whose lock nothing activates by itself: programs of it call `configure_from_lock`."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def run(self, program: Program, *, configured: bool = True) -> str:
        """Run a program; the usual one has a configured lock and a function `version()`."""
        start = CONFIGURED if configured else "import envknit\n"
        return self.project.code(start + VERSION + source_of(program)).out


def configured_project(machine: Machine) -> Configured:
    """Make a project whose lock lies where only a program that names it finds it."""
    project = machine.project()
    write_packages(machine.home, CONFIGURED_PACKAGES)
    write_plans(machine.home, project.root / "locks/envknit.lock.yaml", CONFIGURED_ENVIRONMENTS)
    return Configured(project)
