"""The doors of the import system, where a whole process would tell less."""

from __future__ import annotations

import subprocess
import sys


def _run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, env={"ENVKNIT": "0", "PATH": ""})


def test_lazy_imports_are_kept_eager_in_a_block() -> None:
    """PEP 810: `sys.set_lazy_imports_filter`, here a stand-in, since no released Python has it."""
    _run("""
import sys
filters = [None]
sys.get_lazy_imports_filter = lambda: filters[-1]
sys.set_lazy_imports_filter = filters.append
from envknit.runtime import routing
from envknit.runtime.linker import linker
linker.routed.add("lib")
routing.install()
routing.install()
assert len(filters) == 2
decide = filters[-1]
assert decide("app", "lib", None) is True
routing.current.set(routing.Blocks(()))
assert decide("app", "lib.sub", None) is False and decide("app", "json", ("loads",)) is True
""")


def test_a_hook_that_somebody_put_back_is_installed_again() -> None:
    _run("""
import builtins
original = builtins.__import__
from envknit.runtime import routing
routing.install()
ours = builtins.__import__
builtins.__import__ = original
routing.install()
assert builtins.__import__ is ours is not original
""")


def test_import_errors_are_what_they_would_be_without_us() -> None:
    _run("""
import importlib
from envknit.runtime import routing
routing.install()
for name, kind in (("", ValueError), (3, TypeError), ("nothing.at.all", ModuleNotFoundError)):
    try: importlib.import_module(name)
    except (kind, AttributeError): pass
    else: raise SystemExit(name)
assert importlib.import_module(".decoder", "json").__name__ == "json.decoder"
""")


def test_both_doors_of_isolation_give_the_same_objects() -> None:
    _run("""
import envknit, envknit.isolation, envknit.isolation.import_hook as hook
for module in (envknit.isolation, hook):
    for name in module.__all__:
        assert getattr(module, name) is getattr(envknit, name), name
        assert name in dir(module)
try: envknit.isolation.nothing
except AttributeError: pass
else: raise SystemExit
try: envknit.nothing
except AttributeError as error: assert "nothing" in str(error)
else: raise SystemExit
""")
