"""Which code a block is open for: decorated functions, generators, tasks, threads."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import TYPE_CHECKING

import pytest

import envknit.isolation
from kit.versions import Configured, configured_project, versions_project

if TYPE_CHECKING:
    from kit import Machine, Project


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    return versions_project(machine)


@pytest.fixture(name="configured")
def _configured(machine: Machine) -> Configured:
    return configured_project(machine)


def test_decorated_functions_of_every_kind_see_the_version_and_leak_nothing(project: Project) -> None:
    def program():
        import asyncio
        import inspect

        import envknit

        def version():
            import lib

            return lib.__version__

        old = envknit.use("lib", "1.0")

        @old
        def plain(a, *, b):
            return version(), a, b

        @old
        async def coroutine():
            before = version()
            await asyncio.sleep(0)
            return before, version()

        @old
        def generator():
            try:
                while True:
                    got = yield version()
                    if got == "nest":
                        with envknit.use("lib", "2.0"):
                            yield version()
                        yield version()
                    if got == "stop":
                        return "returned"
            except KeyError:
                yield "caught " + version()
            finally:
                ended.append(version())

        @envknit.use("lib", "1.0")
        async def asynchronous():
            for _ in range(2):
                await asyncio.sleep(0)
                yield version()

        ended = []
        assert plain(1, b=2) == ("1.0", 1, 2) and plain.__name__ == "plain"
        assert asyncio.run(coroutine()) == ("1.0", "1.0") and inspect.iscoroutinefunction(coroutine)
        g = generator()
        assert inspect.isgeneratorfunction(generator)
        assert next(g) == "1.0" and version() == "2.0" and next(g) == "1.0"
        with envknit.use("lib", "2.0", env="mixed"):
            assert g.send("nest") == "2.0" and version() == "2.0" and next(g) == "1.0"
            import lib

            assert lib.dep.VERSION == "1.0"
        assert version() == "2.0" and next(g) == "1.0"
        assert g.throw(KeyError) == "caught 1.0" and version() == "2.0"
        g.close()
        assert ended == ["1.0"] and version() == "2.0"
        g = generator()
        next(g)
        try:
            g.send("stop")
        except StopIteration as stop:
            assert stop.value == "returned"

        async def consume():
            got = [(each, version()) async for each in asynchronous()]
            stream = asynchronous()
            await stream.__anext__()
            await stream.aclose()
            return got, version()

        assert asyncio.run(consume()) == ([("1.0", "2.0")] * 2, "2.0")

    project.code(program)


def test_a_class_is_not_decorated(project: Project) -> None:
    def program():
        import envknit

        try:

            @envknit.use("lib", "1.0")
            class Plugin:
                pass
        except TypeError as error:
            assert "Plugin is a class: decorate its methods" in str(error)
        else:
            raise SystemExit

    project.code(program)


def test_blocks_that_generators_leave_in_any_order_come_off_one_by_one(project: Project) -> None:
    def program():
        import envknit

        def version():
            import lib

            return lib.__version__

        def suspended():
            with envknit.use("lib", "1.0"):
                yield

        g = suspended()
        next(g)
        with envknit.use("lib", "2.0"):
            next(g, None)
            assert version() == "2.0"
        assert version() == "2.0"
        g = suspended()
        next(g)
        inner = envknit.use("lib", "2.0")
        inner.__enter__()
        next(g, None)
        assert version() == "2.0"
        inner.__exit__(None, None, None)
        inner.__exit__(None, None, None)
        assert version() == "2.0"

    project.code(program)


def test_tasks_and_context_threads_follow_a_block_and_plain_threads_do_not(project: Project) -> None:
    """ContextThread snapshots at `__init__`, ContextExecutor at `submit()`, context_wrap at its call."""

    def program():
        import asyncio
        import threading

        import envknit
        from envknit.isolation import ContextExecutor, ContextThread, context_wrap

        assert ContextThread is envknit.ContextThread and ContextExecutor is envknit.ContextExecutor
        assert issubclass(ContextThread, threading.Thread) and context_wrap is envknit.context_wrap
        got = []

        def version():
            import lib

            got.append(lib.__version__)
            return lib.__version__

        with envknit.use("lib", "1.0"):
            made = ContextThread(target=version)
            plain = threading.Thread(target=version)
            wrapped = context_wrap(version)
            with ContextExecutor(max_workers=2) as pool:
                future = pool.submit(version)
                mapped = pool.map(lambda _: version(), range(3))
            assert future.result() == "1.0" and list(mapped) == ["1.0"] * 3
        got.clear()
        made.start()
        made.join()
        plain.start()
        plain.join()
        late = threading.Thread(target=wrapped)
        late.start()
        late.join()
        assert got == ["1.0", "2.0", "1.0"] and version() == "2.0"
        both = threading.Barrier(2)
        again = []

        def at_once():
            both.wait(10)
            again.append(version())

        with envknit.use("lib", "1.0"):
            wrapped = context_wrap(at_once)
        threads = [threading.Thread(target=wrapped) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert again == ["1.0", "1.0"]

        async def task(wanted):
            with envknit.use("lib", wanted):
                import lib

                await asyncio.sleep(0)
                child = asyncio.create_task(other())
                assert await asyncio.to_thread(version) == wanted
                import lib

                return lib.__version__, await child

        async def other():
            await asyncio.sleep(0)
            return version()

        async def main():
            return await asyncio.gather(task("1.0"), task("2.0"), other())

        assert asyncio.run(main()) == [("1.0", "1.0"), ("2.0", "2.0"), "2.0"]

    project.code(program)


def test_the_override_is_a_context_variable_of_the_current_context(configured: Configured) -> None:
    """It is set in the current context, so a copied context has it and another does not."""

    def program(version):
        import contextvars

        outside = contextvars.copy_context()
        with envknit.use("lib", "1.0"):
            inside = contextvars.copy_context()
            assert version() == "1.0" and outside.run(version) == "2.0"
        assert inside.run(version) == "1.0" and version() == "2.0"
        block = envknit.use("lib", "1.0")
        outside.run(block.__enter__)
        assert outside.run(version) == "1.0" and version() == "2.0"

    configured.run(program)


def test_concurrent_tasks_each_see_their_own_version(configured: Configured) -> None:
    """Two tasks gathered, one version each, no interference."""

    def program(version):
        import asyncio

        async def task(number):
            with envknit.use("lib", number):
                for _ in range(20):
                    import lib

                    assert lib.__version__ == number
                    await asyncio.sleep(0)

        async def main():
            await asyncio.gather(*(task(number) for number in ("2.0", "1.0") * 4))
            assert version() == "2.0"

        asyncio.run(main())

    configured.run(program)


def test_a_task_inherits_the_parents_block_and_keeps_its_own_to_itself(configured: Configured) -> None:
    """A task gets a copy of its parent's state; what it sets is isolated to that copy."""

    def program(version):
        import asyncio

        async def child(opened, seen):
            assert version() == "1.0", "inherited"
            with envknit.use("lib", "2.0"):
                opened.set()
                await seen.wait()
                assert version() == "2.0"

        async def main():
            opened, seen = asyncio.Event(), asyncio.Event()
            with envknit.use("lib", "1.0"):
                task = asyncio.create_task(child(opened, seen))
                await opened.wait()
                assert version() == "1.0", "isolated"
            assert version() == "2.0"
            seen.set()
            await task

        asyncio.run(main())

    configured.run(program)


