"""Which console scripts a wheel asks for in its `entry_points.txt`."""

from __future__ import annotations

import re
from configparser import Error, RawConfigParser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

_NAME = re.compile(r"[\w.+-]+", re.ASCII)
_VALUE = re.compile(r"(?P<module>\w+(?:\.\w+)*)\s*:\s*(?P<attribute>\w+(?:\.\w+)*)\s*(?:\[[\w\s,.-]*\])?")
_RESERVED = re.compile(r"(?:python|pypy)w?[0-9.]*[dt]*(?:-config)?(?:\.exe)?", re.IGNORECASE)


def scripts_of(text: str) -> list[tuple[str, str, str, Literal["console", "gui"]]]:
    """Read the console and gui scripts of an `entry_points.txt`: (name, module, attribute, kind), in its order.

    Raises:
        ValueError: a name is no plain file name or an interpreter's, or a value is not `module:attribute`.
    """
    parser = RawConfigParser(delimiters=("=",), strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
    try:
        parser.read_string(text)
    except Error as error:
        raise ValueError(f"entry_points.txt cannot be read: {error}") from error
    found: list[tuple[str, str, str, Literal["console", "gui"]]] = []
    kinds: tuple[Literal["console", "gui"], ...] = ("console", "gui")
    for kind in kinds:
        section = f"{kind}_scripts"
        for name, value in parser.items(section) if parser.has_section(section) else ():
            match = _VALUE.fullmatch(value.strip())
            if not _NAME.fullmatch(name) or name.startswith(".") or is_reserved(name):
                raise ValueError(f"{name!r} cannot be the name of a script")
            if match is None:
                raise ValueError(f"the script {name!r} leads to {value!r}, which is not module:attribute")
            found.append((name, match["module"], match["attribute"], kind))
    return found


def is_reserved(name: str) -> bool:
    """Tell whether a script of this name would stand for an interpreter."""
    return _RESERVED.fullmatch(name) is not None
