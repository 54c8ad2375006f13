"""Which lock is this process's own, which plan was installed from it, and whether it may be trusted.

The rules are told in docs/explanation/startup.md; those for few processes are in `_envknit_rules`.

PYTEST_DONT_REWRITE: see `_envknit_bootstrap`.
"""

import _imp
import os
import sys

from _envknit_bootstrap import LOCK_NAME, beside, has_block, home, nearest_lock, setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLAN_FORMAT = "2"  # of plans and views; it is part of their paths, so several versions of envknit share a store
PLAN_HEADER = f"envknit-plan {PLAN_FORMAT}"
LARGEST_LOCK = 32 * 1024 * 1024  # bytes; a sparse or endless file must not stop Python
IN_PLACE = b"\nin_place: true\n"  # near the beginning of a lock: it has packages that are used where they lie
CHUNK = 32 * 1024  # bytes; a lock read at once would cost more in page faults than in reading

# `.cpython-312-x86_64-linux-gnu.so`: tells versions, builds and platforms apart, which `cache_tag` does not
ABI = _imp.extension_suffixes()[0].split(".")[1]
_THREADS = "t" if "t" in getattr(sys, "abiflags", "") else ""  # a build without the GIL has folders of its own
SITE_PACKAGES = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}{_THREADS}/site-packages"  # in a view

# Tools that manage environments must see the interpreter's own packages, whatever folder they run in
OUTSIDERS = frozenset(["envknit", "venv", "ensurepip", "pip", "virtualenv", "pipx", "uv"])
RUNNERS = frozenset(["pdb", "cProfile", "profile", "trace"])  # of the standard library: `-m` one of them runs a script
DEBUGGERS = frozenset(["debugpy", "pydevd.py"])  # are started as scripts by editors, which bring them along
WORKER = "/envknit/worker/child.py"  # is told by its host which plan to use


def find() -> tuple[str, str, str]:
    """Find the lock of this process and the plan to use.

    Returns:
        The lock's path, the plan's path (`""`: nothing may be activated), and why not. Words without a lock are for
        whoever misses a module, and for nobody else.
    """
    if _stays_out():
        return "", "", ""
    environment = setting("ENVKNIT_ENV")
    chosen = setting("ENVKNIT_LOCK")
    if environment.startswith("@"):
        found: tuple[str, str, str] = beside("_envknit_rules").shared(environment[1:])
        return found
    if chosen:
        return plan_of(os.path.abspath(chosen), environment)
    script = argument()
    if (script == "-m" and module() in RUNNERS) or os.path.basename(script) in DEBUGGERS:
        words = sys.argv[1:]
        script = beside("_envknit_rules").wrapped(words[: words.index("-m")] if "-m" in words else words) or script
    path = "" if script in {"", "-", "-c", "-m"} else os.path.realpath(script)
    return _by_script_or_parent(path, environment) or _by_working_folder(environment)


def _stays_out() -> bool:
    script = argument()
    if setting("ENVKNIT") == "0" or getattr(sys, "frozen", False) or script.endswith(WORKER):
        return True
    if _has_borrowed_rights() or _is_isolated_build():
        return True
    if script == "-m":
        tool = module()
        if tool == "envknit" and own_plan():
            beside("_envknit_rules").show_tool()
        # A tool that only the lock has is the lock's, as in a virtual environment
        return tool == "envknit" or (tool in OUTSIDERS and beside("_envknit_rules").is_there(tool))
    if (
        os.path.basename(script) in OUTSIDERS
        and not own_plan()
        and _is_installed(os.path.dirname(os.path.realpath(script)))
    ):
        return True  # also where a variable names a lock
    # A file of the tool itself, which pip hands to other interpreters; scripts in a `bin` take no lock anyway
    folder = os.path.dirname(script)
    if folder.endswith("/python_discovery"):  # virtualenv's, which asks an interpreter what it is
        return True
    above = os.path.basename(os.path.dirname(folder))
    return os.path.basename(folder) in OUTSIDERS and above in {"site-packages", "dist-packages"}


