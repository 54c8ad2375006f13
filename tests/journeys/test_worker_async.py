"""`async with envknit.worker(...)`: workers that start and end while the event loop goes on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

import envknit
from kit.planned import make_plan
from kit.programs import source_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from kit import Machine

SLOW = """
import atexit, os, time
time.sleep(0.3)
atexit.register(time.sleep, 0.3)
async def double(n): return n * 2
"""


@pytest.fixture(name="packages", scope="module")
def _packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    (folder / "slow.py").write_text(SLOW)
    (folder / "hanging.py").write_text("import time\ntime.sleep(600)\n")
    (folder / "failing.py").write_text("raise LookupError('not today')\n")
    return folder


def opened(packages: Path, name: str, **options: Any) -> Any:
    return envknit.worker(name, "1.0", install_path=packages, **options)


def running(label: str) -> list[Any]:
    return [worker for worker in envknit.workers() if worker.order.label.startswith(label)]


def gone(label: str) -> bool:
    until = time.monotonic() + 20
    while running(label) and time.monotonic() < until:
        time.sleep(0.05)
    return not running(label)


def test_the_loop_goes_on_while_one_starts_and_ends(packages: Path) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def main() -> list[int]:
        ticking = asyncio.create_task(tick())
        block = opened(packages, "slow", private=True)
        slow = await block.__aenter__()
        started = ticks
        assert await slow.double(4) == 8
        called = ticks
        await block.__aexit__(None, None, None)
        ticking.cancel()
        return [started, ticks - called]

    assert min(asyncio.run(main())) > 3, "the import takes 0.3 seconds, and so does the exit handler"
    assert not running("slow")


def test_tasks_share_one_or_have_their_own(packages: Path) -> None:
    async def pid(**options: Any) -> int:
        async with opened(packages, "slow", **options) as slow:
            await asyncio.sleep(0.1)
            number: int = slow.os.getpid()
            return number

    async def main() -> list[set[int]]:
        shared = await asyncio.gather(*(pid() for _ in range(5)))
        own = await asyncio.gather(*(pid(private=True) for _ in range(2)))
        return [set(shared), set(own)]

    assert [len(pids) for pids in asyncio.run(main())] == [1, 2]
    assert [worker.blocks for worker in running("slow")] == [0]
    running("slow")[0].close()


def test_a_task_that_is_cancelled_meanwhile_does_not_wait(packages: Path) -> None:
    async def use(name: str) -> None:
        async with opened(packages, name, timeout=None):
            raise AssertionError("cancelled before")

    async def main(name: str) -> float:
        task = asyncio.create_task(use(name))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    assert asyncio.run(main("hanging")) < 5
    assert gone("hanging"), "nobody else would have ended it"
    asyncio.run(main("slow"))
    while not running("slow") or running("slow")[0].blocks:  # it starts, is left, and stays for the next
        time.sleep(0.02)
    with opened(packages, "slow") as slow:
        assert slow.__name__ == "slow"
    running("slow")[0].close()


def test_a_task_that_is_cancelled_inside_leaves_it(packages: Path) -> None:
    async def use(inside: asyncio.Event) -> None:
        async with opened(packages, "slow", private=True):
            inside.set()
            await asyncio.sleep(60)

    async def main() -> None:
        inside = asyncio.Event()
        task = asyncio.create_task(use(inside))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert gone("slow")


def test_a_package_whose_import_fails_raises_and_is_left(packages: Path) -> None:
    async def use() -> None:
        async with opened(packages, "failing", private=True):
            raise AssertionError("it cannot be imported")

    with pytest.raises(LookupError, match="not today"):
        asyncio.run(use())
    assert gone("failing")


def test_what_use_opens_is_entered_without_async(machine: Machine) -> None:
    def program() -> None:
        import asyncio

        import envknit

        async def wrong(isolation):
            async with envknit.use("gadget", "1.0", isolation=isolation):
                raise AssertionError("not entered")

        for isolation in ("guest", "worker"):
            try:
                asyncio.run(wrong(isolation))
            except (TypeError, AttributeError) as error:  # (Python's own before 3.11)
                print(type(error).__name__, error)

    project = machine.project()
    make_plan(project, {"gadget==1.0": {"gadget.py": "VALUE = 1\n"}})
    out = project.code(source_of(program)).out.splitlines()
    assert len(out) == 2
    assert out[1] == "TypeError use() is entered with `with`, not `async with`"
