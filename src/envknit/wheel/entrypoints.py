"""Which console scripts a wheel asks for in its `entry_points.txt`."""

from __future__ import annotations

import configparser
import re

from installer.utils import parse_entrypoints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from installer.scripts import ScriptSection

_MOST_SCRIPTS = 4096  # each is a file in every view
_NAME = re.compile(r"[\w+-][\w.+-]*", re.ASCII)
_RESERVED = re.compile(r"(?:python|pypy)w?[0-9.]*[dt]*(?:-config)?(?:\.exe)?", re.IGNORECASE)


def scripts_of(text: str) -> list[tuple[str, str, str, ScriptSection]]:
    """Read the console and gui scripts of an `entry_points.txt`: (name, module, attribute, kind), in its order.

    Raises:
        ValueError: a name is no plain file name or an interpreter's, a value is not `module:attribute`, or there are
            too many.
    """
    try:
        found = list(parse_entrypoints(text))
    except configparser.Error as error:
        raise ValueError(f"entry_points.txt cannot be read: {error}") from error
    except (AssertionError, AttributeError) as error:  # installer asserts that the value has this form
        raise ValueError("a script leads to what is not module:attribute") from error
    if len(found) > _MOST_SCRIPTS:
        raise ValueError(f"it asks for {len(found)} scripts")
    for name, module, attribute, _ in found:
        if not _NAME.fullmatch(name) or is_reserved(name):
            raise ValueError(f"{name!r} cannot be the name of a script")
        if not all(part.isidentifier() for part in f"{module}.{attribute}".split(".")):
            # It becomes a line of a program: nothing but names may stand there
            raise ValueError(f"the script {name!r} leads to what is not module:attribute")
    return found


def is_reserved(name: str) -> bool:
    """Tell whether a script of this name would stand for an interpreter."""
    return _RESERVED.fullmatch(name) is not None
