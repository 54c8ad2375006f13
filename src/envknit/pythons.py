"""The interpreters of this machine: one way to find them, for the command line and for workers."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# `-S`: no hook and no start-up file has a part in the answer
_FLAGS = ("-I", "-S", "-c")
_QUESTION = (
    "import _imp, sys; print(sys.implementation.name, '%d.%d.%d' % sys.version_info[:3],"
    " _imp.extension_suffixes()[0].split('.')[1], sys.executable, sep='\\n')"
)
_SECONDS = 20  # a shim of a version manager may have to look around

_asked: dict[str, Interpreter | None] = {}


class Interpreter:
    """What an interpreter says of itself.

    Args:
        implementation: `cpython`, `pypy`.
        version: `3.12.1`.
        abi: as in the suffix of its extension modules.
        executable: its path; a shim's is that of the interpreter which it starts.
    """

    __slots__ = ("abi", "executable", "implementation", "version")

    def __init__(self, implementation: str, version: str, abi: str, executable: str) -> None:
        self.implementation = implementation
        self.version = version
        self.abi = abi
        self.executable = executable


def find_python(wanted: str) -> Interpreter | None:
    """Find the first interpreter that answers: shims of versions that are not selected, and broken ones, do not.

    Args:
        wanted: a path, a command, or a version such as `3.12`, which is looked for on PATH and among pyenv's.

    Cost: one start of Python for each that is tried, once a process.
    """
    for path in _candidates(wanted):
        found = ask_python(path) if os.path.isfile(path) and os.access(path, os.X_OK) else None
        if found is not None:
            return found
    return None


def ask_python(path: str) -> Interpreter | None:
    """Ask an interpreter what it is, once; None where it does not answer."""
    if path not in _asked:
        import subprocess  # noqa: PLC0415 - only where another interpreter was asked for

        try:
            done = subprocess.run(
                [path, *_FLAGS, _QUESTION], capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        words = done.stdout.splitlines()
        _asked[path] = Interpreter(*words) if done.returncode == 0 and len(words) == 4 else None
    return _asked[path]


def _candidates(wanted: str) -> Iterator[str]:
    if os.sep in wanted:
        yield wanted
        return
    is_version = wanted[:1].isdigit()
    name = f"python{wanted}" if is_version else wanted
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield os.path.join(folder, name)
    versions = os.path.expanduser(os.path.join(os.environ.get("PYENV_ROOT", "~/.pyenv"), "versions"))
    if is_version and os.path.isdir(versions):
        matching = [each for each in os.listdir(versions) if each == wanted or each.startswith(f"{wanted}.")]
        yield from (os.path.join(versions, each, "bin", "python") for each in sorted(matching, key=_as_numbers))


def _as_numbers(version: str) -> list[int]:
    """Sort `3.12.10` behind `3.12.9`; the newest comes first."""
    return [-int(part) if part.isdigit() else 0 for part in version.split(".")]
