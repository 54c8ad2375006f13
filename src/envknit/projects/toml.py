"""TOML files, read as values that know where they stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envknit.errors import ProjectError
from envknit.files.plain_toml import loads_toml
from envknit.files.values import Value
from envknit.regular import read_regular

if TYPE_CHECKING:
    from pathlib import Path


def read_toml(path: Path) -> Value:
    """Read a TOML file of the project.

    Raises:
        ProjectError: it cannot be read, or is no TOML.
    """
    try:
        text = read_project_file(path).decode()
    except UnicodeDecodeError as cause:
        raise ProjectError(f"the project file is not TOML: {cause}", project=path) from cause
    return Value(data=parse_toml(text, path), file=str(path), error=ProjectError, kind="project")


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Parse the text of a TOML file, or what stands in one; errors as `read_toml`."""
    try:
        return loads_toml(text)
    except ValueError as cause:
        raise ProjectError(f"the project file is not TOML: {cause}", project=path) from cause


def read_project_file(path: Path) -> bytes:
    """Read the bytes of a project file; ProjectError where it cannot be read."""
    try:
        return read_regular(path)
    except OSError as cause:
        raise ProjectError(f"the project file cannot be read: {cause.strerror}", project=path) from cause
