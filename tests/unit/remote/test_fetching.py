"""A pickle from a worker is made of what the host trusts, and of nothing that a trusted module happens to hold."""

from __future__ import annotations

import collections
import datetime as dt
import logging
import pickle
import sys
import types
from typing import Any

import pytest

from envknit.errors import WorkerError
from envknit.remote.fetching import load


def named(module: str, name: str) -> bytes:
    def text(value: str) -> bytes:
        return b"\x8c" + bytes([len(value)]) + value.encode()

    return b"\x80\x04" + text(module) + text(name) + b"\x93."  # STACK_GLOBAL: whatever find_class gives


@pytest.fixture(name="package")
def _package(monkeypatch: pytest.MonkeyPatch) -> Any:
    package = types.ModuleType("trusted_package")
    source = "import os, logging\nfrom os import system\nclass Outer:\n    class Inner: pass\ndef make(): return 1\n"
    exec(source + "name = 'x'\n", vars(package))
    monkeypatch.setitem(sys.modules, "trusted_package", package)
    return package


@pytest.mark.parametrize("name", ["Outer", "Outer.Inner", "make"])
def test_what_a_trusted_package_defines_is_found(package: Any, name: str) -> None:
    found = load(named("trusted_package", name), {"trusted_package"})

    assert found.__module__ == package.__name__
    assert found.__qualname__ == name


@pytest.mark.parametrize(
    "name", ["os.system", "system", "os", "logging.os.getcwd", "name.join", "Outer.__init__", "__loader__"]
)
def test_what_it_only_holds_is_refused(package: Any, name: str) -> None:
    with pytest.raises(WorkerError, match="not trusted") as caught:
        load(named("trusted_package", name), {package.__name__})
    assert caught.value.needs == f"trusted_package.{name}"


@pytest.mark.parametrize(
    ("module", "name"), [("timeit", "timeit"), ("runpy", "run_path"), ("numpy", "f2py.os.system"), ("numpy", "load")]
)
def test_what_nobody_trusts_is_refused(module: str, name: str) -> None:
    with pytest.raises(WorkerError, match="not trusted"):
        load(named(module, name), set())


def test_a_dotted_name_never_walks_out_of_a_module_whoever_trusts_it() -> None:
    with pytest.raises(WorkerError, match="not trusted"):
        load(named("logging", "os.getcwd"), {"logging"})
    assert load(named("logging", "Logger"), {"logging"}) is logging.Logger


@pytest.mark.parametrize(
    "value", [[1, {2}], collections.OrderedDict(a=1), collections.deque([1], 3), dt.date(2024, 1, 2)]
)
def test_plain_types_of_the_standard_library_need_no_trust(value: object) -> None:
    assert load(pickle.dumps(value, protocol=4), set()) == value
