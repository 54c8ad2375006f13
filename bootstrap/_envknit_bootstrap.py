"""The start of every Python process that has envknit's hook: find a lock, and make its plan importable.

Importing this module does nothing; `start()` does, once per interpreter. It loads no other module: each one would be
paid by every Python program on the machine. The rules are told in docs/explanation/startup.md.
"""

import _frozen_importlib as _bootstrap
import _frozen_importlib_external as _external
import _imp
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType
    from typing import Any

PLAN_FORMAT = "2"  # of plans and views; it is part of their paths, so several versions of envknit share a store
PLAN_HEADER = f"envknit-plan {PLAN_FORMAT}"
LOCK_NAME = "envknit.lock.yaml"
LARGEST_LOCK = 32 * 1024 * 1024  # bytes; a sparse or endless file must not stop Python
IN_PLACE = b"\nin_place: true\n"  # near the beginning of a lock: it has packages that are used where they lie
CHUNK = 32 * 1024  # bytes; a lock read at once would cost more in page faults than in reading

# `.cpython-312-x86_64-linux-gnu.so`: tells versions, builds and platforms apart, which `cache_tag` does not
ABI = _imp.extension_suffixes()[0].split(".")[1]
_THREADS = "t" if "t" in getattr(sys, "abiflags", "") else ""  # a build without the GIL has folders of its own
SITE_PACKAGES = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}{_THREADS}/site-packages"  # in a view

# Tools that manage environments must see the interpreter's own packages, whatever folder they run in
OUTSIDERS = frozenset(["envknit", "pip", "venv", "ensurepip", "virtualenv", "pipx", "uv"])
RUNTIME = "envknit="  # begins the name of the folder in the store that holds the package which made a plan
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
    if not _started:
        _started = True
        _attempt(_start, "")


def _attempt(work: "Callable[[], None]", lock: str) -> None:
    global problem  # noqa: PLW0603 - as above
    try:
        work()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        problem = error
        _tell(f"{lock or 'a lock'} cannot be used: {error}; run: {command('install', lock)}")


def home() -> str:
    """Return the absolute path of the store: `ENVKNIT_HOME`, else the first of `ENVKNIT_STORES`, else `~/.envknit`.

    Raises:
        OSError: neither is an absolute path. One that is relative would be looked up in whatever folder one is in.
    """
    first = _setting("ENVKNIT_STORES").partition(os.pathsep)[0]
    path = os.path.expanduser(_setting("ENVKNIT_HOME") or first or "~/.envknit")
    if not os.path.isabs(path):
        raise OSError(f"there is no store at {path!r}: set ENVKNIT_HOME to an absolute path")
    return os.path.normpath(path)


def key(data: bytes) -> str:
    """Name bytes by 128 bits, in hexadecimal; not cryptographic: whoever finds something by it compares the bytes."""
    return _fold(data[at : at + CHUNK] for at in range(0, len(data), CHUNK))


def lock_key(data: bytes, lock: str) -> str:
    """Name a lock by its bytes, and by its folder where they say that code beside it is used in place.

    Args:
        data: the bytes.
        lock: where it lies: two worktrees with one lock have each their own code.
    """
    return _fold(_with_place((data[at : at + CHUNK] for at in range(0, len(data), CHUNK)), lock))


def _with_place(chunks: "Iterable[bytes]", lock: str) -> "Iterator[bytes]":
    place = b""
    for number, chunk in enumerate(chunks):
        if not number and IN_PLACE in chunk[:512]:
            place = os.fsencode(os.path.dirname(os.path.realpath(lock)))
        yield chunk
    if place:
        yield place


def _fold(chunks: "Iterable[bytes]") -> str:
    digest = b"".join([_hash(chunk) for chunk in chunks])
    return _hash(digest).hex()


def _hash(data: bytes) -> bytes:
    # SipHash, of 64 bits and with the key that it is given: the only hash that needs no module (Python/pyhash.c)
    return _imp.source_hash(len(data), data) + _imp.source_hash(~len(data), data)


def interpreter_tag() -> str:
    """Tell interpreters of one ABI apart: Debian's 3.11 and pyenv's are two, a virtual environment is its base."""
    return _imp.source_hash(0, os.fsencode(sys.base_prefix)).hex()


