"""What a lock takes from places that are no index: files, folders and commits, each built into a store entry."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.errors import InstallError, LockError
from envknit.files.model import Artifact
from envknit.files.sources import ANY_INDEX, Source, parse_source
from envknit.files.values import Value
from envknit.index.links import link_to
from envknit.install.own import digest_of
from envknit.naming import parse_store_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envknit.files.model import Lock, Pin
    from envknit.index.index import Index
    from envknit.index.links import Link
    from envknit.install.choose import ChosenPin, PlacedPin


def bound_indexes(lock: Lock) -> dict[str, set[str]]:
    """Return which indexes the packages of a lock come from that are bound to some; see `open_index`."""
    found: dict[str, set[str]] = {}
    pins = [pin for environment in lock.environments.values() for pin in environment.pins]
    for pin in pins:
        if pin.source.startswith("index+"):
            found.setdefault(pin.name, set()).add(pin.source)
    for pin in pins:
        if pin.name in found and not pin.source:
            found[pin.name].add(ANY_INDEX)
    return found


class Sources:
    """The places that the pins of one lock name.

    Args:
        root: the folder of the lock; paths are relative to it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digests: dict[str, str] = {}

    def found(self, chosen: ChosenPin) -> ChosenPin:
        """Give a pin that is built out of a folder or a commit an artifact that stands for its present state.

        Raises:
            InstallError: the folder is not there.
        """
        if not self.is_built(chosen.pin.source):
            return chosen
        state = self._state(chosen.pin.source)
        name = f"{chosen.pin.name.replace('-', '_')}-{chosen.pin.version}.tar.gz"
        return replace(chosen, artifact=Artifact(name=name, sha256=hashlib.sha256(state.encode()).hexdigest()))

    def is_built(self, text: str) -> bool:
        """Whether a source is no file, but a folder or a commit."""
        return bool(text) and (self.is_folder(text) or _read(text).kind == "git")

    def is_folder(self, text: str) -> bool:
        """Whether a source is a folder of this machine."""
        return text.startswith("file:") and not _is_file(self._path(_read(text)))

    def built(self, pin: Pin) -> tuple[str, str, str] | None:
        """Return the row of a plan that says which folder a pin was built out of, and in which state."""
        if not self.is_folder(pin.source):
            return None
        return pin.name, str(self._folder(_read(pin.source))), self._state(pin.source)

    def link(self, text: str, name: str, sha256: str) -> Link | None:
        """Return the link to the file at a source; None where an index has it."""
        source = _read(text) if text else None
        if source is None or source.kind not in ("url", "path"):
            return None
        place = self._path(source) if source.is_here else source.location
        return link_to(place, name=name, sha256=sha256, subdirectory=source.subdirectory)

    def wheel(self, text: str, archive: Path | None, filename: str, index: Index, workspace: Path) -> Path:
        """Build the wheel of a pin.

        Args:
            text: its source; `""`: an index.
            archive: its sdist; None for a folder or a commit.
            filename: the sdist's name.
            index: has the builder.
            workspace: an existing folder for the wheel.
        """
        source = _read(text) if text else None
        if archive is not None:
            link = self.link(text, "", "") if source else None
            subdirectory = source.subdirectory if source else ""
            name = link.filename if link else filename
            return index.builder.wheel_of_sdist(archive, name, workspace, subdirectory=subdirectory)
        assert source is not None  # noqa: S101 - what has neither is no pin
        if source.kind == "git":
            return index.git.wheel(source.location, source.commit, workspace, subdirectory=source.subdirectory)
        return index.builder.wheel(self._folder(source), workspace, editable=source.editable)

    def origin(self, text: str) -> bytes:
        """Write what `direct_url.json` says of a folder or a commit (PEP 610); empty for anything else."""
        if not self.is_built(text):
            return b""
        source = _read(text)
        told: dict[str, object] = {"url": source.location if source.kind == "git" else self._folder(source).as_uri()}
        if source.kind == "git":
            asked = {"requested_revision": source.rev} if source.rev else {}
            told["vcs_info"] = {"vcs": "git", **asked, "commit_id": source.commit}
            told |= {"subdirectory": source.subdirectory} if source.subdirectory else {}
        else:
            told["dir_info"] = {"editable": True} if source.editable else {}
        return json.dumps(told).encode()

    def _state(self, text: str) -> str:
        if text not in self._digests:
            source = _read(text)
            if source.kind == "git":
                self._digests[text] = f"git {source.location} {source.commit} {source.subdirectory}"
            else:
                folder = self._folder(source)
                if not folder.is_dir():
                    raise InstallError("a folder that the lock names is not there", folder=folder)
                self._digests[text] = digest_of(str(folder), in_place=source.editable)
        return self._digests[text]

    def _path(self, source: Source) -> Path:
        return Path(self._root, source.location).expanduser()

    def _folder(self, source: Source) -> Path:
        return (self._path(source) / source.subdirectory).resolve()


def as_built(placed: Sequence[PlacedPin]) -> list[PlacedPin]:
    """Give pins the versions that their folders were built as, where these are others than when they were locked."""
    versions = {}
    for pin in placed:
        parts = parse_store_folder(pin.entry.folder) if pin.chosen.pin.source else None
        if parts and parts[1] != pin.chosen.pin.version:
            versions[pin.chosen.pin.name, pin.chosen.pin.version] = parts[1]
    if not versions:
        return list(placed)
    return [
        replace(
            pin,
            chosen=replace(
                pin.chosen,
                pin=replace(pin.chosen.pin, version=_new(pin.chosen.pin.name, pin.chosen.pin.version, versions)),
                dependencies=tuple((name, _new(name, old, versions)) for name, old in pin.chosen.dependencies),
            ),
        )
        for pin in placed
    ]


def _new(name: str, version: str, versions: dict[tuple[str, str], str]) -> str:
    return versions.get((name, version), version)


def _is_file(path: Path) -> bool:
    return path.suffix in (".whl", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".tar") and not path.is_dir()


def _read(text: str) -> Source:
    return parse_source(text, Value(data=text, file="", error=LockError, kind="lock"))
