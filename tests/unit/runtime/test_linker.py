"""What the linker concludes from plans alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.errors import LinkError, UnlockedError
from envknit.plan import Plan
from envknit.runtime.linker import Linker, reach
from kit.worlds import write_packages, write_plans

if TYPE_CHECKING:
    from pathlib import Path

    from envknit.runtime.member import Member

PACKAGES = {
    "a==1.0": {"a.py": ""},
    "a==2.0": {"a/__init__.py": "", "a/data/x.txt": ""},
    "b==1.0": {"b_module.py": "", "_b.py": "", "bin/tool": "", "share/x.txt": ""},
    "c==1.0": {"c.py": ""},
    "c==2.0": {"c.py": ""},
    "x-one==1.0": {"x/one.py": ""},
    "x-two==1.0": {"x/two.py": ""},
}


@pytest.fixture(name="linker")
def _linker(tmp_path: Path) -> Linker:
    """Plans with diamonds, a cycle, and equal pins with and without equal links; `main` is resident."""
    write_packages(tmp_path / "store", PACKAGES)
    plans = write_plans(
        tmp_path / "store",
        tmp_path / "lock",
        {
            "main": {"a==2.0": ("b==1.0",), "b==1.0": ("c==2.0",), "c==2.0": ()},
            "same": {"a==1.0": ("b==1.0",), "b==1.0": ("c==2.0",), "c==2.0": ()},
            "other": {"a==1.0": ("b==1.0",), "b==1.0": ("c==1.0",), "c==1.0": ("b==1.0",)},
            "spaces": {"x-one==1.0": ("x-two==1.0",), "x-two==1.0": ()},
        },
    )
    linker = Linker()
    for name, path in plans.items():
        linker.add(Plan.read(str(path)), resident=name == "main")
    return linker


def member(linker: Linker, name: str, version: str, environment: str) -> Member:
    return linker.member(*linker.find(name, version, environment))


def test_equal_pins_with_equal_links_are_one_member(linker: Linker) -> None:
    assert member(linker, "b", "1.0", "main") is member(linker, "b", "1.0", "same")
    assert member(linker, "b", "1.0", "main") is not member(linker, "b", "1.0", "other")
    assert [plan.environment for plan in linker.environments(member(linker, "b", "1.0", "same"))] == ["main", "same"]


def test_residents_have_plain_names_and_each_guest_one_of_its_own(linker: Linker) -> None:
    names = [
        member(linker, name, version, environment).real(head)
        for name, version, environment, head in (
            ("a", "2.0", "main", "a"), ("b", "1.0", "same", "b_module"), ("a", "1.0", "same", "a"),
            ("b", "1.0", "other", "b_module"), ("c", "1.0", "other", "c"),
        )
    ]  # fmt: skip
    assert names == ["a", "b_module", "a@1_0", "b_module@1_0", "c@1_0"]
    again = member(linker, "a", "1.0", "other").real("a")
    assert again == "a@1_0_" + again[6:]
    assert len(again) == len("a@1_0_1a2b3c4d")


def test_a_guests_name_leads_back_to_its_member(linker: Linker) -> None:
    for name, environment in (("a", "same"), ("a", "other"), ("c", "other")):
        found = member(linker, name, "1.0", environment)
        assert linker.member_of(found.real(name)) is found
    assert linker.member_of("a@2_0") is member(linker, "a", "2.0", "main"), "pickled where it was a guest"
    assert linker.member_of("a@9_9") is None
    assert linker.member_of("nothing@1_0") is None


def test_routes_follow_edges_through_cycles(linker: Linker) -> None:
    a = member(linker, "a", "1.0", "other")
    assert [each.title for each in linker.reachable(a)] == ["a 1.0", "b 1.0", "c 1.0"]
    assert (a.route("c"), a.route("b_module"), a.route("json")) == ("c@1_0", "b_module@1_0", "json")
    assert a.real_name("c.d.e") == "c@1_0.d.e"
    same = member(linker, "a", "1.0", "same")
    assert (same.route("c"), same.route("a")) == ("c", "a@1_0")


def test_portions_of_a_namespace_join_in_a_view(linker: Linker) -> None:
    one, two = member(linker, "x-one", "1.0", "spaces"), member(linker, "x-two", "1.0", "spaces")
    assert one.route("x").startswith("x@all_")
    assert (one.real("x"), two.real("x")) == ("x@1_0_x_one", "x@1_0_x_two")
    assert linker.member_of("x@1_0_x_two") is two
    assert (one.main_module(), two.main_module()) == ("x.one", "x.two")


def test_a_name_that_only_the_residents_have_is_hidden(linker: Linker) -> None:
    one = member(linker, "x-one", "1.0", "spaces")
    with pytest.raises(UnlockedError, match="No module named 'b_module' for x-one") as caught:
        one.route("b_module")
    assert caught.value.name == "b_module"
    assert isinstance(caught.value, ModuleNotFoundError)
    assert one.route("of_the_project") == "of_the_project"


def test_import_names_are_packages_and_modules_but_no_data(linker: Linker) -> None:
    assert set(member(linker, "b", "1.0", "main").names) >= {"_b", "b_module"}
    assert member(linker, "b", "1.0", "main").main_module() == "b_module"
    assert member(linker, "a", "2.0", "main").main_module() == "a"


@pytest.mark.parametrize("spelling", ["1.0", "1", "v1.0", " 1.0.0 "])
def test_versions_are_found_in_any_spelling(linker: Linker, spelling: str) -> None:
    assert linker.find("A", spelling)[1].version == "1.0"


def test_errors_name_versions_and_environments(linker: Linker) -> None:
    with pytest.raises(LinkError) as caught:
        linker.find("a", "3.0")
    assert caught.value.facts["versions"] == "1.0 (same, other), 2.0 (main)"
    assert caught.value.hint == "run: python -m envknit add a==3.0 --env NAME"
    with pytest.raises(LinkError, match="no environment is named 'none'"):
        linker.find("a", "1.0", "none")
    with pytest.raises(LinkError, match="no lock is in use"):
        Linker().find("a", "1.0")


def test_reach_is_the_same_whichever_plan_tells_it(linker: Linker) -> None:
    keys = {reach(*linker.find("b", "1.0", name)) for name in ("main", "same")}
    assert len(keys) == 1
