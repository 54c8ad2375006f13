"""Scripts that say in a comment what they need (PEP 723), and the lock that lies beside one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envknit.errors import ProjectError
from envknit.files.project import LOCK_FILE
from envknit.projects.toml import read_project_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FIRST = re.compile(r"\A(#![^\n]*\n)?(#[^\n]*coding[:=][^\n]*\n)?")  # what must stay first: PEP 263 and the kernel


def script_lock(script: Path) -> Path:
    """Name the lock of a script, which lies beside it."""
    return script.with_name(f"{script.name}.{LOCK_FILE}")


def read_block(script: Path) -> str | None:
    """Read the TOML of a script's block; None where it has none.

    Raises:
        ProjectError: it cannot be read, is no text, or has two blocks.
    """
    return block_in(_text(script), script)


def block_in(text: str, script: Path) -> str | None:
    """Return the TOML of the block in a text; see `read_block`."""
    lines = text.split("\n")
    found = list(_blocks(lines))
    if len(found) > 1:
        raise ProjectError("the script has two blocks that say what it needs", script=script)
    if not found:
        return None
    first, last = found[0]
    inside = (line.removesuffix("\r") for line in lines[first + 1 : last])
    return "".join(f"{line[2:] if line.startswith('# ') else line[1:]}\n" for line in inside)


def _blocks(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Find the blocks of PEP 723: the lines with which each begins and ends.

    Its regular expression, which gives the same, takes time with the square of the lines.
    """
    at = 0
    while at < len(lines):
        first, at = at, at + 1
        if lines[first].removesuffix("\r") != "# /// script":
            continue
        last = 0
        while at < len(lines) and (lines[at].removesuffix("\r") == "#" or lines[at].startswith("# ")):
            last = at if lines[at].removesuffix("\r") == "# ///" else last
            at += 1
        if last > first + 1:
            yield first, last
            at = last + 1


def edited_script(text: str, script: Path, empty: str, change: Callable[[str], str]) -> str:
    """Change the block of a script.

    Args:
        text: of the script.
        script: for messages.
        empty: the TOML to start from where it has no block yet.
        change: takes the TOML and returns another.
    """
    there = block_in(text, script)
    toml = change(empty if there is None else there).rstrip("\n")
    rows = [f"# {line}" if line else "#" for line in toml.split("\n")]
    block = "\n".join(["# /// script", *rows, "# ///"])
    if there is not None:
        lines = text.split("\n")
        ((begin, end),) = _blocks(lines)
        return "\n".join([*lines[:begin], block, *lines[end + 1 :]])
    first = _FIRST.match(text)
    at = first.end() if first else 0
    return f"{text[:at]}{block}\n{text[at:]}"


def _text(script: Path) -> str:
    try:
        return read_project_file(script).decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise ProjectError(f"the script is not UTF-8: {cause}", script=script) from cause
