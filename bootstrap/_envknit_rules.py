"""Which lock is this process's own, where it has a parent, a view, a program that runs it, or a person's choice.

The rules are told in docs/explanation/startup.md; the usual ones are in `_envknit_plans`, so that a usual start does
not load this module.

PYTEST_DONT_REWRITE: see `_envknit_bootstrap`.
"""

import os
import sys

from _envknit_bootstrap import LOCK_NAME, SHARED, USER, home, nearest_lock, setting
from _envknit_plans import (
    argument,
    current_plan,
    environment_of,
    is_plain,
    is_safe,
    module,
    own_plan,
    plan_of,
    plans_folder,
    store_of,
    this_interpreter,
)


def show_tool() -> None:
    """Put what the command line needs before the packages of the view: it lies where envknit was installed."""
    with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "tool"), encoding="utf-8") as tool:
        at = next((index for index, path in enumerate(sys.path) if path.startswith(sys.prefix)), len(sys.path))
        sys.path.insert(at, tool.read())


def is_there(module: str) -> bool:
    """Tell whether the interpreter itself has a top-level module."""
    paths = [os.path.join(folder, module) for folder in sys.path]
    return any(os.path.exists(path + suffix) for path in paths for suffix in ("", ".py"))


def _can_run_under_lock(module: str) -> bool:
    """Tell whether a lock would leave a module visible: it is the standard library's, or only the lock can have it."""
    return module in sys.stdlib_module_names or not is_there(module)


def shared(name: str) -> tuple[str, str, str]:
    """Answer as `find` does with a shared environment: a lock in the store's folder, installed like any other."""
    if not name or os.path.basename(name) != name or name.startswith("."):
        return LOCK_NAME, "", f"'@{name}' is not the name of a shared environment"
    lock = os.path.join(home(), SHARED, name, LOCK_NAME)
    if not os.path.exists(lock):
        return lock, "", f"there is no shared environment '@{name}'; run: envknit env list"
    return plan_of(lock, "")


def _by_person() -> tuple[str, str, str]:
    """Answer as `find` does where no lock is in sight: with the environment that `envknit add --user` made, if any.

    As with the user's own site-packages, it is not for virtual environments, nor where `-s` or `-I` was given. Where it
    is not installed for this Python, only who misses a module hears of it: other Pythons here never asked for it.
    """
    if sys.prefix == sys.base_prefix and not sys.flags.no_user_site:
        try:
            lock = os.path.join(home(), SHARED, USER, LOCK_NAME)
        except OSError:  # nobody asked for a store
            return "", "", ""
        if os.path.exists(lock):
            lock, plan, words = plan_of(lock, "")
            return (lock, plan, "") if plan else ("", "", words)
    return "", "", ""


def wrapped(words: "list[str]") -> str:
    """Return the script among the arguments of a program that runs one, as in `python -m pdb app.py`."""
    return next((os.path.realpath(word) for word in words if word.endswith(".py") and os.path.exists(word)), "")


def by_arguments(environment: str, *, is_trusted: bool) -> tuple[str, str, str]:
    """Answer as `find` does where no lock is in sight that counts.

    Args:
        environment: that was asked for.
        is_trusted: whether the working folder is.
    """
    words = ""
    if not is_trusted:
        words = overlooked(".", "-I, -P and PYTHONSAFEPATH say that the working folder may not be trusted")
    elif folder := os.path.dirname(wrapped(sys.argv[1:])):  # python -m coverage run /project/app.py
        if argument() != "-m" or not _can_run_under_lock(module()):
            words = overlooked(folder, "a program that runs another looks in the working folder")
        elif lock := nearest_lock(folder):
            return plan_of(lock, environment)
    return ("", "", words) if words else _by_person()


def overlooked(folder: str, why: str) -> str:
    """Say why a lock is not looked at; `""` where there is none."""
    lock = nearest_lock(folder)
    return f"{lock} is not used: {why}; set ENVKNIT_LOCK, or use: envknit run" if lock else ""


def is_same(path: str, other: str) -> bool:
    return path == other or (os.path.exists(other) and os.path.samefile(path, other))


def told() -> tuple[str, str]:
    """Return lock and plan of the process that started this one, where it runs this very interpreter; else `""`s."""
    facts = setting("ENVKNIT_ACTIVE").split(":", 3)  # see `Activation.place`
    if len(facts) == 4 and facts[0] == this_interpreter() and is_plain(facts[1]) and is_plain(facts[2]):
        own = own_plan()
        store = store_of(own) if own else home()
        plan = os.path.join(plans_folder(store, facts[1]), "views", facts[2], "plan")
        if os.path.exists(plan) and is_safe(store):
            return facts[3], plan
    return "", ""


def in_view(own: str, lock: str, plan: str) -> tuple[str, str]:
    """Choose for a child without a script in a view: the view as it is now, where its parent had it, too.

    Args:
        own: the plan of the view, to which `.venv` may lead since an install meanwhile.
        lock: of the parent, which may have configured another.
        plan: of the parent.
    """
    with open(own, encoding="utf-8", errors="surrogateescape") as file:
        is_same = f"\nlock\t{lock}\n" in file.read() and environment_of(plan) == environment_of(own)
    return ("", own) if plan == own or is_same else (lock, plan)


def inherited(lock: str, plan: str, environment: str) -> tuple[str, str, str]:
    """Answer as `find` does for a child of an active process, or in a view.

    It has the environment of its parent as that is installed now, so that a reloader sees a new lock; the very plan of
    its parent where the lock is gone, or was not installed since it changed.

    Args:
        lock: of the parent; `""`: none.
        plan: of the parent.
        environment: that was asked for; `""`: that of the parent.
    """
    name = environment or environment_of(plan)
    found = plan_of(lock, name) if os.path.isabs(lock) else ("", "", "")
    if found[1] or name == environment_of(plan):
        return found if found[1] else (lock, plan, "")
    plan = current_plan(plan.rsplit(os.sep, 3)[0], name) if is_plain(name) else ""
    return lock or LOCK_NAME, plan, "" if plan else f"environment {name!r} is not installed"
