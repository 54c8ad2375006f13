from __future__ import annotations

import json
import sys
import venv
from typing import TYPE_CHECKING

import pytest

from envknit.cli.hook import refuse_managed, remove_hook, state, write_hook
from envknit.errors import InstallError
from envknit.view.runtime import HOOK

if TYPE_CHECKING:
    from pathlib import Path

    from kit import Machine


def test_a_hook_that_was_written_is_current(tmp_path: Path) -> None:
    assert "absent" == state(tmp_path)
    write_hook(tmp_path)

    assert "current" == state(tmp_path)
    assert sorted(HOOK) == sorted(path.name for path in tmp_path.iterdir())


def test_another_version_and_a_part_of_a_hook_are_told(tmp_path: Path) -> None:
    write_hook(tmp_path)
    (tmp_path / HOOK[0]).write_text("# older")
    assert "other" == state(tmp_path)
    (tmp_path / "envknit.pth").unlink()

    assert "partial" == state(tmp_path)


def test_a_hook_is_removed_file_by_file(tmp_path: Path) -> None:
    write_hook(tmp_path)

    assert sorted(HOOK) == sorted(remove_hook(tmp_path))
    assert [] == list(tmp_path.iterdir())
    assert [] == remove_hook(tmp_path)


def test_the_hook_of_an_installed_envknit_stays(tmp_path: Path) -> None:
    write_hook(tmp_path)
    (tmp_path / "envknit-0.1.0.dist-info").mkdir()

    with pytest.raises(InstallError, match="part of an installed envknit"):
        remove_hook(tmp_path)
    assert "current" == state(tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InstallError, match="cannot be written"):
        write_hook(tmp_path / "file" / "site-packages")


def test_the_hook_of_another_interpreter_is_written_seen_and_removed(machine: Machine, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    other = str(tmp_path / "venv" / "bin" / "python")

    assert "no hook" in machine.envknit("--python", other, "hook", "status", status=1).out
    machine.envknit("--python", other, "hook", "install")
    facts = json.loads(machine.envknit("hook", "status", "--json", "--python", other).out)
    assert (other, "current", True) == (facts["python"], facts["site"]["state"], facts["hook"])
    assert "True\n" == machine.run(other, "-c", "import sys; print('_envknit_bootstrap' in sys.modules)").out

    machine.envknit("--python", other, "hook", "remove")
    assert "no hook" in machine.envknit("--python", other, "hook", "status", status=1).out


def test_an_interpreter_of_a_package_manager_is_left_alone() -> None:
    with pytest.raises(InstallError, match="PEP 668"):
        refuse_managed({"managed": True, "virtual": False})
    refuse_managed({"managed": True, "virtual": True})
    refuse_managed({"managed": False, "virtual": False})


def test_an_interpreter_that_is_none_is_told(machine: Machine) -> None:
    assert "error: no such interpreter" in machine.envknit("--python", "9.9", "hook", "status", status=4).err
    assert "does not answer" in machine.envknit("--python", "/bin/false", "hook", "status", status=4).err


def test_hook_status_is_about_the_running_interpreter(machine: Machine) -> None:
    assert sys.executable in machine.envknit("hook", "status", status=None).out
