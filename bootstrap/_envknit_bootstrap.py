"""The start of every Python process that has envknit's hook: which lock is its own, if any.

Importing this module does nothing; `start()` does, once per interpreter. Every Python program on the machine pays for
it, so it loads no other module; what is needed once there is a lock lies beside it. The rules are told in
docs/explanation/startup.md.

PYTEST_DONT_REWRITE: pytest wants to rewrite the modules of its plugins' distributions, and these are loaded before it.
"""

import _frozen_importlib as _bootstrap
import _frozen_importlib_external as _external
import _imp
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
    "_envknit_activation",
    "_envknit_finder",
    "_envknit_words",
)  # the rest of the hook; they need the first of them
# Tools that manage environments must see the interpreter's own packages, whatever folder they run in
OUTSIDERS = frozenset(["envknit", "venv", "ensurepip", "pip", "virtualenv", "pipx", "uv"])
RUNNERS = frozenset(["pdb", "cProfile", "profile", "trace"])  # of the standard library: `-m` one of them runs a script
DEBUGGERS = frozenset(["debugpy", "pydevd.py"])  # are started as scripts by editors, which bring them along
WORKER = "/envknit/worker/child.py"  # is told by its host which plan to use

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
        if not _stays_out():
            lock, plan, words = find()
            if plan:
                beside("_envknit_activation").activate(lock, plan)
            elif words:
                tell(words, aloud=bool(lock))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        give_up(error, lock)


def give_up(error: BaseException, lock: str) -> None:
    """Keep why a lock cannot be used, and say so; where even that fails, the hook is not whole: `doctor` says so."""
    global problem  # noqa: PLW0603 - as above
    problem = error
    try:
        run = beside("_envknit_words").command("install", lock)
        tell(f"{lock or 'a lock'} cannot be used: {error}; run: {run}")
    except Exception as worse:
        problem = worse


def tell(words: str, *, aloud: bool = True) -> None:
    """Say why a lock is not used: now to a terminal where it is for all to hear, later to whoever misses a module."""
    sys.meta_path.append(beside("_envknit_words").Hint(words))
    if aloud and sys.stderr is not None and os.isatty(2):
        sys.stderr.write(f"envknit: {words}\n")


def beside(name: str) -> "Any":
    """Load one of `MODULES`: they lie beside this one, whose folder need not be on `sys.path`; cost: 0.1 ms, once."""
    for each in (MODULES[0], name):
        with _bootstrap._ModuleLockManager(each):  # type: ignore[attr-defined] # not in typeshed, nor is `_load`
            if each not in sys.modules:
                _bootstrap._load(hook_spec(each))  # type: ignore[attr-defined] # as above
    return sys.modules[name]


def hook_spec(name: str) -> "Any":
    """Describe one of `MODULES` for importlib."""
    spec: Any = _external.spec_from_file_location(name, os.path.join(os.path.dirname(__file__), f"{name}.py"))
    if name == "_envknit_words":
        spec.loader.get_code = as_importing(spec.loader.get_code)
    return spec


def as_importing(get_code: "Any") -> "Any":
    """Make all of a module a part of importing: it is loaded while a program runs, which coverage may measure."""

    def get(name: str) -> "Any":
        code = get_code(name)
        _imp._fix_co_filename(code, "<frozen importlib._bootstrap>")  # type: ignore[attr-defined] # not in typeshed
        return code

    return get


def may_miss(name: str) -> bool:
    """Tell whether a program may miss a module and need no word of ours: Python looks for some that few have."""
    return "." in name or name in sys.stdlib_module_names or name in {"sitecustomize", "usercustomize"}


def setting(name: str) -> str:
    """Return an environment variable of ours, `""` where Python was told to ignore them."""
    return "" if sys.flags.ignore_environment else os.environ.get(name, "")


def _stays_out() -> bool:
    script = _argument()
    if setting("ENVKNIT") == "0" or getattr(sys, "frozen", False) or script.endswith(WORKER):
        return True
    if _has_borrowed_rights() or _is_isolated_build():
        return True
    if script == "-m":
        module = _module()
        if module == "envknit" and own_plan():
            _show_tool()
        # A tool that only the lock has is the lock's, as in a virtual environment
        return module == "envknit" or (module in OUTSIDERS and _is_there(module))
    if (
        os.path.basename(script) in OUTSIDERS
        and not own_plan()
        and _is_installed(os.path.dirname(os.path.realpath(script)))
    ):
        return True  # also where a variable names a lock
    # A file of the tool itself, which pip hands to other interpreters; scripts in a `bin` take no lock anyway
    folder = os.path.dirname(script)
    above = os.path.basename(os.path.dirname(folder))
    return os.path.basename(folder) in OUTSIDERS and above in {"site-packages", "dist-packages"}


