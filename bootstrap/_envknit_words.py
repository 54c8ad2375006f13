"""What is said of a lock that is not used, and of a module that nobody found; loaded when there is something to say.

PYTEST_DONT_REWRITE: see `_envknit_bootstrap`.
"""

import os
import sys

from _envknit_activation import may_miss
from _envknit_bootstrap import LOCK_NAME, setting
from _envknit_plans import ABI, PLAN_FORMAT, plans_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from _envknit_activation import Activation


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


def not_installed(store: str, lock_key: str, lock: str) -> str:
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
    ignored = " (ENVKNIT_HOME is ignored here)" if "ENVKNIT_HOME" in os.environ and not setting("ENVKNIT_HOME") else ""
    return f"was not installed here for this Python, or changed since{ignored}; {run}"


def tell(words: str, *, aloud: bool = True) -> None:
    """Say why a lock is not used: now to a terminal where it is for all to hear, later to whoever misses a module."""
    sys.meta_path.append(Hint(words))
    if aloud and sys.stderr is not None and os.isatty(2):
        sys.stderr.write(f"envknit: {words}\n")


class Hint:
    """The last on `sys.meta_path` where no lock is active: says why to whoever misses a module.

    Args:
        words: why.
    """

    def __init__(self, words: str) -> None:
        self.words = words

    def find_spec(self, fullname: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """Raise an error with more words for what nobody found."""
        return None if may_miss(fullname) else find_last(self, fullname, path, target)


def find_last(last: "Activation | Hint", fullname: str, path: "Any", target: "Any") -> "Any":
    """Answer for a name that no finder before `last` found with what one behind it finds.

    None where nothing is imported: `importlib.util.find_spec` and its like want that.

    Raises:
        ModuleNotFoundError: nobody has it.
    """
    callers: list[str] = []
    frame = sys._getframe(2).f_back
    while frame is not None and len(callers) < 3:
        callers.append(frame.f_code.co_name)
        frame = frame.f_back
    if callers[1:] == ["_get_module_details", "_run_module_as_main"] and sys.stderr is not None:
        sys.stderr.write(f"{_words(last, fullname)}\n")  # python -m: runpy has no place for a note
    if callers[:1] != ["_find_and_load_unlocked"]:
        return None
    found = None
    if "@" in fullname and not isinstance(last, Hint):  # a guest of another process, by its pickled name
        found = last.load("envknit.worlds.world").find_guest(fullname)
    else:
        finders = list(sys.meta_path)
        behind = finders[finders.index(last) + 1 :] if last in finders else []
        found = next(filter(None, (finder.find_spec(fullname, path, target) for finder in behind)), None)
    if found is None:
        raise _not_found(last, fullname)
    return found


def _not_found(last: "Activation | Hint", name: str) -> ModuleNotFoundError:
    message = f"No module named {name!r}"
    if sys.version_info < (3, 11):
        return ModuleNotFoundError(f"{message}\n{_words(last, name)}", name=name)
    error = ModuleNotFoundError(message, name=name)
    error.add_note(_words(last, name))
    return error


def _words(last: "Activation | Hint", name: str) -> str:
    if isinstance(last, Hint):
        return f"envknit: {last.words}"
    try:
        return f"envknit: {last.load('envknit.runtime.hints').why_not(last, name)}"
    except ImportError as error:  # envknit is gone
        return f"envknit: {error}"
