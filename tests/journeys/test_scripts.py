"""Scripts that say in a comment what they need (PEP 723)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.machine import RUNNING, Project

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine

pytestmark = pytest.mark.ends

SCRIPT = """\
#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "alpha<2",  # the old one
# ]
# ///
import alpha, sys

print(alpha.VERSION, *sys.argv[1:])
"""


@pytest.fixture(name="desk")
def _desk(machine: Machine, index: LoopbackIndex) -> Project:
    """A folder with a script."""
    for version in ("1.0", "2.0"):
        index.publish("alpha", version, {"alpha.py": f"VERSION = {version!r}\n"})
    index.publish("beta", "1.0")
    desk = Project(machine, machine.root / "desk")
    desk.write("app.py", SCRIPT)
    return desk


def test_a_script_without_a_lock_says_what_to_run_and_run_runs_it(desk: Project) -> None:
    failed = desk.run("app.py", status=1)
    assert "app.py says what it needs; run: " in failed.err
    assert "-m envknit run " in failed.err

    ran = desk.envknit("run", "app.py", "x", "--y")
    assert (ran.out, ran.err) == ("1.0 x --y\n", "")
    assert sorted(path.name for path in desk.root.iterdir()) == ["app.py"]
    desk.write("app.py", SCRIPT.replace("alpha<2", "alpha"))
    assert desk.envknit("run", "app.py").out == "1.0\n", "what was locked stays where it may"
    desk.write("app.py", SCRIPT.replace("alpha<2", "alpha>1"))
    assert desk.envknit("run", "app.py").out == "2.0\n"


def test_the_lock_beside_a_script_is_what_plain_python_uses(desk: Project, index: LoopbackIndex) -> None:
    desk.envknit("lock", "--script", "app.py")
    assert "lock --script" not in desk.run("app.py", status=1).err
    said = desk.run("app.py", status=1).err
    assert "install --script" in said, said
    desk.envknit("install", "--script", "app.py")

    assert desk.run("app.py", "x").out == "1.0 x\n"
    assert desk.machine.run(desk.root / "app.py", cwd=desk.machine.root).out == "1.0\n"
    index.publish("alpha", "1.5")
    assert desk.envknit("run", "app.py").out == "1.0\n", "the lock beside it counts for `run` too"


def test_its_own_lock_comes_before_that_of_the_project(desk: Project) -> None:
    desk.write("envknit.yaml", "environments: {default: {packages: [alpha]}}\n")
    desk.ready()
    assert desk.run("app.py").out == "2.0\n"
    desk.envknit("lock", "--script", "app.py")
    desk.envknit("install", "--script", "app.py")

    assert desk.run("app.py").out == "1.0\n"
    assert desk.run("-c", "import alpha; print(alpha.VERSION)").out == "2.0\n"


def test_add_and_remove_edit_the_block(desk: Project) -> None:
    desk.envknit("add", "--script", "app.py", "beta")
    text = (desk.root / "app.py").read_text(encoding="utf-8")
    assert '#   "alpha<2",  # the old one\n#   "beta",\n# ]\n# ///\nimport alpha' in text, text
    assert desk.run("app.py").out == "1.0\n"
    desk.envknit("remove", "--script", "app.py", "alpha", "--no-install")
    text = (desk.root / "app.py").read_text(encoding="utf-8")
    assert "alpha<2" not in text
    assert text.startswith("#!/usr/bin/env python3\n# /// script\n")


def test_a_script_without_a_block_gets_one(desk: Project) -> None:
    desk.write("new.py", "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\nimport beta\nprint('fine')\n")
    assert "does not say what it needs" in desk.envknit("lock", "--script", "new.py", status=2).err
    desk.envknit("add", "--script", "new.py", "beta")

    text = (desk.root / "new.py").read_text(encoding="utf-8")
    assert text.startswith(
        "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\n# /// script\n"
        f'# requires-python = ">={RUNNING}"\n# dependencies = ["beta"]\n# ///\nimport beta\n'
    ), text
    assert desk.run("new.py").out == "fine\n"


def test_another_python_is_refused_and_a_block_that_is_wrong_is_one_error(desk: Project) -> None:
    desk.write("app.py", SCRIPT.replace(">=3.10", "<3.10"))
    refused = desk.envknit("run", "app.py", status=4)
    assert "Python <3.10" in refused.err
    desk.write("app.py", SCRIPT.replace('"alpha<2"', '"alpha<<2"'))
    wrong = desk.envknit("run", "app.py", status=2)
    assert "`alpha<<2` is not a requirement" in wrong.err
    assert "a script has no group" in desk.envknit("add", "--script", "app.py", "--dev", "beta", status=2).err
    desk.write("app.py", SCRIPT + SCRIPT)
    assert "two blocks" in desk.envknit("run", "app.py", status=2).err
    assert "there is no such script" in desk.envknit("lock", "--script", "nowhere.py", status=2).err


def test_sources_of_uv_count_in_a_script(desk: Project, index: LoopbackIndex) -> None:
    index.publish("lib", "9.0", {"lib.py": "raise SystemExit('a stranger')\n"})
    desk.write("lib/pyproject.toml", "[project]\nname = 'lib'\nversion = '1'\n")
    table = '#   "lib",\n# ]\n# [tool.uv.sources]\n# lib = { path = "lib" }\n'
    desk.write("app.py", SCRIPT.replace('#   "alpha<2",  # the old one\n# ]\n', table))

    assert "the folder of a source has no build" in desk.envknit("lock", "--script", "app.py", status=2).err