def _module() -> str:
    """Return the top-level module that `-m` runs: the last of the interpreter's own arguments, `-m pip` or `-Impip`."""
    own = sys.orig_argv[len(sys.orig_argv) - len(sys.argv)]
    return (own.partition("m")[2] if own.startswith("-") else own).partition(".")[0]


def _show_tool() -> None:
    """Put what the command line needs before the packages of the view: it lies where envknit was installed."""
    with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "tool"), encoding="utf-8") as tool:
        at = next((index for index, path in enumerate(sys.path) if path.startswith(sys.prefix)), len(sys.path))
        sys.path.insert(at, tool.read())


def _has_borrowed_rights() -> bool:
    return hasattr(os, "geteuid") and (os.geteuid() != os.getuid() or os.getegid() != os.getgid())


def _is_isolated_build() -> bool:
    """Tell whether this builds a package (PEP 517) with packages of its own; without isolation it has its parent's."""
    return "PIP_BUILD_TRACKER" in os.environ or ("_PYPROJECT_HOOKS_BUILD_BACKEND" in os.environ and not _told()[1])


def _is_there(module: str) -> bool:
    """Tell whether the interpreter itself has a top-level module."""
    paths = [os.path.join(folder, module) for folder in sys.path]
    return any(os.path.exists(path + suffix) for path in paths for suffix in ("", ".py"))


def _can_run_under_lock(module: str) -> bool:
    """Tell whether a lock would leave a module visible: it is the standard library's, or only the lock can have it."""
    return module in sys.stdlib_module_names or not _is_there(module)


def _argument() -> str:
    argv: list[str] = getattr(sys, "argv", None) or [""]
    return argv[0]


def find() -> tuple[str, str, str]:
    """Find the lock of this process and the plan to use.

    Returns:
        The lock's path, the plan's path (`""`: nothing may be activated), and why not. Words without a lock are for
        whoever misses a module, and for nobody else.
    """
    environment = setting("ENVKNIT_ENV")
    chosen = setting("ENVKNIT_LOCK")
    if environment.startswith("@"):
        return _shared(environment[1:])
    if chosen:
        return _plan_of(os.path.abspath(chosen), environment)
    script = _argument()
    if (script == "-m" and _module() in RUNNERS) or os.path.basename(script) in DEBUGGERS:
        words = sys.argv[1:]
        script = _wrapped(words[: words.index("-m")] if "-m" in words else words) or script
    path = "" if script in {"", "-", "-c", "-m"} else os.path.realpath(script)
    return _by_script_or_parent(path, environment) or _by_working_folder(environment)


def _shared(name: str) -> tuple[str, str, str]:
    """Answer as `find` does with a shared environment: a lock in the store's folder, installed like any other."""
    if not name or os.path.basename(name) != name or name.startswith("."):
        return LOCK_NAME, "", f"'@{name}' is not the name of a shared environment"
    lock = os.path.join(home(), SHARED, name, LOCK_NAME)
    if not os.path.exists(lock):
        return lock, "", f"there is no shared environment '@{name}'; run: envknit env list"
    return _plan_of(lock, "")


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
            lock, plan, words = _plan_of(lock, "")
            return (lock, plan, "") if plan else ("", "", words)
    return "", "", ""


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


def _wrapped(words: "list[str]") -> str:
    """Return the script among the arguments of a program that runs one, as in `python -m pdb app.py`."""
    return next((os.path.realpath(word) for word in words if word.endswith(".py") and os.path.exists(word)), "")


