"""What `[tool.uv]` says that decides what is locked: groups, limits, indexes and how versions are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envknit.files.model import PRERELEASES, RESOLUTIONS
from envknit.files.project import OWN_INDEXES, RequestedEnvironment
from envknit.projects.settings import read_choice, read_default_groups, read_time, requirements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envknit.files.values import Value


def groups(tables: Mapping[str, Value], base: str) -> dict[str, tuple[str, ...]]:
    """Read the group `dev` as it was written before there were dependency groups."""
    return {"dev": requirements(tables["dev-dependencies"], base)} if "dev-dependencies" in tables else {}


def limits(tables: Mapping[str, Value], base: str) -> RequestedEnvironment:
    """Read constraints and overrides."""
    return RequestedEnvironment(
        name="default",
        constraints=requirements(tables.get("constraint-dependencies"), base),
        overrides=requirements(tables.get("override-dependencies"), base),
    )


def settings(tables: Mapping[str, Value]) -> dict[str, Any]:
    """Read the arguments of `Project` that uv's settings give."""
    found: dict[str, Any] = _indexes(tables)
    if "default-groups" in tables:
        found["default_groups"] = read_default_groups(tables["default-groups"])
    if "exclude-newer" in tables:
        found["exclude_newer"] = read_time(tables["exclude-newer"])
    if "resolution" in tables:
        found["resolution"] = read_choice(tables["resolution"], RESOLUTIONS)
    if "prerelease" in tables:
        found["prerelease"] = read_choice(tables["prerelease"], PRERELEASES)
    return found


def named_indexes(value: Value | None) -> dict[str, str]:
    """Read the names that sources call indexes by: name to URL."""
    rows = [row.fields() for row in value.items()] if value else []
    return {row["name"].text(): row["url"].text() for row in rows if "name" in row and "url" in row}


def _indexes(tables: Mapping[str, Value]) -> dict[str, Any]:
    """Read which indexes are asked, in uv's order: those that are named, then the default one.

    An `explicit` index answers only for the names that a source binds to it.
    """
    rows = [row.fields() for row in tables["index"].items()] if "index" in tables else []
    named: list[str] = []
    default: list[str] = []
    for row in rows:
        if "url" in row and not _flag(row, "explicit"):
            (default if _flag(row, "default") else named).append(row["url"].text())
    named += _texts(tables.get("extra-index-url"))
    default += [tables["index-url"].text()] if "index-url" in tables else []
    named += _texts(tables.get("find-links"))
    if not named and not default:
        return {}
    if not default and not _flag(tables, "no-index"):
        default = [OWN_INDEXES]
    return {"indexes": (*named, *default[:1])}


def _flag(fields: Mapping[str, Value], key: str) -> bool:
    return key in fields and fields[key].flag()


def _texts(value: Value | None) -> Iterator[str]:
    return (item.text() for item in value.items()) if value else iter(())
