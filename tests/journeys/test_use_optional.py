"""What a guest sees of names that it was locked without, in each way in which code asks for a module by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.planned import make_plans

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine, Project

TRY = "try:\n    import opt\nexcept ImportError:\n    opt = None\n"
GUEST = """\
import importlib, importlib.util, pkgutil
from guest import a, b
from importlib.util import find_spec

HAS = find_spec("opt") is not None

def ask(how, *args):
    try:
        return repr(how(*args))
    except Exception as error:
        return type(error).__mro__[1].__name__

def late():
    return [
        ask(__import__, "opt"), ask(__import__, "opt"), ask(importlib.import_module, "opt"),
        ask(importlib.import_module, "opt"), ask(importlib.import_module, "opt.sub"),
        ask(importlib.util.find_spec, "opt"), ask(importlib.util.find_spec, "opt.sub"),
        ask(pkgutil.get_data, "opt", "x"), ask(pkgutil.resolve_name, "opt:x"),
    ]
"""
PACKAGES = {
    "guest==1.0": {"guest/__init__.py": GUEST, "guest/a.py": TRY, "guest/b.py": TRY},
    "opt==1.0": {"opt/__init__.py": "", "opt/sub.py": "", "opt/x": ""},
    "lib==1.0": {"lib.py": "class Thing: V = '1.0'\n__version__ = '1.0'\n"},
    "lib==2.0": {"lib.py": "class Thing: V = '2.0'\n__version__ = '2.0'\n"},
}


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    project = machine.project()
    environments = {"default": {"opt==1.0": (), "lib==2.0": ()}, "old": {"guest==1.0": (), "lib==1.0": ()}}
    make_plans(project, PACKAGES, environments)
    return project


def test_an_optional_import_fails_alike_each_time_it_is_tried(project: Project) -> None:
    missing = [
        "LinkError",
        "LinkError",
        "LinkError",
        "LinkError",
        "LinkError",
        "None",
        "LinkError",
        "None",
        "LinkError",
    ]

    def program():
        import envknit

        with envknit.use("guest", "1.0") as guest:
            assert (guest.a.opt, guest.b.opt, guest.HAS) == (None, None, False)
        print(*guest.late())

    ran = project.code(program)
    assert ran.out.split() == missing


def test_what_takes_a_name_from_the_host_follows_its_block(project: Project) -> None:
    """`pytest.importorskip` imports a name and reads `sys.modules`; here is what it does, in a package of its name."""
    skipping = "import sys\ndef importorskip(modname):\n    __import__(modname)\n    return sys.modules[modname]\n"
    project.write("stand/_pytest/__init__.py", "")
    project.write("stand/_pytest/outcomes.py", skipping)
    project.write("stand/pytest.py", "from _pytest.outcomes import importorskip\n")
    program = """
        import sys
        sys.path.append("stand")
        {first}
        import envknit
        with envknit.use("lib", "1.0"):
            {second}
            import pytest
            block = envknit.use("lib", "1.0")
            with block: assert pytest.importorskip("lib").__version__ == "1.0"
        {third}
    """
    project.code(program.format(first="import pytest", second="", third="assert 'lib' not in sys.modules"))
    project.code(program.format(first="import lib, pytest", second="", third=""))
    project.code(program.format(first="", second="import lib", third=""))


def test_what_c_code_imports_by_name_is_the_resident_that_it_then_looks_for(project: Project) -> None:
    """A pickle says `lib`, which is the resident whatever block is open; guests say their version themselves."""

    def program():
        import pickle

        import lib

        import envknit

        data = pickle.dumps(lib.Thing)
        with envknit.use("lib", "1.0") as old:
            assert pickle.loads(data).V == "2.0" and pickle.loads(pickle.dumps(old.Thing)).V == "1.0"

    project.code(program)

    def other():
        import pickle

        import envknit

        with envknit.use("lib", "1.0"):
            assert pickle.loads(b"clib\nThing\n.").V == "2.0"

    project.code(other)


@pytest.mark.ends
def test_what_can_do_without_its_extension_modules_is_split(index: LoopbackIndex, machine: Machine) -> None:
    for version in ("1.0", "2.0"):
        code = (
            f"import helper\nVERSION = {version!r}\ntry: from speedy import _fast\nexcept ImportError: _fast = None\n"
        )
        files = {"speedy/__init__.py": code, "speedy/_fast.abi3.so": ""}
        index.publish("speedy", version, files, requires=["helper"], tags="cp39-abi3-manylinux_2_17_x86_64")
    index.publish("helper", "1.0", {"helper.py": ""})
    for name, wanted in (("dep-a", "2.0"), ("dep-b", "1.0")):
        code = "import speedy\nSEEN = speedy.VERSION\n"
        index.publish(name, "1.0", {f"{name.replace('-', '_')}.py": code}, requires=[f"speedy=={wanted}"])

    project = machine.project(["dep-a", "dep-b"])
    project.lock("--split")
    project.install()
    assert project.code("import dep_a, dep_b\nprint(dep_a.SEEN, dep_b.SEEN)").out == "2.0 1.0\n"


@pytest.mark.once
def test_a_guest_for_which_the_project_vouches_is_not_tried(index: LoopbackIndex, machine: Machine) -> None:
    for version in ("1.0", "2.0"):
        files = {"late.py": f"import _late\nVERSION = {version!r}", "_late.abi3.so": ""}
        index.publish("late", version, files, tags="cp39-abi3-manylinux_2_17_x86_64")
        index.publish(f"dep-{version[0]}", "1.0", {f"dep_{version[0]}.py": ""}, requires=[f"late=={version}"])

    project = machine.project(["dep-1", "dep-2"], more="pure: [late]\nsplit: [late]\n").ready()
    assert 'pure:\n  - "late"\n' in project.lock_file.read_text()
    assert project.code("import dep_1, dep_2\nprint('fine')").out == "fine\n"
