"""Core metadata: what an artifact requires; what old tools wrote is repaired as uv repairs it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from envknit.naming import canonical_name

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.requirements import Requirement

_WANTED = frozenset(
    {"metadata-version", "name", "version", "requires-dist", "requires-python", "dynamic", "provides-extra"}
)
_MOST_REQUIREMENTS = 20_000  # the longest real list, with all extras, has some 1,500

_NAME = re.compile(r"\s*[\w.-]+\s*(\[[^\]]*\])?")

# What setuptools and others wrote before PEP 440 was enforced, and what they meant (uv's lenient_requirement.rs)
_REPAIRS = (
    (re.compile(r"(\d)([<>=~^!])"), r"\1,\2"),  # `>=7.2.0<8.0.0`: a comma is missing
    (re.compile(r"!=~((?:\d\.)*\d)"), r"!=\1.*"),
    (re.compile(r"(<=|>=|<|>)(\s*\d+(?:\.\d+)*)\.\*"), r"\1\2"),  # `>=1.19.*`
    (re.compile(r"(\d+\.\d)\*"), r"\1.*"),  # `==2.6*`
    (re.compile(r">\s*dev\b"), ">=0.0.0.dev0"),
    (re.compile(r"((?:a|b|rc|post|dev)\d+)\.0\b"), r"\1"),  # `>=9.0.0a1.0`
    (re.compile(r"([<>=~!]=?\s*)['\"]([^'\"]*)['\"]"), r"\1\2"),  # `>='2.7'`
    (re.compile(r",\s*(?=\)|$)"), ""),  # `(>=2.7,)`
)


class UnusableMetadataError(ValueError):
    """An artifact's metadata cannot be had or read; the candidate is passed over, and the person told why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A `Requires-Dist` that is no requirement, and when it applies: a candidate is unusable only where it does."""

    text: str
    marker: Marker | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """The part of core metadata that a resolution needs."""

    name: str
    version: str
    requires_dist: tuple[Requirement, ...] = ()
    requires_python: str = ""
    extras: frozenset[str] = frozenset()
    unreadable: tuple[Unreadable, ...] = ()


def read_metadata(data: bytes) -> Metadata:
    """Read core metadata (METADATA or PKG-INFO).

    Raises:
        UnusableMetadataError: it names no project, or lists more requirements than any project has.
    """
    fields = read_headers(data)
    if not (fields["name"] and fields["version"]):
        raise UnusableMetadataError("its metadata names no project and version")
    if len(fields["requires-dist"]) > _MOST_REQUIREMENTS:
        raise UnusableMetadataError(f"its metadata lists more than {_MOST_REQUIREMENTS} requirements")
    requirements = [_requirement(text) for text in fields["requires-dist"]]
    return Metadata(
        name=canonical_name(fields["name"][0]),
        version=fields["version"][0],
        requires_dist=tuple(found for found in requirements if not isinstance(found, Unreadable)),
        requires_python=fields["requires-python"][0] if fields["requires-python"] else "",
        extras=frozenset(map(canonical_name, fields["provides-extra"])),
        unreadable=tuple(found for found in requirements if isinstance(found, Unreadable)),
    )


@lru_cache(maxsize=16384)  # versions of a project repeat their lines
def _requirement(text: str) -> Requirement | Unreadable:
    from packaging.markers import InvalidMarker, Marker  # 19 ms, for locking alone
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement:
        wanted, semicolon, condition = text.partition(";")
    name = _NAME.match(wanted)
    start, versions = wanted[: name.end()] if name else "", wanted[name.end() if name else 0 :]
    for pattern, meant in _REPAIRS:
        versions = pattern.sub(meant, versions)
        try:
            return Requirement(f"{start}{versions}{semicolon}{condition}")
        except InvalidRequirement:
            continue
    try:
        return Unreadable(text=text, marker=Marker(condition) if semicolon else None)
    except InvalidMarker:
        return Unreadable(text=text)


def is_static(data: bytes) -> bool:
    """Whether an sdist's PKG-INFO may be believed about dependencies without a build (PEP 643)."""
    fields = read_headers(data)
    version = fields["metadata-version"][0].split(".") if fields["metadata-version"] else ["1", "0"]
    if not all(part.isascii() and part.isdigit() and len(part) < 9 for part in version) or tuple(map(int, version)) < (
        2,
        2,
    ):
        return False
    dynamic = {field.lower() for field in fields["dynamic"]}
    return not dynamic & {"requires-dist", "requires-python", "provides-extra"}


def read_headers(data: bytes) -> dict[str, list[str]]:
    """Read the headers that matter, by lower-case name; the description, often most of the file, is not looked at."""
    fields: dict[str, list[list[str]]] = {name: [] for name in _WANTED}  # each field by its lines
    current: list[list[str]] | None = None
    # Only an empty line ends the headers: licence texts among them hold form feeds and lines of mere blanks
    for line in data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        if not line:
            break
        if line[0] in " \t":
            if current:
                current[-1].append(line.strip())
            continue
        key, _, value = line.partition(":")
        current = fields.get(key.strip().lower())
        if current is not None:
            current.append([value.strip()])
    return {name: [" ".join(lines) for lines in found] for name, found in fields.items()}
