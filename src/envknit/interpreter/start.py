"""The first code that runs in a new sub-interpreter: forget the host, then load envknit. Imports nothing of envknit."""

import atexit
import gc
import os
import sys
from _frozen_importlib import _load  # type: ignore[attr-defined] # not in typeshed
from _frozen_importlib_external import spec_from_file_location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What is there beside the built-in modules; anything else came with a `.pth` file
_BARE = {"__main__", "_frozen_importlib", "_frozen_importlib_external", "abc", "codecs", "io", "linecache", "zipimport"}
_OF_SITE = {"_collections_abc", "_sitebuiltins", "genericpath", "os", "os.path", os.path.__name__, "site", "stat"}
_HOOKS = ("breakpointhook", "displayhook", "excepthook", "unraisablehook")


def start(names: "dict[str, Any]") -> None:
    """Make this interpreter one of the standard library alone, able to serve.

    Args:
        names: the namespace of `__main__`; it holds what the host bound there for us.
    """
    _forget_hooks()  # first: what is traced here is traced by code of the host's packages
    bootstrap, package = names.pop("_envknit_bootstrap"), names.pop("_envknit_package")
    facts = [names.pop(f"_envknit_{name}") for name in ("mailbox", "gil", "private")]
    names.pop("__annotations__", None)  # add_main_module() makes it (Python/pylifecycle.c)
    forget = os.path.join(package, "interpreter", "forget.py")
    _load(spec_from_file_location("_envknit_forget", forget)).forget_host({__name__})
    del sys.modules["_envknit_forget"]
    _forget_changes()
    # By path, not by `import`: the folder of envknit is the host's site-packages, and must not come onto sys.path
    hook = _load(spec_from_file_location("_envknit_bootstrap", bootstrap))
    for name in hook.MODULES:
        hook.beside(name)
    init = os.path.join(package, "__init__.py")
    _load(spec_from_file_location("envknit", init, submodule_search_locations=[package]))
    from envknit.interpreter.inside import begin

    begin(names, *facts)


def _forget_hooks() -> None:
    """Stop whatever a `.pth` file of the host began here: tracing and measuring, exit handlers.

    A debugger's or a measurement's tracing in here would be another one than the host's; a tracer of Python code
    (coverage has none else for sub-interpreters) makes CPython 3.12.1 hang.
    """
    sys.settrace(None)
    sys.setprofile(None)
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined] # sub-interpreters need 3.12, which has it
    for tool in [tool for tool in range(6) if monitoring.get_tool(tool)]:
        monitoring.set_events(tool, 0)
        for event in filter(None, vars(monitoring.events).values()):  # else events of single functions go on
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)
    atexit._clear()
    gc.callbacks.clear()
    # Python keeps what it began with under these names, so that it can be restored (Python/sysmodule.c)
    for name in _HOOKS:
        setattr(sys, name, getattr(sys, f"__{name}__"))


def _forget_changes() -> None:
    """Let the standard library be as it was written, whatever a `.pth` file of the host changed in it."""
    keep = {*_BARE, *_OF_SITE, *sys.builtin_module_names, __name__}
    for name in [name for name in sys.modules if name not in keep and not name.startswith("encodings")]:
        del sys.modules[name]
    system = sys.modules[os.name]  # posix or nt; os has its functions under their names
    vars(os).update({name: value for name, value in vars(system).items() if type(value) is type(len)})
