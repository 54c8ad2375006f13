"""What a guest sees as `sys` and `builtins`: the real modules, but for `sys.modules` and `__import__`.

`sys.modules` speaks the guest's own names. Packages read and write it in them: requests copies every `urllib3.…` that
it finds there to `requests.packages.urllib3.…` (requests/packages.py); in the real table these are names of guests.
"""

from __future__ import annotations

import builtins
import sys
from _collections_abc import MutableMapping
from types import ModuleType

from envknit.native.names import Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any


class GuestModules(MutableMapping):  # type: ignore[type-arg] # subscripting needs more than the start-up loads
    """`sys.modules` in the names of one member; reads and writes go to the real table.

    Modules of its own and of what it is linked to show under their plain names; other guests keep their full names;
    a resident whose plain name means a guest here does not show.

    Args:
        route: gives the name in the real table of a top-level name; None: it was locked without.
        own: the modules `sys` and `builtins` that the member has for itself.
    """

    def __init__(self, route: Callable[[str], str | None], own: Mapping[str, ModuleType]) -> None:
        self._route = route
        self._own = own

    # The import system itself never reads it: its table is the interpreter's own (`MODULES` in Python/import.c),
    # whatever the attribute `modules` of a module `sys` is

    def __getitem__(self, name: str) -> Any:
        if name in self._own:
            return self._own[name]
        try:
            return sys.modules[self._real(name)]
        except KeyError:
            raise KeyError(name) from None

    def __setitem__(self, name: str, module: Any) -> None:
        sys.modules[self._real(name)] = module

    def __delitem__(self, name: str) -> None:
        try:
            del sys.modules[self._real(name)]
        except KeyError:
            raise KeyError(name) from None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._real(name) in sys.modules

    def __iter__(self) -> Iterator[str]:
        for real in list(sys.modules):  # another thread may import meanwhile
            if isinstance(real, Name) and real.is_alias:
                continue  # it stands there by its own name, too
            head, dot, rest = real.partition(".")
            plain = head.partition("@")[0]
            if self._route(plain) == head:
                yield plain + dot + rest
            elif plain != head:
                yield real

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<sys.modules as a guest sees it: {len(self)} names>"

    def copy(self) -> dict[str, Any]:
        """Copy it into a dict, as `sys.modules.copy()` does."""
        return dict(self)

    def __or__(self, other: Any) -> dict[str, Any]:
        return {**self, **other}

    def _real(self, name: str) -> str:
        head, dot, rest = name.partition(".")
        # `@` alone is in no table: a name that the member was locked without is missing for it, whoever has it
        return (self._route(head) or f"{head}@") + dot + rest


class _Through(ModuleType):
    """A module that shows another one: what it does not hold itself is read from and written to that one."""

    _real: ModuleType

    # A real subclass of ModuleType: `inspect.ismodule`, `isinstance(sys, types.ModuleType)` and pickle's refusal of
    # modules are right by themselves
    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._real, name)

    def __dir__(self) -> list[str]:
        return dir(self._real)


class GuestBuiltins(_Through):
    """The module `builtins` of one member: the real one, but for `__import__` (sqlalchemy/util/compat.py takes it)."""

    _real = builtins

    def __init__(self, namespace: dict[str, Any]) -> None:
        super().__init__("builtins", builtins.__doc__)
        ModuleType.__setattr__(self, "_namespace", namespace)

    # `vars()` asks for the attribute (`builtin_vars` in Python/bltinmodule.c), so a property can answer
    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override] # what `vars(builtins)` is to give
        return self._namespace  # type: ignore[no-any-return] # set by its name

    def __getattr__(self, name: str) -> Any:
        return self._namespace[name] if name == "__import__" else super().__getattr__(name)


class GuestSys(_Through):
    """The module `sys` of one member: the real one, but for `modules`.

    Args:
        modules: what it shows as `sys.modules`.
        importer: the member's `__import__`.
    """

    _real = sys

    def __init__(self, modules: GuestModules, importer: Callable[..., ModuleType]) -> None:
        super().__init__("sys", sys.__doc__)
        self.__dict__.update(
            modules=modules, _importer=importer, __spec__=sys.__spec__, __loader__=sys.__loader__
        )  # fmt: skip

    def exc_info(self) -> Any:
        """Return what the real one does, without the frame that stands between an import statement and its failure.

        Packages tell a module that is not there from one that fails by how deep the traceback is (flask/cli.py,
        `locate_app`). CPython trims the frames of importlib alone (remove_importlib_frames in Python/import.c).
        """
        found = sys.exc_info()
        ours = self._importer.__func__.__code__
        at = found[2]
        while at is not None:
            while at.tb_next is not None and at.tb_next.tb_frame.f_code is ours:
                at.tb_next = at.tb_next.tb_next
            at = at.tb_next
        return found


class _SharedBuiltins(ModuleType):
    """The class of the module `builtins` once there are guests: assignments reach the guests' copies, too."""

    copies: list[dict[str, Any]] = []  # noqa: RUF012 - one list for the one module

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        # `__import__` is each guest's own; `__class__` is how the module came to be of this class
        if name not in {"__import__", "__class__"}:
            for copy in self.copies:
                copy[name] = value

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        for copy in self.copies:
            copy.pop(name, None)


def copy_builtins(importer: Callable[..., Any]) -> dict[str, Any]:
    """Return a copy of Python's builtins with another `__import__`, kept equal to them from now on.

    An exact dict: for any other, LOAD_GLOBAL leaves its fast path at each use of a builtin (Python/bytecodes.c,
    `LOAD_GLOBAL`: PyDict_CheckExact of both). So what is assigned to the module `builtins` later
    (`unittest.mock.patch("builtins.open")`) is written to the copies as well.
    """
    if not isinstance(builtins, _SharedBuiltins):
        builtins.__class__ = _SharedBuiltins  # allowed for modules since bpo-24912 (Objects/typeobject.c)
    made = {**vars(builtins), "__import__": importer}
    _SharedBuiltins.copies.append(made)
    return made


def drop_builtins(made: dict[str, Any]) -> None:
    """Forget a copy that `copy_builtins` made: nobody keeps it equal any more, or alive."""
    _SharedBuiltins.copies[:] = [each for each in _SharedBuiltins.copies if each is not made]
