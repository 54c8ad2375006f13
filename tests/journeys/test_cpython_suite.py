"""CPython's own tests of the import system give the same result under a lock as without one."""

from __future__ import annotations

import importlib.util
import re
from typing import TYPE_CHECKING

import pytest

from kit import UNMEASURED
from kit.planned import make_plan

if TYPE_CHECKING:
    from kit import Machine

SUITES = ("test_import", "test_importlib", "test_pkgutil")


@pytest.mark.timeout(180)
@pytest.mark.skipif(importlib.util.find_spec("test.regrtest") is None, reason="this Python came without its tests")
def test_the_import_systems_own_tests_pass_under_a_lock(machine: Machine) -> None:
    project = machine.project()
    make_plan(project, {"alpha==1.0": {"alpha.py": "", "space/a.py": ""}, "beta==1.0": {"space/b.py": ""}})
    probe = "import sys; print(sys.path[-1])"

    without = _results(machine.run("-m", "test", "-q", *SUITES, env={**UNMEASURED, "ENVKNIT": "0"}, status=None).out)
    within = _results(machine.run("-m", "test", "-q", *SUITES, cwd=project.root, env=UNMEASURED, status=None).out)

    assert project.run("-c", probe).out.strip() == str(machine.home / "packages" / "site-packages")
    assert "SUCCESS" in " ".join(without)
    assert without == within


def _results(out: str) -> list[str]:
    """Keep what the run says of its outcome: which failed, how many ran."""
    return re.findall(
        r"^(?:Tests? result: .*|Result: .*|Total tests: .*|\d+ tests? failed:.*|    test_\w+)$", out, re.MULTILINE
    )
