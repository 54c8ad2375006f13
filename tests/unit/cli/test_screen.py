from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from envknit.cli.screen import Screen, size
from envknit.errors import LockError
from envknit.files.lockfile import read_lock
from envknit.reporter import count


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (15_240_000, "15.2 MB"), (3 * 10**9, "3.0 GB")]
)
def test_bytes_are_written_for_a_person(amount: int, text: str) -> None:
    assert text == size(amount)


@pytest.mark.parametrize(("amount", "text"), [(1, "1 entry"), (0, "0 entries"), (2, "2 entries")])
def test_things_are_counted_in_words(amount: int, text: str) -> None:
    assert text == count(amount, "entry")


def test_an_error_has_one_shape(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().fail(LockError("it is bad", lock="a.yaml", found_at="x[1]", hint="mend it"))

    out, err = capsys.readouterr()
    assert "" == out
    assert "error: it is bad\n  lock: a.yaml\n  found at: x[1]\nhint: mend it\n" == err


def test_a_fact_of_several_lines_stands_below_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().fail(LockError("it is bad", because="\n    one\n      two", output="a\nb"))

    assert "error: it is bad\n  because:\n    one\n      two\n  output: a\n    b\n" == capsys.readouterr().err


def test_verbose_shows_the_traceback_of_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(verbose=True)
    with pytest.raises(LockError) as caught:
        read_lock(Path("nowhere"))
    screen.fail(caught.value)

    assert capsys.readouterr().err.startswith("Traceback")


def test_quiet_keeps_back_what_was_done_but_not_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=True)
    screen.say("done")
    screen.stage("Resolving")
    screen.show("asked")
    screen.warn("odd")

    assert ("asked\n", "warning: odd\n") == capsys.readouterr()


def test_where_there_is_no_terminal_progress_is_plain_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.stage("Downloading")
    screen.begin("a.whl", None)
    screen.advance("a.whl", 15_000)
    screen.finish("a.whl")
    screen.begin("small.whl", 20)
    screen.advance("small.whl", 20)
    screen.finish("small.whl")
    screen.say("done")

    assert ("done\n", "Downloading\n  a.whl (15.0 kB)\n") == capsys.readouterr()


def test_on_a_terminal_bars_move_and_leave_no_trace() -> None:
    code = (
        "from envknit.cli.screen import Screen\n"
        "screen = Screen()\n"
        "screen.stage('Downloading'); screen.begin('a.whl', 1500); screen.advance('a.whl', 700)\n"
        "screen.warn('odd')\n"
        "screen.begin('b.whl', None); screen.finish('b.whl'); screen.finish('a.whl')\n"
        "screen.close()\n"
    )
    said = _on_a_terminal(code)

    assert "a.whl" in said
    assert "\033[1;33mwarning:\033[0m odd" in said


def test_a_counted_stage_shows_how_far_it_is_and_the_name_at_hand() -> None:
    code = (
        "import time\n"
        "from envknit.cli.screen import Screen\n"
        "screen = Screen()\n"
        "screen.stage('Installing 3 packages', steps=3); screen.step('a 1.0'); screen.stage('Building b 2.0')\n"
        "screen.step('b 2.0'); screen.begin('c.whl', 1500); screen.advance('c.whl', 700); time.sleep(0.3)\n"
        "screen.close()\n"
    )
    said = _on_a_terminal(code)

    assert "2/3 b 2.0" in said
    assert "700 B of 1.5 kB" in said


@pytest.mark.parametrize("columns", ["20", "40"])
def test_bars_stay_on_one_line_of_a_narrow_terminal(columns: str) -> None:
    code = (
        "import time\n"
        "from envknit.cli.screen import Screen\n"
        "screen = Screen()\n"
        "screen.stage('Installing 3 packages', steps=3); screen.step('a-name-that-is-long 1.0'); time.sleep(0.3)\n"
        "screen.close()\n"
    )
    frames = _on_a_terminal(code, COLUMNS=columns).replace("\r\n", "\n").split("\n")

    assert len(frames) <= 3


def test_no_color_is_obeyed_on_a_terminal() -> None:
    said = _on_a_terminal("from envknit.cli.screen import Screen; Screen().warn('odd')", NO_COLOR="1")

    assert "warning: odd" == said.strip()


def _on_a_terminal(code: str, **env: str) -> str:
    """Run code whose stderr is a terminal, and return what it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=theirs, env={**os.environ, "TERM": "xterm", "NO_COLOR": "", **env}
    )
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:
        pass  # Linux reports the end of a terminal as an error
    finally:
        os.close(ours)
    assert 0 == process.wait()
    return said.decode()
