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

# Tools that manage environments must see the interpreter's own packages, whatever folder they run in
OUTSIDERS = frozenset(["envknit", "pip", "venv", "ensurepip", "virtualenv", "pipx", "uv"])
WORKER = "/envknit/worker/child.py"  # is told by its host which plan to use

active: "Activation | None" = None
problem: "BaseException | None" = None  # why start() gave up; `envknit doctor` shows it
_started = False


def start() -> None:
    """Make the lock of this process active, where there is one that this user installed.

    Called by envknit.pth, envknit.start (PEP 829) or sitecustomize.py; the first call counts, since a `.pth` runs
    twice in a virtual environment. Never raises; prints at most one line, to a terminal only.
    """
    global _started  # noqa: PLW0603 - one start per interpreter is this module's only state
    if not _started:
        _started = True
        _attempt(_start)


def _attempt(work: "Callable[[], None]") -> None:
    global problem  # noqa: PLW0603 - as above
    try:
        work()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        problem = error


def home() -> str:
    """Return the absolute path of the store: `ENVKNIT_HOME`, else `~/.envknit`.

    Raises:
        OSError: neither is an absolute path. One that is relative would be looked up in whatever folder one is in.
    """
    path = os.path.expanduser(_setting("ENVKNIT_HOME") or "~/.envknit")
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


def plans_folder(store: str, lock_key: str) -> str:
    """Name the folder of what was installed from the lock of this key, for this ABI."""
    return os.path.join(store, "plans", PLAN_FORMAT, ABI, lock_key)


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
        activation = Activation(lock, plan)
        if "site" not in sys.modules or "sitecustomize" in sys.modules:
            activation.place()
        else:
            sys.meta_path.insert(0, _EndOfSite(activation))
    elif words:
        sys.meta_path.append(Tail(words))
        if sys.stderr is not None and os.isatty(2):
            sys.stderr.write(f"envknit: {words}\n")


def _stays_out() -> bool:
    script = _argument()
    if _setting("ENVKNIT") == "0" or getattr(sys, "frozen", False) or script.endswith(WORKER):
        return True
    if "_PYPROJECT_HOOKS_BUILD_BACKEND" in os.environ or "PIP_BUILD_TRACKER" in os.environ:
        return True  # a PEP 517 build runs in the folder of the source, with packages of its own
    if hasattr(os, "geteuid") and (os.geteuid() != os.getuid() or os.getegid() != os.getgid()):
        return True
    if script == "-m":
        # The module's name is the last of the interpreter's own arguments: `-m pip`, `-mpip`, `-Impip`
        own = sys.orig_argv[len(sys.orig_argv) - len(sys.argv)]
        module = own.partition("m")[2] if own.startswith("-") else own
        return module.partition(".")[0] in OUTSIDERS
    # A tool's script, `bin/pip3.12`, or a file of the tool itself, which pip hands to other interpreters
    folder, name = os.path.split(script)
    if name.rstrip("0123456789.") in OUTSIDERS:
        return _is_installed(os.path.realpath(folder))
    return os.path.basename(folder) in OUTSIDERS and "-packages" in folder


def _argument() -> str:
    argv: list[str] = getattr(sys, "argv", None) or [""]
    return argv[0]


def find() -> tuple[str, str, str]:
    """Find the lock of this process and the plan to use.

    Returns:
        The lock's path, the plan's path (`""`: nothing may be activated), and why not (`""`: there is no lock).
    """
    environment = _setting("ENVKNIT_ENV") or "default"
    chosen = _setting("ENVKNIT_LOCK")
    if chosen:
        return _plan_of(os.path.abspath(chosen), environment)
    script = _argument()
    parent = _parent()
    lock = folder = ""
    if script not in {"", "-", "-c", "-m"}:
        folder = os.path.realpath(script)
        folder = folder if os.path.isdir(folder) else os.path.dirname(folder)
        lock = _walk_up(folder)
    if parent and lock in {"", parent[0]}:
        return (*parent, "")
    if not lock:
        unsafe = sys.flags.isolated or getattr(sys.flags, "safe_path", False)
        if unsafe or (folder and _is_installed(folder)):
            return "", "", ""
        lock = _walk_up(".")
    return _plan_of(lock, environment) if lock else ("", "", "")


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


def _is_installed(folder: str) -> bool:
    """Tell whether scripts in this folder were put there by an installer: it is an interpreter's own bin."""
    bins = {os.path.dirname(sys.executable or ""), os.path.join(sys.prefix, "bin")}
    user = getattr(sys.modules.get("site"), "USER_BASE", None)
    if user:
        bins.add(os.path.join(user, "bin"))
    return folder in {os.path.realpath(path) for path in bins} or os.path.exists(os.path.join(folder, "python3"))


