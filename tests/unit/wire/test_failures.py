"""Exceptions of the standard library arrive as what they are, those of packages below its classes that they extend."""

from __future__ import annotations

import asyncio
import configparser
import csv
import dataclasses
import decimal
import importlib
import json
import queue
import re
import socket
import struct
import subprocess
import urllib.error
import zipfile
from typing import TYPE_CHECKING

import pytest

from envknit.errors import WorkerError
from envknit.wire.failures import Mirror, RemoteError, RemoteTraceback, class_tree

if TYPE_CHECKING:
    from kit.pair import Pair

STANDARD = [
    json.JSONDecodeError("no value", "doc", 2),
    subprocess.CalledProcessError(3, ["false"], output=b"out"),
    queue.Empty(),
    decimal.InvalidOperation(),
    zipfile.BadZipFile("x"),
    socket.gaierror(1, "x"),
    struct.error("x"),
    re.error("bad", "pattern", 1),
    csv.Error("x"),
    urllib.error.URLError("x"),
    dataclasses.FrozenInstanceError("x"),
    configparser.NoSectionError("section"),
    asyncio.CancelledError(),
    asyncio.IncompleteReadError(b"ab", 5),
]


def _fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", STANDARD, ids=lambda error: type(error).__qualname__)
def test_an_exception_of_the_standard_library_is_caught_as_itself(pair: Pair, error: BaseException) -> None:
    pair.shelf["value"] = lambda: _fail(error)
    with pytest.raises(type(error)) as caught:
        pair.near.call(10, "give", 0, ("value",))()

    assert type(caught.value) is type(error)
    assert (str(caught.value), caught.value.args) == (str(error), error.args)
    assert vars(caught.value).keys() == vars(error).keys()
    assert "_fail" in str(caught.value.__cause__)


def test_what_it_carries_comes_with_it(pair: Pair) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        pair.ask(json.loads)("[1, oops]")
    assert (caught.value.doc, caught.value.pos, caught.value.colno) == ("[1, oops]", 4, 5)

    with pytest.raises(subprocess.CalledProcessError) as failed:
        pair.ask(lambda: _fail(STANDARD[1]))()
    assert (failed.value.returncode, failed.value.cmd, failed.value.output) == (3, ["false"], b"out")


def test_a_class_of_it_that_is_read_from_the_other_side_is_ours(pair: Pair) -> None:
    assert pair.ask(json.JSONDecodeError) is json.JSONDecodeError
    assert pair.ask(queue.Empty) is queue.Empty


class PackageError(json.JSONDecodeError):
    pass


def test_a_packages_own_below_one_of_it_is_caught_as_that(pair: Pair) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        pair.ask(lambda: _fail(PackageError("m", "d", 0)))()
    assert isinstance(caught.value, RemoteError)
    assert type(caught.value).__mro__[1:3] == (RemoteError, WorkerError)
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert caught.value.doc == "d"


def test_what_this_python_does_not_have_is_stood_in_for() -> None:
    mirror = Mirror()

    assert mirror.stand_in(("json", "NewerError", ("builtins", "ValueError"))).__mro__[1] is RemoteError
    assert issubclass(mirror.stand_in(("json.newer", "Error", ("builtins", "ValueError"))), ValueError)
    assert mirror.stand_in(("json", "loads", ("builtins", "ValueError"))).__name__ == "loads"


def test_a_module_that_is_not_the_standard_librarys_is_never_imported_for_it() -> None:
    kind = type("Error", (ValueError,), {"__module__": "envknit_never_imported"})

    Mirror().stand_in(class_tree(kind))
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("envknit_never_imported")
