"""Let import statements give a proxy: `import numpy` in a `use()` block whose numpy lives in a worker.

A name with an `@` that stands for a worker's module is found here, as a guest's is by `runtime.guests`.
"""

from __future__ import annotations

import sys
from _frozen_importlib import ModuleSpec

from envknit.naming import guest_tag
from envknit.runtime.asking import host
from envknit.runtime.importer import original_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

    from envknit.worker.pool import Worker

_held: dict[str, tuple[Worker, str, float | None]] = {}  # top-level name with an `@` -> what it stands for


def stand_in(head: str, version: str, worker: Worker, there: str, timeout: float | None) -> str:
    """Return the name in `sys.modules` under which a top-level module of a worker is imported here.

    Args:
        head: its plain name.
        version: of the pin that provides it.
        worker: where it lives.
        there: its name in `sys.modules` there.
        timeout: seconds that each call through it may take.
    """
    number, held = 0, (worker, there, timeout)
    while True:
        real = f"{head}@{worker.order.isolation}_{guest_tag(version)}" + (f"_{number}" if number else "")
        if _held.setdefault(real, held) == held:
            break
        number += 1
    host.importers[real] = _import
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    return real


def _import(name: str, names: object, local: object, fromlist: Sequence[str] | None, level: int) -> ModuleType:
    """Be `__import__`: what a statement names is there, or it is nowhere.

    A proxy is called as its module is there (`numpy`), and for what it lacks Python would look under that name here.
    """
    module = original_import(name, names, local, (), level)  # type: ignore[arg-type] # handed through
    if not fromlist:
        return module
    module = sys.modules[name]
    for each in fromlist:
        if each != "*" and not hasattr(module, each):
            file = getattr(module, "__file__", None)
            raise ImportError(f"cannot import name {each!r} from {module.__name__!r} ({file})", name=name, path=file)
    return module


class _Finder:
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - PEP 451
        target: ModuleType | None = None,  # noqa: ARG002 - PEP 451
    ) -> ModuleSpec | None:
        """Find a module of a worker, by its name here."""
        held = _held.get(fullname.partition(".")[0])
        return ModuleSpec(fullname, _Loader(*held)) if held is not None else None  # type: ignore[arg-type] # no `Loader`


class _Loader:
    """Import a module in a worker, and put its proxy in place of the module."""

    def __init__(self, worker: Worker, there: str, timeout: float | None) -> None:
        self.worker = worker
        self.there = there
        self.timeout = timeout

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system: what it makes is replaced."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the proxy into `sys.modules`, from where the import system takes it."""
        _, dot, rest = module.__name__.partition(".")
        name = self.there + dot + rest
        self.worker.open(name, self.timeout)
        proxy: Any = self.worker.module(name, self.timeout)
        vars(proxy)["_envknit_spec"] = module.__spec__
        sys.modules[module.__name__] = proxy


_finder = _Finder()
