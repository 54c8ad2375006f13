"""Residents that depend on a guest, in a plan that holds several versions of a package.

They keep their plain names, but their import statements mean what they were locked with; so their modules run with the
builtins of their member, as those of guests do (see member.py). A plan without guests never loads this module.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import ExtensionFileLoader

import _envknit_finder
from envknit.native import askers
from envknit.native.askers import why_missing
from envknit.plans import Plans
from envknit.runtime import doors
from envknit.runtime.activation import plan_of
from envknit.runtime.guests import GuestLoader
from envknit.runtime.router import router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

    from _envknit_activation import Activation
    from envknit.runtime.member import Member


_linked: dict[str, Member] = {}  # folder -> the resident that lies there


def start(activation: Activation) -> None:
    """Let the residents of a plan that depend on its guests see them.

    Cost: the plan is read, and a walk over its edges; from now on an import statement costs a Python call more.
    """
    plan = plan_of(activation)
    router.add(Plans([plan]), resident=plan)
    for pin in plan.pins.values():
        if not pin.resident:
            router.routed.update(pin.imports)
        elif not all(needed.resident for needed in plan.closure(pin)):
            member = router.member(plan, pin)
            _linked[member.folder + os.sep] = member
    # Hooks, so that the finder knows nothing of members: most plans have no guests
    _envknit_finder.linked_extension = _extension_loader
    _envknit_finder.linked_loader = _loader
    doors.install()


def _member_of(source: str) -> Member | None:
    return next((member for folder, member in _linked.items() if source.startswith(folder)), None)


def _loader(fullname: str, path: str, source: str) -> LinkedLoader | None:
    member = _member_of(source)
    return None if member is None else LinkedLoader(fullname, path, member, source)


def _extension_loader(fullname: str, path: str, source: str) -> ExtensionFileLoader:
    member = _member_of(source)
    if member is not None and not why_missing():
        askers.note(path, member)  # its C code means what the member means, too
        member.guard()
    return ExtensionFileLoader(fullname, path)


class LinkedLoader(GuestLoader):
    """Load a source file of a resident, under its plain name; or as `__main__`, for `python -m`."""

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code; `runpy` runs it in the namespace of `__main__`, past `exec_module` (Lib/runpy.py)."""
        # `run_module` executes the code in a fresh dict, `-m` in that of `__main__`; both take the code from the loader
        caller: FrameType | None = sys._getframe(1)
        while caller is not None and caller.f_code.co_name == "_get_module_details":
            caller = caller.f_back
            if caller is not None and caller.f_code.co_name == "_run_module_as_main":
                vars(sys.modules["__main__"])["__builtins__"] = self.member.builtins
        return super().get_code(fullname)