def argument() -> str:
    # `-m` until runpy has found what it runs (pymain_run_python in Modules/main.c); embedders may have set none
    argv: list[str] = getattr(sys, "argv", None) or [""]
    return argv[0]


def module() -> str:
    """Return the top-level module that `-m` runs: the last of the interpreter's own arguments, `-m pip` or `-Impip`."""
    own = sys.orig_argv[len(sys.orig_argv) - len(sys.argv)]
    return (own.partition("m")[2] if own.startswith("-") else own).partition(".")[0]


def _has_borrowed_rights() -> bool:
    # What runs with more rights than its caller obeys none of the caller's folders, as in ld.so(8)
    return hasattr(os, "geteuid") and (os.geteuid() != os.getuid() or os.getegid() != os.getgid())


def _is_isolated_build() -> bool:
    """Tell whether this builds a package (PEP 517) with packages of its own; without isolation it has its parent's."""
    return "PIP_BUILD_TRACKER" in os.environ or ("_PYPROJECT_HOOKS_BUILD_BACKEND" in os.environ and not _told()[1])


def _by_script_or_parent(script: str, environment: str) -> "tuple[str, str, str] | None":
    """Answer as `find` does for a script (`""`: there is none), else for a child of an active process."""
    folder = script if os.path.isdir(script) else os.path.dirname(script)
    beside_it = f"{script}.{LOCK_NAME}"
    lock, plan = _told()
    own = own_plan()
    if own and not plan and not environment:
        return "", own, ""
    if own:
        lock, plan = beside("_envknit_rules").in_view(own, lock, plan) if plan and not folder else ("", own)
    elif folder and os.path.exists(beside_it):
        return plan_of(beside_it, environment)
    elif folder and _is_installed(folder):
        return "", "", beside("_envknit_rules").overlooked(".", "a script in an interpreter's own bin takes no lock")
    elif folder and not (plan and folder.startswith(store_of(plan) + os.sep)):
        nearest = nearest_lock(folder)
        if nearest:
            # The lock of one's parent is looked up afresh, so that a reloader sees a new one
            inherited = environment_of(plan) if plan and beside("_envknit_rules").is_same(nearest, lock) else ""
            return plan_of(nearest, environment or inherited)
        if not plan and has_block(script):
            run = beside("_envknit_words").command("run", beside_it)
            return "", "", f"{script} says what it needs; run: {run}"
    return beside("_envknit_rules").inherited(lock, plan, environment) if plan else None


def _by_working_folder(environment: str) -> tuple[str, str, str]:
    """Answer as `find` does where nothing else tells."""
    is_trusted = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))
    if is_trusted and (lock := nearest_lock(".")):
        return plan_of(lock, environment)
    found: tuple[str, str, str] = beside("_envknit_rules").by_arguments(environment, is_trusted=is_trusted)
    return found


def _told() -> tuple[str, str]:
    """Return lock and plan of the process that started this one, where it runs this very interpreter; else `""`s."""
    found: tuple[str, str] = beside("_envknit_rules").told() if setting("ENVKNIT_ACTIVE") else ("", "")
    return found


def _is_installed(folder: str) -> bool:
    """Tell whether scripts in this folder were put there by an installer: it is an interpreter's own bin."""
    bins = {os.path.dirname(sys.executable or ""), f"{sys.prefix}/bin", f"{sys.prefix}/local/bin"}  # the last: Debian's
    user = getattr(sys.modules.get("site"), "USER_BASE", None)
    if user:
        bins.add(os.path.join(user, "bin"))
    if folder in {os.path.realpath(path) for path in bins}:
        return True
    return os.path.basename(folder) == "bin" and os.access(os.path.join(folder, "python3"), os.X_OK)


