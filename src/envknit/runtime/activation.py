"""What is active in this interpreter, and the other plans that its lock offers."""

from __future__ import annotations

import os
import sys

import _envknit_bootstrap
from _envknit_activation import Activation
from envknit.plan import load_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envknit.plan import Plan


def active() -> Activation | None:
    """Return the plan in use by plain imports: `.lock`, `.environment`, `.store`, `.plan_path`; or None."""
    return _envknit_bootstrap.active


def activate(lock: str, plan_path: str) -> Activation:
    """Put a plan's view on `sys.path`, in place of the host's site-packages.

    Args:
        lock: path of the lock, for messages.
        plan_path: the plan file in its view.

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
    # What finders answered stays in sys.path_importer_cache until it is dropped (PEP 302)
    if activation.site in sys.path:
        at = sys.path.index(activation.site)
        kept = [entry for entry in sys.path[at:] if entry not in activation.path]
        sys.path[at:] = [*activation.hidden, *kept]
    activation.hidden = []
    for entry in activation.path:
        sys.path_importer_cache.pop(entry, None)
    sys.path_hooks[:] = [hook for hook in sys.path_hooks if hook != activation.path_hook]
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not activation]
    activation.restore_prefix()
    # Children are told by this variable what is active here; without it they look for a lock themselves
    os.environ.pop("ENVKNIT_ACTIVE", None)
    _envknit_bootstrap.active = None


def plan_of(activation: Activation) -> Plan:
    """Return an activation's plan, read once."""
    return load_plan(activation.plan_path)
