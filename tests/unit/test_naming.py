"""Spellings of versions, tags of guests, and the main module of a distribution."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from envknit.naming import guest_tag, main_module, version_key

_NUMBERS = st.integers(0, 30)
_SUFFIXES = st.sampled_from(["", "a1", "b2", "rc1", ".post1", ".dev3", "rc1.post2.dev3"])


@st.composite
def versions(draw: st.DrawFn) -> str:
    epoch = draw(st.sampled_from(["", "0!", "1!"]))
    release = ".".join(map(str, draw(st.lists(_NUMBERS, min_size=1, max_size=4))))
    local = draw(st.sampled_from(["", "+cpu", "+1", "+cu118.2"]))
    return epoch + release + draw(_SUFFIXES) + local


@given(versions(), versions())
def test_two_versions_have_one_key_where_pep_440_calls_them_equal(one: str, other: str) -> None:
    assert (version_key(one) == version_key(other)) is (Version(one) == Version(other))
    assert version_key(one) == version_key(str(Version(one)))


@pytest.mark.parametrize(
    ("spelling", "version"),
    [
        ("v1.16", "1.16.0"),
        (" 1.016 ", "1.16"),
        ("1.0-RC.1", "1.0rc1"),
        ("1.0_alpha_2", "1.0a2"),
        ("1.0.beta1", "1.0b1"),
        ("1.0preview1", "1.0rc1"),
        ("1.0+CPU-1", "1.0+cpu.1"),
        ("0!1.0", "1"),
    ],
)
def test_people_may_spell_a_version_as_pep_440_lets_them(spelling: str, version: str) -> None:
    assert version_key(spelling) == version_key(version)
    assert Version(spelling) == Version(version)


@given(versions(), versions())
def test_each_version_has_a_tag_of_its_own_that_can_stand_in_a_modules_name(one: str, other: str) -> None:
    one, other = str(Version(one)), str(Version(other))
    assert (guest_tag(one) == guest_tag(other)) is (one == other)
    assert not set(guest_tag(one)) & {".", "@", "~"}


@pytest.mark.parametrize(
    ("distribution", "names", "namespaces", "inside", "module"),
    [
        ("requests", ["requests"], [], [], "requests"),
        ("pyyaml", ["_yaml", "yaml"], [], [], "yaml"),
        ("python-dateutil", ["dateutil"], [], [], "dateutil"),
        ("jaraco-functools", ["jaraco"], ["jaraco"], ["jaraco.functools"], "jaraco.functools"),
        ("my-lib", ["my_lib", "other"], [], [], "my_lib"),
        ("attrs", ["attr", "attrs"], [], [], "attrs"),
        ("setuptools", ["_distutils_hack", "pkg_resources", "setuptools"], [], [], "setuptools"),
        ("google-thing", ["google"], ["google"], ["google.deep.code"], "google"),
        ("duo", ["beta", "alpha"], [], [], "alpha"),
        ("libpandas", ["tests", "pandas", "lib"], [], [], "lib"),
        ("only-private", ["_x"], [], [], "_x"),
        ("nothing", [], [], [], ""),
    ],
)
def test_the_main_module_is_the_one_of_the_name_or_the_only_public_one(
    distribution: str, names: list[str], namespaces: list[str], inside: list[str], module: str
) -> None:
    assert main_module(distribution, names, namespaces, inside) == module
