"""Write what docs/reference has out of the code, commands, errors and schemas: `python scripts/reference.py`.

A test runs this with `--check`, so that the pages cannot fall behind.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"


def commands() -> str:
    """Describe the command line; not with `format_help`, whose layout differs between versions of Python."""
    from envknit.cli.parser import EXIT_STATUSES, VERBS, make_parser

    parser = make_parser()
    lines = ["# Commands", "", "Made from the code by `python scripts/reference.py`.", ""]
    lines += ["`envknit` and `python -m envknit` are the same. These options go before a verb or after it:", ""]
    lines += options(parser)
    for verb in VERBS:
        subparser = subparsers(parser)[verb]
        subparser.load()
        lines += [f"## {verb}", "", subparser.description, "", "```sh", example(subparser), "```", ""]
        lines += options(subparser, common=False)
        for action, nested in subparsers(subparser).items():
            lines += [f"### {verb} {action}", "", f"{help_of(subparser, action)}.", "", *options(nested)]
    lines += ["## Exit statuses", "", "| status | means |", "|---|---|"]
    lines += [f"| {status} | {meaning} |" for status, meaning in EXIT_STATUSES.items()]
    lines += ["", "`run` ends with the status of its command; 127 where there is no such command.", ""]
    return "\n".join(lines)


def options(parser: argparse.ArgumentParser, *, common: bool = True) -> list[str]:
    """Tabulate the arguments of one parser."""
    rows = []
    for group in parser._action_groups:
        for action in group._group_actions:
            if isinstance(action, (argparse._HelpAction, argparse._SubParsersAction)):
                continue
            if common or group.title != "common options":
                names = ", ".join(f"`{name}`" for name in action.option_strings)
                value = f" `{action.metavar}`" if action.metavar else ""
                rows.append(f"| {(names + value).strip()} | {action.help} |")
    return ["| argument | means |", "|---|---|", *rows, ""] if rows else []


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of verbs or actions, by name."""
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found[0].choices) if found else {}


def help_of(parser: argparse.ArgumentParser, name: str) -> str:
    """Return the one-line help of an action, as a sentence's beginning."""
    (actions,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    (text,) = [choice.help for choice in actions._choices_actions if choice.dest == name]
    return text[0].upper() + text[1:]


def example(parser: argparse.ArgumentParser) -> str:
    return parser.epilog.removeprefix("example:\n").strip()


def errors() -> str:
    """Describe every exception, in the order of the source."""
    from envknit import errors as module

    kinds = [value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, Exception)]
    lines = ["# Errors", "", "Made from the code by `python scripts/reference.py`.", ""]
    lines += [
        "Every exception of envknit says what happened (`message`), where (its facts, which are attributes too) and",
        "what to do (`hint`). It survives pickling. On the command line it is printed as `error: ...`, indented facts",
        "and `hint: ...`; `--verbose` adds the traceback.",
        "",
        "| exception | is also | means |",
        "|---|---|---|",
        *rows_of(kinds),
        "",
    ]
    return "\n".join(lines)


def rows_of(kinds: list[type[Exception]]) -> Iterator[str]:
    for kind in kinds:
        parents = ", ".join(f"`{base.__name__}`" for base in kind.__bases__)
        yield f"| `{kind.__name__}` | {parents} | {(kind.__doc__ or '').partition(chr(10))[0]} |"


def as_json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2) + "\n"


def main() -> int:
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "bootstrap")]
    import schemas

    texts = {
        "commands.md": commands(),
        "errors.md": errors(),
        "project.schema.json": as_json(schemas.project()),
        "lock.schema.json": as_json(schemas.lock()),
    }
    check = "--check" in sys.argv[1:]
    behind = []
    for name, text in texts.items():
        page = PAGES / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            behind.append(name)
            if not check:
                page.write_text(text, encoding="utf-8")
    print(f"{'out of date' if check else 'written'}: {', '.join(behind)}" if behind else "up to date")
    return 1 if check and behind else 0


if __name__ == "__main__":
    sys.exit(main())
