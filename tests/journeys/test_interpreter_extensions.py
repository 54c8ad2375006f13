"""Extension modules in interpreters: what is proven may load, what is not never takes the host down."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kit.interpreters import HAS, OWN, add_extension, entry, inside, interpreter_project

if TYPE_CHECKING:
    from pathlib import Path

    from kit import Machine, Project

pytestmark = pytest.mark.skipif(not HAS, reason="sub-interpreters need CPython 3.12")

TRY = """
    import envknit
    with SubInterpreterEnv(gil={gil!r}) as interp:
        interp.configure_from_lock(lock)
        for name in {names!r}:
            print(name, interp.try_import(name))
            try:
                interp.try_import(name, raise_on_cext=True)
            except envknit.CExtIncompatibleError as error:
                print(error.message, "|", error.name, "|", error.why, "|", error.hint)
"""


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    project = interpreter_project(machine)
    for package, extension in (("wrap", "_testsinglephase"), ("wrap", "_testmultiphase"), ("wrap", "xxlimited_35")):
        add_extension(project, package, extension)
    add_extension(project, "crash", "_testmultiphase")
    return project


def _verdicts(project: Project) -> list[Path]:
    return [path for path in (project.machine.home / "cache").rglob("*.so") if path.is_file()]


def test_a_multi_phase_module_loads_and_is_remembered_as_proven(project: Project) -> None:
    # As documented, "True: Module loaded successfully"
    out = inside(project, TRY.format(gil="own", names=["wrap._testmultiphase"]))

    assert out == "wrap._testmultiphase True\n"
    assert [path.read_text() for path in _verdicts(project)] == [""]


def test_a_single_phase_module_is_refused_from_what_its_file_says(project: Project) -> None:
    # As documented, "False: C-extension incompatible (only when raise_on_cext=False)"; else CExtIncompatibleError
    out = inside(project, TRY.format(gil="own", names=["wrap._testsinglephase"]))

    assert out == (
        "wrap._testsinglephase False\n"
        "wrap._testsinglephase cannot be loaded in this sub-interpreter | wrap._testsinglephase | "
        "it is initialised in a single phase: one module for the whole process (PEP 489) | "
        'SubInterpreterEnv(gil="shared") may load it, and envknit.worker("wrap", VERSION) loads it in a process of its '
        "own\n"
    )
    assert not _verdicts(project)


@pytest.mark.skipif(OWN == "shared", reason="no interpreter has a GIL of its own")
def test_a_module_that_refuses_own_gils_is_refused_and_remembered(project: Project) -> None:
    names = ["wrap.xxlimited_35"]
    first = inside(project, TRY.format(gil="own", names=names))

    assert "does not support loading in subinterpreters" in first
    assert first == inside(project, TRY.format(gil="own", names=names))


def test_with_a_shared_gil_they_load(project: Project) -> None:
    names = ["wrap._testsinglephase", "wrap._testmultiphase", "wrap.xxlimited_35"]

    assert inside(project, TRY.format(gil="shared", names=names)) == "".join(f"{name} True\n" for name in names)


def test_with_a_shared_gil_the_same_file_is_another_module_in_each(project: Project) -> None:
    source = """
        import wrap._testsinglephase as host
        CODE = '''
        import wrap._testsinglephase as m
        m.mine = 1
        result = [m.__file__, m.initialized_count() if hasattr(m, "initialized_count") else 0]
        '''
        files = {host.__file__}
        for _ in range(3):
            with SubInterpreterEnv(gil="shared") as one, SubInterpreterEnv(gil="shared") as two:
                one.configure_from_lock(lock)
                two.configure_from_lock(lock)
                files |= {one.eval_json(CODE)[0], two.eval_json(CODE)[0]}
        print(len(files), hasattr(host, "mine"))
    """

    assert inside(project, source) == "1 False\n"
    assert not list((project.machine.home / "cache/interpreters/copies").iterdir())


def test_what_crashes_in_a_probe_is_refused_and_the_host_lives(project: Project) -> None:
    out = inside(project, TRY.format(gil="own", names=["crash._testmultiphase"]) + "    print('alive')\n")

    assert out.startswith("crash._testmultiphase False\n")
    assert "the probe's process died of SIGABRT" in out
    assert out.endswith("alive\n")


def test_code_inside_gets_the_same_error_before_anything_is_loaded(project: Project) -> None:
    source = """
        with SubInterpreterEnv() as interp:
            interp.configure_from_lock(lock)
            print(interp.eval_json('''
        try:
            import wrap._testsinglephase
        except ImportError as error:
            result = [type(error).__name__, error.name]
        '''))
            try:
                interp.run_string("import wrap._testsinglephase")
            except RuntimeError as error:
                print(type(error.__cause__).__name__)
    """

    assert inside(project, source) == "['CExtIncompatibleError', 'wrap._testsinglephase']\nCExtIncompatibleError\n"


def test_a_package_that_falls_back_loads_and_one_that_hides_the_cause_is_told_apart(project: Project) -> None:
    out = inside(project, TRY.format(gil="own", names=["falls", "covers"])).splitlines()

    assert out[:2] == ["falls True", "covers False"]
    assert out[2].startswith("wrap._testsinglephase cannot be loaded")


@pytest.mark.skipif(OWN == "shared", reason="where the GIL is shared they load")
def test_the_standard_library_s_own_refusals_are_told_the_same_way(project: Project) -> None:
    out = inside(project, TRY.format(gil="own", names=["faulthandler"]))

    assert out.startswith("faulthandler False\nfaulthandler cannot be loaded in this sub-interpreter | faulthandler |")


def test_a_damaged_file_is_an_import_error_and_no_crash(project: Project) -> None:
    suffix = next((entry(project) / "wrap").glob("_testmultiphase*")).name.partition(".")[2]
    (entry(project) / f"wrap/empty.{suffix}").write_bytes(b"")
    (entry(project) / f"wrap/rubbish.{suffix}").write_bytes(b"PyModuleDef_Init\0" * 100)

    out = inside(project, TRY.format(gil="own", names=["wrap.empty", "wrap.rubbish"]))

    assert out.splitlines()[0] == "wrap.empty False"
    assert "wrap.rubbish False" in out


@pytest.mark.parametrize("extension", ["_testsinglephase", "_testmultiphase"])
def test_where_an_extension_module_is_refused_its_twin_in_python_is_taken(project: Project, extension: str) -> None:
    # mypyc and Cython leave the source beside the extension file: charset_normalizer, which requests needs, has such
    file = add_extension(project, "wrap", extension)
    twin = file.rename(file.with_name("twin." + file.name.partition(".")[2]))
    twin.with_name("twin.py").write_text("KIND = [__name__, __file__[-8:], type(__loader__).__name__]\n")

    def program(lock):
        from envknit import SubInterpreterEnv

        with SubInterpreterEnv() as interp:
            interp.configure_from_lock(lock)
            print(interp.try_import("wrap.twin", raise_on_cext=True))
            print(interp.eval_json("import wrap.twin; result = wrap.twin.KIND + [wrap.twin.__spec__.origin[-8:]]"))

    assert inside(project, program) == "True\n['wrap.twin', '/twin.py', 'StoreLoader', '/twin.py']\n"
    assert not (twin.parent / "__pycache__").exists()


def test_isolation_is_chosen_by_evidence(project: Project) -> None:
    def program():
        from envknit.interpreter.choice import choose_isolation
        from envknit.runtime.activation import active, plan_of

        plan = plan_of(active())
        alpha, wrap = plan.pins["alpha", "1.0"], plan.pins["wrap", "1.0"]
        print(choose_isolation(plan, alpha))
        wrap.native = True
        for names in ["wrap"], ["falls"], ["wrap", "crash"]:
            wrap.imports = names
            print(choose_isolation(plan, wrap))

    out = inside(project, program).splitlines()

    assert out[0] == "('interpreter', 'alpha 1.0 and what it depends on are pure Python')"
    assert out[1].startswith("('interpreter', 'wrap has extension modules, and a probe loaded them")
    assert out[2].startswith("('worker', 'wrap has extension modules; it is initialised in a single phase")
    assert out[3].startswith("('worker', ")
    assert "SIGABRT" in out[3]


@pytest.mark.network
@pytest.mark.skipif(sys.version_info < (3, 12), reason="sub-interpreters need CPython 3.12")
def test_two_numpys_live_in_one_process(online: Machine) -> None:
    # On CPython 3.13.0 importing numpy 2.1 in an interpreter with a GIL of its own aborts the process
    old, new = ("2.4.0", "2.4.6") if sys.version_info >= (3, 13) else ("1.26.4", "2.1.3")
    project = online.project([f"numpy=={new}"], environments={"old": [f"numpy=={old}"]}).ready()

    def program(lock):
        import warnings

        from envknit import SubInterpreterEnv

        def work(warn):
            import warnings

            warnings.simplefilter("ignore")
            import numpy

            return numpy.__version__, float(numpy.linalg.norm([3, 4])), numpy.arange(5).sum().item()

        with SubInterpreterEnv(gil="shared") as a, SubInterpreterEnv(gil="shared") as b, SubInterpreterEnv() as own:
            a.configure_from_lock(lock)
            b.configure_from_lock(lock, "old")
            own.configure_from_lock(lock)
            print(own.try_import("numpy"), a.call(work, 0), b.call(work, 0))
            import numpy

            print(numpy.__version__, a.call(work, 0)[0])

            def add(x, y):
                return x + 1, y, str(x.dtype)

            for interp in a, b:
                print(interp.call(add, numpy.arange(6, dtype="i2").reshape(2, 3), numpy.float32(1.5)))

    out = inside(project, program).split("\n", 2)

    assert out[:2] == [f"False ('{new}', 5.0, 10) ('{old}', 5.0, 10)", f"{new} {new}"]
    arrays = "(array([[1, 2, 3],\n       [4, 5, 6]], dtype=int16), {}, 'int16')\n"
    assert out[2] in {arrays.format(scalar) * 2 for scalar in ("1.5", "np.float32(1.5)")}