def _by_script_or_parent(script: str, environment: str) -> "tuple[str, str, str] | None":
    """Answer as `find` does for a script (`""`: there is none), else for a child of an active process."""
    folder = script if os.path.isdir(script) else os.path.dirname(script)
    beside_it = f"{script}.{LOCK_NAME}"
    lock, plan = _told()
    own = own_plan()
    if own:
        lock, plan = beside("_envknit_plans").in_view(own, lock, plan) if plan and not folder else ("", own)
    elif folder and os.path.exists(beside_it):
        return _plan_of(beside_it, environment)
    elif folder and _is_installed(folder):
        return "", "", _overlooked(".", "a script in an interpreter's own bin takes no lock")
    elif folder and not (plan and folder.startswith(beside("_envknit_plans").store_of(plan) + os.sep)):
        nearest = _walk_up(folder)
        if nearest:
            # The lock of one's parent is looked up afresh, so that a reloader sees a new one
            inherited = beside("_envknit_plans").environment_of(plan) if plan and _is_same(nearest, lock) else ""
            return _plan_of(nearest, environment or inherited)
        if not plan and _has_block(script):
            run = beside("_envknit_words").command("run", beside_it)
            return "", "", f"{script} says what it needs; run: {run}"
    return beside("_envknit_plans").inherited(lock, plan, environment) if plan else None


def _has_block(script: str) -> bool:
    """Tell whether a script says in a comment near its beginning what it needs (PEP 723)."""
    try:
        with open(script, "rb", 0) as file:
            return b"\n# /// script" in b"\n" + file.read(4096)
    except OSError:
        return False


def _by_working_folder(environment: str) -> tuple[str, str, str]:
    """Answer as `find` does where nothing else tells."""
    if sys.flags.isolated or getattr(sys.flags, "safe_path", False):
        words = _overlooked(".", "-I, -P and PYTHONSAFEPATH say that the working folder may not be trusted")
        return ("", "", words) if words else _by_person()
    lock = _walk_up(".")
    if lock:
        return _plan_of(lock, environment)
    wrapped = os.path.dirname(_wrapped(sys.argv[1:]))  # python -m coverage run /project/app.py
    if not wrapped or _argument() != "-m" or not _can_run_under_lock(_module()):
        why = "a program that runs another looks in the working folder"
        words = _overlooked(wrapped, why) if wrapped else ""
        return ("", "", words) if words else _by_person()
    lock = _walk_up(wrapped)
    return _plan_of(lock, environment) if lock else _by_person()


def _overlooked(folder: str, why: str) -> str:
    """Say why a lock is not looked at; `""` where there is none."""
    lock = _walk_up(folder)
    return f"{lock} is not used: {why}; set ENVKNIT_LOCK, or use: envknit run" if lock else ""


def _plan_of(lock: str, environment: str) -> tuple[str, str, str]:
    found: tuple[str, str, str] = beside("_envknit_plans").plan_of(lock, environment or "default")
    return found


def _walk_up(folder: str) -> str:
    """Return the nearest lock in a folder or above it, within one file system; `""` where there is none."""
    try:
        folder = os.path.abspath(folder)
        device = os.stat(folder).st_dev
        while True:
            path = os.path.join(folder, LOCK_NAME)
            if os.path.exists(path):
                return path
            above = os.path.dirname(folder)
            if above == folder or os.stat(above).st_dev != device:
                return ""
            folder = above
    except OSError:  # the working folder was deleted, or may not be read
        return ""


def _is_same(path: str, other: str) -> bool:
    return path == other or (os.path.exists(other) and os.path.samefile(path, other))


def _is_installed(folder: str) -> bool:
    """Tell whether scripts in this folder were put there by an installer: it is an interpreter's own bin."""
    bins = {os.path.dirname(sys.executable or ""), f"{sys.prefix}/bin", f"{sys.prefix}/local/bin"}  # the last: Debian's
    user = getattr(sys.modules.get("site"), "USER_BASE", None)
    if user:
        bins.add(os.path.join(user, "bin"))
    if folder in {os.path.realpath(path) for path in bins}:
        return True
    return os.path.basename(folder) == "bin" and os.access(os.path.join(folder, "python3"), os.X_OK)


def _told() -> tuple[str, str]:
    """Return lock and plan of the process that started this one, where it runs this very interpreter; else `""`s."""
    told = setting("ENVKNIT_ACTIVE")
    found: tuple[str, str] = beside("_envknit_plans").told(told) if told else ("", "")
    return found


def own_plan() -> str:
    """Return the plan of the view whose `bin/python` runs here; `""` where it is any other interpreter."""
    if sys.prefix == sys.base_prefix or not os.path.exists(os.path.join(sys.prefix, "plan")):
        return ""
    found: str = beside("_envknit_plans").plan_of_view(sys.prefix)
    return found