def plans_folder(store: str, lock_key: str, abi: str = ABI) -> str:
    """Name the folder of what was installed from the lock of this key, for an ABI."""
    return os.path.join(store, "plans", PLAN_FORMAT, abi, lock_key)


def store_of(plan_path: str) -> str:
    """Return the store in which a plan file lies: `<store>/plans/2/<abi>/<key>/views/<view>/plan`."""
    return plan_path.rsplit(os.sep, 7)[0]


def current_plan(folder: str, environment: str) -> str:
    """Return the plan file of an environment's current view, `""` where it has none.

    Args:
        folder: of the lock; see `plans_folder`.
        environment: its name. The view made for this very interpreter comes first, then the last one of its ABI.
    """
    for name in (f"{environment}@{interpreter_tag()}", environment):
        try:
            view = os.readlink(os.path.join(folder, "environments", name))
        except OSError:
            continue
        plan = os.path.join(folder, "views", os.path.basename(view), "plan")
        if os.path.exists(plan):
            return plan
    return ""


def _setting(name: str) -> str:
    return "" if sys.flags.ignore_environment else os.environ.get(name, "")


def _start() -> None:
    if _stays_out():
        return
    lock, plan, words = find()
    if plan:
        _attempt(lambda: _activate(lock, plan), lock)
    elif lock:
        _tell(words)
    elif words:
        sys.meta_path.append(Hint(words))


def _activate(lock: str, plan: str) -> None:
    activation = Activation(lock, plan)
    if "site" not in sys.modules or "sitecustomize" in sys.modules:
        activation.place()
    else:
        sys.meta_path.insert(0, _EndOfSite(activation))


def _tell(words: str) -> None:
    """Say why a lock is not used: now to a terminal, and later to whoever misses a module."""
    sys.meta_path.append(Hint(words))
    if sys.stderr is not None and os.isatty(2):
        sys.stderr.write(f"envknit: {words}\n")


def command(verb: str, lock: str) -> str:
    """Return the command line that a person can run as it stands, from the folder and the shell that they are in.

    Args:
        verb: `install`, with its options.
        lock: path of the lock it is about.
    """
    python = sys.executable or "python"
    if os.path.exists(os.path.join(os.path.dirname(os.path.abspath(__file__)), "envknit")):
        folders = os.environ.get("PATH", "").split(os.pathsep)
        first = next((folder for folder in folders if os.access(os.path.join(folder, "python"), os.X_OK)), "")
        same = first and os.path.realpath(first) == os.path.realpath(os.path.dirname(python))
        tool = f"{'python' if same else _quoted(python)} -m envknit"
    else:  # the hook alone, without the command line
        tool = f"envknit --python {_quoted(python)}"
    if lock.endswith(f".{LOCK_NAME}"):
        script = _quoted(lock[: -len(LOCK_NAME) - 1])
        return f"{tool} {verb} {script}" if verb == "run" else f"{tool} {verb} --script {script}"
    root = os.path.dirname(lock)
    try:
        here = not root or os.path.join(os.getcwd(), "").startswith(os.path.join(root, ""))
    except OSError:  # the working folder was deleted
        here = False
    return f"{tool} {verb}" if here else f"{tool} -C {_quoted(root)} {verb}"


def _quoted(text: str) -> str:
    plain = text.replace("/", "").replace(".", "").replace("-", "").replace("_", "").isalnum()
    return text if plain else "'" + text.replace("'", "'\\''") + "'"


def _stays_out() -> bool:
    script = _argument()
    if _setting("ENVKNIT") == "0" or getattr(sys, "frozen", False) or script.endswith(WORKER):
        return True
    if _has_borrowed_rights() or _is_isolated_build():
        return True
    if script == "-m":
        # The module's name is the last of the interpreter's own arguments: `-m pip`, `-mpip`, `-Impip`
        own = sys.orig_argv[len(sys.orig_argv) - len(sys.argv)]
        module = (own.partition("m")[2] if own.startswith("-") else own).partition(".")[0]
        if module == "envknit" and _own_plan():
            _show_tool()
        # A tool that only the lock has is the lock's, as in a virtual environment
        return module == "envknit" or (module in OUTSIDERS and any(map(os.path.exists, _places(module))))
    # A file of the tool itself, which pip hands to other interpreters; scripts in a `bin` take no lock anyway
    folder = os.path.dirname(script)
    above = os.path.basename(os.path.dirname(folder))
    return os.path.basename(folder) in OUTSIDERS and above in {"site-packages", "dist-packages"}


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


