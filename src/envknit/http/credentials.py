"""Logins of indexes, from where pip has them: the URL of the index, the netrc file, the keyring."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from envknit.errors import PackageIndexError
from envknit.http.urls import origin, without_login
from envknit.regular import read_regular

if TYPE_CHECKING:
    import netrc
    from collections.abc import Iterable

    from envknit.http.settings import PipSettings


class Credentials:
    """Who the user is at each origin; may be used from many threads.

    Args:
        settings: which keyring may be asked.
        indexes: URLs whose logins are used for everything at their origin.
    """

    def __init__(self, settings: PipSettings, indexes: Iterable[str] = ()) -> None:
        self._keyring = settings.keyring
        self._indexes = {origin(url): url for url in indexes if "://" in url}
        self._from_keyring: dict[tuple[str, str, int | None], str] = {}
        self._guard = threading.Lock()

    def header(self, url: str) -> str:
        """Return what goes into `Authorization` for a URL; `""` where no login is known.

        Raises:
            PackageIndexError: the netrc file cannot be read.
        """
        at = origin(url)
        if at in self._from_keyring:
            return self._from_keyring[at]
        login = urlsplit(self._indexes.get(at, ""))
        if login.password is not None:
            return _basic(unquote(login.username or ""), unquote(login.password))
        known = self._netrc.authenticators(at[1]) if self._netrc else None
        if known:
            return _basic(known[0] or "", known[2] or "")
        return "" if login.username is None else _basic(unquote(login.username), "")

    def ask_keyring(self, url: str) -> str:
        """Return the header that the keyring has for a URL that was refused with 401; `""` where it has none.

        As pip does: the URL of the index is asked for first, then the host; the keyring is asked once for an origin.
        """
        at = origin(url)
        with self._guard:
            if at not in self._from_keyring and self._keyring != "disabled":
                index = self._indexes.get(at, "")
                user = urlsplit(index).username
                services = [without_login(index), urlsplit(without_login(url)).netloc]
                found = next(filter(None, (self._ask(service, user and unquote(user)) for service in services)), "")
                self._from_keyring[at] = found
                return found
        return ""  # what it had was sent already

    def _ask(self, service: str, user: str | None) -> str:
        if not service:
            return ""
        if self._keyring in ("auto", "import"):
            try:
                keyring = import_module("keyring")  # where it is installed beside envknit
            except ImportError:
                pass
            else:
                known = keyring.get_credential(service, user)
                return _basic(known.username, known.password) if known else ""
        program = shutil.which("keyring") if self._keyring in ("auto", "subprocess") else None
        if program is None:
            return ""
        asked = ["get", service, *([user] if user else [])]
        with suppress(ValueError, KeyError, TypeError):  # an old `keyring`, or something else of that name
            told = json.loads(_output(program, "--mode=creds", "--output=json", *asked))
            return _basic(told["username"], told["password"])
        password = _output(program, *asked).removesuffix("\n") if user else ""  # before 25.2, and as pip asks
        return _basic(user, password) if user and password else ""

    @cached_property
    def _netrc(self) -> netrc.netrc | None:
        import netrc  # most machines have no such file

        path = Path(os.environ.get("NETRC") or os.path.expanduser("~/.netrc"))  # noqa: PTH111 - `Path.home` may raise
        if not (path.is_absolute() and path.is_file()):
            return None
        try:
            read_regular(path)  # it may be too large to be read
            return netrc.netrc(str(path))
        except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as cause:
            raise PackageIndexError(f"the netrc file cannot be read: {cause}", file=path) from cause


def _output(*command: str) -> str:
    """Return what a command writes; `""` where it fails."""
    done = subprocess.run(
        command, env={**os.environ, "ENVKNIT": "0", "PYTHONIOENCODING": "utf-8"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, encoding="utf-8", errors="replace",
    )  # fmt: skip
    return "" if done.returncode else done.stdout


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
