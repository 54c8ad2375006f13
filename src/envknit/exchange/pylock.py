"""Read and write pylock.toml (PEP 751) through `packaging.pylock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.pylock import Pylock, PylockValidationError

from envknit.errors import ProjectError
from envknit.exchange.foreign import Foreign, read_toml

if TYPE_CHECKING:
    from pathlib import Path


def read_pylock(path: Path) -> Foreign:
    """Read the pins and hashes of a pylock.toml; what it was made from is not in it, so every package is asked for."""
    document = read_toml(path)
    try:
        lock = Pylock.from_dict(document)
    except PylockValidationError as cause:
        raise ProjectError(f"the file is not a pylock.toml: {cause}", file=path) from cause
    found = Foreign(origin=path, python=str(lock.requires_python or ""))
    for package in lock.packages:
        if package.vcs or package.directory or package.archive or package.version is None:
            found.note(f"{package.name} comes from a location of its own: add it as a source")
            continue
        hashed = [wheel.hashes for wheel in package.wheels or ()] + ([package.sdist.hashes] if package.sdist else [])
        hashes = [f"{algorithm}:{digest}" for file in hashed for algorithm, digest in file.items()]
        found.pin(package.name, str(package.version), hashes)
        marker = f" ; {package.marker}" if package.marker else ""
        found.ask(f"{package.name}=={package.version}{marker}")
        if package.index and package.index not in found.indexes:
            found.indexes.append(package.index)
    return found
