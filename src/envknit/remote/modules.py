"""What a host asks of the modules on the other side: a worker offers these operations besides those of `operations`."""

from __future__ import annotations

from importlib import import_module

from envknit.remote.operations import is_offered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def attribute(_: None, module: str, name: str) -> object:
    """Return an attribute of a module; a submodule is imported for it.

    Raises:
        AttributeError: it has none of that name; or it is a dunder that means something in this process alone.
    """
    owner = import_module(module)  # (not sys.modules: another thread may be in the middle of the import)
    try:
        value = getattr(owner, name)
    except AttributeError:
        # As `import package.name` would; a program in one process has often had that done by somebody else
        if not hasattr(owner, "__path__") or name.startswith("__"):
            raise
        full = f"{module}.{name}"
        try:
            return import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:  # it is there, and lacks something itself
                raise
        raise
    if name.startswith("__") and name.endswith("__") and not is_offered(name):
        raise AttributeError(f"module {module!r} offers no {name!r} to another process")
    return value


OPERATIONS: dict[str, Callable[..., object]] = {
    "attribute": attribute,
    "module-set": lambda _, module, name, value: setattr(import_module(module), name, value),
    "module-delete": lambda _, module, name: delattr(import_module(module), name),
    "module-dir": lambda _, module: dir(import_module(module)),
}
