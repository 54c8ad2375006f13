"""Read poetry.lock; `[tool.poetry]` itself is a project file of envknit's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.exchange.foreign import Foreign, damaged, read_toml

if TYPE_CHECKING:
    from pathlib import Path


def read_poetry_lock(path: Path) -> Foreign:
    """Read the pins and hashes of a poetry.lock, of any version of its format."""
    found = Foreign(origin=path)
    document = read_toml(path)
    try:
        files = document.get("metadata", {}).get("files", {})  # format 1.x keeps them here, 2.x at the package
        for package in document.get("package", []):
            name, version = package["name"], package["version"]
            if package.get("source", {}).get("type") in {"git", "directory", "file", "url"}:
                found.note(f"{name} {version} comes from {package['source'].get('url')}: add it as a source")
                continue
            listed = package.get("files") or files.get(name, [])
            found.pin(name, version, [file["hash"] for file in listed])
    except (AttributeError, KeyError, TypeError) as cause:
        raise damaged(path, cause) from cause
    return found
