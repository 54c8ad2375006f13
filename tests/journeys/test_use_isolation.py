"""`use(isolation=...)`: where a version lives, by evidence; and what the host's imports give, wherever that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.interpreters import HAS
from kit.places import SINGLE, places_project, run
from kit.planned import folder_of
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Machine, Project

CHOSEN = "interpreter" if HAS else "worker"
# Without ctypes there are no native guests, which `auto` tries before an interpreter or a process
ELSEWHERE = "import sys\nsys.modules['ctypes'] = None\n"


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    return places_project(machine)


def test_auto_keeps_pure_python_here(project: Project) -> None:
    def program():
        import envknit

        with envknit.use("plain", "1.0", isolation="auto") as block:
            import plain

            origin = envknit.explain(block)
            print(plain is block, plain.__version__, plain.__name__, origin.isolation, origin.why)
        print(envknit.workers())

    out = run(project, program)
    assert out == "True 1.0 plain@1_0 guest it is pure Python\n[]\n"


def test_auto_keeps_what_compares_the_names_of_its_modules_elsewhere(project: Project) -> None:
    # kombu, and so celery, looks a module's name up in a dict of literals
    def program():
        import envknit

        with envknit.use("literal", "1.0", isolation="auto") as block:
            print(block.KIND, envknit.explain(block).isolation, envknit.explain(block).why)
        try:
            with envknit.use("literal", "1.0"):
                pass
        except KeyError as error:
            print(error, *getattr(error, "__notes__", ["isolation='auto'"]))

    out = run(project, program)
    first, second = out.splitlines()
    assert first.startswith(f"1 {CHOSEN} it compares the names of its modules, which differ in a guest; ")
    assert second.startswith("'literal@1_0.part' ")
    assert "isolation='auto'" in second


def test_auto_gives_the_resident_where_it_is_the_version(project: Project) -> None:
    def program():
        import os

        import envknit

        with envknit.use("fast", "2.0", isolation="auto") as block:
            import fast

            print(fast is block, fast.pid() == os.getpid(), envknit.explain(block).isolation)

    out = run(project, program)
    assert out == "True True resident\n"


def test_auto_takes_an_interpreter_where_a_probe_shows_that_it_can(project: Project) -> None:
    def program():
        import importlib.metadata
        import os

        import fast as resident

        import envknit

        context = envknit.use("fast", "1.0", isolation="auto")
        with context as block:
            import fast

            print(fast is block, fast.__version__, resident.__version__, importlib.metadata.version("fast"))
            print(fast.pid() == os.getpid(), fast.on_main_thread(), type(fast).__name__)
            box = fast.Box([1])
            print(fast.apply(lambda x: x + 1, 41), box.get(), isinstance(box, fast.Box))
            print(envknit.explain(context).isolation, envknit.explain(box).isolation, envknit.explain(fast.Box).why)
        import fast

        print(fast is resident, envknit.workers()[0].order.isolation)

    out = run(project, program, ELSEWHERE).splitlines()
    assert out[0] == "True 1.0 2.0 1.0"
    assert out[1] == ("True False ModuleProxy" if HAS else "False True ModuleProxy")
    assert out[2] == "42 [1] True"
    assert out[3].startswith(f"{CHOSEN} {CHOSEN} this Python has no ctypes")
    assert "; fast has extension modules" in out[3]
    assert out[4] == f"True {CHOSEN}"


def test_auto_takes_a_native_guest_where_a_try_in_a_child_process_went_well(project: Project) -> None:
    def program():
        import fast as resident

        import envknit

        block = envknit.use("fast", "1.0", isolation="auto")
        with block:
            import fast
        assert (fast.__version__, resident.__version__) == ("1.0", "2.0")
        assert envknit.explain(block).isolation == "guest"
        assert envknit.explain(block).why == "loaded with its extension modules"
        assert not envknit.workers()

    run(project, program)


@pytest.mark.skipif(not HAS, reason="sub-interpreters need CPython 3.12")
def test_the_probe_is_made_once_and_remembered_in_the_store(project: Project) -> None:
    source = "print(envknit.explain(envknit.use('fast', '1.0', isolation='auto')).why)\n"
    first = run(project, source, ELSEWHERE)
    records = [path for path in (project.machine.home / "cache/interpreters").rglob("*") if path.is_file()]
    assert records
    times = [path.stat().st_mtime_ns for path in records]
    assert run(project, source, ELSEWHERE) == first
    assert [path.stat().st_mtime_ns for path in records] == times


@pytest.mark.parametrize("name", ["slow", "optional"])
def test_auto_takes_a_process_where_an_interpreter_would_lack_something(project: Project, name: str) -> None:
    out = run(
        project,
        f"""
with envknit.use({name!r}, "1.0", isolation="auto") as block:
    import {name}
    print({name}.{SINGLE}.__name__.endswith({SINGLE!r}), envknit.explain(block).isolation)
    print(envknit.explain(block))
