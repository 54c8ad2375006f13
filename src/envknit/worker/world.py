"""A world that lives elsewhere: in a process or a sub-interpreter of its own; its modules are proxies here."""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder
from itertools import count

from envknit.errors import LinkError
from envknit.runtime.asking import host
from envknit.runtime.router import router
from envknit.worker.environment import call_function
from envknit.worker.pool import pool
from envknit.worker.process import Order
from envknit.worker.stand_ins import stand_in
from envknit.worlds.world import World, folders_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from envknit.worker.pool import Worker
    from envknit.worlds.target import Target


class HeldWorld(World):
    """As `World`; what its modules give is a proxy, or crossed by value."""

    _own: HeldModules  # type: ignore[assignment] # what a world asks of `Inhabitants`, it can ask of this

    def import_module(self, name: str) -> Any:
        """Import a module there and return its proxy; see `World`."""
        self._check_open()
        return self._own.module(name)

    def load(self, path: str | os.PathLike[str]) -> Any:
        """Execute a file there and return the module's proxy; see `World`."""
        self._check_open()
        worker = self._own.worker
        return self._own.module(worker.call(None, "load", (os.path.abspath(path),)))

    def run(self, function: Callable[..., Any] | str, /, *args: Any, **options: Any) -> Any:
        """Call a function there; see `run_in` for what it may be."""
        self._check_open()
        return call_function(self._own.worker, function, None, args, options)

    def _find(self) -> tuple[Target, Any]:
        target = self._asked.find()
        plans = {plan for plan, _ in target.held}
        if len(plans) != 1 or not all(pin.resident for _, pin in target.held):
            raise LinkError(
                "what is held elsewhere is one environment, or pins that one environment holds together",
                world=self.name,
                hint="put them into an environment of their own",
            )
        folders = folders_of(self._asked, target)
        return target, HeldModules(self.name, self.isolation, target, _own_folders() if folders is None else folders)

    def _dwell(self) -> None:
        """Do nothing: its modules have no names here until they are imported."""


class HeldModules:
    """What names mean in such a world, for the host's imports in a block of it.

    Args:
        tag: the world's name.
        isolation: `interpreter` or `worker`.
        target: what the world holds: pins of one plan.
        folders: where the modules of the project lie.
    """

    def __init__(self, tag: str, isolation: str, target: Target, folders: Sequence[str]) -> None:
        self.tag = tag
        self.target = target
        self.is_closed = False
        self._folders = folders
        plan = target.held[0][0]
        self.worker: Worker = pool.worker(
            Order(
                f"the world {tag}",
                lock=router.lock_of(plan),
                plan=plan.path,
                first=tuple(folders),
                isolation=isolation,
                private=next(_numbers),
            )
        )
        pool.enter(self.worker)  # until the world is closed

    def settled(self, head: str) -> str:
        """Return the name in `sys.modules` of what a top-level name means."""
        if head in sys.stdlib_module_names or "@" in head:
            return head
        if head in self.target.names or PathFinder.find_spec(head, self._folders) is not None:
            return stand_in(head, self.tag, self.worker, head, None)
        return head

    def module(self, name: str) -> Any:
        """Import a module and return its proxy."""
        self.worker.open(name, None)
        return self.worker.module(name, None)

    def close(self) -> None:
        """End the process or interpreter."""
        if not self.is_closed:
            self.is_closed = True
            pool.leave(self.worker)  # nobody else has it, so it ends


def _own_folders() -> list[str]:
    """Return the folders from which this program imports modules of its own."""
    folders = dict.fromkeys(map(os.path.abspath, sys.path))
    return [each for each in folders if os.path.isdir(each) and host.owns({"__file__": os.path.join(each, "")})]


_numbers = count(-1, -1)  # those of `worker(private=True)` count upwards
