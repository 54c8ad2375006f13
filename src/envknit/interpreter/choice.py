"""Whether a sub-interpreter can hold a pin, by evidence; where it cannot, a process can."""

from __future__ import annotations

import os

from envknit.interpreter import extension
from envknit.interpreter.cpython import why_missing
from envknit.native.verdicts import Verdict, remember, remembered
from envknit.plan import key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envknit.plan import Pin, Plan

PROCESS, INTERPRETER = "worker", "interpreter"


def choose_isolation(plan: Plan, pin: Pin) -> tuple[str, str]:
    """Choose how a version of a package that cannot be a guest is best held.

    Args:
        plan: a plan that holds the pin.
        pin: the pin.

    Returns:
        `INTERPRETER` or `PROCESS`, and a sentence that says why.

    Cost:
        Where extension modules are involved, the first time on a machine: a probe in a child process, 0.2 s to several
        seconds. Its outcome is remembered in the store.
    """
    closure = plan.closure(pin)
    native = sorted(each.name for each in closure if each.native)
    title = f"{pin.name} {pin.version}"
    holders = f"{', '.join(native)} {'has' if len(native) == 1 else 'have'} extension modules"
    reason = why_missing()
    if reason:
        return PROCESS, f"{holders}; {reason}" if native else reason
    if not native:
        return INTERPRETER, f"{title} and what it depends on are pure Python"
    for name in pin.imports:
        why = _objection(plan, pin, name, closure)
        if why:
            return PROCESS, f"{holders}; {why}"
    return INTERPRETER, f"{holders}, and a probe loaded them in interpreters with a GIL of their own"


def _objection(plan: Plan, pin: Pin, name: str, closure: list[Pin]) -> str:
    """Say what a probe of one import name met; `""`: nothing."""
    with_what = key("\n".join(sorted(each.folder for each in closure)).encode())
    evidence = os.path.join(plan.store, f"{pin.folder}@{name}-{with_what}")
    known = remembered(plan.store, evidence, "own")
    if known is None:
        found = extension.probe(plan.store, name, "own", lock=plan.lock, plan=plan.path, path=())
        # What the package can do without would be missing here; the standard library has its own stand-ins
        refused = [each for file, each in found.items() if file.startswith(plan.store) and not each.loads]
        known = refused[0] if refused else found.get("") or Verdict()
        remember(plan.store, evidence, "own", known)
    return known.why