def _places(module: str) -> list[str]:
    return [os.path.join(folder, module) for folder in sys.path]


def _argument() -> str:
    argv: list[str] = getattr(sys, "argv", None) or [""]
    return argv[0]


def find() -> tuple[str, str, str]:
    """Find the lock of this process and the plan to use.

    Returns:
        The lock's path, the plan's path (`""`: nothing may be activated), and why not. Words without a lock are for
        whoever misses a module, and for nobody else.
    """
    environment = _setting("ENVKNIT_ENV")
    chosen = _setting("ENVKNIT_LOCK")
    if chosen:
        return _plan_of(os.path.abspath(chosen), environment or "default")
    script = _argument()
    path = "" if script in {"", "-", "-c", "-m"} else os.path.realpath(script)
    return _by_script_or_parent(path, environment) or _by_working_folder(environment)


def _by_script_or_parent(script: str, environment: str) -> "tuple[str, str, str] | None":
    """Answer as `find` does for a script (`""`: there is none), else for a child of an active process."""
    folder = script if os.path.isdir(script) else os.path.dirname(script)
    beside = f"{script}.{LOCK_NAME}"
    lock, plan = _told()
    own = _own_plan()
    if own:
        lock, plan = ("", own) if folder or not plan else (lock, plan)
    elif folder and os.path.exists(beside):
        return _plan_of(beside, environment or "default")
    elif folder and _is_installed(folder):
        return "", "", _overlooked(".", "a script in an interpreter's own bin takes no lock")
    elif folder and not (plan and folder.startswith(store_of(plan) + os.sep)):
        nearest = _walk_up(folder)
        if nearest:
            # The lock of one's parent is looked up afresh, so that a reloader sees a new one
            inherited = environment_of(plan) if plan and _is_same(nearest, lock) else "default"
            return _plan_of(nearest, environment or inherited)
        if not plan and _has_block(script):
            return "", "", f"{script} says what it needs; run: {command('run', beside)}"
    return _in_environment(lock, plan, environment) if plan else None


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
        return "", "", _overlooked(".", "-I, -P and PYTHONSAFEPATH say that the working folder may not be trusted")
    lock = _walk_up(".")
    if lock:
        return _plan_of(lock, environment or "default")
    wrapped = next((word for word in sys.argv[1:] if word.endswith(".py")), "")  # python -m pdb app.py
    why = "a program that runs another looks in the working folder"
    return "", "", _overlooked(os.path.dirname(wrapped), why) if wrapped else ""


def _overlooked(folder: str, why: str) -> str:
    """Say why a lock is not looked at; `""` where there is none."""
    lock = _walk_up(folder)
    return f"{lock} is not used: {why}; set ENVKNIT_LOCK, or use: envknit run" if lock else ""


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


def _me() -> str:
    """Name this very interpreter: two virtual environments are two."""
    return _imp.source_hash(1, os.fsencode(f"{ABI}:{sys.prefix}")).hex()


def _told() -> tuple[str, str]:
    """Return lock and plan of the process that started this one, where it runs this very interpreter; else `""`s."""
    told = _setting("ENVKNIT_ACTIVE").split(":", 3)
    if len(told) == 4 and told[0] == _me() and _is_plain(told[1]) and _is_plain(told[2]):
        own = _own_plan()
        store = store_of(own) if own else home()
        plan = os.path.join(plans_folder(store, told[1]), "views", told[2], "plan")
        if os.path.exists(plan) and is_safe(store):
            return told[3], plan
    return "", ""


def _own_plan() -> str:
    """Return the plan of the view whose `bin/python` runs here; `""` where it is any other interpreter."""
    if sys.prefix == sys.base_prefix or not os.path.exists(os.path.join(sys.prefix, "plan")):
        return ""
    plan = os.path.join(os.path.realpath(sys.prefix), "plan")
    store = store_of(plan)
    return plan if plan.startswith(plans_folder(store, "")) else ""


def environment_of(plan_path: str) -> str:
    """Return the environment that a plan file is for: its view is named after it."""
    return os.path.basename(os.path.dirname(plan_path)).rpartition("-")[0]