def _parent() -> "tuple[str, str] | None":
    """Return lock and plan of the process that started this one, where they fit this interpreter."""
    told = _setting("ENVKNIT_ACTIVE").split(":", 3)
    if len(told) != 4 or told[0] != ABI:
        return None
    _, digest, environment, lock = told
    environment = _setting("ENVKNIT_ENV") or environment
    if not _is_plain(digest) or not _is_plain(environment) or not is_safe(home()):
        return None
    plan = current_plan(plans_folder(home(), digest), environment)
    return (lock, plan) if plan else None


def _is_plain(name: str) -> bool:
    return bool(name) and not set(name) & {"/", "\\", "\0", ":", "@"} and name not in {".", ".."}


def is_safe(store: str) -> bool:
    """Tell whether only this user or root can have written the store."""
    try:
        found = os.stat(store)
    except OSError:
        return False
    return not hasattr(os, "geteuid") or (found.st_uid in {os.geteuid(), 0} and not found.st_mode & 0o022)


def _plan_of(lock: str, environment: str) -> tuple[str, str, str]:
    """Look up the plan that this user's `envknit install` made of exactly these bytes: the whole trust model."""
    command = "run: python -m envknit install"
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
    if not _is_plain(environment):
        return lock, "", f"{environment!r} is not the name of an environment"
    if not trusted:
        return lock, "", f"{lock} was {_why_not(store, os.path.basename(folder))}; {command}"
    if not is_safe(store):
        return lock, "", f"{lock} is not used: the store {store} must be yours, and writable by nobody else"
    plan = current_plan(folder, environment)
    if not plan:
        return lock, "", f"environment {environment!r} of {lock} is not installed; {command} --env {environment}"
    return lock, plan, ""


def _why_not(store: str, lock_key: str) -> str:
    """Say why a lock counts as not installed; plans of another format are those of another version of envknit."""
    plans = os.path.join(store, "plans")
    try:
        others = [name for name in os.listdir(plans) if os.path.isdir(os.path.join(plans, name, ABI, lock_key))]
    except OSError:
        others = []
    if others and PLAN_FORMAT not in others:
        return "installed by another version of envknit"
    return "not installed here for this Python, or changed since"


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
        lock: the lock's path; it is also the entry on `sys.path` that stands for the plan.
        plan_path: the plan file. It stays open, so that `envknit store gc` sees which plans are in use.
    """

    def __init__(self, lock: str, plan_path: str) -> None:
        self.lock = lock
        self.plan_path = plan_path
        self.file = open_regular(plan_path)
        self.text = os.read(self.file, os.fstat(self.file).st_size).decode("utf-8", "surrogateescape")
        if not self.text.startswith(PLAN_HEADER + "\n") or not self.text.endswith("\nend\n"):
            raise ValueError(f"not a whole plan: {plan_path}")
        self.store = store_of(plan_path)
        self.environment = self.fact("environment")
        self.hidden: list[str] = []  # the host's entries that were taken off sys.path
        self.entry = Entry(self)
        self.tail = Tail("", self)

    def fact(self, name: str) -> str:
        """Return what follows a name on its line of the plan, `""` where there is none: one scan, no table to build."""
        start = self.text.find(f"\n{name}\t")
        return self.text[start + len(name) + 2 : self.text.find("\n", start + 1)] if start >= 0 else ""

    def place(self) -> None:
        """Put the lock where site-packages was: behind the standard library (docs/explanation/startup.md)."""
        global active  # noqa: PLW0603 - as _started
        library = getattr(sys, "_stdlib_dir", None) or os.path.dirname(os.__file__)
        standard = [path == library or path.endswith("lib-dynload") for path in sys.path]
        end = max((index + 1 for index, mine in enumerate(standard) if mine), default=0)
        behind = [path for path in sys.path[end:] if path != self.lock]
        if self.fact("site") == "hidden":
            self.hidden = behind
            behind = []
        sys.path_hooks.insert(0, self.path_hook)
        sys.path_importer_cache.pop(self.lock, None)
        own = (
            [line[5:] for line in self.text.split("\n") if line.startswith("path\t")] if "\npath\t" in self.text else []
        )
        sys.path[end:] = [self.lock, *own, *behind]
        if self.hidden:
            self._hide_host()
        sys.meta_path.append(self.tail)
        lock_key = self.plan_path.rsplit(os.sep, 4)[1]
        os.environ["ENVKNIT_ACTIVE"] = f"{ABI}:{lock_key}:{self.environment}:{self.lock}"
        active = self
        if "\nstartup\t" in self.text:
            self.load("envknit.runtime.startup").run(self)

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
        """Answer for the lock's entry on `sys.path` and for folders inside the store; see PEP 302."""
        if path == self.lock:
            return self.entry
        # runpy hands in Path objects (3.10); `python SCRIPT` asks about the script, which is no folder to run
        if isinstance(path, str) and path.startswith(self.store + os.sep) and os.path.isdir(path):
            finder = getattr(self.load("envknit.runtime.finder"), "StoreFinder", None)
            if finder is not None:  # else: a script of the store runs, and its folder is asked for the finder's imports
                return finder(path, self.store)
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


