"""What the router concludes from plans alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.errors import UnlockedError
from envknit.plan import Plan
from envknit.runtime.router import Router
from kit.planned import write_packages, write_plans

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
    "d==1.0.1": {"d.py": ""},
    "d==1.0+1": {"d.py": ""},
    "d==1!0.1": {"d.py": ""},
    "e==1.0": {"e.py": ""},
}


@pytest.fixture(name="router")
def _router(tmp_path: Path) -> Router:
    """Plans with diamonds, a cycle, and equal pins with and without equal links; `main` is resident."""
    write_packages(tmp_path / "store", PACKAGES)
    paths = write_plans(
        tmp_path / "store",
        tmp_path / "lock",
        {
            "main": {"a==2.0": ("b==1.0",), "b==1.0": ("c==2.0",), "c==2.0": ()},
            "same": {"a==1.0": ("b==1.0",), "b==1.0": ("c==2.0",), "c==2.0": ()},
            "other": {"a==1.0": ("b==1.0",), "b==1.0": ("c==1.0",), "c==1.0": ("b==1.0",)},
            "spaces": {"x-one==1.0": ("x-two==1.0",), "x-two==1.0": ()},
            "alike": {"d==1.0.1": (), "e==1.0": ()},
            "local": {"d==1.0+1": (), "e==1.0": ()},
            "epoch": {"d==1!0.1": ()},
        },
    )
    plans = [Plan.read(str(path)) for path in paths.values()]
    router = Router()
    router.add(plans, resident=plans[0])
    return router


def member(router: Router, name: str, version: str, environment: str) -> Member:
    return router.member(*router.plans.find(name, version, environment))


def test_equal_pins_with_equal_links_are_one_member(router: Router) -> None:
    assert member(router, "b", "1.0", "main") is member(router, "b", "1.0", "same")
    assert member(router, "b", "1.0", "main") is not member(router, "b", "1.0", "other")
    assert [plan.environment for plan in router.plans_with(member(router, "b", "1.0", "same"))] == ["main", "same"]


def test_residents_have_plain_names_and_each_guest_one_of_its_own(router: Router) -> None:
    names = [
        router.own_name(member(router, name, version, environment), head)
        for name, version, environment, head in (
            ("a", "2.0", "main", "a"), ("b", "1.0", "same", "b_module"), ("a", "1.0", "same", "a"),
            ("b", "1.0", "other", "b_module"), ("c", "1.0", "other", "c"),
        )
    ]  # fmt: skip
    assert names == ["a", "b_module", "a@1_0", "b_module@1_0", "c@1_0"]
    again = router.own_name(member(router, "a", "1.0", "other"), "a")
    assert again.startswith("a@1_0~")
    assert len(again) == len("a@1_0~1a2b3c4d")


def test_versions_that_differ_in_a_sign_alone_have_names_of_their_own(router: Router) -> None:
    members = [member(router, "d", version, None) for version in ("1.0.1", "1.0+1", "1!0.1")]
    names = [router.own_name(each, "d") for each in members]
    assert names == ["d@1_0_1", "d@1_0+1", "d@1!0_1"]
    assert [router.member_of(name) for name in names] == members


def test_a_guests_name_leads_back_to_its_member(router: Router) -> None:
    for name, environment in (("a", "same"), ("a", "other"), ("c", "other")):
        found = member(router, name, "1.0", environment)
        assert router.member_of(router.own_name(found, name)) is found
    assert router.member_of("a@2_0") is member(router, "a", "2.0", "main"), "pickled where it was a guest"
    assert router.member_of("a@9_9") is None
    assert router.member_of("nothing@1_0") is None


def test_another_process_finds_a_guest_by_its_name_alone(router: Router) -> None:
    fresh = Router()
    fresh.add(router.plans, resident=next(iter(router.plans)))
    for name, environment in (("a", "same"), ("a", "other"), ("x-two", "spaces")):
        real = router.own_name(member(router, name, "1.0", environment), name[0])
        found = fresh.member_of(real)
        assert found is not None
        assert (found.title, fresh.own_name(found, name[0])) == (f"{name} 1.0", real)


def test_routes_follow_edges_through_cycles(router: Router) -> None:
    a = member(router, "a", "1.0", "other")
    assert (a.route("c"), a.route("b_module"), a.route("json")) == ("c@1_0", "b_module@1_0", "json")
    assert a.real_name("c.d.e") == "c@1_0.d.e"
    same = member(router, "a", "1.0", "same")
    assert (same.route("c"), same.route("a")) == ("c", "a@1_0")


def test_portions_of_a_namespace_are_joined(router: Router) -> None:
    one, two = member(router, "x-one", "1.0", "spaces"), member(router, "x-two", "1.0", "spaces")
    assert str(one.route("x")).startswith("x@all~")
    assert (router.own_name(one, "x"), router.own_name(two, "x")) == ("x@1_0~x-one", "x@1_0~x-two")
    assert router.member_of("x@1_0~x-two") is two


def test_a_name_that_only_the_residents_have_is_missing_each_time(router: Router) -> None:
    one = member(router, "x-one", "1.0", "spaces")
    for _ in range(2):
        with pytest.raises(UnlockedError, match="No module named 'b_module' for x-one") as caught:
            one.import_name("b_module")
        assert caught.value.name == "b_module"
        assert isinstance(caught.value, ModuleNotFoundError)
    assert one.route("of_the_project") == "of_the_project"


def test_a_plan_that_comes_later_is_seen_by_members_that_are_there(router: Router) -> None:
    first, *others = router.plans
    late = Router()
    late.add([others[2]])
    late.add([first], resident=first)
    one = member(late, "x-one", "1.0", "spaces")
    assert one.route("d") == "d"
    late.add(others)
    assert one.route("a") is None