def own_plan() -> str:
    """Return the plan of the view whose `bin/python` runs here; `""` where it is any other interpreter."""
    if sys.prefix == sys.base_prefix or not os.path.exists(os.path.join(sys.prefix, "plan")):
        return ""
    plan = os.path.join(os.path.realpath(sys.prefix), "plan")
    return plan if plan.startswith(plans_folder(store_of(plan), "")) else ""


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


def this_interpreter() -> str:
    """Name this very interpreter: two virtual environments are two."""
    return _imp.source_hash(1, os.fsencode(f"{ABI}:{sys.prefix}")).hex()


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


def environment_of(plan_path: str) -> str:
    """Return the environment that a plan file is for: its view is named after it."""
    return os.path.basename(os.path.dirname(plan_path)).rpartition("-")[0]


def plan_of(lock: str, environment: str) -> tuple[str, str, str]:
    """Look up the plan that this user's `envknit install` made of exactly these bytes: the whole trust model.

    Args:
        lock: its path.
        environment: its name; `""`: `default`.
    """
    environment = environment or "default"
    if os.path.basename(lock) in {"envknit.yaml", "pyproject.toml"}:
        return lock, "", f"{lock} is a project file, not a lock"
    if not is_plain(environment):
        return lock, "", f"{environment!r} is not the name of an environment"
    try:
        file = open_regular(lock)
    except OSError as error:
        return lock, "", f"{lock} cannot be read: {error.strerror}"
    store = home()
    try:
        folder = _last_installed(store, lock, environment)
        trusted = bool(folder) and IN_PLACE not in os.read(file, 512) and _holds(os.path.join(folder, "lock"), file)
        if not trusted:
            folder = plans_folder(store, _fold(_with_place(_chunks(file), lock)))
            trusted = _holds(os.path.join(folder, "lock"), file)
    finally:
        os.close(file)
    plan = words = ""
    if not trusted:
        words = f"{lock} {beside('_envknit_words').not_installed(store, os.path.basename(folder), lock)}"
    elif not is_safe(store):
        words = f"{lock} is not used: the store {store} must be yours, and writable by nobody else"
    elif not (plan := current_plan(folder, environment)):
        run = beside("_envknit_words").command(f"install --env {environment}", lock)
        words = f"environment {environment!r} of {lock} is not installed; run: {run}"
    return lock, plan, words


def _last_installed(store: str, lock: str, environment: str) -> str:
    """Return the folder of the plans that were last installed from the lock at this path; `""`: not for this ABI.

    It is likely the one: to compare the bytes takes a tenth of hashing them.
    """
    try:
        plans, abi, lock_key = os.readlink(os.path.join(root_folder(store, lock), environment)).split("/")[-5:-2]
    except (OSError, ValueError):
        return ""
    return plans_folder(store, lock_key) if (plans, abi) == (PLAN_FORMAT, ABI) else ""


def root_folder(store: str, lock: str) -> str:
    """Name the folder of links that always lead to the views in use of the lock at this path."""
    project = os.path.basename(os.path.dirname(lock))[:60]
    name = "".join([c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in project])
    return os.path.join(store, "roots", f"{name or 'root'}-{key(os.fsencode(lock))}")


def is_plain(name: str) -> bool:
    return bool(name) and not set(name) & {"/", "\\", "\0", ":", "@"} and name not in {".", ".."}


def is_safe(path: "str | int") -> bool:
    """Tell whether only this user or root can have written a folder or an open file."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return not hasattr(os, "geteuid") or (found.st_uid in {os.geteuid(), 0} and not found.st_mode & 0o022)


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


def same_file(path: str, other: str) -> bool:
    """Tell whether two files hold the same bytes; equal sizes and times will do, as for bytecode and its source."""
    try:
        mine, its = os.stat(path), os.stat(other)
        if mine.st_size != its.st_size or mine.st_mtime_ns == its.st_mtime_ns:
            return mine.st_size == its.st_size
        file = open_regular(other)
    except OSError:
        return False
    try:
        return _holds(path, file)
    finally:
        os.close(file)
