from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from envknit.cli.parser import VERBS, parse

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([verb, "--help"])

    assert 0 == ended.value.code
    assert "example:\n  envknit" in capsys.readouterr().out


def test_the_help_names_every_verb_and_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])

    out = capsys.readouterr().out
    assert all(f"    {verb} " in out for verb in VERBS)
    assert "exit status:\n  0" in out


@pytest.mark.parametrize("argv", [["-q", "install"], ["install", "-q"]])
def test_common_options_go_before_a_verb_or_after_it(argv: list[str]) -> None:
    arguments = parse(argv)

    assert (True, False, ".") == (arguments.quiet, arguments.verbose, arguments.project)


@pytest.mark.parametrize("line", ["store --json", "store --json list", "store list --json", "status --json"])
def test_json_may_be_asked_for_before_an_action_behind_it_or_without_one(line: str) -> None:
    assert parse(line.split()).json


@pytest.mark.parametrize("line", ["store", "store list", "env list", "hook status", "python list", "lock"])
def test_json_is_printed_only_where_it_is_asked_for(line: str) -> None:
    assert not parse(line.split()).json


def test_what_stands_before_the_verb_is_not_undone_by_the_verb() -> None:
    assert "there" == parse(["-C", "there", "status"]).project


@pytest.mark.parametrize(
    ("argv", "told", "hint"),
    [
        (["instal"], "there is no `envknit instal`", "envknit install"),
        (["freeze"], "there is no `envknit freeze`", "envknit export"),
        (["nothing-like-it"], "there is no `envknit nothing-like-it`", "envknit --help"),
        (["store", "gcc"], "there is no `envknit store gcc`", "envknit store gc"),
        (["hook"], "the following arguments are required: ACTION", "envknit hook --help"),
        (["install", "--unknown"], "unknown argument: --unknown", "envknit install --help"),
        (["lock", "--dry"], "unknown argument: --dry", "did you mean --dry-run?"),
        (["install", "flask>=3", "click"], "unknown argument: flask>=3 click", "envknit add 'flask>=3' click"),
        (["pip", "install", "flask"], "there is no `envknit pip`", "envknit add PACKAGE"),
        (["install", ""], "unknown argument: ", "envknit install --help"),
        (["install", "-e"], "argument -e/--env: expected one argument", "envknit install --help"),
    ],
)
def test_a_wrong_command_line_is_told_as_any_error_with_what_was_meant(
    argv: list[str], told: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv)

    assert 2 == ended.value.code
    first, usage, last = capsys.readouterr().err.splitlines()
    assert (f"error: {told}", f"hint: {hint}") == (first, last)
    assert usage.startswith(f"  usage: envknit {argv[0] if argv[0] in VERBS else ''}".rstrip())


def test_no_verb_at_all_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([])

    assert 2 == ended.value.code
    assert "verbs:" in capsys.readouterr().out


def test_the_command_of_run_keeps_its_own_options() -> None:
    assert ["--", "pytest", "-q", "--env", "x"] == parse(["run", "--", "pytest", "-q", "--env", "x"]).command


def test_help_loads_no_library_of_the_tool() -> None:
    code = (
        "import sys, contextlib\n"
        "from envknit.cli.main import main\n"
        "with contextlib.suppress(SystemExit): main(['install', '--help'])\n"
        "heavy = {'rich', 'urllib3', 'yaml', 'resolvelib', 'ruamel', 'tomlkit', 'installer', 'packaging'}\n"
        "print(heavy & set(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "set()\n" == done.stderr


def test_the_reference_pages_are_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "up to date\n" == done.stdout