def _in_environment(lock: str, plan: str, environment: str) -> tuple[str, str, str]:
    """Return as `find` does: this plan, or that of another environment which was installed from the same lock."""
    if environment and environment != environment_of(plan):
        plan = current_plan(plan.rsplit(os.sep, 3)[0], environment) if _is_plain(environment) else ""
        if not plan:
            return lock or LOCK_NAME, "", f"environment {environment!r} is not installed"
    return lock, plan, ""


def _is_plain(name: str) -> bool:
    return bool(name) and not set(name) & {"/", "\\", "\0", ":", "@"} and name not in {".", ".."}


def is_safe(path: "str | int") -> bool:
    """Tell whether only this user or root can have written a folder or an open file."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return not hasattr(os, "geteuid") or (found.st_uid in {os.geteuid(), 0} and not found.st_mode & 0o022)


def _plan_of(lock: str, environment: str) -> tuple[str, str, str]:
    """Look up the plan that this user's `envknit install` made of exactly these bytes: the whole trust model."""
    if os.path.basename(lock) in {"envknit.yaml", "pyproject.toml"}:
        return lock, "", f"{lock} is a project file, not a lock"
    try:
        file = open_regular(lock)
    except OSError as error:
        return lock, "", f"{lock} cannot be read: {error.strerror}"
    store = home()
    try:
        folder = plans_folder(store, _fold(_with_place(_chunks(file), lock)))
        trusted = _holds(os.path.join(folder, "lock"), file)
    finally:
        os.close(file)
    plan = words = ""
    if not _is_plain(environment):
        words = f"{environment!r} is not the name of an environment"
    elif not trusted:
        words = f"{lock} {_why_not(store, os.path.basename(folder), lock)}"
    elif not is_safe(store):
        words = f"{lock} is not used: the store {store} must be yours, and writable by nobody else"
    elif not (plan := current_plan(folder, environment)):
        run = command(f"install --env {environment}", lock)
        words = f"environment {environment!r} of {lock} is not installed; run: {run}"
    return lock, plan, words


def _why_not(store: str, lock_key: str, lock: str) -> str:
    """Say why a lock counts as not installed; plans of another format are those of another version of envknit."""
    run = f"run: {command('install', lock)}"
    plans = os.path.join(store, "plans")
    try:
        others = [name for name in os.listdir(plans) if os.path.isdir(os.path.join(plans, name, ABI, lock_key))]
        abis = os.listdir(os.path.join(plans, PLAN_FORMAT)) if not others else []
    except OSError:
        others = abis = []
    if others and PLAN_FORMAT not in others:
        return f"was installed by another version of envknit; {run}"
    elsewhere = [abi for abi in abis if os.path.isdir(plans_folder(store, lock_key, abi))]
    if elsewhere:
        return f"is installed for another Python ({elsewhere[0]}), not for this one; use: envknit run; or {run}"
    ignored = " (ENVKNIT_HOME is ignored here)" if "ENVKNIT_HOME" in os.environ and not _setting("ENVKNIT_HOME") else ""
    return f"was not installed here for this Python, or changed since{ignored}; {run}"


