"""Finding interpreters by version, command or path."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from envknit.errors import UnsupportedPlatformError
from envknit.pythons import ask_python, find_python, find_pythons

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


@pytest.mark.parametrize(
    "text",
    [
        "yes",  # without an end
        "printf '\\377\\376'",
        "printf '1\\n2\\n3\\n4\\n'",
        f"printf 'cpython\\n{VERSION}.1\\nabi\\nrelative\\n'",
        "kill -9 $$",
    ],
)
def test_what_answers_like_no_python_is_passed_over(tmp_path: Path, live: Path, text: str) -> None:
    bad = _program(tmp_path / "bad" / f"python{VERSION}", text)

    assert ask_python(str(bad)) is None
    assert ask_python(str(live)) is not None


def test_an_interpreter_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envknit.pythons._SECONDS", 0.2)
    hangs = _program(tmp_path / "hangs", "sleep 300 & sleep 300")

    assert ask_python(str(hangs)) is None


def test_a_link_that_leads_nowhere_and_a_folder_are_no_interpreters(
    tmp_path: Path, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("broken", "folder"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken" / f"python{VERSION}").symlink_to("nowhere")
    (tmp_path / "folder" / f"python{VERSION}").mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "broken"), str(tmp_path / "folder"), str(live.parent)]))

    assert [sys.executable] == [each.executable for each in find_pythons() if each.origin == "PATH"]


def test_what_is_named_after_another_version_is_not_even_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "started"
    _program(tmp_path / "bin" / "python3.2", f"touch {mark}")
    _program(tmp_path / "shims" / f"python{VERSION}", f"touch {mark}")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), str(tmp_path / "shims")]))

    find_python(VERSION)

    assert not mark.exists()


def test_where_shims_are_on_path_what_their_manager_keeps_comes_in_their_place(
    tmp_path: Path, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "shims" / "python", f'exec {live} "$@"')
    text = f"printf 'cpython\\n{VERSION}.10\\nabi\\n%s\\n' \"$0\""
    kept = _program(tmp_path / "versions" / f"{VERSION}.10" / "bin" / "python", text)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "shims"), str(live.parent)]))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))

    first = next(find_pythons())

    assert (str(kept), "pyenv") == (first.executable, first.origin)
