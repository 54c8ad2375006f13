"""What a guest sees as `sys` and `builtins`: the real ones, but for `sys.modules` and `__import__`.

`sys.modules` speaks the guest's own names. Packages read and write it in them: requests copies every `urllib3.…` that
it finds there to `requests.packages.urllib3.…` (requests/packages.py); in the real table these are names of guests.
"""

from __future__ import annotations

import builtins
import sys
from _collections_abc import MutableMapping
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from envknit.runtime.member import Member


class GuestModules(MutableMapping):  # type: ignore[type-arg] # subscripting needs more than the start-up loads
    """`sys.modules` in the names of one member; reads and writes go to the real table.

    Modules of its own and of what it is linked to show under their plain names; other guests keep their full names;
    a resident whose plain name means a guest here does not show.
    """

    def __init__(self, member: Member) -> None:
        self._member = member

    def __getitem__(self, name: str) -> Any:
        if name in PROXIES:
            return self._member.proxy(name)
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
        means = self._member.linker.means
        for real in list(sys.modules):  # another thread may import meanwhile
            head, dot, rest = real.partition(".")
            plain = head.partition("@")[0]
            if means(self._member, plain) == head:
                yield plain + dot + rest
            elif plain != head:
                yield real

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<sys.modules as {self._member.title} sees it>"

    def copy(self) -> dict[str, Any]:
        """Copy it into a dict, as `sys.modules.copy()` does."""
        return dict(self)

    def __or__(self, other: Any) -> dict[str, Any]:
        return {**self, **other}

    def _real(self, name: str) -> str:
        head, dot, rest = name.partition(".")
        return str(self._member.linker.means(self._member, head)) + dot + rest


class GuestBuiltins(ModuleType):
    """The module `builtins` of one member: the real one, but for `__import__` (sqlalchemy/util/compat.py takes it)."""

    def __init__(self, member: Member) -> None:
        super().__init__("builtins", builtins.__doc__)
        super().__setattr__("_member", member)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override] # what `vars(builtins)` is to give
        return self._member.builtins  # type: ignore[no-any-return] # set by its name

    def __getattr__(self, name: str) -> Any:
        if name == "__import__":
            return self._member.import_module_statement
        return getattr(builtins, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(builtins, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(builtins, name)

    def __dir__(self) -> list[str]:
        return dir(builtins)


class GuestSys(ModuleType):
    """The module `sys` of one member: everything is read from and written to the real one, but for `modules`."""

    def __init__(self, member: Member) -> None:
        super().__init__("sys", sys.__doc__)
        self.__dict__.update(
            modules=GuestModules(member),
            _importer=member.import_module_statement,
            __spec__=sys.__spec__,
            __loader__=sys.__loader__,
        )

    def exc_info(self) -> Any:
        """Return what the real one does, without the frame that stands between an import statement and its failure.

        Packages tell a module that is not there from one that fails by how deep the traceback is (flask/cli.py,
        `locate_app`).
        """
        found = sys.exc_info()
        ours = self._importer.__func__.__code__
        at = found[2]
        while at is not None:
            while at.tb_next is not None and at.tb_next.tb_frame.f_code is ours:
                at.tb_next = at.tb_next.tb_next
            at = at.tb_next
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(sys, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(sys, name)

    def __dir__(self) -> list[str]:
        return dir(sys)


PROXIES = {"builtins": GuestBuiltins, "sys": GuestSys}
