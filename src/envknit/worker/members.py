"""Which worker a name and version mean: the plan that holds the pin, and the module to open."""

from __future__ import annotations

import os
import sys

from envknit.errors import WorkerError
from envknit.naming import canonical_name, guest_tag
from envknit.runtime.activation import active, read_plan, sibling_plans
from envknit.runtime.explain import Origin
from envknit.runtime.linker import pin_at
from envknit.worker.process import Order
from envknit.worker.pythons import find_python, plans_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from envknit.plan import Pin, Plan


def installed_plans(environment: str | None, python: str) -> list[tuple[str, Plan]]:
    """Return (plan file, plan) of the environments that a worker may take: the active one first.

    Args:
        environment: only this one; None: all of the lock.
        python: path of another interpreter; `""`: this one.

    Raises:
        WorkerError: no lock is active, or it has no such environment.
    """
    known = _known_plans()
    if not known:
        raise WorkerError(
            "no lock is active, so there is nothing to open a worker from",
            hint="run: envknit install; or give install_path=",
        )
    plans: dict[str, Plan] = {}
    for path in known:
        if path not in plans:
            plans.update(plans_for(path, python) if python else sibling_plans(path))
    chosen = [entry for entry in plans.items() if environment in (None, entry[1].environment)]
    if not chosen:
        raise WorkerError(
            f"the environment {environment!r} is not installed",
            lock=next(iter(plans.values())).lock,
            environments=", ".join(plan.environment for plan in plans.values()),
            hint=f"run: envknit install --env {environment}",
        )
    return chosen


def _known_plans() -> list[str]:
    """Return the plan in use, and those of `configure_from_lock`: each stands for all environments of its lock."""
    here = active()
    configured = sys.modules.get("envknit.runtime.defaults")  # not loaded: nothing was configured
    registered = [path for _, path, _ in configured.registered] if configured is not None else []
    return [*([here.plan_path] if here is not None else []), *registered]


def find_pin(name: str, version: str, environment: str | None, python: str) -> tuple[str, Plan, Pin]:
    """Find the plan that holds a pin; returns plan file, plan and pin.

    Args:
        name: the distribution's name, in any spelling.
        version: its version.
        environment: only this one; None: the active one, else whichever holds it.
        python: path of another interpreter; `""`: this one.

    Raises:
        WorkerError: no plan holds it; with the versions that there are.
    """
    plans = installed_plans(environment, python)
    wanted = canonical_name(name)
    for path, plan in plans:
        pin = plan.pins.get((wanted, version))
        if pin is not None:
            return path, plan, pin
    others = sorted({v for _, plan in plans for n, v in plan.pins if n == wanted})
    raise WorkerError(
        f"{name} {version} is not installed from this lock",
        lock=plans[0][1].lock,
        environments=", ".join(plan.environment for _, plan in plans),
        versions=", ".join(others) or "none",
        hint=f'run: envknit add "{wanted}=={version}" --env NAME, and envknit install',
    )


def order_for_pin(
    name: str, version: str, *, environment: str | None, python: str | None, module: str | None
) -> tuple[Order, str]:
    """Find the plan that holds a pin; returns what the worker is to be, and the module to open.

    Raises:
        WorkerError: no plan holds it; with the versions that there are.
    """
    interpreter = find_python(python) if python else ""
    path, plan, pin = find_pin(name, version, environment, interpreter)
    found = module or _only(f"{pin.name} {version}", pin.name, _imports(plan, pin))
    return order_of(path, plan, pin, python=interpreter), name_there(pin, found)


def order_of(path: str, plan: Plan, pin: Pin, *, python: str = "", isolation: str = "worker") -> Order:
    """Say what the worker of a pin is to be."""
    return Order(f"{pin.name} {pin.version}", python=python, lock=plan.lock, plan=path, isolation=isolation)


def name_there(pin: Pin, module: str) -> str:
    """Return the name that a pin's module has where its plan is active: plain imports get the resident there, too."""
    if pin.resident:
        return module
    head, dot, rest = module.partition(".")
    return f"{head}@{guest_tag(pin.version)}{dot}{rest}"


def origin(order: Order, module: str, why: str) -> Origin:
    """Say where a module of a worker came from, and why it lives there."""
    facts: dict[str, Any] = {"isolation": order.isolation, "why": why}
    if not order.plan:
        return Origin(module, "".join(order.last) or None)
    plan = read_plan(order.plan)
    pin = _pin_of(plan, module.partition(".")[0])
    if pin is None:
        return Origin(module)
    return Origin(
        module,
        pin=pin,
        environments=[plan.environment],
        locks=[plan.lock],
        folder=os.path.join(plan.store, pin.folder),
        links=[f"{name} {version}" for name, version in pin.dependencies],
        **facts,
    )


def _pin_of(plan: Plan, head: str) -> Pin | None:
    plain, _, tag = head.partition("@")
    folders = [pin.folder for pin in plan.pins.values() if tag and not pin.resident and guest_tag(pin.version) == tag]
    for folder in folders or plan.imports.get(plain, ()):
        if not tag or plain in _modules_in(os.path.join(plan.store, folder)):
            return pin_at(plan, folder)
    return None


def order_for_folder(
    name: str, version: str, folder: str, *, python: str | None, module: str | None
) -> tuple[Order, str]:
    """Take a folder as it is; returns what the worker is to be, and the module to open.

    Raises:
        WorkerError: there is no such folder, or no module in it.
    """
    folder = os.path.abspath(os.path.expanduser(folder))
    if not os.path.isdir(folder):
        raise WorkerError(f"the install path of {name} {version} is not a folder", install_path=folder)
    label = f"{canonical_name(name)} {version}"
    found = module or _only(label, canonical_name(name), _modules_in(folder))
    return Order(label, python=find_python(python) if python else "", last=(folder,)), found


def _imports(plan: Plan, pin: Pin) -> list[str]:
    if not pin.resident:
        return _modules_in(os.path.join(plan.store, pin.folder))
    names = [name for name, folders in plan.imports.items() if pin.folder in folders]
    neighbours = [other for other in plan.pins.values() if other.folder == pin.folder]
    if len(neighbours) > 1:  # one folder for several pins: RECORD tells whose is what
        own = _recorded(os.path.join(plan.store, pin.folder, pin.dist_info, "RECORD"))
        names = [name for name in names if name in own] or names
    return names


def _recorded(path: str) -> set[str]:
    try:
        with open(path, encoding="utf-8") as file:
            firsts = {line.split(",", 1)[0].split("/", 1)[0] for line in file}
    except OSError:
        return set()
    return {first.split(".", 1)[0] for first in firsts}


def _modules_in(folder: str) -> list[str]:
    names = set()
    for entry in os.listdir(folder):
        stem, dot, rest = entry.partition(".")
        if not stem.isidentifier() or stem == "__pycache__":
            continue
        if (not dot and os.path.isdir(os.path.join(folder, entry))) or rest == "py" or rest.endswith("so"):
            names.add(stem)
    return sorted(names)


def _only(label: str, name: str, modules: Iterable[str]) -> str:
    """Choose the module that a distribution is mainly: the one of its name, else the only public one."""
    names = sorted(modules)
    same = [module for module in names if canonical_name(module) == name]
    public: Sequence[str] = same or [module for module in names if not module.startswith("_")] or names
    if len(public) != 1:
        raise WorkerError(
            f"{label} has not one main module",
            modules=", ".join(names) or "none",
            hint='choose one: worker(..., module="NAME")',
        )
    return public[0]
