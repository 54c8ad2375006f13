"""Read uv.lock; uv's projects are PEP 621, and envknit obeys `[tool.uv.sources]` as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envknit.exchange.foreign import Foreign, damaged, read_toml

if TYPE_CHECKING:
    from pathlib import Path

_OWN = ("editable", "virtual", "directory")  # the project and its workspace members


def read_uv_lock(path: Path) -> Foreign:
    """Read the pins and hashes of a uv.lock."""
    found = Foreign(origin=path)
    document = read_toml(path)
    try:
        for package in document.get("package", []):
            source = package.get("source", {})
            name = package["name"]
            if any(kind in source for kind in _OWN):
                continue  # the project file says where they are
            if "git" in source or "url" in source or "path" in source:
                found.note(f"{name} comes from {next(iter(source.values()))}: the project's `sources` decide")
                continue
            found.pin(name, package["version"], [file["hash"] for file in _files(package) if "hash" in file])
    except (AttributeError, KeyError, TypeError) as cause:
        raise damaged(path, cause) from cause
    return found


def _files(package: dict[str, Any]) -> list[dict[str, Any]]:
    return [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
