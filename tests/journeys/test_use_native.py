"""`use(native=True)`: extension modules of two versions side by side, and what plain names mean to their C code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kit.native import FLAVOURS, compiled, native_files, write_native
from kit.planned import write_plans

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine, Project

pytestmark = [
    pytest.mark.ends,  # what differs between Pythons is tried by each: `why_missing`
    pytest.mark.skipif(sys.platform != "linux", reason="native guests are for Linux"),
]

DEPENDS = {
    f"{version}.0": {f"lib=={version}.0": (f"dep=={version}.0",), f"solo=={version}.0": (f"lib=={version}.0",)}
    for version in (1, 2)
}
ENVIRONMENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "default": {"dep==2.0": (), **DEPENDS["2.0"]},
    "old": {"dep==1.0": (), "bad==1.0": ("lib==1.0",), "packed==1.0": ("lib==1.0",), **DEPENDS["1.0"]},
    "mixed": {"dep==1.0": (), "lib==2.0": ("dep==1.0",)},
}
OLD = """
import envknit, pickle, sys, threading
with envknit.use("lib", "1.0", native=True) as old: pass
"""


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    project = machine.project()
    write_native(machine)
    write_plans(machine.home, project.lock_file, ENVIRONMENTS)
    return project


def out(project: Project, source: str) -> str:
    return project.code(source).out


@pytest.mark.parametrize("first", ["", "import lib, lib.late\n"])
def test_c_code_gets_what_its_own_world_means_however_it_asks(project: Project, first: str) -> None:
    assert out(project, first + OLD + """
import lib
for module in (old._multi, old._single, lib._multi, lib._single):
    ways = [module.imported, module.by_level, module.found, module.in_table]
    print(module.__name__, module.at_start(), module.capsule(),
          *[way(name).VERSION for name in ("lib.base", "lib.late", "lib", "dep") for way in ways])
print(old.late is old._multi.found("lib.late"), lib.late is sys.modules["lib.late"], lib.late.BELOW, old.late.BELOW)
""").splitlines() == [
        "lib@1_0._multi 1.0 1.0" + " 1.0" * 16,
        "lib@1_0._single 1.0 1.0" + " 1.0" * 16,
        "lib._multi 2.0 2.0" + " 2.0" * 16,
        "lib._single 2.0 2.0" + " 2.0" * 16,
        "True True 2.0 1.0",
    ]  # fmt: skip


def test_c_code_is_executed_under_the_name_that_it_was_compiled_with(project: Project) -> None:
    assert (
        out(project, OLD + "print(old._multi.named_at_start(), old._multi.__name__)") == "lib._multi lib@1_0._multi\n"
    )


def test_what_only_the_other_version_has_is_missing(project: Project) -> None:
    assert out(project, OLD + """
import lib, lib.newer
def why(way, name):
    try:
        return way(name)
    except ImportError as error:
        return type(error).__name__
print(old._multi.found("lib.newer"), old._multi.in_table("lib.newer"), why(old._multi.imported, "lib.newer"),
      why(old._single.by_level, "lib.newer"), old._multi.imported("lib.only").VERSION, "lib.only" in sys.modules)
""") == "None None ModuleNotFoundError ModuleNotFoundError 1.0 False\n"  # fmt: skip


def test_python_code_that_c_code_calls_asks_for_itself(project: Project) -> None:
    assert out(project, OLD + """
def ask():
    import lib
    return lib.VERSION, sys.modules["lib"].VERSION, "lib.base" in sys.modules
print(old._multi.called(ask), old._single.called(ask))
""") == "('2.0', '2.0', True) ('2.0', '2.0', True)\n"  # fmt: skip


def test_an_extension_module_without_a_package_is_a_guest_of_its_own_name(project: Project) -> None:
    assert out(project, """
import envknit, sys
old = envknit.import_version("solo", "1.0", native=True)
import solo
print(old.__name__, old.at_start(), solo.__name__, solo.at_start(), sys.modules["solo"] is solo)
print(old.count(), old.count(), solo.count(), sorted({str(name) for name in sys.modules if "solo" in name}))
""").splitlines() == ["solo@1_0 1.0 solo 2.0 True", "1 2 1 ['solo', 'solo@1_0']"]  # fmt: skip


def test_a_package_that_is_an_extension_module_finds_its_submodules(project: Project) -> None:
    def program():
        import envknit

        packed = envknit.import_version("packed", "1.0", native=True)
        assert (packed.__name__, packed.__package__) == ("packed@1_0", "packed@1_0")
        assert packed.by_level("packed.part").__name__ == "packed@1_0.part"
        assert packed.at_start() == "1.0"

    project.code(program)


def test_one_file_in_two_worlds_is_two_libraries(project: Project) -> None:
    assert out(project, """
