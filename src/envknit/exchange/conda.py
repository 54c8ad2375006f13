"""Read the pip part of conda's environment.yml; conda's own packages are not on a Python index, and are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from envknit.errors import ProjectError
from envknit.exchange.foreign import Foreign, read_text
from envknit.files.plain_yaml import read_plain_yaml

if TYPE_CHECKING:
    from pathlib import Path


def read_conda(path: Path) -> Foreign:
    """Read an environment.yml: what stands below `pip:` is asked for, `python=3.11` is obeyed, the rest is told."""
    found = Foreign(origin=path)
    fields = read_plain_yaml(read_text(path).encode(), str(path), ProjectError, "file").fields()
    for item in fields["dependencies"].items() if "dependencies" in fields else ():
        if isinstance(item.data, dict):
            for requirement in item.field("pip").items():
                text = requirement.text().partition(" #")[0].strip()
                try:
                    found.ask(str(Requirement(text)))
                except InvalidRequirement:
                    raise requirement.bad(f"`{text}` is not a requirement") from None
            continue
        name, _, version = item.text().replace("==", "=").partition("=")
        if name == "python" and version:
            found.python = f"=={version.partition('=')[0].rstrip('.*')}.*"
        elif name not in {"python", "pip"}:
            found.note(f"{item.text()} is a package of conda: if the Python index has it, run: envknit add {name}")
    return found
