"""Questions about pins, asked of plans that were written by hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envknit.errors import LinkError, StoreError
from envknit.plan import load_plan
from envknit.plans import Plans, check_store
from kit.planned import write_packages, write_plans

PACKAGES = {
    "a==1.0": {"a.py": ""},
    "a==2.0": {"a/__init__.py": "", "a/data/x.txt": ""},
    "b==1.0": {"b_module.py": "", "_b.py": "", "bin/tool": "", "share/x.txt": ""},
    "c==1.16.0": {"c.py": ""},
    "jaraco-functools==2.0": {"jaraco/functools.py": ""},
    "duo==1.0": {"beta.py": "", "alpha.py": ""},
    "python-dateutil==1.0": {"dateutil/__init__.py": ""},
}
ENVIRONMENTS = {
    "default": {"a==2.0": ("b==1.0",), "b==1.0": ("c==1.16.0",), "c==1.16.0": ("a==2.0",), "duo==1.0": ()},
    "old": {"a==1.0": (), "jaraco-functools==2.0": (), "python-dateutil==1.0": ()},
}


@pytest.fixture(name="plans")
def _plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plans:
    monkeypatch.setenv("ENVKNIT_HOME", str(tmp_path / "store"))
    write_packages(tmp_path / "store", PACKAGES)
    write_plans(tmp_path / "store", tmp_path / "lock", ENVIRONMENTS)
    return Plans.installed((tmp_path / "lock").read_bytes(), str(tmp_path / "lock"))


@pytest.mark.parametrize("spelling", ["1.0", "1", "v1.0", " 1.0.0 ", "0!1", "1.00"])
def test_versions_are_found_in_any_spelling(plans: Plans, spelling: str) -> None:
    assert plans.find("A", spelling)[1].version == "1.0"


@pytest.mark.parametrize(
    ("name", "version", "main"),
    [
        ("c", "1.16", "c"),
        ("Jaraco.Functools", "2", "jaraco.functools"),
        ("duo", "1.0", "alpha"),
        ("b", "1", "b_module"),
    ],
)
def test_a_pin_says_its_main_module(plans: Plans, name: str, version: str, main: str) -> None:
    assert plans.find(name, version)[1].main == main


def test_import_names_are_packages_and_modules_but_no_data(plans: Plans) -> None:
    assert plans.find("b")[1].imports == ("_b", "b_module")


def test_the_closure_goes_through_cycles_nearest_first(plans: Plans) -> None:
    plan, pin = plans.find("a", "2.0")
    assert [each.name for each in plan.closure(pin)] == ["a", "b", "c"]
    assert len(plan.links(pin)[1]) == 3


def test_a_name_and_a_version_mean_what_the_environment_holds(plans: Plans) -> None:
    assert plans.find("a", environment="old")[1].version == "1.0"
    assert plans.find("a")[1].version == "2.0"
    assert plans.environment("old").environment == "old"
    assert plans.versions("A") == {"2.0": ["default"], "1.0": ["old"]}


def test_errors_name_versions_environments_and_what_to_do(plans: Plans) -> None:
    with pytest.raises(LinkError) as caught:
        plans.find("a", "3.0")
    assert caught.value.facts["versions"] == "1.0 (old), 2.0 (default)"
    assert caught.value.hint == "run: python -m envknit install; to lock it: python -m envknit add a==3.0 --env NAME"
    assert caught.value.name == "a"
    with pytest.raises(LinkError, match="no environment named 'none' is installed"):
        plans.find("a", "1.0", "none")
    with pytest.raises(LinkError, match="no lock is in use"):
        Plans().find("a", "1.0")


def test_an_import_name_is_no_reason_to_lock_a_stranger(plans: Plans) -> None:
    with pytest.raises(LinkError) as caught:
        plans.find("dateutil", "1.0")
    assert caught.value.hint == "'dateutil' is what is imported; the distribution is named python-dateutil"


def test_a_version_is_text(plans: Plans) -> None:
    with pytest.raises(TypeError, match="a version is a str"):
        plans.find("a", 1.0)  # type: ignore[arg-type]


def test_a_range_or_a_requirement_gets_a_hint_that_can_be_typed(plans: Plans) -> None:
    with pytest.raises(LinkError) as caught:
        plans.find("a", ">=1,<2")
    assert caught.value.hint == "name one version, not a range of them"
    with pytest.raises(LinkError) as caught:
        plans.of("a==1.0")
    assert caught.value.hint == "a version is an argument of its own: 'a', '1.0'"


def test_environments_of_one_name_in_two_locks_are_told_apart_by_the_lock(plans: Plans, tmp_path: Path) -> None:
    write_plans(tmp_path / "store", tmp_path / "second", {"default": {"a==1.0": ()}})
    both = Plans([*plans, *Plans.installed((tmp_path / "second").read_bytes(), str(tmp_path / "second"))])
    assert both.find("a")[1].version == "2.0"
    with pytest.raises(LinkError, match="several locks have an environment named 'default'") as caught:
        both.environment("default")
    assert caught.value.facts["locks"] == f"{tmp_path / 'lock'}, {tmp_path / 'second'}"


def test_only_the_very_bytes_of_a_lock_have_its_plans(plans: Plans, tmp_path: Path) -> None:
    assert [plan.environment for plan in plans] == ["default", "old"]
    assert not Plans.installed((tmp_path / "lock").read_bytes() + b" ", str(tmp_path / "lock"))
    Path(next(iter(plans)).lock_folder, "lock").write_bytes(b"another lock with this key")
    assert not Plans.installed((tmp_path / "lock").read_bytes(), str(tmp_path / "lock")), "a key that two locks share"


def test_plans_of_the_other_environments_lie_beside(plans: Plans) -> None:
    old = plans.environment("old")
    assert [plan.environment for plan in Plans.beside(old)] == ["old", "default"]
    assert load_plan(old.path) is old
    assert not plans.for_abi("none")
    assert list(plans.for_abi(old.abi)) == list(plans)


def test_lost_entries_are_named(plans: Plans, tmp_path: Path) -> None:
    plan, pin = plans.find("c")
    assert plan.lost() == []
    (tmp_path / "store" / pin.folder).rename(tmp_path / "gone")
    assert plan.lost() == ["c 1.16.0"]


@pytest.mark.usefixtures("plans")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_store_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path / "store", 12345, -1)
    with pytest.raises(StoreError, match="belongs to another user") as caught:
        Plans.installed((tmp_path / "lock").read_bytes(), str(tmp_path / "lock"))
    assert caught.value.facts["owner"] == 12345


def test_a_store_that_others_may_write_is_refused_and_one_that_is_not_there_is_not(tmp_path: Path) -> None:
    check_store(str(tmp_path / "none"))
    tmp_path.chmod(0o777)
    with pytest.raises(StoreError, match="may be written by others"):
        check_store(str(tmp_path))