def test_threads_with_blocks_of_their_own_do_not_meet(configured: Configured) -> None:
    """Thread safety follows the same pattern."""

    def program(version):
        from concurrent.futures import ThreadPoolExecutor
        from threading import Barrier

        together = Barrier(4)

        def task(number):
            together.wait(10)
            with envknit.use("lib", number):
                together.wait(10)
                got = {version() for _ in range(200)}
                together.wait(10)
                return got

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(task, ["1.0", "2.0"] * 2)) == [{"1.0"}, {"2.0"}] * 2
        assert version() == "2.0"

    configured.run(program)


def test_the_wrappers_are_what_the_table_says() -> None:
    """Subclasses of Thread and ThreadPoolExecutor, and a function that returns a closure."""
    assert issubclass(envknit.ContextThread, Thread)
    assert issubclass(envknit.ContextExecutor, ThreadPoolExecutor)
    wrapped = envknit.context_wrap(len)
    assert inspect.isfunction(wrapped)
    assert wrapped.__closure__
    assert wrapped([1, 2]) == 2


def test_a_plain_thread_drops_the_block_silently(configured: Configured) -> None:
    """`threading.Thread` does not inherit context variables (but where Python itself is told to)."""

    def program(version):
        import sys
        import threading

        got = []
        with envknit.use("lib", "1.0"):
            thread = threading.Thread(target=lambda: got.append(version()))
            thread.start()
            thread.join()
        inherits = getattr(sys.flags, "thread_inherit_context", 0)
        assert got == ["1.0" if inherits else "2.0"]

    configured.run(program)


def test_a_context_thread_takes_the_context_where_it_is_made(configured: Configured) -> None:
    """The snapshot is of `__init__`, not of `start()`; it holds after the block, and after a later block."""

    def program(version):
        got = []

        def target():
            got.append(version())

        with envknit.use("lib", "1.0"):
            inside = envknit.ContextThread(target=target)
        outside = envknit.ContextThread(target=target)
        inside.start()
        inside.join()
        with envknit.use("lib", "1.0"):
            outside.start()
            outside.join()
        assert got == ["1.0", "2.0"]

    configured.run(program)


def test_a_context_executor_takes_the_context_where_a_task_is_submitted(configured: Configured) -> None:
    """The snapshot is of `submit()`, whenever the pool and its threads were made."""

    def program(version):
        with envknit.ContextExecutor(max_workers=1) as pool:
            before = pool.submit(version)
            with envknit.use("lib", "1.0"):
                within = pool.submit(version)
            after = pool.submit(version)
            assert [each.result() for each in (before, within, after)] == ["2.0", "1.0", "2.0"]

    configured.run(program)


def test_context_wrap_takes_the_context_where_it_is_called(configured: Configured) -> None:
    """A one-shot wrapper of a callable; the snapshot is of the call of `context_wrap`."""

    def program(version):
        import threading

        got = []

        def target():
            got.append(version())

        outside = envknit.context_wrap(target)
        with envknit.use("lib", "1.0"):
            inside = envknit.context_wrap(target)
            outside()
        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        assert got == ["2.0", "1.0"]

    configured.run(program)