def open_regular(path: str) -> int:
    """Open a regular file of a bearable size: a FIFO, a device or a sparse file must not stop Python.

    Raises:
        OSError: there is none, it may not be read, or it is something else.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO without a writer would block (fifo(7))
    found = os.fstat(file)
    if found.st_mode & 0o170000 == 0o100000 and found.st_size <= LARGEST_LOCK:
        return file
    os.close(file)
    raise OSError(22, f"not a file of at most {LARGEST_LOCK >> 20} MiB", path)  # EINVAL


def _chunks(file: int) -> "Iterator[bytes]":
    os.lseek(file, 0, os.SEEK_SET)
    while chunk := os.read(file, CHUNK):
        yield chunk


def _holds(path: str, file: int) -> bool:
    """Tell whether the file at `path` holds the very bytes of the open `file`."""
    try:
        copy = open_regular(path)
    except OSError:
        return False
    try:
        return all(os.read(copy, CHUNK) == chunk for chunk in _chunks(file)) and not os.read(copy, 1)
    finally:
        os.close(copy)


class Activation:
    """A plan in use by this interpreter.

    Args:
        lock: the lock's path; `""`: where it was when the plan was made.
        plan_path: the plan file in its view. It stays open, so that `envknit store gc` sees which plans are in use.
    """

    def __init__(self, lock: str, plan_path: str) -> None:
        self.plan_path = plan_path
        self.file = open_regular(plan_path)
        self.text = os.read(self.file, os.fstat(self.file).st_size).decode("utf-8", "surrogateescape")
        if not is_safe(self.file):
            raise OSError(f"the plan {plan_path} must be yours, and writable by nobody else")
        if not self.text.startswith(PLAN_HEADER + "\n") or not self.text.endswith("\nend\n"):
            raise ValueError(f"{plan_path} is not a whole plan")
        self.lock = lock or self.fact("lock")
        self.environment = self.fact("environment")
        self.store = store_of(plan_path)
        self.view = os.path.dirname(plan_path)
        self.site = os.path.join(self.view, SITE_PACKAGES)  # the entry on `sys.path`; modules lie in it
        self.entries = os.path.join(self.store, "packages", "site-packages")  # what the view's links lead to
        self.shared = [os.path.join(store, "packages", "site-packages") for store in self._facts("shared")]
        for folder in self.shared:  # a store that is gone has lost its modules, and nothing else is wrong
            for way in (folder, os.path.dirname(folder), folder[: -len("/packages/site-packages")]):
                if os.path.exists(folder) and not is_safe(way):
                    raise OSError(f"the shared store {way} must be yours or root's, and writable by nobody else")
        self.hidden: list[str] = []  # the host's entries that were taken off sys.path
        self.prefix: Any = ()  # what was the host's; see `set_prefix`
        self.entry = Entry(self)
        self.hint = Hint("", self)

    def fact(self, name: str) -> str:
        """Return what follows a name on its line of the plan, `""` where there is none: one scan, no table to build."""
        start = self.text.find(f"\n{name}\t")
        return self.text[start + len(name) + 2 : self.text.find("\n", start + 1)] if start >= 0 else ""

    @property
    def path(self) -> list[str]:
        """What stands on `sys.path` for the plan: its view, what the links there lead to, folders of the project."""
        return [self.site, self.entries, *self.shared, *self._facts("path")]

    def _facts(self, name: str) -> list[str]:
        if f"\n{name}\t" not in self.text:
            return []
        return [line[len(name) + 1 :] for line in self.text.split("\n") if line.startswith(f"{name}\t")]

    def place(self) -> None:
        """Put the view where site-packages was: behind the standard library (docs/explanation/startup.md)."""
        global active  # noqa: PLW0603 - as _started
        library = getattr(sys, "_stdlib_dir", None) or os.path.dirname(os.__file__)
        own = [path == library or path.endswith("lib-dynload") for path in sys.path]
        end = max((index + 1 for index, mine in enumerate(own) if mine), default=0)
        path = self.path
        behind = [entry for entry in sys.path[end:] if entry not in path]
        hides = self.fact("site") == "hidden"
        if hides:
            self.hidden, behind = behind, []
        sys.path_hooks.insert(0, self.path_hook)
        for entry in path:
            sys.path_importer_cache.pop(entry, None)
        sys.path[end:] = [*path, *behind]
        if self.hidden:
            self._hide_host()
        sys.meta_path.append(self.hint)
        lock_key, _, view, _ = self.plan_path.rsplit(os.sep, 4)[1:]
        os.environ["ENVKNIT_ACTIVE"] = f"{_me()}:{lock_key}:{view}:{self.lock}"
        site = sys.modules.get("site")
        prefixes, user = getattr(site, "PREFIXES", []), getattr(site, "ENABLE_USER_SITE", None)
        self.prefix = sys.prefix, sys.exec_prefix, prefixes, user
        self.settle()
        active = self
        if "\nstartup\t" in self.text:
            self.load("envknit.runtime.startup").run(self)

    def settle(self) -> None:
        """Make the view the prefix, and leave hidden what is; `python -m site` runs all of `site` once more."""
        _, _, prefixes, user = self.prefix
        hides = self.fact("site") == "hidden"
        sys.path[:] = [entry for entry in sys.path if entry not in self.hidden]
        set_prefix(self.view, self.view, [self.view] if hides else [self.view, *prefixes], user and not hides)

    def _hide_host(self) -> None:
        """Undo what `.pth` files of the host have done already: finders of theirs, and copies of locked names."""
        hidden = tuple(os.path.join(path, "") for path in self.hidden)
        for finder in list(sys.meta_path):
            owner = getattr(finder, "__module__", None)
            if owner != __name__ and _lies_in(sys.modules.get(str(owner)), hidden):
                sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if _lies_in(module, hidden) and f"\nimport\t{name.partition('.')[0]}\t" in self.text:
                del sys.modules[name]

    def path_hook(self, path: object) -> "Any":
        """Answer for the view's site-packages and for folders below it, and for those of the store; see PEP 302."""
        if path == self.site:
            return self.entry
        if path == self.entries or path in self.shared:
            return Nothing
        # runpy hands in Path objects (3.10); `python SCRIPT` asks about the script, which is no folder to run
        inside = isinstance(path, str) and path.startswith(self.store + os.sep)
        if inside and not str(path).startswith(os.path.join(self.entries, RUNTIME)) and os.path.isdir(str(path)):
            finder = getattr(self.load("envknit.runtime.finder"), "finder_below", None)
            if finder is not None:  # else: a script of the store runs, and its folder is asked for the finder's imports
                return finder(path, self)
        raise ImportError(path)

    def load(self, name: str) -> "Any":
        """Import a module of envknit itself, though its folder is not on `sys.path`."""
        if "envknit" not in sys.modules:
            _bootstrap._load(envknit_spec(self))  # type: ignore[attr-defined] # not in typeshed
        return _bootstrap._gcd_import(name)  # type: ignore[attr-defined] # not in typeshed


