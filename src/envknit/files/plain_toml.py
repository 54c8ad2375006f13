"""TOML read in a time that its length bounds: project files and the locks of other tools come with a clone.

The standard library's parser takes time with the square of the parts of a dotted key: 40 KB of `a.a.a…` are minutes.
"""

from __future__ import annotations

import re
import sys
from typing import Any

_MOST_PARTS = 32  # of a key; `tool.poetry.group.dev.dependencies` has five
_BEGINNING = r"(?:^|[\[{,])[ \t]*"
_PART = r"""(?:[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*\.[ \t]*"""
_LONG_KEY = re.compile(f"{_BEGINNING}(?:{_PART}){{{_MOST_PARTS}}}", re.MULTILINE)


def loads_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: it is none, nests too deeply, or has a key of more parts than anybody writes.
    """
    if sys.version_info >= (3, 11):
        import tomllib  # most commands read no TOML
    else:
        import tomli as tomllib
    if _LONG_KEY.search(text):
        raise ValueError(f"a key of more than {_MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error
