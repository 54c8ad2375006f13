"""A plan in use by this interpreter: its view stands on `sys.path`, and what is found there comes from the plan.

PYTEST_DONT_REWRITE: see `_envknit_bootstrap`.
"""

import _frozen_importlib as _bootstrap
import _frozen_importlib_external as _external
import _imp
import os
import sys

import _envknit_bootstrap
from _envknit_bootstrap import MODULES, beside, give_up, hook_spec, setting
from _envknit_plans import (
    PLAN_HEADER,
    SITE_PACKAGES,
    is_safe,
    open_regular,
    store_of,
    this_interpreter,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RUNTIME = "envknit="  # begins the name of the folder in the store that holds the package which made a plan


def activate(lock: str, plan_path: str) -> None:
    """Use a plan from the end of `site` on, which goes on adding folders until then.

    Args:
        lock: the lock's path; `""`: where it was when the plan was made.
        plan_path: the plan file in its view.
    """
    activation = Activation(lock, plan_path)
    if "site" not in sys.modules or "sitecustomize" in sys.modules:
        activation.place()
    else:
        sys.meta_path.insert(0, activation)


class Activation:
    """A plan in use by this interpreter.

    On `sys.meta_path` it is the first until `site` ends, which always imports `sitecustomize` then: until there folders
    are added. After that it is the last, and says more about a name that nobody found.

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
        self.facts = _without_rows(self.text)
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
        self.former = ""  # what the parent has instead of `site`, where its lock was installed again since
        self.prefix: Any = ()  # what was the host's; see `set_prefix`
        self.finder: Any = None  # the module that answers for the entry, once there is something to find
        self.is_hidden = False  # whether the hook is a part of importing; see `hide_hook`
        self.entry = _external.FileFinder(self.site)  # what importlib and its like know
        self.entry.find_spec = self.find_top  # type: ignore[method-assign] # a class of our own would take 20 µs to make

    def fact(self, name: str) -> str:
        """Return what follows a name on its line of the plan, `""` where there is none."""
        return _rest_of_line(self.facts, name)

    def folders_of(self, name: str) -> list[str]:
        """Return the folders that hold a top-level name, relative to the store: one scan, no table to build."""
        line = _rest_of_line(self.text, f"import\t{name}")
        return line.split("\t") if line else []

    @property
    def path(self) -> list[str]:
        """What stands on `sys.path` for the plan: its view, what the links there lead to, folders of the project."""
        return [self.site, self.entries, *self.shared, *self._facts("path")]

    def _facts(self, name: str) -> list[str]:
        return [line[len(name) + 1 :] for line in self.facts.split("\n") if line.startswith(f"{name}\t")]

    def place(self) -> None:
        """Put the view where site-packages was: behind the standard library (docs/explanation/startup.md)."""
        # The standard library and its extension modules stand first, in this order (Modules/getpath.py)
        library = getattr(sys, "_stdlib_dir", None) or os.path.dirname(os.__file__)
        own = [path == library or path.endswith("lib-dynload") for path in sys.path]
        end = max((index + 1 for index, mine in enumerate(own) if mine), default=0)
        path = self.path
        behind = [entry for entry in sys.path[end:] if entry not in path]
        hides = self.fact("site") == "hidden"
        if hides:
            self.hidden, behind = behind, []
        sys.path_hooks.insert(0, self.path_hook)
        # What was answered for an entry before our hook was there would count on (PathFinder._path_importer_cache)
        for entry in path:
            sys.path_importer_cache.pop(entry, None)
        sys.path[end:] = [*path, *behind]
        if self.hidden:
            self._hide_host()
        lock, plan = beside("_envknit_rules").told() if setting("ENVKNIT_ACTIVE") else ("", "")
        if plan and lock == self.lock:
            self.former = os.path.join(os.path.dirname(plan), SITE_PACKAGES)
        lock_key, _, view, _ = self.plan_path.rsplit(os.sep, 4)[1:]
        os.environ["ENVKNIT_ACTIVE"] = f"{this_interpreter()}:{lock_key}:{view}:{self.lock}"
        site = sys.modules.get("site")
        prefixes, user = getattr(site, "PREFIXES", []), getattr(site, "ENABLE_USER_SITE", None)
        self.prefix = sys.prefix, sys.exec_prefix, prefixes, user
        self.settle()
        sys.meta_path.append(self)
        if getattr(sys, "_base_executable", None) == sys.executable:
            vars(sys).update(_base_executable=_other_name(sys.executable))
        _envknit_bootstrap.active = self
        if "\nstartup\t" in self.facts:
            self.load("envknit.runtime.startup").run(self)

    def settle(self) -> None:
        """Make the view the prefix, and leave hidden what is; `python -m site` runs all of `site` once more."""
        _, _, prefixes, user = self.prefix
        hides = self.fact("site") == "hidden"
        sys.path[:] = [entry for entry in sys.path if entry not in self.hidden]
        set_prefix(self.view, self.view, [self.view] if hides else [self.view, *prefixes], user and not hides)

    def restore_prefix(self) -> None:
        """Make the host's prefix the prefix again."""
        set_prefix(*self.prefix)

    def _hide_host(self) -> None:
        """Undo what `.pth` files of the host have done already: finders of theirs, and copies of locked names."""
        hidden = tuple(os.path.join(path, "") for path in self.hidden)
        for finder in list(sys.meta_path):
            owner = getattr(finder, "__module__", None)
            if not str(owner).startswith("_envknit_") and _lies_in(sys.modules.get(str(owner)), hidden):
                sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if _lies_in(module, hidden) and f"\nimport\t{name.partition('.')[0]}\t" in self.text:
                del sys.modules[name]

    def path_hook(self, path: object) -> "Any":
        """Answer for the view's site-packages and for folders below it, and for those of the store; see PEP 302."""
        if path == self.former:
            # multiprocessing's spawn gives its child the parent's `sys.path`, which names the view of a former lock
            sys.path[:] = [self.site if entry == path else entry for entry in sys.path]
        if path in {self.site, self.former}:
            return self.entry
        if path == self.entries or path in self.shared:
            return _external.FileFinder(self.plan_path)  # no folder, so nothing is in it
        # runpy hands in Path objects (3.10); `python SCRIPT` asks about the script, which is no folder to run
        inside = isinstance(path, str) and path.startswith(self.store + os.sep)
        if inside and not str(path).startswith(os.path.join(self.entries, RUNTIME)) and os.path.isdir(str(path)):
            try:
                return self.load("_envknit_finder").finder_below(path, self)
            except OSError as error:  # the hook was removed since this process began
                raise ImportError(path) from error
        raise ImportError(path)

    def find_top(self, fullname: str, target: "Any" = None) -> "Any":
        """Find what the view's site-packages has under a top-level name; the first that it has loads the finder."""
        if fullname == "envknit":
            return self.load("_envknit_finder").envknit_spec(self)
        if fullname in MODULES:
            return hook_spec(fullname)
        if f"\nimport\t{fullname}\t" not in self.text:
            return None
        try:
            if self.finder is None:
                finder = self.load("_envknit_finder")
                finder.start(self)
                self.finder = finder
        except (ImportError, OSError):  # envknit is gone; the view is right by itself, only slower
            loaders = _external._get_supported_file_loaders()  # type: ignore[attr-defined] # not in typeshed
            sys.path_importer_cache[self.site] = plain = _external.FileFinder(self.site, *loaders)
            return plain.find_spec(fullname, target)
        return self.finder.find_top(fullname, self)

    def find_spec(self, fullname: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """Begin where `site` ends; later raise an error with more words for what nobody found."""
        if fullname == "sitecustomize":
            self._end_of_site()
        if _envknit_bootstrap.active is not self or may_miss(fullname):
            return None
        try:
            words = self.load("_envknit_words")
        except OSError:  # the hook was removed since this process began
            return None
        return words.find_last(self, fullname, path, target)

    def _end_of_site(self) -> None:
        if self.prefix:
            self.settle()
            return
        sys.meta_path.remove(self)
        try:
            self.place()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            give_up(error, self.lock)

    def find_distributions(self, context: "Any") -> "Any":
        """Find the metadata of `envknit` for who asks by its name."""
        if context.name not in {None, "envknit"}:
            return ()
        return self.load("_envknit_finder").find_distributions(context, self)

    def load(self, name: str) -> "Any":
        """Import a module of envknit itself or of its hook, though their folders are not on `sys.path`."""
        if not self.is_hidden:
            self.is_hidden = True
            hide_hook()
        held = _release_import_lock()
        try:
            if name in MODULES:
                return beside(name)
            if "envknit" not in sys.modules:
                _bootstrap._load(beside("_envknit_finder").envknit_spec(self))  # type: ignore[attr-defined] # not in typeshed
            return _bootstrap._gcd_import(name)  # type: ignore[attr-defined] # not in typeshed
        finally:
            for _ in range(held):
                _imp.acquire_lock()


def _without_rows(plan: str) -> str:
    """Return a plan's text but for its rows of pins and imports: they stand together, and each scan would pass them."""
    start = plan.find("\npin\t")
    return plan[:start] + plan[max(start, plan.rfind("\nimport\t")) :] if start >= 0 else plan


def _rest_of_line(text: str, name: str) -> str:
    start = text.find(f"\n{name}\t")
    return text[start + len(name) + 2 : text.find("\n", start + 1)] if start >= 0 else ""


def _release_import_lock() -> int:
    """Release the lock of all imports, which CPython up to 3.12 holds while it asks finders; returns how deep it was.

    Else two threads would wait for each other: this one for a module of envknit that another one imports, which waits
    for its turn to ask a finder (_find_spec in Lib/importlib/_bootstrap.py).
    """
    depth = 0
    try:
        while _imp.lock_held():
            _imp.release_lock()
            depth += 1
    except RuntimeError:  # it is another thread's
        pass
    return depth


def _lies_in(module: object, folders: tuple[str, ...]) -> bool:
    # A module's own `__getattr__` is not to run: that of `importlib.machinery` imports `warnings`
    names = getattr(module, "__dict__", {})
    for place in (names.get("__file__"), *(names.get("__path__") or ())):  # a generator would take twice the time
        if isinstance(place, str) and place.startswith(folders):
            return True
    return False


def _other_name(executable: str) -> str:
    """Return another path of an interpreter, which is what `sys._base_executable` is in a virtual environment.

    Where both are one, as always up to 3.10, virtualenv looks in the prefix for the folder of `sys.executable`.
    """
    real = os.path.realpath(executable)
    folder = os.path.dirname(real)
    paths = (real, os.path.join(folder, "python3"), os.path.join(folder, "python"))
    return next((path for path in paths if path != executable and os.path.realpath(path) == real), executable)


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


def may_miss(name: str) -> bool:
    """Tell whether a program may miss a module and need no word of ours: Python looks for some that few have."""
    return "." in name or name in sys.stdlib_module_names or name in {"sitecustomize", "usercustomize"}


def as_importing(get_code: "Any") -> "Any":
    """Make all of a module a part of importing: it is loaded while a program runs, which coverage may measure."""

    def get(name: str) -> "Any":
        code = get_code(name)
        _imp._fix_co_filename(code, "<frozen importlib._bootstrap>")  # type: ignore[attr-defined] # not in typeshed
        return code

    return get


def hide(*functions: "Any") -> None:
    """Make functions a part of importing: they run while a program imports.

    CPython trims frames of this file name from the traceback of a failed import, so that it ends at the person's own
    line (remove_importlib_frames in Python/import.c), and coverage counts no lines of it.
    """
    for function in functions:
        _imp._fix_co_filename(function.__code__, "<frozen importlib._bootstrap>")  # type: ignore[attr-defined] # not in typeshed


def hide_hook() -> None:
    """Hide all functions of the hook; the first import from a lock does so, since it takes 80 µs."""
    names = "_envknit_bootstrap", "_envknit_plans", __name__
    for owner in (*map(sys.modules.__getitem__, names), Activation):
        for each in list(vars(owner).values()):
            function = getattr(each, "fget", each)
            if hasattr(function, "__code__"):
                hide(function)


# What runs until then, while a program imports
hide(Activation.find_spec, Activation.find_top, Activation.find_distributions, Activation.path_hook, Activation.load)
hide(hook_spec, may_miss, hide, hide_hook)
