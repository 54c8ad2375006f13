"""What a function is called, and what its code names: asked where one is to run in a world or another process."""

from __future__ import annotations

from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def parse_path(path: str) -> tuple[str, str] | None:
    """Part `package.module:name` into module and name, as entry points are written; None: it is no such path."""
    module, colon, name = path.partition(":")
    return (module, name) if colon and module and name else None


def find_inside(module: object, name: str) -> object:
    """Return what a dotted name (`__qualname__`, PEP 3155) means in a module; None: nothing."""
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def names_of(code: CodeType) -> Iterator[str]:
    """Yield the names of globals and attributes in code, and in the functions and classes that it makes."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from names_of(each)
