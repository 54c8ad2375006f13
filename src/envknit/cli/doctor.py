"""Look for what keeps a lock from working, and say what to do; exit status 1 if something is broken.

Each check is one line: `ok`, `warn` (works, but perhaps not as meant) or `fail`.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.elsewhere import python_of
from envknit.cli.hook import source, state
from envknit.cli.parser import add_json
from envknit.cli.place import Place, find_place
from envknit.cli.screen import GREEN, RED, YELLOW
from envknit.cli.situation import ask_python, is_outdated, plan_of, without_default
from envknit.errors import EnvknitError, ProjectError, UnsupportedPlatformError
from envknit.plan import home
from envknit.reporter import count

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Generator, Iterator

    from envknit.cli.screen import Screen
    from envknit.files.model import Environment
    from envknit.plan import Plan
    from envknit.pythons import Interpreter

EXAMPLE = "envknit doctor"

_COLOURS = {"ok": GREEN, "warn": YELLOW, "fail": RED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at; `level` is `ok`, `warn` or `fail`, `hint` says what to do."""

    level: str
    topic: str
    text: str
    hint: str = ""


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_json(parser)


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    findings = list(examine(arguments))
    if arguments.json:
        screen.data([asdict(finding) for finding in findings])
    else:
        width = max(len(finding.topic) for finding in findings)
        for finding in findings:
            level = screen.paint(f"{finding.level:<4}", _COLOURS[finding.level])
            screen.show(f"{level}  {finding.topic:<{width}}  {finding.text}")
            if finding.hint:
                screen.show(f"{'':<{width + 8}}{screen.command(finding.hint)}")
        screen.show(_verdict(findings, screen))
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def _verdict(findings: list[Finding], screen: Screen) -> str:
    levels = [finding.level for finding in findings]
    broken, doubts = levels.count("fail"), levels.count("warn")
    if broken:
        return screen.paint(f"not ready: {count(broken, 'check')} of {len(levels)} failed", RED)
    return screen.paint("ready" + (f", with {count(doubts, 'warning')}" if doubts else ""), GREEN)


def examine(arguments: Namespace) -> Iterator[Finding]:
    """Look at everything, from the interpreter to the project."""
    yield _interpreter()
    yield from _variables()
    yield _store()
    yield from _shared_stores()
    try:
        place = find_place(arguments)
    except ProjectError as error:
        yield from _shell(arguments, None)
        yield Finding(level="warn", topic="project", text=error.message, hint=error.hint)
        return
    used = yield from _shell(arguments, place)
    yield from _files(place, used=used)


def _interpreter() -> Finding:
    text = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    if sys.implementation.name != "cpython":
        return Finding(level="fail", topic="interpreter", text=text, hint="use CPython 3.10 or newer")
    return Finding(level="ok", topic="interpreter", text=text)


_VARIABLES = {
    "ENVKNIT": ("0", "fail", "turns envknit off", "unset ENVKNIT"),
    "ENVKNIT_LOCK": ("", "warn", "this lock is used in every folder", "unset ENVKNIT_LOCK to use each folder's own"),
    "ENVKNIT_ENV": ("", "warn", "this environment is used in every project", "unset ENVKNIT_ENV to use `default`"),
    "PYTHONHOME": ("", "warn", "the standard library may be another Python's", "unset PYTHONHOME"),
    "PYTHONPATH": ("", "warn", "its folders come before the lock's packages", "unset PYTHONPATH if that is not meant"),
    "PYTHONSAFEPATH": ("", "warn", "`-m`, `-c` and the REPL do not look at the working folder", "set ENVKNIT_LOCK"),
    "PYTHONNOUSERSITE": ("", "warn", "a hook in the user's site-packages is not seen", "use: envknit hook install"),
}


def _variables() -> Iterator[Finding]:
    """Look at the environment variables that change what a Python process sees."""
    for name, (only, level, meaning, hint) in _VARIABLES.items():
        value = os.environ.get(name)
        if value and (not only or value == only):
            yield Finding(level=level, topic="variable", text=f"{name}={value}: {meaning}", hint=hint)


def _store() -> Finding:
    from envknit.store.store import Store  # `--help` looks at no store
    from envknit.store.verify import open_to_others

    root = Path(home())
    if not root.exists():
        return Finding(level="ok", topic="store", text=f"{root} is made by the first install")
    try:
        Store(root).check()
    except EnvknitError as error:
        return Finding(level="fail", topic="store", text=f"{root}: {error.message}", hint=error.hint)
    inside = [str(path.relative_to(root)) for path in (*root.glob("*"), *root.glob("*/*")) if path.is_dir()]
    loose = ", ".join(finding.folder for finding in open_to_others(str(root), inside))
    if loose:
        text = f"somebody else may write to {loose} in {root}"
        return Finding(level="fail", topic="store", text=text, hint="run: envknit verify --all --repair")
    if not os.access(root, os.W_OK):
        return Finding(level="warn", topic="store", text=f"{root} is read-only here", hint="install from elsewhere")
    return Finding(level="ok", topic="store", text=f"{root}, writable by nobody else")


def _shared_stores() -> Iterator[Finding]:
    from envknit.store.shared import shared_stores  # `--help` looks at no store
    from envknit.store.store import Store

    stores, doubts = shared_stores(Store())
    for store in stores:
        yield Finding(level="ok", topic="store", text=f"{store.root}, shared: packages are taken from there")
    for doubt in doubts:
        yield Finding(level="warn", topic="store", text=doubt, hint="mend that, or take it out of ENVKNIT_STORES")


