"""What the user's pip is told about indexes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from envknit.errors import PackageIndexError
from envknit.http import settings as pip_settings
from envknit.http.settings import default_index, read_pip_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PIP_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "explicit.conf"))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_files_are_read_in_the_order_of_pip(tmp_path: Path) -> None:
    write(tmp_path / "xdg/pip/pip.conf", "[global]\nindex-url = https://xdg.example\ntimeout = 7\n")
    write(tmp_path / ".pip/pip.conf", "[global]\nindex_url = https://legacy.example\n")
    assert read_pip_settings().indexes == ("https://legacy.example",)

    write(tmp_path / ".config/pip/pip.conf", "[global]\nindex-url = https://user.example\nproxy = proxy:3128\n")
    assert read_pip_settings().indexes == ("https://user.example",)

    write(tmp_path / "explicit.conf", "[global]\nindex-url = https://explicit.example\n")
    settings = read_pip_settings()
    assert settings.indexes == ("https://explicit.example",)
    assert settings.told["timeout"] == "7"
    assert settings.proxy == "", "pip leaves the user's file out where PIP_CONFIG_FILE names another"


def test_the_install_section_and_the_variables_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "xdg/pip/pip.conf", "[install]\nindex-url = https://install.example\n")
    write(tmp_path / "explicit.conf", "[global]\nindex-url = https://global.example\n")
    assert read_pip_settings().indexes == ("https://install.example",)

    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example")
    assert read_pip_settings().indexes == ("https://variable.example",)


def test_lists_are_split_and_each_entry_counts_once(tmp_path: Path) -> None:
    write(
        tmp_path / "explicit.conf",
        "[global]\nindex-url = https://a.example\nextra-index-url =\n  https://b.example\n  https://a.example\n"
        "find-links = /wheels /more\ntrusted-host = a.example b.example:8080\nclient-cert = ~/me.pem\n",
    )

    settings = read_pip_settings()

    assert settings.indexes == ("https://a.example", "https://b.example")
    assert settings.find_links == ("/wheels", "/more")
    assert settings.trusted_hosts == ("a.example", "b.example:8080")
    assert settings.client_cert == str(tmp_path / "me.pem")


def test_no_index_leaves_find_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.example")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")

    settings = read_pip_settings()

    assert (settings.indexes, settings.find_links) == ((), ("/wheels",))


def test_a_null_device_as_the_configuration_means_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / ".pip/pip.conf", "[global]\nindex-url = https://user.example\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    assert read_pip_settings(with_default=False).indexes == ()


def test_a_broken_configuration_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "explicit.conf", "index-url = x\n")

    with pytest.raises(PackageIndexError, match="cannot be read"):
        read_pip_settings()


@pytest.mark.parametrize("place", ["/dev/zero", "pipe", "."])
@pytest.mark.timeout(20)
def test_a_configuration_that_is_no_file_is_an_error(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / place))

    with pytest.raises(PackageIndexError, match="cannot be read"):
        read_pip_settings()


def test_the_default_is_what_the_pip_here_would_ask() -> None:
    code = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()

    assert default_index() == said + "/"


def test_without_a_pip_the_one_that_python_carries_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = default_index()
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if "site-packages" not in entry])
    for name in [name for name in sys.modules if name.partition(".")[0] == "pip"]:
        monkeypatch.delitem(sys.modules, name)

    assert default_index() == expected


def test_without_any_pip_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_settings, "_bundled_pips", list)
    monkeypatch.setitem(sys.modules, "pip._internal.models.index", None)

    with pytest.raises(PackageIndexError, match="PIP_INDEX_URL"):
        read_pip_settings()
