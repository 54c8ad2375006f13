"""Compile the modules of plans at once, instead of each at its first import: `install --compile`.

Two processes, since compiling holds the GIL; each reads paths from its standard input, in the order given.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib._bootstrap_external import _code_to_hash_pyc  # type: ignore[attr-defined] # not in typeshed

from envknit.errors import InstallError
from envknit.plan import bytecode_path
from envknit.store.disk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envknit.plan import Plan
    from envknit.reporter import Reporter
    from envknit.store.store import Store

_PROCESSES = 2
_NO_HASH = b"\0" * 8  # entries never change, so nothing is compared with the source (PEP 552, unchecked)


def compile_plans(store: Store, plans: Sequence[Plan], reporter: Reporter) -> None:
    """Compile every module of these plans that has no bytecode yet for this interpreter.

    Raises:
        InstallError: a process ended badly; modules that are no valid Python are passed over, as in pip.

    Cost: about two milliseconds a module and process.
    """
    root = str(store.root)
    folders = {str(store.path(pin.folder)) for plan in plans for pin in plan.pins.values()}
    sources = [source for folder in sorted(folders) if folder.startswith(root) for source in _sources(folder)]
    missing = [source for source in sources if not os.path.exists(bytecode_path(root, source))]
    if not missing:
        return
    reporter.stage(f"Compiling {len(missing)} modules")
    environment = {**os.environ, "ENVKNIT": "0", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, *["-O"] * sys.flags.optimize, "-c", f"from {__name__} import main; main()", root]
    processes = []
    for at in range(_PROCESSES):
        with tempfile.TemporaryFile() as paths:
            paths.write(b"".join(os.fsencode(source) + b"\0" for source in missing[at::_PROCESSES]))
            paths.seek(0)
            processes.append(subprocess.Popen(command, stdin=paths, env=environment, cwd=root))
    statuses = [process.wait() for process in processes]
    if any(statuses):
        raise InstallError("modules could not be compiled", store=root)


def compile_module(store: str, source: str) -> bool:
    """Compile one source file; returns whether it is valid Python."""
    with open(source, "rb") as file:
        text = file.read()
    try:
        code = compile(text, source, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    target = bytecode_path(store, source)
    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    temporary = f"{target}.{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(_code_to_hash_pyc(code, _NO_HASH, False))  # noqa: FBT003 - `checked`, by position
    os.replace(temporary, target)
    return True


def main() -> None:
    """Compile the files named on standard input into the store named on the command line."""
    import warnings  # noqa: PLC0415 - the child's only

    warnings.simplefilter("ignore")  # what a package's source makes Python warn about is not the person's to mend
    for source in sys.stdin.buffer.read().split(b"\0")[:-1]:
        compile_module(sys.argv[1], os.fsdecode(source))


def _sources(folder: str) -> Iterator[str]:
    for parent, folders, names in walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(parent, name)
