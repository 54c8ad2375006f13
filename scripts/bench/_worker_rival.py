"""One rival of `scripts/bench worker`, measured in a process of its own; prints one line of JSON."""

# ruff: noqa: ANN401 - anything crosses, that is what is measured

from __future__ import annotations

import contextlib
import json
import multiprocessing
import sys
import time
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1, 100)  # MB


def best(act: Callable[[], object], count: int) -> float:
    """Return seconds per act: the best of five series, since the scheduler is not what is measured."""
    act()
    found = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(count):
            act()
        found.append((time.perf_counter() - began) / count)
    return min(found)


def measure(
    call: Callable[[], object], send: Callable[[Any], object], receive: Callable[[int], Any]
) -> dict[str, float]:
    """Measure a trivial call, and arrays in and out: received ones are summed, so that they have arrived."""
    rows = {"call": best(call, 2000)}
    for size in SIZES:
        array = np.ones(size * 1_000_000 // 8)
        count = 100 // size
        rows[f"array {size} in"] = best(lambda array=array: send(array), count)
        rows[f"array {size} out"] = best(lambda size=size: receive(size * 1_000_000 // 8).sum(), count)
    return rows


def copy() -> dict[str, float]:
    """Measure what no way into another process can do without: the array is made or summed, and copied once."""
    there = np.zeros(max(SIZES) * 1_000_000 // 8)

    def send(array: Any) -> float:
        view = there[: len(array)]
        view[:] = array
        return float(view.sum())

    def receive(count: int) -> Any:
        view = there[:count]
        view[:] = np.ones(count)
        return view

    rows = measure(lambda: None, send, receive)
    return {row: seconds for row, seconds in rows.items() if row.startswith("array")}


def pipe() -> dict[str, float]:
    began = time.perf_counter()
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=echo, args=(there,), daemon=True)
    process.start()
    there.close()

    def ask(value: object) -> Any:
        here.send(value)
        return here.recv()

    ask(1)
    start = time.perf_counter() - began
    return {"start": start, **measure(lambda: ask(1), lambda array: ask(("sum", array)), lambda n: ask(("ones", n)))}


def echo(there: Any) -> None:
    with contextlib.suppress(EOFError):
        while True:
            value = there.recv()
            if type(value) is tuple:
                value = value[1].sum() if value[0] == "sum" else np.ones(value[1])
            there.send(value)


def envknit() -> dict[str, float]:
    import envknit

    folder = str(Path(np.__file__).parents[1])
    began = time.perf_counter()
    with envknit.worker("operator", "0", install_path=folder, module="operator") as module:
        start = time.perf_counter() - began
        assert module.pos(1) == 1
    with envknit.worker("numpy", np.__version__, install_path=folder) as there:
        ones, total = there.ones, there.sum
        return {
            "start": start,
            **measure(
                lambda: there.isscalar(1), lambda array: float(total(array)), lambda count: np.asarray(ones(count))
            ),
        }


def rpyc() -> dict[str, float]:
    import rpyc
    from rpyc.utils.classic import deliver, obtain

    server = Path(sys.executable).with_name("rpyc_classic")
    began = time.perf_counter()
    connection = rpyc.classic.connect_subproc(str(server))
    connection.modules.operator  # noqa: B018 - imports it there
    start = time.perf_counter() - began
    there = connection.modules.numpy
    isscalar, ones, total = there.isscalar, there.ones, there.sum
    return {
        "start": start,
        **measure(
            lambda: isscalar(1), lambda array: float(total(deliver(connection, array))), lambda n: obtain(ones(n))
        ),
    }


class Service:
    def echo(self, value: object) -> object:
        return value

    def sum(self, array: Any) -> float:
        return float(array.sum())

    def ones(self, count: int) -> Any:
        return np.ones(count)


class Manager(BaseManager):
    pass


Manager.register("Service", Service)


def manager() -> dict[str, float]:
    began = time.perf_counter()
    with Manager(ctx=multiprocessing.get_context("spawn")) as running:
        service: Any = running.Service()  # type: ignore[attr-defined] # registered above
        service.echo(1)
        start = time.perf_counter() - began
        return {"start": start, **measure(lambda: service.echo(1), service.sum, service.ones)}


_REMOTE = """
import numpy as np
for what, value in channel:
    if what == "echo":
        channel.send(value)
    elif what == "sum":
        channel.send(float(np.frombuffer(value).sum()))
    else:
        channel.send(np.ones(value).tobytes())
"""


def execnet() -> dict[str, float]:
    import execnet

    began = time.perf_counter()
    gateway = execnet.makegateway()
    channel = gateway.remote_exec(_REMOTE)

    def ask(what: str, value: object) -> Any:
        channel.send((what, value))
        return channel.receive()

    ask("echo", 1)
    start = time.perf_counter() - began
    rows = measure(
        lambda: ask("echo", 1),
        lambda array: ask("sum", array.tobytes()),
        lambda count: np.frombuffer(ask("ones", count)),
    )
    gateway.exit()
    return {"start": start, **rows}


if __name__ == "__main__":
    rivals = {
        "copy": copy, "pipe": pipe, "envknit": envknit, "rpyc": rpyc, "manager": manager, "execnet": execnet,
    }  # fmt: skip
    print(json.dumps(rivals[sys.argv[1]]()))
