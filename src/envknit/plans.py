"""Questions about pins, answered in one place: which pin is meant, and which plans were made of a lock.

What a pin itself says (its import names, its main module, what it depends on) is in `plan`.
"""

from __future__ import annotations

import os

from _envknit_plans import is_safe
from envknit.errors import LinkError, StoreError
from envknit.naming import canonical_name, version_key
from envknit.plan import ABI, Plan, current_plans, home, load_plan, lock_key, plans_folder
from envknit.regular import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envknit.plan import Pin


class Plans:
    """Plans in the order in which they are asked; never changed once it is made.

    Args:
        plans: of one lock or of several.
    """

    def __init__(self, plans: Iterable[Plan] = ()) -> None:
        self._plans = tuple(dict.fromkeys(plans))

    def __iter__(self) -> Iterator[Plan]:
        return iter(self._plans)

    def __len__(self) -> int:
        return len(self._plans)

    @classmethod
    def installed(cls, lock_bytes: bytes, lock: str, abi: str = ABI) -> Plans:
        """Return the plans made of these very bytes for an ABI, `default` first; empty where there are none.

        Args:
            lock_bytes: the bytes.
            lock: where they lie; it counts for a lock with code beside it.
            abi: that of another interpreter, where this one is not meant.

        Raises:
            StoreError: somebody else could have written them.
            PlanError: one of them is damaged.
        """
        store = home()
        check_store(store)
        folder = plans_folder(store, lock_key(lock_bytes, lock), abi)
        try:
            if read_regular(os.path.join(folder, "lock")) != lock_bytes:  # the key is no cryptographic hash
                return cls()
        except OSError:
            return cls()
        return cls(map(load_plan, current_plans(folder).values()))

    @classmethod
    def beside(cls, plan: Plan) -> Plans:
        """Return a plan, and those of the other environments that were installed from the same lock for its ABI."""
        paths = current_plans(plan.lock_folder)
        return cls([plan, *(load_plan(path) for name, path in paths.items() if name != plan.environment)])

    def for_abi(self, abi: str) -> Plans:
        """Return the plans installed from the same locks for another ABI; the first environment stays first."""
        found: list[Plan] = []
        for folder in dict.fromkeys(plan.lock_folder for plan in self):
            plans, _, lock_key = folder.rsplit(os.sep, 2)
            found += map(load_plan, current_plans(os.path.join(plans, abi, lock_key)).values())
        first = next(iter(self.environments()), "")
        return Plans(sorted(found, key=lambda plan: plan.environment != first))

    def environments(self) -> list[str]:
        """List the names of the environments."""
        return list(dict.fromkeys(plan.environment for plan in self))

    def of(self, environment: str) -> Plans:
        """Return the plans of the environments of that name, one a lock.

        Raises:
            LinkError: there is none; the error names those there are.
        """
        found = [plan for plan in self if plan.environment == environment]
        if not found:
            name, sign, version = environment.partition("==")
            hint = f"run: python -m envknit install --env {environment}"
            if sign:
                hint = f"a version is an argument of its own: {name.strip()!r}, {version.strip()!r}"
            raise LinkError(
                f"no environment named {environment!r} is installed",
                environments=", ".join(self.environments()) or "none",
                hint=hint,
            )
        return Plans(found)

    def environment(self, name: str) -> Plan:
        """Return the plan of the one environment of that name.

        Raises:
            LinkError: there is none, or several locks have one.
        """
        first, *others = self.of(name)
        if others:
            raise LinkError(
                f"several locks have an environment named {name!r}",
                locks=", ".join(plan.lock for plan in (first, *others)),
                hint=f"say which: lock={first.lock!r}",
            )
        return first

    def versions(self, name: str) -> dict[str, list[str]]:
        """Return the versions of a distribution, each with the environments that hold it."""
        found: dict[str, list[str]] = {}
        for plan in self:
            for pin in plan.pins.values():
                if pin.name == canonical_name(name):
                    found.setdefault(pin.version, []).append(plan.environment)
        return found

    def find(self, name: str, version: str | None = None, environment: str | None = None) -> tuple[Plan, Pin]:
        """Find the pin that a name and a version mean: the first that a plan holds, a resident before guests.

        Args:
            name: the distribution's name, in any spelling.
            version: in any spelling: `1.16` and `v1.16.0` are one; None: whichever there is.
            environment: only this one; None: the first that holds it.

        Raises:
            LinkError: no plan holds it; the error names the versions there are.
        """
        if not self:
            hint = "call envknit.configure_from_lock(path), or run: python -m envknit install"
            if os.environ.get("ENVKNIT") == "0":
                hint = (
                    "ENVKNIT=0 turns envknit off in this process; unset it, or call envknit.configure_from_lock(path)"
                )
            raise LinkError("no lock is in use", hint=hint)
        wanted = canonical_name(name)
        asked = None if version is None else version_key(version)
        for plan in self if environment is None else self.of(environment):
            for pin in sorted(plan.pins.values(), key=lambda pin: not pin.resident):
                if pin.name == wanted and asked in {None, version_key(pin.version)}:
                    return plan, pin
        raise self._not_locked(name, version, environment)

    def _not_locked(self, name: str, version: str | None, environment: str | None) -> LinkError:
        found = ", ".join(f"{each} ({', '.join(where)})" for each, where in sorted(self.versions(name).items()))
        providers = {pin.name for plan in self for pin in plan.pins.values() if name in pin.imports}
        wanted = f"{name} {version or ''}".rstrip()
        hint = f"run: python -m envknit install; to lock it: python -m envknit add {wanted.replace(' ', '==')}"
        hint += f" --env {environment or 'NAME'}"
        if version and not set("<>=~,*").isdisjoint(version):
            hint = "name one version, not a range of them"
        if not found and providers:  # `PIL`, `sklearn`: to lock what bears that name would fetch a stranger's package
            hint = f"{name!r} is what is imported; the distribution is named {' or '.join(sorted(providers))}"
        return LinkError(
            f"no installed environment holds {wanted}" if environment is None else f"{environment!r} holds no {wanted}",
            name=name,
            lock=", ".join(dict.fromkeys(plan.lock for plan in self)),
            versions=found or "none",
            environments=", ".join(self.environments()),
            hint=hint,
        )


def check_store(store: str) -> None:
    """Refuse a store that another user could have written: what lies there is imported and run.

    Raises:
        StoreError: it is not this user's or root's own, or others may write to it. One that does not exist is fine.
    """
    if not os.path.lexists(store) or is_safe(store):
        return
    found = os.stat(store)
    if found.st_uid not in {os.geteuid(), 0}:
        raise StoreError(
            "the store belongs to another user",
            store=store,
            owner=found.st_uid,
            hint="set ENVKNIT_HOME to a folder of your own",
        )
    raise StoreError("the store may be written by others", store=store, hint=f"run: chmod go-w {store}")