import envknit, lib, os, tempfile
with envknit.use("lib", "2.0", env="mixed", native=True) as mixed: pass
print(mixed is lib, mixed._multi.count(), mixed._multi.count(), lib._multi.count(), mixed._single.count())
print(mixed._multi.imported("lib.late").BELOW, lib._multi.imported("lib.late").BELOW)
print(mixed._multi.__file__.startswith(lib.__spec__.loader.store), os.listdir(tempfile.gettempdir()))
""").splitlines()[:2] == ["False 1 2 1 1", "1.0 2.0"]  # fmt: skip


def test_one_file_that_a_guest_loads_first_is_another_library_for_the_resident(project: Project) -> None:
    assert out(project, """
import envknit
with envknit.use("lib", "2.0", env="mixed", native=True) as mixed: pass
mixed._multi.count()
import lib
print(mixed._multi.count(), lib._multi.count(), lib._single.count(), mixed._single.count())
print(mixed._multi.imported("lib.late").BELOW, lib._multi.imported("lib.late").BELOW)
""").splitlines() == ["2 1 1 1", "1.0 2.0"]  # fmt: skip


def test_what_c_code_keeps_for_the_process_is_shared_within_an_environment_and_not_between_two(
    project: Project,
) -> None:
    assert out(project, OLD + """
import lib
solo = envknit.import_version("solo", "1.0", native=True)
with envknit.use("lib", "2.0", env="mixed", native=True) as mixed: pass
for module in (old._multi, lib._single, mixed._multi): print(module.logged(), *sorted(module.registered()))
""").splitlines() == [
        "1.0 lib._multi lib._single solo",
        *["2.0 lib._multi lib._single"] * 2,
    ]  # fmt: skip


def test_types_and_functions_of_c_code_are_pickled_by_the_guests_name(project: Project) -> None:
    assert out(project, OLD + """
import lib
for value in (old.base.Late, old._multi.Thing, old._single.Thing, old._multi.count,
              lib._multi.Thing, lib._single.count):
    for data in (pickle.dumps(value), pickle._dumps(value)):
        assert pickle.loads(data) is value
print(old._multi.Thing, lib._multi.Thing, old._single.count.__module__)
""") == "<class 'lib@1_0._multi.Thing'> <class 'lib._multi.Thing'> lib@1_0._single\n"  # fmt: skip


def test_a_pickle_that_a_guest_reads_means_the_guest_by_plain_names(project: Project) -> None:
    assert out(project, OLD + """
import lib
for module in (old, lib, old): print(module.base.load(b"clib.base\\nVERSION\\n."), end=" ")
print(old.base.load(b"clib.only\\nVERSION\\n."), pickle.loads(b"clib.base\\nVERSION\\n."))
""") == "1.0 2.0 1.0 1.0 2.0\n"  # fmt: skip


@pytest.mark.parametrize("name", ["lib.late", "lib._multi", "lib._single", "solo"])
def test_what_the_other_version_loads_just_now_is_not_found(project: Project, name: str) -> None:
    # Between its entry in the table and its execution another thread may look: a trace function stands for it
    assert out(project, OLD + f"""
solo = envknit.import_version("solo", "1.0", native=True)
found = []
def look(frame, event, argument):
    # each frame of importlib and of loaders
    if event == "call" and frame.f_code.co_name in ("exec_module", "create_module"):
        for way in (old._multi.found, old._single.in_table):
            module = way({name!r})
            found.append(getattr(module, "__name__", "").partition("@")[0] == {name!r})
            assert module is None or "@1_0" in module.__name__, module
        if frame.f_code.co_name == "exec_module":
            for way in (old._multi.imported, old._single.by_level):
                assert "@1_0" in way({name!r}).__name__
