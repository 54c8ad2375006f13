"""Read pip's requirements files: requirements, constraints, hashes, and the options that say where from.

The format is pip's own (its documentation, "Requirements File Format"); pip has no API to read it.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from envknit.errors import ProjectError
from envknit.exchange.foreign import MAIN, Foreign, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_VIA = re.compile(r"^\s*#\s+(?:via\s+)?(\S.*)$")
_MOST_FILES = 100  # `-r` chains; more is a loop that differs in spelling
_INDEXES = frozenset(["-i", "--index-url", "--extra-index-url", "-f", "--find-links"])
_UNKEPT = {
    "--no-index": "name the folders under `indexes` instead",
    "--pre": "set `prerelease` in the project if pre-releases are wanted",
    "--no-binary": "envknit prefers wheels, and builds what has none",
    "--only-binary": "envknit prefers wheels, and builds what has none",
    "--prefer-binary": "envknit prefers wheels already",
    "--trusted-host": "plain http is used where an index is written so",
    "--config-settings": "builds get no settings",
    "--global-option": "builds get no settings",
}
_FLAGS = frozenset(["--no-index", "--pre", "--prefer-binary", "--require-hashes"])  # options without a value


def read_requirements(path: Path, group: str = MAIN) -> Foreign:
    """Read a requirements file, and the files it names with `-r` and `-c`.

    Where pip-compile annotated every line with what it is there `via`, lines that are there for another package
    become pins, and only the rest is asked for.

    Args:
        path: the file.
        group: the dependency group that its requirements become.

    Raises:
        ProjectError: it cannot be read, or a line in it is no requirement; the fact `line` is its number.
    """
    found = Foreign(origin=path)
    _read(path, found, group, constraint=False, above=())
    return found


def _read(path: Path, found: Foreign, group: str, *, constraint: bool, above: tuple[Path, ...]) -> None:
    path = path.absolute()
    if path in above or len(above) > _MOST_FILES:
        raise ProjectError("the requirements files name each other in a circle", file=path)
    lines = list(_logical_lines(read_text(path)))
    annotated = all(via for _, line, via in lines if not line.startswith("-"))
    for number, line, via in lines:
        words = _words(line, path, number)
        if not words:
            continue
        if line.startswith("-"):
            _option(words, path, number, found, group, constraint=constraint, above=(*above, path))
            continue
        named = next((at for at, word in enumerate(words) if word.startswith("--")), len(words))
        text, options = " ".join(words[:named]), words[named:]
        pinned = _requirement(text, options, path, number, found)
        transitive = annotated and not any(reason.startswith(("-r ", "-c ")) or "(" in reason for reason in via)
        if constraint:
            found.constraints.append(pinned)
        elif not transitive:
            found.ask(pinned, group)


def _logical_lines(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Join continued lines, drop comments, and keep what the comments below a line say it is there via."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        number, line = at + 1, lines[at]
        while line.endswith("\\") and at + 1 < len(lines):
            at += 1
            line = f"{line[:-1]} {lines[at]}"
        via = [found.group(1)] if (found := re.search(r"#\s+via\s+(\S.*)$", line)) else []
        line = _COMMENT.sub("", line).strip()
        at += 1
        while line and at < len(lines) and (comment := _VIA.match(lines[at])) and lines[at][:1].isspace():
            if comment.group(1) != "via":
                via.append(comment.group(1))
            at += 1
        if line:
            yield number, line, via


def _words(line: str, path: Path, number: int) -> list[str]:
    try:
        # A marker's quotes belong to the requirement; those of an option are the shell's
        return shlex.split(line) if line.startswith("-") else line.split()
    except ValueError as cause:
        raise ProjectError(f"a quote is not closed: {cause}", file=path, line=number) from cause


def _option(
    words: list[str],
    path: Path,
    number: int,
    found: Foreign,
    group: str,
    *,
    constraint: bool,
    above: tuple[Path, ...],
) -> None:
    name, value = _parted(words)
    if not value and name not in _FLAGS:
        raise ProjectError(f"`{name}` says nothing", file=path, line=number)
    if name in {"-r", "--requirement", "-c", "--constraint"}:
        # Elsewhere a variable stays one: what it holds may be a login, and what is read here is written down
        value = _VARIABLE.sub(lambda match: os.environ.get(match.group(1), match.group(0)), value)
    if name in {"-r", "--requirement"}:
        _read(path.parent / value, found, group, constraint=constraint, above=above)
    elif name in {"-c", "--constraint"}:
        _read(path.parent / value, found, group, constraint=True, above=above)
    elif name in _INDEXES:
        index = value if "://" in value else os.path.relpath(path.parent / value, found.origin.absolute().parent)
        if index not in found.indexes:
            found.indexes.insert(0 if name in {"-i", "--index-url"} else len(found.indexes), index)
    elif name in {"-e", "--editable"}:
        found.ask(f"-e {value}", group)
    elif name != "--require-hashes":  # a lock always has them
        found.note(f"{path.name}:{number}: `{' '.join(words)}` is not kept: {_UNKEPT.get(name, 'no such setting')}")


def _parted(words: list[str]) -> tuple[str, str]:
    """Part an option into its name and value: `--index-url=X`, `-r X`, `-rX`."""
    name, equals, value = words[0].partition("=")
    if not name.startswith("--") and len(name) > 2:
        return name[:2], words[0][2:].lstrip("=")
    return name, value if equals else " ".join(words[1:2])


def _requirement(text: str, options: list[str], path: Path, number: int, found: Foreign) -> str:
    """Keep the pin and the hashes of one line, and return its requirement; a path stays as it is written."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as cause:
        if "/" in text or text.startswith(".") or text.endswith((".whl", ".tar.gz", ".zip")):
            return text
        raise ProjectError(f"`{text}` is not a requirement", file=path, line=number) from cause
    hashes = [option.partition("=")[2] for option in options if option.startswith("--hash=")]
    for option in options:
        if not option.startswith("--hash="):
            found.note(f"{path.name}:{number}: `{option}` is not kept: builds get no settings")
    exact = [clause.version for clause in requirement.specifier if clause.operator in {"==", "==="}]
    if len(exact) == 1 and not exact[0].endswith("*"):
        found.pin(requirement.name, exact[0], hashes)
    return str(requirement)
