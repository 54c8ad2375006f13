"""Where version managers keep Pythons and Nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.managers import how_to_get, kept

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

VARIABLES = (
    "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "FNM_DIR", "NVM_DIR", "MISE_DATA_DIR", "ASDF_DATA_DIR", "VOLTA_HOME",
    "XDG_DATA_HOME",
)  # fmt: skip


@pytest.fixture(name="home")
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("tool", "folder", "manager", "version"),
    [
        ("python", ".pyenv/versions/3.12.1/bin", "pyenv", "3.12.1"),
        ("python", ".pyenv/versions/3.13.0t/bin", "pyenv", "3.13.0t"),
        ("python", ".local/share/mise/installs/python/3.12.1/bin", "mise", "3.12.1"),
        ("python", ".asdf/installs/python/3.12.1/bin", "asdf", "3.12.1"),
        ("python", ".local/share/uv/python/cpython-3.12.1-linux-x86_64-gnu/bin", "uv", "3.12.1"),
        ("python", ".local/share/uv/python/cpython-3.13.0+freethreaded-linux-x86_64-gnu/bin", "uv", "3.13.0t"),
        ("node", ".local/share/fnm/node-versions/v20.11.1/installation/bin", "fnm", "20.11.1"),
        ("node", ".nvm/versions/node/v20.11.1/bin", "nvm", "20.11.1"),
        ("node", ".local/share/mise/installs/node/20.11.1/bin", "mise", "20.11.1"),
        ("node", ".asdf/installs/nodejs/20.11.1/bin", "asdf", "20.11.1"),
        ("node", ".volta/tools/image/node/20.11.1/bin", "volta", "20.11.1"),
    ],
)
def test_each_manager_is_looked_at_where_it_keeps_versions(
    home: Path, tool: str, folder: str, manager: str, version: str
) -> None:
    (home / folder).mkdir(parents=True)

    (found,) = kept(tool)

    assert (manager, version, str(home / folder)) == (found.manager, found.version, found.programs)


def test_the_newest_version_comes_first_and_what_is_no_version_does_not_count(home: Path) -> None:
    names = ("3.12.9", "3.12.10", "3.12", "latest", "myenv", "pypy3.10-7.3.12", "miniconda3-latest", "3.x.1", "../x")
    for name in names:
        (home / ".pyenv/versions" / name).mkdir(parents=True, exist_ok=True)
    (home / ".pyenv/versions/\uff13.12.1").mkdir()

    assert ["3.12.10", "3.12.9"] == [each.version for each in kept("python")]


def test_the_command_is_that_of_a_manager_that_is_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert how_to_get("node", "20") == ""

    monkeypatch.setenv("NVM_DIR", str(home))

    assert how_to_get("node", "20") == "nvm install 20"
    assert how_to_get("python", "3.12") == ""