sys.setprofile(look)
import lib.late, solo as other
sys.setprofile(None)
print(len(found) > 4, sys.modules[{name!r}].__name__)
""") == f"True {name}\n"  # fmt: skip


def test_what_another_thread_is_just_importing_is_not_what_a_guest_gets(project: Project) -> None:
    def program():
        import sys
        import threading

        import envknit

        found, go = threading.Event(), threading.Event()

        class Slow:
            """Lets a module be found, and not yet be loaded."""

            def find_spec(self, name, path=None, target=None):
                if name != "lib.late":
                    return None
                others = [finder for finder in sys.meta_path if finder is not self]
                spec = next(filter(None, (finder.find_spec(name, path) for finder in others)))
                spec.loader.create_module = lambda _: (found.set(), go.wait(60), None)[2]
                return spec

        sys.meta_path.insert(0, Slow())
        other = threading.Thread(target=__import__, args=("lib.late",))
        other.start()
        assert found.wait(60)
        old = envknit.import_version("lib", "1.0", native=True)
        go.set()
        other.join()
        import lib

        for module, version in ((old._multi, "1.0"), (old._single, "1.0"), (lib._multi, "2.0"), (lib._single, "2.0")):
            late = module.by_level("lib.late"), module.imported("lib.late"), module.found("lib.late")
            assert [each.VERSION for each in late] == [version] * 3

    project.code(program)


def test_threads_import_both_at_once_and_each_gets_its_own(project: Project) -> None:
    # A short form of scripts/torture: fresh processes, since only the first import of a process can go wrong
    program = """
import dep, envknit, sys, threading
envknit.use
sys.setswitchinterval(1e-5)
begin, wrong = threading.Barrier(8), []
def work(number):
    begin.wait()
    try:
        if number % 2:
            with envknit.use("lib", "1.0", native=True) as lib: pass
        else:
            import lib
        want = "1.0" if number % 2 else "2.0"
        for _ in range(100):
            for module in (lib._multi, lib._single):
                found = {module.at_start(), module.capsule(), module.by_level("lib.late").BELOW,
                         module.imported("lib.base").VERSION, module.found("lib").VERSION}
                if found != {want}: wrong.append((number, found))
    except BaseException as error:
        wrong.append(repr(error))
threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for each in threads: each.start()
for each in threads: each.join()
print(wrong[:3])
"""
    assert [out(project, program) for _ in range(3)] == ["[]\n"] * 3


def test_a_forked_child_imports_on(project: Project) -> None:
    assert out(project, OLD + """
import os
child = os.fork()
if not child:
    os._exit(old._multi.imported("lib.late").BELOW != "1.0")
print(os.waitpid(child, 0)[1])
""") == "0\n"  # fmt: skip


def test_the_table_of_modules_shows_no_name_that_is_not_one(project: Project) -> None:
    assert out(project, OLD + """
import lib, lib.late
plain = [name for name in sys.modules if name.partition(".")[0] == "lib"]
print(len(plain) == len(set(map(str, plain))), {*plain} >= {"lib", "lib.late"}, sys.modules["lib"] is lib,
      pickle.loads(pickle.dumps(plain)) == [str(name) for name in plain], "lib" in sorted(sys.modules))
""") == "True True True True True\n"  # fmt: skip


def test_without_leave_the_error_names_it_as_a_way_out(project: Project) -> None:
    error = project.code("import envknit; envknit.use('lib', '1.0')", status=1).err

    assert "CExtensionError: lib 1.0 has extension modules, which are loaded beside another version only where" in error
    assert "use(..., native=True)" in error
    assert "`native: [lib]` in the project" in error


def test_what_crashes_in_a_child_process_is_refused_here_and_that_is_remembered(project: Project) -> None:
    def program():
        import envknit

        for _ in range(2):
            try:
                envknit.use("bad", "1.0", native=True)
            except envknit.CExtensionError as error:
                assert error.name == "bad"
                print(error)

    told = project.code(program).out
    records = [path for path in (project.machine.home / "cache/interpreters").rglob("bad-1.0*") if path.is_file()]

    assert told.count("reason: the probe's process died of SIGABRT") == 2
    assert "envknit.worker('bad', '1.0')" in told
    assert [path.read_text().partition(" (")[0] for path in records] == ["the probe's process died of SIGABRT"]


def test_modules_of_the_project_live_with_extension_modules_where_that_is_asked(project: Project) -> None:
    project.write(
        "own.py", "import lib._multi\ndef found(): return lib._multi.at_start(), lib._multi.imported('lib').VERSION\n"
    )
    assert out(project, """
