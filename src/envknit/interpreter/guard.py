"""Checks every extension module before an interpreter loads it; only what was proven to be safe is loaded.

A file that crashes takes the whole process with it (on CPython 3.13.0 numpy 2.1 does, in an interpreter with a GIL of
its own), so what the file does not say of itself is tried in a child process first; see `extension`.

In an interpreter that shares the GIL, each module is loaded from a copy of its file: the system's loader knows files by
their inode, and one file in two interpreters would be one set of static variables in both.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import ExtensionFileLoader, spec_from_file_location

from _envknit_bootstrap import home
from envknit.errors import CExtIncompatibleError
from envknit.interpreter import extension
from envknit.interpreter.cpython import OWNS_GIL
from envknit.native.verdicts import Verdict, remembered
from envknit.regular import make_private
from envknit.runtime.activation import plan_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any, NoReturn

    from _envknit_activation import Activation


def refusal_error(name: str, why: str, gil: str, **facts: object) -> CExtIncompatibleError:
    """Make the error that names the module and what would work."""
    package = name.partition(".")[0]
    hint = f'envknit.worker("{package}", VERSION) loads it in a process of its own'
    if gil == "own":
        hint = f'SubInterpreterEnv(gil="shared") may load it, and {hint}'
    return CExtIncompatibleError(
        f"{name} cannot be loaded in this sub-interpreter", name=name, gil=gil, why=why, **facts, hint=hint
    )


class Guard:
    """Decides about extension modules for this interpreter.

    Args:
        gil: by whose rules: `own` or `shared`.
        private: a folder of this interpreter alone, for copies.
    """

    def __init__(self, gil: str, private: str) -> None:
        self.gil = gil
        self.activation: Activation | None = None
        self.refused: list[CExtIncompatibleError] = []  # newest last
        self._private = private
        self._verdicts: dict[str, Verdict] = {}  # by file, those that were asked for in this interpreter
        self._log = -1  # where a probe writes what happens; -1: this is no probe
        self._library = os.path.join(os.path.dirname(os.__file__), "")

    def install(self) -> None:
        """Wrap ExtensionFileLoader, so that what any finder found is checked."""
        create, execute = ExtensionFileLoader.create_module, ExtensionFileLoader.exec_module

        def create_module(loader: ExtensionFileLoader, spec: Any) -> ModuleType:
            return self._create(spec, lambda spec: create(loader, spec))

        def exec_module(loader: ExtensionFileLoader, module: ModuleType) -> None:
            self._execute(loader.path, module, lambda module: execute(loader, module))

        # On the class, so that finders of ours, of Python's and of packages (zipimport's heirs) all come past it
        loader: Any = ExtensionFileLoader
        loader.create_module, loader.exec_module = create_module, exec_module

    def record(self, log: int) -> None:
        """Serve a probe: let everything load that may be tried, and log what happens to a descriptor."""
        self._log = log

    def _create(self, spec: Any, create: Callable[[Any], ModuleType]) -> ModuleType:
        path: str = spec.origin
        why = self._objection(spec.name, path)
        if why:
            self._note("fail", path, why)
            return self._twin(spec, path) or self._refuse(spec.name, path, why)
        if self.is_standard(path):
            return create(spec)
        self._note("load", path)  # should the process die now, this line says of what
        try:
            module = create(spec) if self.gil == "own" else self._create_from_copy(spec, create)
        except ImportError as error:
            why = str(error)
            # import_run_extension of 3.13 switches to the main interpreter for PyInit_NAME (Python/import.c, gh-117953)
            if self.gil == "shared" and sys.version_info >= (3, 13) and not extension.is_multi_phase(path):
                why += " (its single-phase initialisation runs in the host, from CPython 3.13 on)"
            self._note("fail", path, why)
            return self._twin(spec, path) or self._refuse(spec.name, path, why, error)
        return module

    def _execute(self, path: str, module: ModuleType, execute: Callable[[ModuleType], None]) -> None:
        if self._log < 0 or self.is_standard(path):
            execute(module)
            return
        try:  # multi-phase modules do their work here, in Py_mod_exec slots (PEP 489), and may crash here
            execute(module)
        except ModuleNotFoundError:  # says nothing of the file, but that the environment lacks something
            raise
        except Exception as error:
            self._note("fail", path, f"{type(error).__name__}: {error}")
            raise
        self._note("done", path)

    def _twin(self, spec: Any, path: str) -> ModuleType | None:
        """Make the module of the source beside an extension file, if there is one: mypyc and Cython leave it there.

        The import system reads `spec.loader` again after it called `create_module` (importlib._bootstrap:
        `_load_unlocked`), so whoever creates the module may name who executes it.
        """
        folder, file = os.path.split(path)
        source = os.path.join(folder, file.partition(".")[0] + ".py")  # `md.cpython-312-x86_64-linux-gnu.so` -> `md.py`
        if not os.path.isfile(source):
            return None
        from _envknit_finder import StoreLoader

        # Python's own loader would write bytecode beside the source, into an entry of the store
        loader = StoreLoader(spec.name, source, self._store(), os.path.realpath(source))
        found: Any = spec_from_file_location(spec.name, source, loader=loader)
        spec.loader, spec.origin, spec.cached = found.loader, found.origin, found.cached
        return module_from_spec(spec)

    def _refuse(self, name: str, path: str, why: str, cause: ImportError | None = None) -> NoReturn:
        self.refused.append(refusal_error(name, why, self.gil, path=path))
        raise self.refused[-1] from cause

    def is_standard(self, path: str) -> bool:
        """Tell whether an extension file is Python's own."""
        # Not by the prefix alone: site-packages lies below it
        return path.startswith(self._library) and os.path.basename(os.path.dirname(path)) == "lib-dynload"

    def _objection(self, name: str, path: str) -> str:
        # Python's own extension modules do load where the GIL is shared after all (3.12.0 to 3.12.3)
        if self.gil == "own" and not extension.is_multi_phase(path) and (OWNS_GIL or not self.is_standard(path)):
            return "it is initialised in a single phase: one module for the whole process (PEP 489)"
        if self._log >= 0 or self.is_standard(path):  # CPython tests its own modules in sub-interpreters
            return ""
        verdict = self._verdicts.get(path) or remembered(self._store(), path, self.gil)
        if verdict is None:
            verdict = self._probe(name, path)
        self._verdicts[path] = verdict
        return verdict.why

    def _probe(self, name: str, path: str) -> Verdict:
        activation = self.activation
        lock, plan = (activation.lock, activation.plan_path) if activation else ("", "")
        standard = os.path.dirname(self._library)
        own = activation.path if activation else []
        others = [entry for entry in sys.path if entry not in own and not entry.startswith(standard)]
        found = extension.probe(self._store(), name, self.gil, lock=lock, plan=plan, path=others)
        return found.get(path) or found.get("") or Verdict("a probe of it did not come to it")

    def _create_from_copy(self, spec: Any, create: Callable[[Any], ModuleType]) -> ModuleType:
        path = spec.origin
        copy = self._copy(os.path.realpath(path), spec.name)
        module = create(spec_from_file_location(spec.name, copy, loader=spec.loader))
        module.__file__ = path  # packages look for their data beside it
        return module

    def _copy(self, path: str, name: str) -> str:
        """Copy a file to a place that looks like its own: what its `$ORIGIN` leads to is there as links."""
        import shutil

        root = self._root(path, name)
        there = os.path.join(self._private, root.strip(os.sep).replace(os.sep, "%"))
        here = root
        # `$ORIGIN/../numpy.libs` in a RUNPATH is relative to the folder of the copy (ld.so(8)): so every folder on the
        # way down is made anew, with links to all that lies beside the next one
        for part in os.path.relpath(path, root).split(os.sep):
            _link_all(here, there)
            here, there = os.path.join(here, part), os.path.join(there, part)
            if os.path.islink(there):  # it is to be a folder, or the copy, and not the original
                os.unlink(there)
        shutil.copyfile(path, there)
        return there

    def _root(self, path: str, name: str) -> str:
        folders = plan_of(self.activation).imports.get(name.partition(".")[0], ()) if self.activation else ()
        for folder in (*(os.path.realpath(os.path.join(self._store(), folder)) for folder in folders), *sys.path):
            if path.startswith(os.path.join(folder, "")):
                return folder
        return os.path.dirname(path)

    def _store(self) -> str:
        return self.activation.store if self.activation else home()

    def _note(self, *words: str) -> None:
        if self._log >= 0:
            line = "\t".join(word.replace("\n", " ").replace("\t", " ") for word in words)
            os.write(self._log, line.encode(errors="replace") + b"\n")


def _link_all(source: str, target: str) -> None:
    """Make a folder of links to everything in another; what is there already stays."""
    make_private(target)
    there = set(os.listdir(target))
    for name in os.listdir(source):
        if name not in there and name != "__pycache__":  # Python finds sources by the original path
            os.symlink(os.path.join(source, name), os.path.join(target, name))
