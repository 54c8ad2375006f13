"""Read and write pylock.toml (PEP 751) through `packaging.pylock`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
    PylockValidationError,
)
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from envknit import __version__
from envknit.errors import LockError, ProjectError
from envknit.exchange.foreign import Foreign, read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from envknit.exchange.chosen import Chosen
    from envknit.files.model import Artifact
    from envknit.index.links import Link


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


def write_pylock(
    chosen: Sequence[Chosen],
    links: Callable[[str], Sequence[Link]],
    python_version: str,
    *,
    root: Path,
    folder: Path,
) -> str:
    """Write a pylock.toml; a lock of envknit knows no URLs, so the index is asked where the files are now.

    Args:
        chosen: the pins, sorted.
        links: gives the files that the index has of a project.
        python_version: which Pythons it is for, a specifier.
        root: the folder of the lock, to which its paths are relative.
        folder: where the file will lie; files of a folder of wheels are named relative to it.

    Raises:
        LockError: the index has no file of a pin any more.
    """
    import tomlkit  # most exports write no TOML

    packages = [
        _package(one, **(_files(_places(one, links, folder)) if one.source is None else _named(one, root, folder)))
        for one in chosen
    ]
    lock = Pylock(
        lock_version=Version("1.0"),
        requires_python=SpecifierSet(python_version) if python_version else None,
        created_by=f"envknit {__version__}",
        packages=packages,
    )
    return tomlkit.dumps(_plain(lock.to_dict()))


def _places(one: Chosen, links: Callable[[str], Sequence[Link]], folder: Path) -> dict[Artifact, dict[str, str]]:
    known = {link.filename: link.url for link in links(one.pin.name) if link.source == one.pin.source}
    found = {file: _place(known[file.name], folder) for file in one.pin.files if file.name in known}
    if not found:
        raise LockError(
            f"the index has no file of {one.pin.name} {one.pin.version} any more",
            hint="the forms that name no place need none: envknit export --format requirements",
        )
    return found


def _place(url: str, folder: Path) -> dict[str, str]:
    if not url.startswith("file:"):
        return {"url": url}
    return {"path": os.path.relpath(unquote(urlsplit(url).path), folder).replace(os.sep, "/")}


def _package(one: Chosen, **places: Any) -> Package:  # noqa: ANN401 - arguments of Package
    return Package(
        name=canonicalize_name(one.pin.name),
        version=Version(one.pin.version),
        marker=Marker(one.marker) if one.marker else None,
        requires_python=SpecifierSet(one.pin.requires_python) if one.pin.requires_python else None,
        **places,
    )


def _files(places: dict[Artifact, dict[str, str]]) -> dict[str, Any]:
    wheels: list[PackageWheel] = []
    sdists: list[PackageSdist] = []
    for file, place in places.items():
        facts: dict[str, Any] = {"name": file.name, "size": file.size, "hashes": {"sha256": file.sha256}, **place}
        if file.is_wheel:
            wheels.append(PackageWheel(**facts))
        else:
            sdists.append(PackageSdist(**facts))
    return {"wheels": wheels or None, "sdist": next(iter(sdists), None)}  # PEP 751 has room for one sdist


def _named(one: Chosen, root: Path, folder: Path) -> dict[str, Any]:
    """Say where a pin lies that comes from no index."""
    source = one.source
    if source is None:
        return {}
    subdirectory = source.subdirectory or None
    if source.kind == "git":
        vcs = PackageVcs(
            type="git",
            url=source.location,
            commit_id=source.commit,
            requested_revision=source.rev or None,
            subdirectory=subdirectory,
        )
        return {"vcs": vcs}
    if source.kind == "url":
        hashes = {"sha256": source.sha256 or one.pin.files[0].sha256}
        return {"archive": PackageArchive(url=source.location, hashes=hashes, subdirectory=subdirectory)}
    place = os.path.relpath(root / source.location, folder).replace(os.sep, "/")
    return {"directory": PackageDirectory(path=place, editable=source.editable, subdirectory=subdirectory)}


def _plain(value: Any) -> Any:  # noqa: ANN401 - a tree of whatever TOML holds
    """Turn `packaging`'s mappings and tuples into those that tomlkit knows."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
