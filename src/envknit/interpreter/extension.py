"""Judges extension files: by what they say of themselves, and by a probe in a child process.

    single-phase   it never asks for PyModuleDef_Init: one module for the whole process (PEP 489)
    multi-phase    it may support sub-interpreters, or say so and yet crash: a child process tries it first

What a probe found is remembered in the store, for this very version of Python.
"""

from __future__ import annotations

import mmap
import os
import sys

from envknit.native.verdicts import Verdict, remember, remembered
from envknit.plan import runtime_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_MARK = b"PyModuleDef_Init\0"  # as a name in the file's symbol table: ELF, Mach-O and PE alike


def is_multi_phase(path: str) -> bool:
    """Tell whether an extension file uses PEP 489's initialisation; without it no own-GIL interpreter takes it.

    Cost: a scan of the file up to its symbol names, a fraction of a millisecond; all of it where the answer is no.
    """
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:  # mmap() refuses to map nothing
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(_MARK) >= 0


def probe(store: str, name: str, gil: str, *, lock: str, plan: str, path: Iterable[str]) -> dict[str, Verdict]:
    """Import a module in two interpreters of a child process, and see what becomes of it.

    Args:
        store: absolute path of the store, where the verdicts are kept.
        name: the module's full name.
        gil: of the two interpreters.
        lock: path of the lock whose plan is to be active there.
        plan: the plan file; `""`: none.
        path: what else is on `sys.path`.

    Returns:
        Verdicts by file, of every extension module that the import met; under `""` what else stopped it.
    """
    from envknit.probing import run_probe  # few programs probe

    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")
    bootstrap = os.path.dirname(os.path.abspath(sys.modules["_envknit_bootstrap"].__file__ or ""))
    folders = [runtime_folder(), bootstrap]
    order = {"name": name, "gil": gil, "lock": lock, "plan": plan, "path": list(path), "folders": folders}
    told, death = run_probe(script, order, store, "-P")
    verdicts = _judge(told.splitlines(), death)
    for file, verdict in verdicts.items():
        # Once proven to load stays proven: a later probe of another package may die of something else
        if file and (remembered(store, file, gil) or Verdict("unknown")).loads is False:
            remember(store, file, gil, verdict)
    return verdicts


def _judge(log: list[str], death: str) -> dict[str, Verdict]:
    """Make verdicts of what a probe reported: `load FILE`, `done FILE`, `fail FILE WHY`, `stop WHY`, `came WHY`."""
    verdicts: dict[str, Verdict] = {}
    loading = ""
    for line in log:
        event, _, rest = line.partition("\t")
        file, _, why = rest.partition("\t")
        if event == "load":
            loading = file
        elif event == "done":
            verdicts.setdefault(file, Verdict())
        elif event == "fail":
            verdicts[file] = Verdict(why)
        elif event == "stop":
            verdicts[""] = Verdict(rest)
        elif event == "came":  # only single-phase initialisation runs in the main interpreter (3.13, gh-117953)
            verdicts |= {file: Verdict(rest) for file in verdicts if file and not is_multi_phase(file)}
    if not death:
        return verdicts
    if loading and loading not in verdicts:  # it died in the middle of this one, so the others are not to blame
        return verdicts | {loading: Verdict(f"{death} while it was loaded"), "": Verdict(death)}
    return {file: Verdict(verdict.why or f"{death} after it was loaded") for file, verdict in verdicts.items()} | {
        "": Verdict(death)
    }
