"""A new project file that asks for what was imported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envknit.exchange.foreign import DEV, MAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envknit.exchange.foreign import Foreign


def write_project(foreign: Foreign, environment: str, python_version: str) -> str:
    """Write an `envknit.yaml`.

    Args:
        foreign: what was read.
        environment: the name that its requirements get.
        python_version: which Pythons the project is for, where `foreign` does not say.
    """
    return "\n".join([*_lines(foreign, environment, foreign.python or python_version), ""])


def _lines(foreign: Foreign, environment: str, python_version: str) -> Iterator[str]:
    yield f"# Imported from {foreign.origin.name}. After an edit run: envknit lock && envknit install"
    if foreign.indexes:
        yield from _list("indexes", foreign.indexes, "")
    yield "environments:"
    yield f"  {environment}:"
    yield f"    python_version: {json.dumps(python_version)}"
    groups = dict(foreign.requirements)
    yield from _list("packages", groups.pop(MAIN, []), "    ")
    if DEV in groups:
        yield from _list("dev_packages", groups.pop(DEV), "    ")
    if groups:
        yield "    groups:"
        for name, texts in sorted(groups.items()):
            yield from _list(name, texts, "      ")
    if foreign.constraints:
        yield from _list("constraints", foreign.constraints, "    ")


def _list(name: str, texts: Iterable[str], indent: str) -> Iterator[str]:
    texts = list(texts)
    yield f"{indent}{name}:{'' if texts else ' []'}"
    # Of JSON's strings, those without control characters are YAML's; a requirement has none
    yield from (f"{indent}  - {json.dumps(text, ensure_ascii=False)}" for text in texts)
