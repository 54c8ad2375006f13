"""Which console scripts a wheel asks for in its `entry_points.txt`.

Read line by line, as `importlib.metadata` does: configparser fills one value into others (`%(a)s%(a)s`), which is a
bomb, and its patterns take time with the square of what they read.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from installer.scripts import ScriptSection

_KINDS: dict[str, ScriptSection] = {"console_scripts": "console", "gui_scripts": "gui"}
_MOST_SCRIPTS = 4096  # each is a file in every view
_NAME = re.compile(r"[\w+-][\w.+-]*", re.ASCII)
_RESERVED = re.compile(r"(?:python|pypy)w?[0-9.]*[dt]*(?:-config)?(?:\.exe)?", re.IGNORECASE)


def scripts_of(text: str) -> list[tuple[str, str, str, ScriptSection]]:
    """Read the console and gui scripts of an `entry_points.txt`: (name, module, attribute, kind), in its order.

    Raises:
        ValueError: a name is no plain file name or an interpreter's, a value is not `module:attribute`, or there are
            too many.
    """
    found: list[tuple[str, str, str, ScriptSection]] = []
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and not section:
            raise ValueError("entry_points.txt cannot be read: it begins without a group")
        elif line and line[0] not in "#;" and (kind := _KINDS.get(section)):
            name, _, value = line.partition("=")
            module, _, attribute = value.partition("[")[0].partition(":")
            found.append((name.strip(), module.strip(), attribute.strip(), kind))
    if len(found) > _MOST_SCRIPTS:
        raise ValueError(f"it asks for {len(found)} scripts")
    if len({(name, kind) for name, _, _, kind in found}) != len(found):
        raise ValueError("it asks for two scripts of one name")
    for name, module, attribute, _ in found:
        if not _NAME.fullmatch(name) or is_reserved(name):
            raise ValueError(f"{name[:80]!r} cannot be the name of a script")
        if not all(part.isidentifier() for part in f"{module}.{attribute}".split(".")):
            # It becomes a line of a program: nothing but names may stand there
            raise ValueError(f"the script {name[:80]!r} leads to what is not module:attribute")
    return found


def is_reserved(name: str) -> bool:
    """Tell whether a script of this name would stand for an interpreter."""
    return _RESERVED.fullmatch(name) is not None
