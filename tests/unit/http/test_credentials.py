"""Logins of indexes."""

from __future__ import annotations

import base64
import json
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from envknit.errors import PackageIndexError
from envknit.http.credentials import Credentials
from envknit.http.settings import PipSettings
from envknit.index.index import open_index
from kit import LoopbackIndex

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ends

INDEX = "https://index.example/simple/"


@pytest.fixture(autouse=True)
def _no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_NO_INPUT", raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)  # what importing it then does is to fail


def login(header: str) -> str:
    return base64.b64decode(header.removeprefix("Basic ")).decode()


def command(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, str] | None) -> Path:
    """Put a `keyring` on PATH that writes down what it is asked."""
    asked = folder / "asked"
    folder.mkdir()
    program = folder / "keyring"
    told = "" if answer is None else json.dumps(answer)
    program.write_text(f"#!/bin/sh\necho \"$@\" >> {asked}\n[ -n '{told}' ] && echo '{told}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return asked


def test_the_url_of_the_index_comes_before_the_netrc_file(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine index.example login net password rc\n", encoding="utf-8")

    assert login(Credentials(PipSettings(), [INDEX]).header(f"{INDEX}a/")) == "net:rc"
    own = INDEX.replace("//", "//ada:p%40ss@")
    assert login(Credentials(PipSettings(), [own]).header(f"{INDEX}a/")) == "ada:p@ss"


def test_a_name_without_a_password_is_sent_where_nothing_completes_it() -> None:
    token = INDEX.replace("//", "//token@")

    assert login(Credentials(PipSettings(), [token]).header(INDEX)) == "token:"
    assert Credentials(PipSettings(), [INDEX]).header(INDEX) == ""


def test_the_netrc_file_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine index.example login net password rc\n", encoding="utf-8")
    credentials = Credentials(PipSettings())
    credentials.header(INDEX)
    (tmp_path / "netrc").unlink()

    assert login(credentials.header(INDEX)) == "net:rc"


def test_a_netrc_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_bytes(b"machine \xff\xfe")
    with pytest.raises(PackageIndexError, match="netrc"):
        Credentials(PipSettings()).header(INDEX)


def test_a_netrc_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "netrc").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(PackageIndexError, match="netrc"):
        Credentials(PipSettings()).header(INDEX)


def test_the_command_of_a_keyring_is_asked_for_the_index_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = command(tmp_path / "bin", monkeypatch, {"username": "ada", "password": "s3cret"})
    credentials = Credentials(PipSettings(keyring="subprocess"), [INDEX.replace("//", "//ada@")])

    assert login(credentials.ask_keyring(f"{INDEX}a/")) == "ada:s3cret"
    assert credentials.ask_keyring(f"{INDEX}b/") == "", "it was sent, and did not do"
    assert login(credentials.header(f"{INDEX}b/")) == "ada:s3cret"
    assert asked.read_text(encoding="utf-8").splitlines() == [f"--mode=creds --output=json get {INDEX} ada"]


def test_a_keyring_that_has_nothing_is_asked_for_the_host_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = command(tmp_path / "bin", monkeypatch, None)

    assert Credentials(PipSettings(keyring="auto"), [INDEX]).ask_keyring(INDEX) == ""
    assert [line.split()[3] for line in asked.read_text(encoding="utf-8").splitlines()] == [INDEX, "index.example"]


def test_a_keyring_of_before_credentials_is_asked_for_the_password_of_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(tmp_path / "bin", monkeypatch, None)
    old = '#!/bin/sh\n[ "$1" = get ] && [ "$3" = ada ] && echo s3cret\n'
    (tmp_path / "bin/keyring").write_text(old, encoding="utf-8")

    known = Credentials(PipSettings(keyring="subprocess"), [INDEX.replace("//", "//ada@")])
    assert login(known.ask_keyring(INDEX)) == "ada:s3cret"
    assert Credentials(PipSettings(keyring="subprocess"), [INDEX]).ask_keyring(INDEX) == ""


def test_a_keyring_that_is_disabled_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = command(tmp_path / "bin", monkeypatch, {"username": "ada", "password": "s3cret"})

    assert Credentials(PipSettings(keyring="disabled"), [INDEX]).ask_keyring(INDEX) == ""
    assert not asked.exists()


def test_a_keyring_beside_envknit_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = ModuleType("keyring")
    keyring.get_credential = lambda service, user: SimpleNamespace(username=user or "ada", password=service)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)

    assert login(Credentials(PipSettings(keyring="auto"), [INDEX]).ask_keyring(INDEX)) == f"ada:{INDEX}"


def test_an_index_that_asks_who_it_is_gets_the_login_of_the_keyring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(tmp_path / "bin", monkeypatch, {"username": "ada", "password": "s3cret"})
    with LoopbackIndex(credentials="ada:s3cret") as server:
        server.publish("a", "1.0")
        with open_index([f"{server.host}/simple/"], tmp_path, home=tmp_path / "store") as it:
            assert len(it.links("a")) == 1
        monkeypatch.setenv("PIP_NO_INPUT", "1")
        with (
            open_index([f"{server.host}/simple/"], tmp_path, home=tmp_path / "other") as it,
            pytest.raises(PackageIndexError, match="401"),
        ):
            it.links("a")