def _lies_in(module: object, folders: tuple[str, ...]) -> bool:
    # A module's own `__getattr__` is not to run: that of `importlib.machinery` imports `warnings`
    names = getattr(module, "__dict__", {})
    places = [names.get("__file__"), *(names.get("__path__") or ())]
    return any(isinstance(place, str) and place.startswith(folders) for place in places)


def set_prefix(prefix: str, exec_prefix: str, prefixes: list[str], user: "bool | None") -> None:
    """Let `sys`, `site` and `sysconfig` name another prefix, as `site` does for a virtual environment.

    Args:
        prefix: for files that fit any platform.
        exec_prefix: for those of this platform.
        prefixes: where `site.getsitepackages()` looks.
        user: whether the user's own site-packages count; None: Python decided against them.
    """
    sys.prefix, sys.exec_prefix = prefix, exec_prefix
    site, sysconfig = sys.modules.get("site"), sys.modules.get("sysconfig")
    if site is not None:
        vars(site).update(PREFIXES=prefixes, ENABLE_USER_SITE=user)
    if sysconfig is not None:  # a `.pth` file of the host imported it, and it remembers what it found
        vars(sysconfig).update(
            _PREFIX=prefix, _EXEC_PREFIX=exec_prefix, _CONFIG_VARS=None, _CONFIG_VARS_INITIALIZED=False
        )


def envknit_spec(activation: Activation) -> "Any":
    """Describe the package `envknit`: the one in the store that made the plan, if this very hook belongs to it."""
    placed = os.path.join(activation.store, activation.fact("runtime"))
    beside = os.path.dirname(os.path.realpath(__file__))
    for root in (
        placed if _same_file(os.path.join(placed, os.path.basename(__file__)), __file__) else "",
        beside,
        placed,
    ):
        folder = os.path.join(root, "envknit")
        path = os.path.join(folder, "__init__.py")
        if root and os.path.exists(path):
            return _external.spec_from_file_location("envknit", path, submodule_search_locations=[folder])
    raise ImportError("envknit is not where it was when this lock was installed; run its `install` again")


def _same_file(path: str, other: str) -> bool:
    """Tell whether two files hold the same bytes."""
    try:
        file = open_regular(other)
    except OSError:
        return False
    try:
        return _holds(path, file)
    finally:
        os.close(file)


