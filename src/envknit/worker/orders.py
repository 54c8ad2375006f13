"""What a worker is to be: for a pin, for a folder; and where what lives in it came from."""

from __future__ import annotations

import os

from envknit.errors import WorkerError
from envknit.naming import canonical_name, main_module
from envknit.plan import load_plan
from envknit.plans import Plans
from envknit.pythons import ask_python, find_python
from envknit.runtime.member import is_namespace
from envknit.runtime.router import Router, router
from envknit.worker.process import Order
from envknit.worlds.explain import Origin
from envknit.worlds.lock_plans import plans_of_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envknit.plan import Pin, Plan

    Lock = str | os.PathLike[str] | None


def plans_for(lock: Lock, python: str) -> Plans:
    """Return the plans that a worker may take: the active environment first.

    Args:
        lock: the lock to take them from; None: those in use.
        python: path of another interpreter; `""`: this one.

    Raises:
        WorkerError: no lock is in use, or it was not installed for that interpreter.
    """
    router.refresh()
    plans = router.plans if lock is None else plans_of_lock(lock)
    if not plans:
        raise WorkerError(
            "no lock is active, so there is nothing to open a worker from",
            hint="run: envknit install; or give lock= or install_path=",
        )
    answer = ask_python(python) if python else None
    if answer is None:
        return plans
    found = plans.for_abi(answer.abi)
    if not found:
        raise WorkerError(
            "the lock is not installed for this interpreter",
            python=python,
            abi=answer.abi,
            hint=f"run: {python} -m envknit install",
        )
    return found


def interpreter_path(wanted: str | None) -> str:
    """Find another interpreter: `3.10`, or a path; returns its path, `""` where none is wanted.

    Raises:
        WorkerError: there is none.
    """
    if not wanted:
        return ""
    found = find_python(wanted)
    if found is None:
        raise WorkerError(
            f"no interpreter {wanted} was found",
            searched="PATH, and what pyenv, mise, asdf and uv keep",
            hint="install it, or give the path: python=/path/to/python",
        )
    return found.executable


def order_for_pin(
    name: str, version: str, *, environment: str | None, lock: Lock, python: str | None, module: str | None
) -> tuple[Order, str]:
    """Find the plan that holds a pin; returns what the worker is to be, and the module to open.

    Raises:
        LinkError: no plan holds it; with the versions that there are.
        WorkerError: there is no plan, or nothing to import in it.
    """
    interpreter = interpreter_path(python)
    plan, pin = plans_for(lock, interpreter).find(name, version, environment)
    chosen = module or pin.main
    if not chosen:
        raise WorkerError(f"{pin.name} {pin.version} holds nothing to import")
    return order_of(plan, pin, python=interpreter), name_there(plan, pin, chosen)


def order_of(plan: Plan, pin: Pin, *, python: str = "", isolation: str = "worker") -> Order:
    """Say what the worker of a pin is to be."""
    label = f"{pin.name} {pin.version}"
    return Order(label, python=python, lock=router.lock_of(plan), plan=plan.path, isolation=isolation)


def order_for_environment(environment: str, *, lock: Lock, python: str | None, number: int) -> Order:
    """Say what a worker of a whole environment is to be.

    Args:
        environment: its name.
        lock: the lock that it is of; None: the one in use that has it.
        python: another interpreter.
        number: tells apart those that run at once.

    Raises:
        LinkError: there is none of that name, or several locks in use have one.
        WorkerError: there is no plan.
    """
    interpreter = interpreter_path(python)
    plan = plans_for(lock, interpreter).environment(environment)
    path = router.lock_of(plan)
    label = f"the environment {environment}" + (f" ({number + 1})" if number else "")
    return Order(label, python=interpreter, lock=path, plan=plan.path, first=(os.path.dirname(path),))


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
    found = module or _main_of(folder, canonical_name(name))
    if not found:
        raise WorkerError(f"{label} holds nothing to import", install_path=folder)
    return Order(label, python=interpreter_path(python), last=(folder,)), found


def _main_of(folder: str, name: str) -> str:
    heads = _modules_in(folder)
    namespaces = {head for head in heads if is_namespace(os.path.join(folder, head))}
    inside = [f"{head}.{each}" for head in namespaces for each in _modules_in(os.path.join(folder, head))]
    return main_module(name, heads, namespaces, inside)


def _modules_in(folder: str) -> set[str]:
    names = set()
    for entry in os.listdir(folder) if os.path.isdir(folder) else ():
        stem, dot, rest = entry.partition(".")
        if not stem.isidentifier() or stem == "__pycache__":
            continue
        if (not dot and os.path.isdir(os.path.join(folder, entry))) or rest == "py" or rest.endswith("so"):
            names.add(stem)
    return names


def name_there(plan: Plan, pin: Pin, module: str) -> str:
    """Return the name that a pin's module has where its plan is active: plain imports get the resident there, too."""
    head, dot, rest = module.partition(".")
    there = _router_there(plan)
    return there.own_name(there.member(plan, pin), head) + dot + rest


def _router_there(plan: Plan) -> Router:
    """Return what routes imports in a process in which a plan is active."""
    there = Router()
    there.add(Plans.beside(plan), resident=plan)
    return there


def origin(order: Order, module: str, why: str) -> Origin:
    """Say where a module of a worker came from, and why it lives there."""
    if not order.plan:
        return Origin(module, "".join(order.last) or None)
    plan = load_plan(order.plan)
    head = module.partition(".")[0]
    guest = _router_there(plan).member_of(head) if "@" in head else None
    pin = guest.pin if guest is not None else next(iter(plan.providers(head)), None)
    if pin is None:
        return Origin(module)
    return Origin(
        module,
        pin=pin,
        environments=[plan.environment],
        locks=[order.lock],
        folder=os.path.join(plan.store, pin.folder),
        isolation=order.isolation,
        why=why,
        links=[f"{name} {version}" for name, version in pin.dependencies],
    )