import envknit, own
print(envknit.world(lib="1.0", native=True).import_module("own").found(), own.found())
""") == "('1.0', '1.0') ('2.0', '2.0')\n"  # fmt: skip


@pytest.mark.once
def test_compat_says_why_a_version_cannot(index: LoopbackIndex, machine: Machine) -> None:
    tags = f"cp{sys.version_info.major}{sys.version_info.minor}-" * 2 + "manylinux_2_17_x86_64"
    index.publish("bad", "2.0", {"bad.py": ""})
    path = compiled("bad", "1.0", "-DCRASH")
    index.publish("bad", "1.0", {path.name: path.read_bytes(), "lib/__init__.py": "", "lib/base.py": ""}, tags=tags)

    ran = machine.envknit("compat", "bad==1.0", "--with", "bad<2", status=1)

    assert "bad 1.0 beside 2.0: the probe's process died of SIGABRT" in ran.out
    assert machine.envknit("compat", "bad", status=2).err.startswith("error: a package and its version are needed")


@pytest.mark.once
@pytest.mark.parametrize(
    ("world", "reason"),
    [
        ("sys.platform = 'darwin'", "native guests are for Linux so far, and this is darwin"),
        ("sys.modules['ctypes'] = None", "this Python has no ctypes, which native guests need"),
    ],
)
def test_a_platform_that_cannot_says_so_at_once(project: Project, world: str, reason: str) -> None:
    error = project.code(
        f"import sys, envknit\nenvknit.use\n{world}\nenvknit.use('lib', '1.0', native=True)", status=1
    ).err

    assert f"reason: {reason}" in error
    assert "envknit.worker('lib', '1.0')" in error
    assert "native=True" not in error.partition("hint:")[2]


def publish(index: LoopbackIndex) -> None:
    """Two dependencies that want different versions of a package with extension modules."""
    tags = f"cp{sys.version_info.major}{sys.version_info.minor}-" * 2 + "manylinux_2_17_x86_64"
    for version in ("1.0", "2.0"):
        files: dict[str, bytes | str] = {**native_files(version)}
        for tail, flags in FLAVOURS.items():
            path = compiled(f"lib.{tail}", version, *flags)
            files[f"lib/{path.name}"] = path.read_bytes()
        index.publish("lib", version, files, tags=tags, requires=[f"dep=={version}"])
        index.publish("dep", version, {"dep.py": f"VERSION = {version!r}\n"})
    for name, wanted in (("dep-a", "2.0"), ("dep-b", "1.0")):
        code = "import lib\ndef seen():\n    late = lib._single.by_level('lib.late')\n"
        code += "    return lib.VERSION, lib._multi.at_start(), late.BELOW, lib._multi.imported('lib').VERSION\n"
        index.publish(name, "1.0", {f"{name.replace('-', '_')}.py": code}, requires=[f"lib=={wanted}"])


def test_a_split_lock_holds_extension_modules_that_the_project_allows(index: LoopbackIndex, machine: Machine) -> None:
    publish(index)
    project = machine.project(["dep-a", "dep-b"], more="native: [lib]\nsplit: [lib, dep]\n").ready()
    assert 'native:\n  - "lib"\n' in project.lock_file.read_text()

    program = "import dep_a, dep_b, sys\nprint(dep_a.seen(), dep_b.seen(), sys.modules['lib'].VERSION)"
    expected = f"{('2.0',) * 4} {('1.0',) * 4} 2.0\n"

    assert project.code(program).out == expected
    assert project.code(program.replace("dep_a, dep_b", "dep_b, dep_a", 1)).out == expected


def test_what_the_project_allows_needs_no_leave_in_the_code(index: LoopbackIndex, machine: Machine) -> None:
    publish(index)
    project = machine.project(["lib>=2"], environments={"old": ["lib<2"]}, more="native: [lib]\n").ready()

    def program():
        import envknit

        assert envknit.import_version("lib", "1.0")._multi.at_start() == "1.0"
        envknit.set_default("lib", "1.0")
        import lib

        assert lib._single.by_level("lib.late").BELOW == "1.0"

    project.code(program)
