"""What is active in this interpreter, and the other plans that its lock offers."""

from __future__ import annotations

import os
import sys

import _envknit_bootstrap
from _envknit_bootstrap import Activation
from envknit.plan import Plan, current_plans

_plans: dict[str, Plan] = {}  # plan file -> plan; a plan file never changes while it is in use


def active() -> Activation | None:
    """Return the plan in use by plain imports: `.lock`, `.environment`, `.store`, `.plan_path`; or None."""
    return _envknit_bootstrap.active


def activate(lock: str, plan_path: str) -> Activation:
    """Put a plan on `sys.path`, in place of the host's site-packages.

    Args:
        lock: path of the lock; it becomes the entry on `sys.path`.
        plan_path: the plan file.

    Raises:
        OSError, ValueError: the plan cannot be read.
    """
    activation = Activation(lock, plan_path)
    activation.place()
    return activation


def withdraw(activation: Activation) -> None:
    """Take a plan off `sys.path` again and put the host's site-packages back; what is imported stays.

    Args:
        activation: the plan in use; its `place()` undoes this.
    """
    if activation.lock in sys.path:
        at = sys.path.index(activation.lock)
        sys.path[at : at + 1] = activation.hidden
    activation.hidden = []
    sys.path_importer_cache.pop(activation.lock, None)
    sys.path_hooks[:] = [hook for hook in sys.path_hooks if hook != activation.path_hook]
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not activation.tail]
    os.environ.pop("ENVKNIT_ACTIVE", None)
    _envknit_bootstrap.active = None


def read_plan(path: str) -> Plan:
    """Read a plan file, once a process."""
    plan = _plans.get(path)
    if plan is None:
        plan = _plans[path] = Plan.read(path)
    return plan


def plan_of(activation: Activation) -> Plan:
    """Return an activation's plan, read once."""
    plan = _plans.get(activation.plan_path)
    if plan is None:
        plan = _plans[activation.plan_path] = Plan.parse(activation.text, activation.plan_path)
    return plan


def sibling_plans(plan_path: str) -> list[tuple[str, Plan]]:
    """Return (plan file, plan) of every environment installed from the same lock bytes, this one first."""
    own = read_plan(plan_path)
    others = current_plans(plan_path.rsplit(os.sep, 3)[0])
    return [(plan_path, own)] + [(path, read_plan(path)) for name, path in others.items() if name != own.environment]
