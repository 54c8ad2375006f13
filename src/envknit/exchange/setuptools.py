"""Read what a setup.cfg declares; what only setup.py knows is asked of its build backend elsewhere."""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING

from envknit.errors import ProjectError
from envknit.exchange.foreign import MAIN, Foreign, read_text

if TYPE_CHECKING:
    from pathlib import Path


def read_setup_cfg(path: Path) -> Foreign:
    """Read `install_requires`, `tests_require`, `[options.extras_require]` and `python_requires`."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    try:
        parser.read_string(read_text(path), str(path))
    except configparser.Error as cause:
        raise ProjectError(f"the file is not INI: {cause.message}", file=path) from cause
    found = Foreign(origin=path, python=parser.get("options", "python_requires", fallback=""))
    wanted = {MAIN: parser.get("options", "install_requires", fallback="")}
    if parser.has_section("options.extras_require"):
        wanted |= dict(parser.items("options.extras_require"))
    for group, lines in wanted.items():
        if lines.strip().startswith(("file:", "attr:")):
            found.note(f"{path.name}: `{lines.strip()}` is not followed: import that file")
            continue
        for line in lines.replace(";\n", "\n").splitlines():
            if text := line.partition(" #")[0].strip():
                found.ask(text, group)
    return found
