"""What an activation reads of a plan, whichever rows it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from _envknit_activation import Activation
from envknit.plan import Pin, Plan

if TYPE_CHECKING:
    from pathlib import Path

PIN = Pin("alpha", "1.0", "packages/alpha", native=False, dist_info="-", dependencies=[])


@pytest.mark.once
@pytest.mark.parametrize("pins", [(), (PIN,)], ids=["no pin", "a pin"])
@pytest.mark.parametrize(
    "imports", [{}, {"alpha": ("packages/alpha", "packages/beta")}], ids=["no import", "an import"]
)
def test_facts_count_wherever_they_stand(
    tmp_path: Path, pins: tuple[Pin, ...], imports: dict[str, tuple[str, ...]]
) -> None:
    file = tmp_path / "plans/2/abi/key/views/default-1/plan"
    file.parent.mkdir(parents=True)
    plan = Plan(
        environment="default", lock="/app/lock", store="", runtime="here", pins=pins, imports=imports, paths=["/own"]
    )
    file.write_text(plan.render(), encoding="utf-8")

    found = Activation("", str(file))

    assert (found.lock, found.environment, found.fact("runtime")) == ("/app/lock", "default", "here")
    assert found.path == [found.site, found.entries, "/own"]
    assert found.folders_of("alpha") == list(imports.get("alpha", ()))
    assert not found.folders_of("alph")