""",
        ELSEWHERE,
    )
    assert out.startswith("True worker\n")
    assert "  in a process of its own: this Python has no ctypes, which native guests need; " in out
    assert f"; {name} has extension modules; " in out
    assert ("single phase" if HAS else "need CPython 3.12") in out


def test_a_pure_package_over_a_native_one_goes_where_that_can_live(project: Project) -> None:
    def program():
        import envknit

        with envknit.use("over-fast", "1.0", isolation="auto") as block:
            import over_fast

            print(over_fast is block, over_fast.BELOW, envknit.explain(block).isolation)

    out = run(project, program, ELSEWHERE)
    assert out == f"True 1.0 {CHOSEN}\n"


def test_each_isolation_can_be_asked_for(project: Project) -> None:
    def program():
        import sys

        import envknit

        for isolation in ("guest", "worker") + (("interpreter",) if sys.version_info >= (3, 12) else ()):
            with envknit.use("plain", "1.0", isolation=isolation) as block:
                import plain

                print(plain is block, plain.__version__, envknit.explain(block).isolation == isolation)
            import plain

            assert plain.__version__ == "2.0"
        for isolation, kind in {"guest": envknit.CExtensionError, None: envknit.CExtensionError}.items():
            try:
                envknit.use("fast", "1.0", isolation=isolation)
            except kind:
                pass
            else:
                raise SystemExit("nothing was raised")
        for options in ({"isolation": "process"}, {"isolation": "auto", "auto_worker": True}):
            try:
                envknit.use("fast", "1.0", **options)
            except ValueError as error:
                assert "isolation is one of" in str(error)
            else:
                raise SystemExit("nothing was raised")

    out = run(project, program)
    assert set(out.splitlines()) == {"True 1.0 True"}


def test_an_interpreter_that_cannot_is_refused_with_the_reason(project: Project) -> None:
    def program():
        import envknit

        try:
            envknit.use("slow", "1.0", isolation="interpreter")
        except (envknit.CExtIncompatibleError, envknit.UnsupportedPlatformError) as error:
            print(error)

    out = run(project, program)
    assert ("initialised in a single phase" if HAS else "need CPython 3.12") in out
    assert "isolation='worker'" in out


@pytest.mark.parametrize(
    "isolation", ["worker", pytest.param("interpreter", marks=pytest.mark.skipif(not HAS, reason="3.12"))]
)
def test_import_statements_in_the_block_give_proxies_and_only_there(project: Project, isolation: str) -> None:
    def program(isolation):
        import threading

        import fast as resident
        import fast.parts

        import envknit

        context = envknit.use("fast", "1.0", isolation=isolation)

        def late():
            import fast.parts

            return fast.__version__, fast.parts.part()

        with context as block:
            import fast
            import fast.parts
            import fast.parts as parts
            from fast import Box
            from fast import parts as again
            from fast.parts import part

            print(fast is block, parts is again is block.parts, part(), Box(3).get(), late())
            try:
                from fast import nothing
            except ImportError:
                print("no such name")
            try:
                import fast.nothing
            except ModuleNotFoundError as error:
                print("no such module")
            thread = threading.Thread(target=lambda: print(__import__("fast").__version__))
            thread.start()
            thread.join()
        print(late(), resident.parts.part())

        @context
        def decorated():
            import fast

            return fast.__version__

        @context
        def steps():
            import fast

            yield fast.__version__

        print(decorated(), list(steps()), late()[0])

    out = run(
        project,
        source_of(program, isolation=isolation),
    )
    assert out.splitlines() == [
        "True True fast.parts 3 ('1.0', 'fast.parts')",
        "no such name",
        "no such module",
        "2.0",
        "('2.0', 'fast.parts') fast.parts",
        "1.0 ['1.0'] 2.0",
    ]


@pytest.mark.parametrize("isolation", ["worker", "auto"])
def test_a_name_that_its_version_lacks_is_never_taken_from_the_resident(project: Project, isolation: str) -> None:
    (project.machine.home / folder_of("fast==2.0") / "fast/newer.py").write_text("")
    source = f"""
import fast.newer
with envknit.use("fast", "1.0", isolation={isolation!r}):
    for statement in ("from fast import newer", "from fast.parts import newer", "from fast import echo, nothing"):
        try:
            exec(statement)
        except ImportError as error:
            print(type(error).__name__, error.name.partition("@")[0], str(error).partition("(")[0])
    try:
        import fast.newer
    except ImportError as error:
        print(type(error).__name__, error)
    from fast import *
    from fast import echo as one, parts
print(echo is one, one(1), parts.part(), fast.newer.__file__.endswith("newer.py"))
"""
    assert run(project, source, ELSEWHERE).splitlines() == [
        "ImportError fast cannot import name 'newer' from 'fast' ",
        "ImportError fast cannot import name 'newer' from 'fast.parts' ",
        "ImportError fast cannot import name 'nothing' from 'fast' ",
        "ModuleNotFoundError No module named 'fast.newer'",
        "True 1 fast.parts True",
    ]


def test_auto_worker_never_gives_another_version_to_an_import_in_the_block(project: Project) -> None:
    def program():
        import os

        import envknit

        with envknit.use("fast", "1.0", auto_worker=True) as block:
            import fast

            print(fast is block, fast.__version__, fast.pid() != os.getpid())

    out = run(project, program)
    assert out == "True 1.0 True\n"
