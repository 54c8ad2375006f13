"""What is told of functions by their names and their code."""

from __future__ import annotations

import sys

import pytest

from envknit.functions import find_inside, names_of, parse_path


class Outer:
    class Inner:
        def method(self) -> None: ...


@pytest.mark.parametrize("path", ["", "package", "package:", ":name", "package.module"])
def test_a_path_has_a_module_and_a_name(path: str) -> None:
    assert parse_path("package.module:Class.method") == ("package.module", "Class.method")
    assert parse_path(path) is None


def test_a_qualified_name_is_found_and_a_local_one_is_not() -> None:
    def local() -> None: ...

    here = sys.modules[__name__]
    assert find_inside(here, Outer.Inner.method.__qualname__) is Outer.Inner.method
    assert find_inside(here, local.__qualname__) is None
    assert find_inside(None, "name") is None


def test_names_of_code_are_those_of_what_it_makes_too() -> None:
    def outer() -> object:
        return [lambda: sys.path for _ in Outer.Inner.__mro__]

    assert {"Outer", "Inner", "sys", "path"} <= set(names_of(outer.__code__))
