"""Names of store entries: one component, that says all and never leaves the store."""

from __future__ import annotations

import pytest

from envknit.errors import StoreError
from envknit.naming import parse_store_folder, store_folder

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