def envknit_spec(activation: Activation) -> "Any":
    """Describe the package `envknit`: beside this file, else where the plan was written from."""
    for root in (os.path.dirname(os.path.abspath(__file__)), activation.fact("runtime")):
        folder = os.path.realpath(
            os.path.join(root, "envknit")
        )  # a view has a link: no finder of ours may answer there
        path = os.path.join(folder, "__init__.py")
        if os.path.exists(path):
            return _external.spec_from_file_location("envknit", path, submodule_search_locations=[folder])
    raise ImportError("envknit is not where it was when this lock was installed; run its `install` again")


class _EndOfSite:
    """Waits for the end of `site`, which always ends by importing `sitecustomize`; until then folders are added."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "sitecustomize":
            sys.meta_path.remove(self)
            _attempt(self.activation.place)


class Entry:
    """What stands for the lock on `sys.path` until the first import that it can answer loads the real finder."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def find_spec(self, fullname: str, target: object = None) -> object:
        if fullname == "envknit":
            return envknit_spec(self.activation)
        if f"\nimport\t{fullname}\t" not in self.activation.text:
            return None
        return self.finder().find_spec(fullname, target)

    def finder(self) -> "Any":
        made = self.activation.load("envknit.runtime.finder").LockFinder(self.activation)
        sys.path_importer_cache[self.activation.lock] = made
        return made

    def iter_modules(self, prefix: str = "") -> object:
        return self.finder().iter_modules(prefix)

    def invalidate_caches(self) -> None:
        """A plan never changes."""


class Tail:
    """The last on `sys.meta_path`: knows the distributions, and explains a name that nobody found."""

    def __init__(self, words: str, activation: "Activation | None" = None) -> None:
        self.words = words
        self.activation = activation

    def find_spec(self, fullname: str, path: "Any" = None, target: "Any" = None) -> "Any":
        found = self._ask_behind(fullname, path, target, sys._getframe(1))
        if isinstance(found, ModuleNotFoundError):
            raise found
        return found

    # CPython trims the frames of these file names from the traceback of a failed import; so that it ends, as ever, at
    # the user's own line, this one frame bears the name too (remove_importlib_frames in Python/import.c)
    find_spec.__code__ = find_spec.__code__.replace(co_filename="<frozen importlib._bootstrap>")

    def _ask_behind(self, fullname: str, path: "Any", target: "Any", caller: "FrameType") -> "Any":
        if "." in fullname or fullname in sys.stdlib_module_names:
            return None
        if caller.f_back is None or caller.f_back.f_code.co_name != "_find_and_load_unlocked":
            return None  # importlib.util.find_spec and its like want None
        if "@" in fullname and self.activation is not None:  # a guest of another process, by its pickled name
            return self.activation.load("envknit.runtime.doors").find_guest(fullname) or self._not_found(fullname)
        finders = list(sys.meta_path)
        behind = finders[finders.index(self) + 1 :] if self in finders else []
        specs = (finder.find_spec(fullname, path, target) for finder in behind)
        return next(filter(None, specs), None) or self._not_found(fullname)

    def _not_found(self, name: str) -> ModuleNotFoundError:
        hint = "envknit: " + self.words
        if self.activation is not None:
            hint += f"environment {self.activation.environment!r} of {self.activation.lock} has nothing that provides "
            hint += f"{name!r}; to add it, run: python -m envknit add PACKAGE"
        message = f"No module named {name!r}"
        if sys.version_info < (3, 11):
            return ModuleNotFoundError(f"{message}\n{hint}", name=name)
        error = ModuleNotFoundError(message, name=name)
        error.add_note(hint)
        return error

    def find_distributions(self, context: object) -> object:
        if self.activation is None:
            return ()
        return self.activation.load("envknit.runtime.distributions").find(self.activation, context)
