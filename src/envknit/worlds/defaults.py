"""What plain imports of the host mean: `set_default`, `enable`, `disable`, and strict mode."""

from __future__ import annotations

import os
import sys
import warnings
from _frozen_importlib_external import PathFinder

from _envknit_bootstrap import MODULES
from envknit.errors import UnlockedError
from envknit.runtime import activation as active
from envknit.runtime import doors
from envknit.runtime.asking import current, host, is_installed
from envknit.runtime.guests import native_error
from envknit.runtime.router import router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from _envknit_activation import Activation
    from envknit.plan import Plan
    from envknit.plans import Plans
    from envknit.runtime.member import Member

_registered: list[tuple[str, Plan]] = []  # lock and plan: what was configured, in order
_chosen: dict[str, Member] = {}  # distribution -> what `set_default` made of it
_configured: list[Activation | None] = []  # what is active because the program configured it
_withdrawn: list[Activation] = []  # what `disable` took off sys.path


def set_default(name: str, version: str, *, env: str | None = None) -> None:
    """Choose the version that the host's own imports mean where no `use()` block is open.

    Installed packages keep seeing what they were locked with.

    Args:
        name: a distribution's name.
        version: its version, as an environment of the lock holds it.
        env: the environment to take it from; by default the first that holds it.

    Raises:
        CExtensionError: the package has extension modules, is not the one that plain imports get, and is not allowed
            beside it.
        LinkError: no environment of the lock holds it.
    """
    router.refresh()
    member = router.member(*router.plans.find(name, version, env))
    if member.tag and member.pin.native and not member.is_native:
        raise native_error(member, member.pin.main)
    _chosen[member.pin.name] = member
    enable(strict=_strict in sys.meta_path)


def enable(*, strict: bool = False) -> None:
    """Let plain imports of the host mean what the configured locks say; calling it again changes nothing.

    Args:
        strict: refuse what neither a lock, nor the standard library, nor the project's own folder provides.
    """
    router.refresh()
    if _withdrawn:
        activation = _withdrawn.pop()
        _put_on_path(activation.place, keep_host=activation in _configured)
    _activate_first()
    host.defaults.clear()
    host.default_pins.clear()
    _fill_defaults()
    doors.install()
    if strict and _strict not in sys.meta_path:
        sys.meta_path.insert(1, _strict)  # behind the finder of guests, before those that know the host's packages
    elif not strict and _strict in sys.meta_path:
        sys.meta_path.remove(_strict)


def disable() -> None:
    """Let plain imports mean what they mean to Python alone, and take away what `enable` put into the import system.

    Guests still work, and so do blocks that are opened later. While there are guests, or a block is open here (a
    RuntimeWarning says so), the entry points stay replaced, and mean what Python's own do to everybody else.
    """
    host.defaults.clear()
    host.default_pins.clear()
    if _strict in sys.meta_path:
        sys.meta_path.remove(_strict)
    activation = active.active()
    # What was imported stays in sys.modules: to take modules away would make two of each class (isinstance says no)
    if activation is not None:
        active.withdraw(activation)
        _withdrawn.append(activation)
    if current.get() is not None:
        warnings.warn("a use() block is open, and stays so", RuntimeWarning, stacklevel=2)
    doors.remove()


def register(lock: str, plans: Plans) -> None:
    """Note plans that the program configured; `enable` puts them to use.

    Args:
        lock: path of their lock.
        plans: the plans, in order.
    """
    for plan in plans:
        if all(known is not plan for _, known in _registered):
            _registered.append((lock, plan))
    router.add(plans, lock=lock)


def _activate_first() -> None:
    """Make the first plan that was configured resident: where none is, or the one found at start-up is unused."""
    if not _registered:
        return
    lock, first = _registered[0]
    activation = active.active()
    if activation is not None:
        found = active.plan_of(activation)
        if found is first or _is_imported(found, activation.site):
            return
        active.withdraw(activation)
        router.demote(found)
    _configured.append(_put_on_path(lambda: active.activate(lock, first.path), keep_host=True))
    router.refresh()


def _put_on_path(put: Callable[[], object], *, keep_host: bool) -> Activation | None:
    """Put a plan on `sys.path`; where the program configured it, the host's packages stay importable behind it.

    That goes for finders of the host, too, which `.pth` files of editable installs put on `sys.meta_path`.
    """
    finders = list(sys.meta_path)
    put()
    activation = active.active()
    if keep_host and activation is not None:
        sys.path += activation.hidden
        activation.hidden = []
        sys.meta_path[:] = [*finders, *(finder for finder in sys.meta_path if finder not in finders)]
    return activation


def _fill_defaults() -> None:
    """Let names mean the pins of `set_default`, then those of the first plan, then what no earlier plan provides."""
    taken = set(_chosen)
    members = list(_chosen.values())
    resident = active.active()
    residents = [] if resident is None else [active.plan_of(resident)]
    for index, (_, plan) in enumerate(_registered):
        if plan in residents:
            continue
        if index > 0:
            taken.update(name for other in router.resident_plans for name, _ in other.pins)
        new = [pin for pin in plan.pins.values() if pin.resident and pin.name not in taken]
        taken.update(pin.name for pin in new)
        members += [router.member(plan, pin) for pin in new]
    for member in members:
        host.default_pins.append((member.plan, member.pin))
        for head in member.names:
            if head not in host.defaults and head not in sys.stdlib_module_names:
                host.defaults[head] = member.real_name(head)
    router.routed.update(host.defaults)


def _is_imported(plan: Plan, site: str) -> bool:
    return any(
        isinstance(file := getattr(module, "__file__", None), str) and file.startswith(site + os.sep)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in plan.imports
    )


class _Strict:
    """Stands behind the finder of guests and refuses what nobody locked."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002 - PEP 451
        """Raise for a top-level name that only the host's own site-packages or the like provide."""
        head = fullname.partition(".")[0]
        if path is not None or "@" in head or head in sys.stdlib_module_names or head in _own:
            return
        # The frames are: this one, `_find_spec`, and who wants the spec (Lib/importlib/_bootstrap.py)
        caller = sys._getframe(1).f_back
        if caller is None or caller.f_code.co_name != "_find_and_load_unlocked":  # Lib/importlib/_bootstrap.py
            return
        if any(head in plan.imports for plan in router.plans) or head in router.aliases:
            return
        spec = PathFinder.find_spec(fullname)
        if spec is None or _is_projects(spec):
            return
        raise UnlockedError(
            f"No module named {fullname!r} in the lock",
            name=fullname,
            found=spec.origin or ", ".join(spec.submodule_search_locations or ()),
            reason="strict mode: neither a lock, nor the standard library, nor the project's own folder provides it",
            hint="run: python -m envknit add PACKAGE",
        )


_own = frozenset(["envknit", "_envknit_bootstrap", *MODULES, "sitecustomize", "usercustomize"])
_strict = _Strict()


def _is_projects(spec: Any) -> bool:
    found = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    folders = {os.path.dirname(plan.lock) for plan in router.plans} | {os.path.dirname(lock) for lock, _ in _registered}
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    folders.add(os.path.dirname(os.path.abspath(main)) if main else os.getcwd())
    inside = tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)
    return any(os.path.realpath(file).startswith(inside) and not is_installed(file) for file in found if file)