class _EndOfSite:
    """Waits for the end of `site`, which always ends by importing `sitecustomize`; until then folders are added."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "sitecustomize":
            sys.meta_path.remove(self)
            _attempt(self.activation.place, self.activation.lock)


class Entry(_external.FileFinder):
    """What stands for the view on `sys.path` until the first import that it can answer loads the real finder."""

    def __init__(self, activation: Activation) -> None:
        super().__init__(activation.site)
        self.activation = activation

    def find_spec(self, fullname: str, target: "Any" = None) -> "Any":
        if fullname == "envknit":
            return envknit_spec(self.activation)
        if f"\nimport\t{fullname}\t" not in self.activation.text:
            return None
        try:
            made = self.activation.load("envknit.runtime.finder").LockFinder(self.activation)
        except ImportError:  # envknit is gone; the view is right by itself, only slower
            loaders = _external._get_supported_file_loaders()  # type: ignore[attr-defined] # not in typeshed
            made = _external.FileFinder(self.path, *loaders)
        sys.path_importer_cache[self.path] = made
        return made.find_spec(fullname, target)


class Nothing:
    """Stands for a folder in which there is nothing to import."""

    @staticmethod
    def find_spec(fullname: str, target: object = None) -> None:
        """Find nothing."""


class Hint:
    """The last on `sys.meta_path`: says more about a name that nobody found.

    Args:
        words: why no lock is active.
        activation: the plan in use.
    """

    def __init__(self, words: str, activation: "Activation | None" = None) -> None:
        self.words = words
        self.activation = activation

    def find_spec(self, fullname: str, path: "Any" = None, target: "Any" = None) -> "Any":
        found = self._ask_behind(fullname, path, target, sys._getframe(1))
        if isinstance(found, ModuleNotFoundError):
            raise found
        return found

    def _ask_behind(self, fullname: str, path: "Any", target: "Any", caller: "FrameType") -> "Any":
        if fullname == "sitecustomize" and self.activation is not None:
            self.activation.settle()
        if "." in fullname or fullname in sys.stdlib_module_names or fullname in {"sitecustomize", "usercustomize"}:
            return None
        callers: list[str] = []
        frame = caller.f_back
        while frame is not None and len(callers) < 3:
            callers.append(frame.f_code.co_name)
            frame = frame.f_back
        if callers[1:] == ["_get_module_details", "_run_module_as_main"] and sys.stderr is not None:
            sys.stderr.write(f"{self._words(fullname)}\n")  # python -m: runpy has no place for a note
        if callers[:1] != ["_find_and_load_unlocked"]:
            return None  # importlib.util.find_spec and its like want None
        if "@" in fullname and self.activation is not None:  # a guest of another process, by its pickled name
            return self.activation.load("envknit.runtime.doors").find_guest(fullname) or self._not_found(fullname)
        finders = list(sys.meta_path)
        behind = finders[finders.index(self) + 1 :] if self in finders else []
        specs = (finder.find_spec(fullname, path, target) for finder in behind)
        return next(filter(None, specs), None) or self._not_found(fullname)

    def find_distributions(self, context: "Any") -> "Any":
        # `envknit` can be imported and is no pin: its metadata is there for who asks by name, and in no list of all
        if self.activation is None or context.name != "envknit":
            return ()
        return self.activation.load("envknit.runtime.metadata").find_envknit()

    def _not_found(self, name: str) -> ModuleNotFoundError:
        message = f"No module named {name!r}"
        if sys.version_info < (3, 11):
            return ModuleNotFoundError(f"{message}\n{self._words(name)}", name=name)
        error = ModuleNotFoundError(message, name=name)
        error.add_note(self._words(name))
        return error

    def _words(self, name: str) -> str:
        if self.activation is not None:
            try:
                self.words = self.activation.load("envknit.runtime.hints").why_not(self.activation, name)
            except ImportError as error:  # envknit is gone
                self.words = str(error)
        return f"envknit: {self.words}"


# What runs while a program imports is a part of importing. CPython trims frames of this file name from the traceback of
# a failed import, so that it ends at the person's own line (remove_importlib_frames in Python/import.c), and coverage
# counts no lines of it
_name = "<frozen importlib._bootstrap>"
for _owner in (Hint, Entry, Nothing):
    for _member in vars(_owner).values():
        _code = getattr(getattr(_member, "__func__", _member), "__code__", None)
        if _code is not None:
            _imp._fix_co_filename(_code, _name)  # type: ignore[attr-defined] # not in typeshed
for _used in (Activation.path_hook, Activation.load, Activation.fact, command, _quoted):
    _imp._fix_co_filename(_used.__code__, _name)  # type: ignore[attr-defined] # as above
