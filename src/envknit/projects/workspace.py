"""Workspaces: several packages of one repository with one lock, which lies at the root."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from envknit.projects.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envknit.files.values import Value


def find_members(root: Path, table: Value | None) -> list[str]:
    """Find the folders of a workspace, relative to its root, sorted; the root itself is not among them.

    Args:
        root: the folder that holds the project file.
        table: `members` and `exclude`, as globs.

    Raises:
        the table's own error: a glob is none, or leads out of the workspace.
    """
    if table is None:
        return []
    fields = table.fields({"members", "exclude"})
    excluded = {folder for glob in _globs(fields.get("exclude")) for folder in _found(root, glob)}
    members = {folder for glob in _globs(fields.get("members")) for folder in _found(root, glob)}
    members = {folder for folder in members - excluded if (root / folder / "pyproject.toml").is_file()}
    return sorted(members - {"."})


def _globs(value: Value | None) -> Iterator[str]:
    for item in value.items() if value else ():
        glob = item.text()
        if "\0" in glob:
            raise item.bad("no folder has a null character in its name")
        if PurePosixPath(glob).is_absolute() or ".." in PurePosixPath(glob).parts:
            raise item.bad(f"`{glob}` leads out of the workspace")
        yield glob


def _found(root: Path, glob: str) -> Iterator[str]:
    if glob in ("", "."):
        return
    for folder in root.glob(glob.removeprefix("./")):
        hidden = any(part.startswith(".") for part in folder.relative_to(root).parts)
        if folder.is_dir() and not hidden:
            yield folder.relative_to(root).as_posix()


def workspace_above(member: Path) -> Path | None:
    """Return the `pyproject.toml` of the workspace that a project is a member of; None where it is in none.

    Args:
        member: the project's own `pyproject.toml`.
    """
    for folder in member.parent.parents:
        path = folder / "pyproject.toml"
        if path.is_file():
            whole = read_toml(path)
            tool = whole.data.get("tool", {})
            table = next((name for name in ("envknit", "uv") if "workspace" in tool.get(name, {})), None)
            if table is not None:
                found = find_members(folder, whole.field("tool").field(table).field("workspace"))
                return path if member.parent.relative_to(folder).as_posix() in found else None
    return None
