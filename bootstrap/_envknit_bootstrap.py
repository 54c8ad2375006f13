"""The start of every Python process that has envknit's hook: whether there is anything for us to do.

Importing this module does nothing; `start()` does, once per interpreter. Every Python program on the machine pays for
it, so it only looks for a lock; what is needed once there may be one lies beside it. See docs/explanation/startup.md.

PYTEST_DONT_REWRITE: pytest wants to rewrite the modules of its plugins' distributions, and these are loaded before it.
"""

import _frozen_importlib as _bootstrap
import _frozen_importlib_external as _external
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from _envknit_activation import Activation

LOCK_NAME = "envknit.lock.yaml"
SHARED = "environments"  # in the store: a folder for each shared environment, with its project file and lock
USER = "user"  # the one of these that plain Python falls back to
MODULES = (
    "_envknit_plans",
    "_envknit_rules",
    "_envknit_activation",
    "_envknit_finder",
    "_envknit_words",
)  # the rest of the hook; they need the first of them

active: "Activation | None" = None
problem: "BaseException | None" = None  # why start() gave up; `envknit doctor` shows it
_started = False


def start() -> None:
    """Make the lock of this process active, where there is one that this user installed.

    Called by envknit.pth or envknit.start (PEP 829); the first call counts, since a `.pth` runs twice in a virtual
    environment. Never raises; prints at most one line, to a terminal only.
    """
    global _started  # noqa: PLW0603 - one start per interpreter is this module's only state
    if _started:
        return
    _started = True
    lock = ""
    try:
        if _is_in_sight():
            lock, plan, words = beside("_envknit_plans").find()
            if plan:
                beside("_envknit_activation").activate(lock, plan)
            elif words:
                beside("_envknit_words").tell(words, aloud=bool(lock))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        give_up(error, lock)


def _is_in_sight() -> bool:
    """Tell whether anything here may lead to a lock; the rules decide then what it means."""
    script, *words = getattr(sys, "argv", None) or [""]
    return (
        not {"ENVKNIT_LOCK", "ENVKNIT_ENV", "ENVKNIT_ACTIVE"}.isdisjoint(os.environ)
        or bool(nearest_lock("."))
        or (script not in {"", "-", "-c", "-m"} and _is_near(os.path.realpath(script)))
        or any(word.endswith(".py") for word in words)  # perhaps a program that runs another
        or _is_installed()
    )


def _is_near(script: str) -> bool:
    if os.path.isdir(script):
        return bool(nearest_lock(script))
    beside_it = os.path.exists(f"{script}.{LOCK_NAME}")
    return beside_it or bool(nearest_lock(os.path.dirname(script))) or has_block(script)


def _is_installed() -> bool:
    """Tell whether this is a view's Python, or one that may have the user's own environment."""
    if sys.prefix != sys.base_prefix:
        return os.path.exists(os.path.join(sys.prefix, "plan"))
    try:
        return os.path.exists(os.path.join(home(), SHARED, USER, LOCK_NAME))
    except OSError:  # nobody asked for a store
        return False


def nearest_lock(folder: str) -> str:
    """Return the nearest lock in a folder or above it, within one file system; `""` where there is none."""
    try:
        folder = os.path.abspath(folder)
        device = os.stat(folder).st_dev
        while True:
            path = os.path.join(folder, LOCK_NAME)
            if os.access(path, os.F_OK):
                return path
            above = os.path.dirname(folder)
            if above == folder or os.stat(above).st_dev != device:
                return ""
            folder = above
    except OSError:  # the working folder was deleted, or may not be read
        return ""


def has_block(script: str) -> bool:
    """Tell whether a script says in a comment near its beginning what it needs (PEP 723)."""
    if not os.path.isfile(script):  # whoever opens a pipe takes what Python shall read
        return False
    try:
        with open(script, "rb", 0) as file:
            return b"\n# /// script" in b"\n" + file.read(4096)
    except OSError:
        return False


def setting(name: str) -> str:
    """Return an environment variable of ours, `""` where Python was told to ignore them."""
    return "" if sys.flags.ignore_environment else os.environ.get(name, "")


def home() -> str:
    """Return the absolute path of the store: `ENVKNIT_HOME`, else the first of `ENVKNIT_STORES`, else `~/.envknit`.

    Raises:
        OSError: neither is an absolute path. One that is relative would be looked up in whatever folder one is in.
    """
    first = setting("ENVKNIT_STORES").partition(os.pathsep)[0]
    path = os.path.expanduser(setting("ENVKNIT_HOME") or first or "~/.envknit")
    if not os.path.isabs(path):
        raise OSError(f"there is no store at {path!r}: set ENVKNIT_HOME to an absolute path")
    return os.path.normpath(path)


def give_up(error: BaseException, lock: str) -> None:
    """Keep why a lock cannot be used, and say so; where even that fails, the hook is not whole: `doctor` says so."""
    global problem  # noqa: PLW0603 - as above
    problem = error
    try:
        words = beside("_envknit_words")
        words.tell(f"{lock or 'a lock'} cannot be used: {error}; run: {words.command('install', lock)}")
    except Exception as worse:
        problem = worse


def beside(name: str) -> "Any":
    """Load one of `MODULES`: they lie beside this one, whose folder need not be on `sys.path`; cost: 0.1 ms, once."""
    for each in (MODULES[0], name):
        if each not in sys.modules:
            # As `import` takes it (_find_and_load in Lib/importlib/_bootstrap.py): threads load one module once
            with _bootstrap._ModuleLockManager(each):  # type: ignore[attr-defined] # not in typeshed, nor is the other
                if each not in sys.modules:
                    _bootstrap._load_unlocked(hook_spec(each))  # type: ignore[attr-defined] # as above
    return _bootstrap._gcd_import(name)  # type: ignore[attr-defined] # as above; waits for a thread that loads it


def hook_spec(name: str) -> "Any":
    """Describe one of `MODULES` for importlib."""
    path = os.path.join(os.path.dirname(__file__), f"{name}.py")
    spec: Any = _bootstrap.ModuleSpec(name, _external.SourceFileLoader(name, path), origin=path)
    spec.has_location = True  # else the module gets no `__file__` (_init_module_attrs, in the same file)
    if name in {"_envknit_finder", "_envknit_words"}:  # what a program that runs loads
        spec.loader.get_code = beside("_envknit_activation").as_importing(spec.loader.get_code)
    return spec
