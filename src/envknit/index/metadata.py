"""Core metadata: what an artifact requires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.naming import canonical_name

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_WANTED = frozenset(
    {"metadata-version", "name", "version", "requires-dist", "requires-python", "dynamic", "provides-extra"}
)


class UnusableMetadataError(ValueError):
    """An artifact's metadata cannot be had or read; the candidate is passed over, and the person told why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """The part of core metadata that a resolution needs."""

    name: str
    version: str
    requires_dist: tuple[Requirement, ...] = ()
    requires_python: str = ""
    extras: frozenset[str] = frozenset()


def read_metadata(data: bytes) -> Metadata:
    """Read core metadata (METADATA or PKG-INFO).

    Raises:
        UnusableMetadataError: a requirement in it is not PEP 508, or it names no project.
    """
    fields = read_headers(data)
    if not (fields["name"] and fields["version"]):
        raise UnusableMetadataError("its metadata names no project and version")
    return Metadata(
        name=canonical_name(fields["name"][0]),
        version=fields["version"][0],
        requires_dist=tuple(map(_requirement, fields["requires-dist"])),
        requires_python=fields["requires-python"][0] if fields["requires-python"] else "",
        extras=frozenset(map(canonical_name, fields["provides-extra"])),
    )


def _requirement(text: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - 19 ms, for locking alone

    try:
        return Requirement(text)
    except InvalidRequirement as cause:
        raise UnusableMetadataError(f"its metadata holds `{text}`, which is no requirement") from cause


def is_static(data: bytes) -> bool:
    """Whether an sdist's PKG-INFO may be believed about dependencies without a build (PEP 643)."""
    fields = read_headers(data)
    version = fields["metadata-version"][0].split(".") if fields["metadata-version"] else ["1", "0"]
    if not all(part.isdigit() for part in version) or tuple(map(int, version)) < (2, 2):
        return False
    dynamic = {field.lower() for field in fields["dynamic"]}
    return not dynamic & {"requires-dist", "requires-python", "provides-extra"}


def read_headers(data: bytes) -> dict[str, list[str]]:
    """Read the headers that matter, by lower-case name; the description, often most of the file, is not looked at."""
    fields: dict[str, list[str]] = {name: [] for name in _WANTED}
    current: list[str] | None = None
    # Only an empty line ends the headers: licence texts among them hold form feeds and lines of mere blanks
    for line in data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        if not line:
            break
        if line[0] in " \t":
            if current:
                current[-1] += " " + line.strip()
            continue
        key, _, value = line.partition(":")
        current = fields.get(key.strip().lower())
        if current is not None:
            current.append(value.strip())
    return fields
