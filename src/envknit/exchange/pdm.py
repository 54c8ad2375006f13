"""Read pdm.lock; PDM's projects are PEP 621, which envknit reads as they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.exchange.foreign import Foreign, damaged, read_toml

if TYPE_CHECKING:
    from pathlib import Path


def read_pdm_lock(path: Path) -> Foreign:
    """Read the pins and hashes of a pdm.lock, of any version of its format."""
    found = Foreign(origin=path)
    document = read_toml(path)
    try:
        files = document.get("metadata", {}).get("files", {})  # before format 4.0: "name version" to files
        for package in document.get("package", []):
            name, version = package["name"], package["version"]
            if any(kind in package for kind in ("git", "path", "url")):
                found.note(f"{name} {version} comes from a location of its own: add it as a source")
                continue
            listed = package.get("files") or files.get(f"{name} {version}", [])
            found.pin(name, version, [file["hash"] for file in listed])
    except (AttributeError, KeyError, TypeError) as cause:
        raise damaged(path, cause) from cause
    return found
