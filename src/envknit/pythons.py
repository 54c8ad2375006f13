"""The interpreters of this machine: one way to find them, for the command line and for workers."""

from __future__ import annotations

import os

from envknit.managers import kept, numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLDEST = (3, 10)

# `-S`: no hook and no start-up file has a part in the answer
_FLAGS = ("-I", "-S", "-c")
_QUESTION = (
    "import _imp, sys; print(sys.implementation.name, '%d.%d.%d' % sys.version_info[:3],"
    " _imp.extension_suffixes()[0].split('.')[1], sys.executable, sep='\\n')"
)
_SECONDS = 10.0  # a shim of a version manager may have to look around
_LONGEST_ANSWER = 8192  # bytes
_SYSTEM = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")  # where PATH has been cut short, as for a cron job
_MOST_PATCHES = 40  # no minor has had as many releases

_asked: dict[str, Interpreter | None] = {}


class Interpreter:
    """What an interpreter says of itself.

    Args:
        implementation: `cpython`, `pypy`.
        version: `3.12.1`.
        abi: as in the suffix of its extension modules.
        executable: its path; a shim's is that of the interpreter which it starts.
        origin: who keeps it: `pyenv`, `PATH`.
    """

    __slots__ = ("abi", "executable", "implementation", "origin", "version")

    def __init__(self, implementation: str, version: str, abi: str, executable: str, origin: str = "") -> None:
        self.implementation = implementation
        self.version = version
        self.abi = abi
        self.executable = executable
        self.origin = origin

    @property
    def is_supported(self) -> bool:
        """Whether it is a CPython that envknit works with."""
        return self.implementation == "cpython" and numbers(self.version) >= OLDEST

    @property
    def is_free_threaded(self) -> bool:
        """Whether it is a build without the GIL, whose extension modules are others (PEP 703)."""
        return self.abi.split("-")[1:2] == [f"{''.join(self.version.split('.')[:2])}t"]

    def is_same(self, other: Interpreter) -> bool:
        """Tell whether it is the very same program; a virtual environment is its base."""
        return os.path.realpath(self.executable) == os.path.realpath(other.executable)

    @property
    def in_view(self) -> bool:
        """Whether it is the `python` of an environment, as in a shell that `envknit shell` started."""
        return os.path.exists(os.path.join(os.path.dirname(os.path.dirname(self.executable)), "plan"))


def find_python(wanted: str) -> Interpreter | None:
    """Find the first interpreter that answers: shims of versions that are not selected, and broken ones, do not.

    Args:
        wanted: a path, a command, or a version such as `3.12` or `3.13t`, which is looked for everywhere.

    Cost: one start of Python for each that is tried, once a process.
    """
    if wanted[:1].isdigit():
        return next(find_pythons(lambda version: begins(version, wanted), free_threaded=wanted.endswith("t")), None)
    folders = [""] if os.sep in wanted else os.environ.get("PATH", "").split(os.pathsep)
    return next(filter(None, (ask_python(os.path.join(folder, wanted)) for folder in folders)), None)


def find_pythons(
    fits: Callable[[str], bool] = lambda _: True, *, free_threaded: bool | None = None
) -> Iterator[Interpreter]:
    """Give the interpreters of this machine that answer, each once: those on PATH first, then the newest first.

    Args:
        fits: tells whether a version will do; what is named after one that will not is not asked.
        free_threaded: whether it must be a build without the GIL; None: either will do.

    Cost: as `find_python`.
    """
    seen = set()
    for origin, path, stated in _candidates():
        if stated and not _may_fit(stated, fits):
            continue
        found = ask_python(path, origin)
        if found is None or (real := os.path.realpath(found.executable)) in seen or found.in_view:
            continue
        seen.add(real)
        if fits(found.version) and free_threaded in (None, found.is_free_threaded):
            yield found


def begins(version: str, wanted: str) -> bool:
    """Tell whether a version is one of those that are wanted: `3.12.1` is a `3.12`."""
    asked = numbers(wanted)
    return numbers(version)[: len(asked)] == asked


def ask_python(path: str, origin: str = "PATH") -> Interpreter | None:
    """Ask an interpreter what it is, once; None where it does not answer, or answers like no Python."""
    if path not in _asked:
        usable = os.path.isfile(path) and os.access(path, os.X_OK)
        words = _answer(path).decode("utf-8", "surrogateescape").splitlines() if usable else []
        sound = len(words) == 4 and len(numbers(words[1])) == 3 and words[2] and os.path.isabs(words[3])
        _asked[path] = Interpreter(words[0], words[1], words[2], words[3], origin) if sound else None
    return _asked[path]


def _answer(path: str) -> bytes:
    """Return what an interpreter prints, up to a limit in time and length; `b""` where it failed."""
    import signal  # noqa: PLC0415 - only where another interpreter is asked for
    import subprocess  # noqa: PLC0415 - as above
    import threading  # noqa: PLC0415 - as above

    try:
        # In a session of its own: a shim that hangs has children, which keep the pipe open
        child = subprocess.Popen(
            [path, *_FLAGS, _QUESTION], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError):
        return b""

    def end() -> None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except OSError:
            return

    timer = threading.Timer(_SECONDS, end)
    timer.daemon = True
    with child:
        timer.start()
        try:
            answer = child.stdout.read(_LONGEST_ANSWER) if child.stdout else b""
            if len(answer) == _LONGEST_ANSWER:
                end()
            child.wait()
        except BaseException:
            end()
            raise
        finally:
            timer.cancel()
    return answer if child.returncode == 0 else b""


def _candidates() -> Iterator[tuple[str, str, str]]:
    """Give origin, path and the version that the name states, `""` where it states none."""
    path = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    managed = [(each.manager, os.path.join(each.programs, "python"), each.version) for each in kept("python")]
    for folder in dict.fromkeys(path):
        if os.path.basename(folder) == "shims":  # what they start depends on the folder one is in, and is slow to tell
            yield from managed
        yield from (("PATH", os.path.join(folder, name), stated) for name, stated in _programs(folder))
    yield from managed
    for folder in _SYSTEM:
        if folder not in path:
            yield from (("system", os.path.join(folder, name), stated) for name, stated in _programs(folder))


def _programs(folder: str) -> list[tuple[str, str]]:
    """List the Pythons of a folder as (name, stated version), the newest behind the two that state none."""
    try:
        names = set(os.listdir(folder))
    except OSError:
        return []
    plain: list[tuple[str, str]] = [(name, "") for name in ("python", "python3") if name in names]
    if os.path.basename(folder) == "shims":  # for every version that there is; most of them would not answer
        return plain
    stated = [(name, name.removeprefix("python")) for name in names if name.startswith("python3.")]
    named = [(name, version) for name, version in stated if version.removesuffix("t").replace(".", "").isdigit()]
    return [*plain, *sorted(named, key=lambda each: numbers(each[1]), reverse=True)]


def _may_fit(stated: str, fits: Callable[[str], bool]) -> bool:
    given = ".".join(map(str, numbers(stated)))
    if given.count(".") == 2:
        return fits(given)
    return any(fits(f"{given}.{patch}") for patch in range(_MOST_PATCHES))
