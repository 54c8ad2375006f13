"""Why a module is not there under the active lock, and what to do about it: what stands below a ModuleNotFoundError.

It never advises to add a package of a name that is the project's own: the index may have one of a stranger's.
"""

from __future__ import annotations

import _imp
import os
from contextlib import suppress

from _envknit_words import command
from envknit.errors import PlanError
from envknit.naming import canonical_name
from envknit.plan import Plan
from envknit.regular import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _envknit_activation import Activation

_SUFFIXES = ("", ".py", *_imp.extension_suffixes())


def why_not(activation: Activation, name: str) -> str:
    """Say why plain imports do not find a top-level name, and what to do.

    Args:
        activation: the plan in use.
        name: the name that nothing on `sys.path` provides.

    Cost: reads the lock and `pyproject.toml`, and some `stat` calls.
    """
    lock = activation.lock
    root = os.path.dirname(lock)
    if _has_changed(activation):
        return f"{lock} has changed since this program, or the one that started it, began; start it again"
    for folder in (os.path.join(root, "src"), root):
        if _holds(folder, name):
            return f"{name!r} is the project's own, in {folder}, which is not on sys.path; set PYTHONPATH to it"
    if canonical_name(name) == canonical_name(_project_name(os.path.join(root, "pyproject.toml"))):
        return (
            f"{name!r} is the project's own name; {command('install', lock)} makes it importable where it can be built"
        )
    for folder in activation.hidden:
        if _holds(folder, name):
            return f"{name!r} is in {folder}, which the lock hides; system_site_packages in the project would show it"
    if groups := _groups_left_out(activation, _package_of(activation, name)):
        options = f"{activation.fact('chosen')} "
        left = next((group for group in groups if f"--no-group {group} " in options), "")
        group = left or groups[0]
        option = "--no-dev" if group == "dev" else f"--no-group {group}"
        why = f"{option} left out; run without that, or: " if left else "is not installed; to have it, run: "
        verb = "install" if left else f"install --group {group}"
        return f"{name!r} is in group {group!r} of {lock}, which {why}{command(verb, lock)}"
    return (
        f"environment {activation.environment!r} of {lock} has nothing that provides {name!r};"
        f" to add it, run: {command('add PACKAGE', lock)}"
    )


def _has_changed(activation: Activation) -> bool:
    """Tell whether the lock is another than the one that was installed."""
    copy = os.path.join(activation.plan_path.rsplit(os.sep, 3)[0], "lock")
    try:
        return read_regular(activation.lock) != read_regular(copy)
    except OSError:
        return False


def _package_of(activation: Activation, name: str) -> str:
    """Name the package that gives a module in any plan that was made of the lock; else the name itself."""
    trees = os.path.join(activation.plan_path.rsplit(os.sep, 3)[0], "trees")
    with suppress(OSError, PlanError):
        for tree in sorted(os.listdir(trees)):
            for pin in Plan.read(os.path.join(trees, tree, "plan")).pins.values():
                if name in pin.imports:
                    return pin.name
    return canonical_name(name)


def _groups_left_out(activation: Activation, wanted: str) -> list[str]:
    """List the groups that ask for a package which the lock has for this environment, and the plan has not.

    The lines of a lock are those that `envknit lock` writes; a YAML parser is too much for a failed import.
    """
    groups: list[str] = []
    if f"\npin\t{wanted}\t" in activation.text:
        return groups
    environment = pin = ""
    with suppress(OSError):
        for line in _lines(activation.lock):
            if line.startswith("  ") and line[2:3] not in (" ", "-"):
                environment = line.strip().rstrip(":").strip("\"'")
            elif line.startswith("      - name: "):
                pin = line[14:].strip().strip("\"'")
            elif environment == activation.environment and pin == wanted:
                group, found, _ = line.partition('" in dependency_groups')
                if found or line.strip() == "dev: true":
                    groups.append(group.rpartition('"')[2] if found else "dev")
    return groups


def _holds(folder: str, name: str) -> bool:
    return any(os.path.exists(os.path.join(folder, name + suffix)) for suffix in _SUFFIXES)


def _project_name(path: str) -> str:
    """Return `[project].name`; a TOML parser is too much for a failed import, and Python 3.10 has none."""
    try:
        table = ""
        for line in map(str.strip, _lines(path)):
            if line.startswith("["):
                table = line
            key, _, value = line.partition("=")
            if table == "[project]" and key.strip() == "name":
                return value.split("#")[0].strip().strip("\"'")
    except OSError:
        pass
    return ""


def _lines(path: str) -> list[str]:
    return read_regular(path).decode(errors="replace").splitlines()
