"""Names: of store entries, of versions in any spelling, of guests, of the main module of a distribution."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from envknit.errors import StoreError
from envknit.naming import guest_tag, main_module, parse_store_folder, store_folder, version_key

SHA256 = "58cd2187" + "0" * 56


@pytest.mark.parametrize(
    ("name", "version", "wheel"),
    [
        ("requests", "2.31.0", "requests-2.31.0-py3-none-any.whl"),
        ("jaraco.functools", "1!2.0+local.1", "jaraco_functools-x-py2.py3-none-any.whl"),
        ("a-1", "2", "a_1-2-7-cp312-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
    ],
)
def test_an_entry_is_named_by_pin_tags_and_digest_and_the_name_can_be_read_back(
    name: str, version: str, wheel: str
) -> None:
    folder = store_folder(name, version, wheel, SHA256)

    tags = "-".join(wheel.removesuffix(".whl").split("-")[-3:])
    assert (name.replace(".", "-"), version, tags, "58cd2187") == parse_store_folder(folder)
    assert folder.startswith("packages/site-packages/")
    assert not folder.rpartition("/")[2].isidentifier()


def test_a_wheel_for_many_platforms_gets_a_name_that_file_systems_take() -> None:
    platforms = ".".join(f"manylinux_2_{number}_x86_64" for number in range(40))
    folder = store_folder("x", "1", f"x-1-cp312-cp312-{platforms}.whl", SHA256)

    assert len(folder.rpartition("/")[2]) <= 255
    assert folder.endswith("-58cd2187")


@pytest.mark.parametrize(
    ("name", "version", "wheel", "sha256"),
    [
        ("../x", "1", "x-1-py3-none-any.whl", SHA256),
        ("x", "../1", "x-1-py3-none-any.whl", SHA256),
        ("x", "1-2", "x-1-py3-none-any.whl", SHA256),
        ("x", "1", "x-1-py3-none-..whl", SHA256),
        ("x", "1", "x-1-py3-none-a/b.whl", SHA256),
        ("x", "1", "x-1.tar.gz", SHA256),
        ("x", "1", "x-1-py3-none-any.whl", SHA256.upper().replace("0", "A")),
        ("x" * 200, "1" * 40, "x-1-py3-none-any.whl", SHA256),
    ],
)
def test_what_would_leave_the_store_or_could_not_be_read_back_is_refused(
    name: str, version: str, wheel: str, sha256: str
) -> None:
    with pytest.raises(StoreError):
        store_folder(name, version, wheel, sha256)


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
