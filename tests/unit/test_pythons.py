"""Finding interpreters by version, command or path."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from envknit.errors import UnsupportedPlatformError
from envknit.pythons import find_python

if TYPE_CHECKING:
    from pathlib import Path

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(name="live")
def _live(tmp_path: Path) -> Path:
    return _program(tmp_path / "live" / f"python{VERSION}", f'exec {sys.executable} "$@"')


def test_the_search_goes_on_past_an_interpreter_that_does_not_answer(
    tmp_path: Path, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = _program(tmp_path / "dead" / f"python{VERSION}", "exit 127")  # as the shim of a version manager does
    monkeypatch.setenv("PATH", os.pathsep.join([str(dead.parent), str(live.parent)]))

    found = find_python(VERSION)

    assert found is not None
    assert found.executable == sys.executable
    assert found.version.startswith(VERSION)


def test_versions_of_pyenv_are_found_the_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for patch in ("9", "10"):
        text = f"printf 'cpython\\n{VERSION}.{patch}\\nabi\\n%s\\n' \"$0\""
        _program(tmp_path / "versions" / f"{VERSION}.{patch}" / "bin" / "python", text)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))

    found = find_python(VERSION)

    assert found is not None
    assert found.version == f"{VERSION}.10"


def test_a_path_or_a_command_is_taken_as_it_is(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(live.parent))

    assert find_python(str(live)) is not None
    assert find_python(live.name) is not None
    assert find_python("python-of-nobody") is None


def test_an_interpreter_that_is_too_old_is_refused(tmp_path: Path) -> None:
    from envknit.cli.interpreter import find_interpreter

    old = _program(tmp_path / "python3.9", "printf 'cpython\\n3.9.18\\nabi\\n/usr/bin/python3.9\\n'")

    with pytest.raises(UnsupportedPlatformError, match="not a CPython that envknit supports"):
        find_interpreter(str(old))
