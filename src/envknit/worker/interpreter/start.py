"""The first code that runs in a new sub-interpreter: forget the host, then load envknit. Imports nothing of envknit."""

import os
import sys
from _frozen_importlib import _load  # type: ignore[attr-defined] # not in typeshed
from _frozen_importlib_external import spec_from_file_location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def start(names: "dict[str, Any]") -> None:
    """Make this interpreter one of the standard library alone, able to serve.

    Args:
        names: the namespace of `__main__`; it holds what the host bound there for us.
    """
    bootstrap, package = names.pop("_envknit_bootstrap"), names.pop("_envknit_package")
    facts = [names.pop(f"_envknit_{name}") for name in ("mailbox", "gil", "private")]
    names.pop("__annotations__", None)
    forget = os.path.join(package, "worker", "forget.py")
    _load(spec_from_file_location("_envknit_forget", forget)).forget_host({__name__})
    del sys.modules["_envknit_forget"]
    _load(spec_from_file_location("_envknit_bootstrap", bootstrap))
    init = os.path.join(package, "__init__.py")
    _load(spec_from_file_location("envknit", init, submodule_search_locations=[package]))
    from envknit.worker.interpreter.inside import begin  # noqa: PLC0415 - it can be found only now

    begin(names, *facts)
