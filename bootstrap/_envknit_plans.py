"""Which plan belongs to a lock, where plans lie, and whether one may be trusted.

PYTEST_DONT_REWRITE: see `_envknit_bootstrap`.
"""

import _imp
import os
import sys

from _envknit_bootstrap import LOCK_NAME, beside, home, own_plan

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


def told(text: str) -> tuple[str, str]:
    """Read what an active process says to its children: its lock and plan; `""`s where it ran another interpreter.

    Args:
        text: of `ENVKNIT_ACTIVE`; see `Activation.place`.
    """
    facts = text.split(":", 3)
    if len(facts) == 4 and facts[0] == this_interpreter() and _is_plain(facts[1]) and _is_plain(facts[2]):
        own = own_plan()
        store = store_of(own) if own else home()
        plan = os.path.join(plans_folder(store, facts[1]), "views", facts[2], "plan")
        if os.path.exists(plan) and is_safe(store):
            return facts[3], plan
    return "", ""


def plan_of_view(folder: str) -> str:
    """Return the plan of a view, `""` where the folder is none."""
    plan = os.path.join(os.path.realpath(folder), "plan")
    return plan if plan.startswith(plans_folder(store_of(plan), "")) else ""


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
    plan = current_plan(plan.rsplit(os.sep, 3)[0], name) if _is_plain(name) else ""
    return lock or LOCK_NAME, plan, "" if plan else f"environment {name!r} is not installed"


def plan_of(lock: str, environment: str) -> tuple[str, str, str]:
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
        words = f"{lock} {beside('_envknit_words').not_installed(store, os.path.basename(folder), lock)}"
    elif not is_safe(store):
        words = f"{lock} is not used: the store {store} must be yours, and writable by nobody else"
    elif not (plan := current_plan(folder, environment)):
        run = beside("_envknit_words").command(f"install --env {environment}", lock)
        words = f"environment {environment!r} of {lock} is not installed; run: {run}"
    return lock, plan, words


def _is_plain(name: str) -> bool:
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
