"""A program that compiles modules: runs in a process of its own, since compiling holds the GIL.

Run by its path, without site and without envknit, with the path of the module that packs bytecode. Each line of its
input is a job as JSON: the folder of the sources, the folder that they will have in the store, the folder for bytecode,
and the modules. Each is answered by one line, which says what failed.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from runpy import run_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType


def main() -> None:
    """Compile until the input ends."""
    os.umask(0o077)  # `os.makedirs` gives its mode to the last folder only
    pack = run_path(sys.argv[1])["pack_bytecode"]
    warnings.simplefilter("ignore")  # what a package's source makes Python warn about is not the person's to mend
    for line in sys.stdin:
        source, final, into, modules = json.loads(line)
        answer = ""
        try:
            for module in modules:
                target = os.path.join(into, f"{module}c")
                compile_module(os.path.join(source, module), os.path.join(final, module), target, pack)
        except OSError as error:  # the disk is full, or the install was given up and took the sources away
            answer = str(error)
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


def compile_module(source: str, final: str, target: str, pack: Callable[[CodeType], bytes]) -> None:
    """Compile one source file, unless it is no valid Python: such a file is passed over, as in pip."""
    with open(source, "rb") as file:
        text = file.read()
    try:
        code = compile(text, final, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError):
        return
    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    with open(target, "wb") as file:
        file.write(pack(code))


if __name__ == "__main__":
    main()