def _shell(arguments: Namespace, place: Place | None) -> Generator[Finding, None, bool]:
    """Ask the `python` of the person's shell: is the hook there, is it ours, did it do its work.

    Returns whether it is another Python than ours, and uses the lock.
    """
    try:
        shell = ask_python(arguments)
    except UnsupportedPlatformError as error:
        yield Finding(level="fail", topic="shell", text=f"`python` does not answer: {error.facts.get('cause', '')}")
        return False
    name = f"plain `{shell.command}`"
    other = "" if shell.is_ours else f"--python {shlex.quote(shell.python)} "
    if other:
        text = f"{name} is another than the one that runs envknit: {shell.version} at {shell.python}"
        yield Finding(level="warn", topic="shell", text=text, hint="this is what the lines below are about")
    if shell.hook is None:
        yield Finding(
            level="fail",
            topic="hook",
            text=f"{name} does not start envknit",
            hint=f"run: envknit {other}hook install; `envknit run` works without",
        )
        return False
    where = Path(shell.hook).parent
    if where != source() and state(where) == "other":
        hint = f"run: envknit {other}hook install"
        yield Finding(level="warn", topic="hook", text=f"another version's, in {where}", hint=hint)
    else:
        yield Finding(level="ok", topic="hook", text=str(where))
    if shell.problem:
        hint = f"run: envknit {other}install"
        yield Finding(level="fail", topic="hook", text=f"it gave up: {shell.problem}", hint=hint)
    if place is None or not place.lock.exists():
        return False
    if shell.uses(place.lock):
        yield Finding(level="ok", topic="active", text=f"{name} here uses environment {shell.environment!r}")
    else:
        hint = f"run: envknit {other}install" if other else "mend what is said above and below"
        python = _python_of_default(place)
        if python and python.executable not in (sys.executable, shell.python):
            hint = f"the lock is for Python {python.version}; use: envknit run, or: envknit shell"
        with suppress(EnvknitError):  # a lock that cannot be read has a line of its own
            hint = without_default(place.read()) or hint
        if shell.lock is None and Path(arguments.project).stat().st_dev != place.root.stat().st_dev:
            hint = f"the search for a lock stops where another file system begins; set ENVKNIT_LOCK={place.lock}"
        yield Finding(level="fail", topic="active", text=f"{name} here uses {shell.lock or 'no lock'}", hint=hint)
    return bool(other) and shell.uses(place.lock)


def _python_of_default(place: Place) -> Interpreter | None:
    with suppress(EnvknitError):  # what is wrong with the lock is told below
        default = place.read().environments.get("default")
        return python_of(place, default) if default else None
    return None


def _files(place: Place, *, used: bool) -> Iterator[Finding]:
    """Look at the project file, the lock, its plans and their entries.

    Args:
        place: the project.
        used: whether the person's own Python, which is another than ours, uses the lock.
    """
    try:
        project = place.load_if_any()
    except EnvknitError as error:
        yield Finding(level="fail", topic="project", text=str(error.message), hint=error.hint)
        project = None
    else:
        yield Finding(level="ok", topic="project", text=str(place.project or "none, only a lock"))
    try:
        lock = place.read()
    except EnvknitError as error:
        yield Finding(level="fail", topic="lock", text=error.message, hint=error.hint)
        return
    if project and is_outdated(place, lock):
        text = "it does not answer what the project asks for"
        yield Finding(level="fail", topic="lock", text=text, hint="run: envknit lock")
    else:
        yield Finding(level="ok", topic="lock", text=str(place.lock))
    for name, environment in sorted(lock.environments.items()):
        yield _environment(place, environment, needed=name == "default" and not used)


def _environment(place: Place, environment: Environment, *, needed: bool) -> Finding:
    name, python = environment.name, python_of(place, environment)
    level = "fail" if needed else "warn"
    if python is None:
        text = f"{name} is for Python {environment.python_version}, which is not on this machine"
        return Finding(level=level, topic="plan", text=text, hint=f"envknit install --env {name} says how to get it")
    plan = plan_of(place, name, python.abi)
    if plan is None:
        text = f"{name} is not installed for {python.executable}"
        return Finding(level=level, topic="plan", text=text, hint=f"run: envknit install --env {name}")
    lost = plan.lost()
    if lost:
        return Finding(
            level="fail", topic="plan", text=f"the store lost {', '.join(lost)}", hint="run: envknit install"
        )
    if not Path(plan.store, plan.runtime, "envknit").is_dir():
        text = f"{name} was installed by an envknit that the store lost: {plan.runtime}"
        return Finding(level="fail", topic="plan", text=text, hint="run: envknit install")
    changed = _changed(plan)
    if changed:
        text = f"{name}: something else wrote into the environment, and perhaps into its packages: {changed}"
        return Finding(level="warn", topic="plan", text=text, hint="run: envknit verify --repair")
    return Finding(level="ok", topic="plan", text=f"{name}: {count(len(plan.pins), 'pin')}, all in the store")


def _changed(plan: Plan) -> str:
    """Name the first change in the view of a plan: another installer leaves some there, wherever else it writes."""
    from envknit.store.store import Store  # `--help` looks at no store
    from envknit.view.inspect import changed_view

    with suppress(OSError):  # no room for a view to compare with
        return str(next(changed_view(Store(), plan), ""))
    return ""
