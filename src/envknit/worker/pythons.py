"""Other interpreters: where they are, and which plans were installed for them from this very lock."""

from __future__ import annotations

import os

from envknit import pythons
from envknit.errors import WorkerError
from envknit.plan import Plan, current_plans


def find_python(wanted: str) -> str:
    """Find an interpreter.

    Args:
        wanted: `3.10`, or a path.

    Raises:
        WorkerError: there is none.
    """
    found = pythons.find_python(wanted)
    if found is None:
        raise WorkerError(
            f"no interpreter {wanted} was found",
            searched="PATH and ~/.pyenv/versions",
            hint="install it, or give the path: python=/path/to/python",
        )
    return found.executable


def abi_of(python: str) -> str:
    """Ask an interpreter for its ABI, once; `""`: it does not run."""
    found = pythons.ask_python(python)
    return found.abi if found is not None else ""


def plans_for(plan_path: str, python: str) -> list[tuple[str, Plan]]:
    """Return (plan file, plan) of what was installed for another interpreter from the same lock.

    Args:
        plan_path: a plan of this interpreter: `<store>/plans/2/<abi>/<key>/views/<view>/plan`.
        python: path of the other interpreter.

    Raises:
        WorkerError: nothing was installed for it.
    """
    plans, _, key = plan_path.rsplit(os.sep, 3)[0].rsplit(os.sep, 2)
    found = current_plans(os.path.join(plans, abi_of(python), key))
    if not found:
        raise WorkerError(
            "the lock is not installed for this interpreter",
            python=python,
            abi=abi_of(python),
            hint=f"run: {python} -m envknit install",
        )
    own = Plan.read(plan_path).environment
    names = sorted(found, key=lambda name: name != own)  # the active environment first
    return [(found[name], Plan.read(found[name])) for name in names]
