"""A `setup.cfg` that is open for an edit: the lines of `install_requires` and of the extras, all others as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.errors import ProjectError
from envknit.projects.documents import name_of

if TYPE_CHECKING:
    from pathlib import Path

    from envknit.files.sources import Source
    from envknit.projects.where import Where

_OPTIONS, _EXTRAS = "options", "options.extras_require"
_BY_HAND = "edit it by hand, then run: envknit lock && envknit install"


class SetupCfg:
    """The lines of a `setup.cfg`.

    Args:
        text: of the file.
        path: for messages.
    """

    def __init__(self, text: str, path: Path) -> None:
        self._lines = text.splitlines(keepends=True)
        self._path = path
        self._end = "\r\n" if "\r\n" in text else "\n"

    @property
    def text(self) -> str:
        """The file as it is now."""
        return "".join(self._lines)

    @property
    def has_options(self) -> bool:
        """Whether it describes a package, and does not merely hold settings of tools."""
        return self._section(_OPTIONS) is not None

    def says(self, where: Where) -> bool:
        """Whether a list stands in the file."""
        return not where.group and self._option(*self._place(where)) is not None

    def put(self, where: Where, requirement: str, name: str, source: Source | None) -> None:
        """Ask for a package; see `Editable`.

        Raises:
            ProjectError: a `setup.cfg` has no place for that, or says it in a way that only setuptools reads.
        """
        if source is not None and source.is_here:
            raise ProjectError("a setup.cfg has no place for a path", project=self._path, source=source)
        text = f"{requirement} @ {source}" if source is not None else requirement
        first, last = self._made(*self._place(where))
        there = [at for at in range(first + 1, last) if name_of(self._lines[at].strip()) == name]
        if there and text == name:
            return
        indent = next((_indent(line) for line in self._lines[first + 1 : last] if _is_item(line)), "    ")
        for at in reversed(there[1:]):
            del self._lines[at]
        if there:
            self._lines[there[0]] = f"{_indent(self._lines[there[0]])}{text}{self._end}"
        else:
            self._lines.insert(last, f"{indent}{text}{self._end}")

    def drop(self, where: Where, name: str) -> bool:
        """Ask for a package no more; see `Editable`."""
        if not self.says(where):
            return False
        first, last = self._made(*self._place(where))
        there = [at for at in range(first + 1, last) if name_of(self._lines[at].strip()) == name]
        for at in reversed(there):
            del self._lines[at]
        return bool(there)

    def forget(self, name: str) -> None:
        """Drop what is said of a name outside of the lists: nothing is."""

    def _place(self, where: Where) -> tuple[str, str]:
        return (_EXTRAS, where.extra) if where.extra else (_OPTIONS, "install_requires")

    def _section(self, name: str) -> tuple[int, int] | None:
        """Find the lines of a section, its head and the line behind its last."""
        heads = [at for at, line in enumerate(self._lines) if line.startswith("[")]
        for at in heads:
            if self._lines[at].strip() == f"[{name}]":
                return at, next((other for other in heads if other > at), len(self._lines))
        return None

    def _option(self, section: str, key: str) -> tuple[int, int] | None:
        """Find the lines of an option, its head and the line behind its last item."""
        found = self._section(section)
        for first in range(found[0] + 1, found[1]) if found else ():
            line = self._lines[first]
            if line[:1].isspace() or _key(line) != key.lower():
                continue
            last = first + 1
            for at in range(first + 1, found[1] if found else 0):
                if self._lines[at].strip() and not (self._lines[at][0].isspace() or self._lines[at][0] in "#;"):
                    break
                last = at + 1 if _is_item(self._lines[at]) else last
            return first, last
        return None

    def _made(self, section: str, key: str) -> tuple[int, int]:
        """Find the lines of an option, one item a line; it is made where it is missing."""
        found = self._option(section, key)
        if found is None:
            if section == _OPTIONS and (self._path.parent / "setup.py").is_file():
                raise ProjectError(
                    "what this project needs may stand in its setup.py", project=self._path, hint=_BY_HAND
                )
            within = self._section(section)
            if within is None:
                self._lines += [self._end, f"[{section}]{self._end}"]
                within = len(self._lines) - 1, len(self._lines)
            self._lines.insert(within[0] + 1, f"{key} ={self._end}")
            return within[0] + 1, within[0] + 2
        first, last = found
        head, separator, value = self._lines[first].partition("=")
        if value.strip().startswith(("file:", "attr:")):
            raise ProjectError("what this project needs stands in another file", project=self._path, hint=_BY_HAND)
        if value.strip():  # `a; b` on one line
            items = [f"    {item.strip()}{self._end}" for item in value.split(";") if item.strip()]
            self._lines[first : first + 1] = [f"{head}{separator}{self._end}", *items]
            last += len(items)
        return first, last


def _key(line: str) -> str:
    return line.replace(":", "=", 1).partition("=")[0].strip().lower() if "=" in line or ":" in line else ""


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _is_item(line: str) -> bool:
    return line[:1].isspace() and bool(line.strip()) and line.strip()[0] not in "#;"
