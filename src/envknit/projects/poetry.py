"""What `[tool.poetry]` says: dependencies in Poetry's own words, groups, sources and indexes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from envknit.files.project import OWN_INDEXES, RequestedEnvironment
from envknit.files.requested import read_python_version, read_requirement, read_source
from envknit.files.sources import Source
from envknit.naming import canonical_name
from envknit.projects.sourced import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envknit.files.values import Value

_PLACES = frozenset({"path", "file", "git", "url", "develop", "rev", "tag", "branch", "subdirectory"})
_KEYS = _PLACES | {"version", "extras", "optional", "python", "platform", "markers", "source", "allow-prereleases"}


def environment(tables: Mapping[str, Value], base: str) -> RequestedEnvironment:
    """Read the dependencies and extras of a project that has no `[project]`."""
    dependencies = tables["dependencies"].fields() if "dependencies" in tables else {}
    python = dependencies.pop("python", None)
    read = {canonical_name(name): list(_requirements(name, value, base)) for name, value in dependencies.items()}
    optional = {canonical_name(name) for name, value in dependencies.items() if _is_optional(value)}
    extras = tables["extras"].fields() if "extras" in tables else {}
    return RequestedEnvironment(
        name="default",
        python_version=read_python_version(python.like(_specifier(python))) if python else "",
        requirements=tuple(sorted(text for name, texts in read.items() if name not in optional for text in texts)),
        extras={
            canonical_name(extra): tuple(
                sorted(text for item in items.items() for text in _named(canonical_name(item.text()), read, item))
            )
            for extra, items in extras.items()
        },
    )


def groups(tables: Mapping[str, Value], base: str) -> dict[str, tuple[str, ...]]:
    """Read the groups."""
    found = {name: group.get("dependencies") for name, group in _groups(tables).items()}
    if "dev-dependencies" in tables:
        found["dev"] = tables["dev-dependencies"]
    return {
        canonical_name(name): tuple(
            sorted(text for key, row in value.fields().items() for text in _requirements(key, row, base))
        )
        for name, value in found.items()
        if value is not None
    }


def settings(tables: Mapping[str, Value]) -> dict[str, Any]:
    """Read the arguments of `Project`: groups that are not optional are installed, and the indexes in their order."""
    found: dict[str, Any] = {}
    listed = _groups(tables)
    optional = {name for name, group in listed.items() if "optional" in group and group["optional"].flag()}
    if listed:
        found["default_groups"] = tuple(sorted({*map(canonical_name, listed.keys() - optional), "dev"}))
    rows = [row.fields() for row in tables["source"].items()] if "source" in tables else []
    order: dict[str, list[str]] = {"primary": [], "supplemental": []}
    for row in rows:
        priority = row["priority"].text() if "priority" in row else "primary"
        url = row["url"].text() if "url" in row else OWN_INDEXES  # the name `PyPI` stands without a URL
        order.setdefault("primary" if priority == "default" else priority, []).append(url)
    if order["primary"] or order["supplemental"]:
        found["indexes"] = (*(order["primary"] or [OWN_INDEXES]), *order["supplemental"])
    return found


def named_indexes(tables: Mapping[str, Value]) -> dict[str, str]:
    """Read the names that sources call indexes by: name to URL."""
    rows = [row.fields() for row in tables["source"].items()] if "source" in tables else []
    return {row["name"].text(): row["url"].text() for row in rows if "url" in row and "name" in row}


def sources(tables: Mapping[str, Value], base: str, indexes: Mapping[str, str]) -> dict[str, tuple[Row, ...]]:
    """Read where dependencies come from, for those of `[project]` that Poetry's table tells more of."""
    named = [tables["dependencies"]] if "dependencies" in tables else []
    named += [group["dependencies"] for group in _groups(tables).values() if "dependencies" in group]
    found = {}
    for table in named:
        for name, value in table.fields().items():
            rows = [row for row in _rows(value) if isinstance(row.data, dict)]
            made = [_row(row, base, indexes) for row in rows if row.fields().keys() & (_PLACES | {"source"})]
            if made:
                found[canonical_name(name)] = tuple(made)
    return found


def _groups(tables: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    return {name: group.fields() for name, group in tables["group"].fields().items()} if "group" in tables else {}


def _rows(value: Value) -> list[Value]:
    return list(value.items()) if isinstance(value.data, list) else [value]


def _is_optional(value: Value) -> bool:
    rows = [row.fields() for row in _rows(value) if isinstance(row.data, dict)]
    return any("optional" in row and row["optional"].flag() for row in rows)


def _named(name: str, read: Mapping[str, list[str]], item: Value) -> list[str]:
    if name not in read:
        raise item.bad(f"`{name}` is not among the dependencies")
    return read[name]


def _row(value: Value, base: str, indexes: Mapping[str, str]) -> Row:
    fields = value.fields(_KEYS)
    marker = _marker(fields)
    if "source" in fields:
        name = fields["source"].text()
        if name not in indexes:
            raise fields["source"].bad(f"there is no source named `{name}`")
        return Row(source=Source(kind="index", location=indexes[name]), marker=marker)
    return Row(source=_place(fields, value, base), marker=marker)


def _place(fields: Mapping[str, Value], value: Value, base: str) -> Source:
    told = {{"file": "path", "develop": "editable"}.get(key, key): row for key, row in fields.items() if key in _PLACES}
    return read_source(told, value, base)


def _requirements(name: str, value: Value, base: str) -> Iterator[str]:
    """Write a dependency as requirements: one for each of its rows."""
    for row in _rows(value):
        if not isinstance(row.data, dict):
            yield read_requirement(row.like(f"{name}{_specifier(row)}"))
            continue
        fields = row.fields(_KEYS)
        extras = ",".join(extra.text() for extra in fields["extras"].items()) if "extras" in fields else ""
        version = _specifier(fields["version"]) if "version" in fields else ""
        where = f" @ {_place(fields, row, base)} " if fields.keys() & _PLACES else version
        marker = _marker(fields)
        yield read_requirement(row.like(f"{name}[{extras}]{where}" + (f" ; {marker}" if marker else "")))


def _marker(fields: Mapping[str, Value]) -> str:
    parts = []
    if "markers" in fields:
        parts.append(f"({fields['markers'].text()})")
    if "python" in fields:
        clauses = _specifier(fields["python"]).split(",")
        parts += [python_marker(clause) for clause in clauses if clause]
    if "platform" in fields:
        parts.append(f"sys_platform == '{fields['platform'].text()}'")
    return " and ".join(parts)


def _specifier(value: Value) -> str:
    try:
        found = specifier(value.text())
    except ValueError as cause:
        raise value.bad(str(cause)) from cause
    if found is None:
        hint = "write one row for each, with markers"
        raise value.bad(f"`{value.text()}`: alternatives are not understood", hint=hint)
    return found


def specifier(constraint: str) -> str | None:
    """Write a constraint of Poetry's (`^1.2`, `~1.2`, `1.*`, `>=1,<2`, `1.2`) as PEP 440; None where there is none.

    Raises:
        ValueError: it is no constraint.
    """
    constraint = constraint.strip()
    if constraint in {"*", ""}:
        return ""
    if "|" in constraint:
        return None
    clauses = re.split(r"\s*,\s*|(?<=[\w*])\s+(?=[<>=!~^])", constraint)
    return ",".join(_clause(clause) for clause in clauses if clause)


def _clause(text: str) -> str:
    found = re.fullmatch(r"([<>=!~^]*)\s*(\S+)", text)
    if found is None:
        raise ValueError(f"`{text}` is not a constraint")
    operator, version = found.groups()
    if version.endswith("*"):
        return f"{operator if operator in {'==', '!='} else '=='}{version}"
    try:
        parsed = Version(version)
    except InvalidVersion as cause:
        raise ValueError(f"`{text}` is not a constraint") from cause
    if operator == "^":
        return f">={version},<{_next(parsed, _first_nonzero(parsed))}"
    if operator == "~":
        return f">={version},<{_next(parsed, min(1, len(parsed.release) - 1))}"
    return f"{operator if operator not in {'', '='} else '=='}{version}"


def _first_nonzero(version: Version) -> int:
    # ^0.2.3 is <0.3, ^0.0.3 is <0.0.4, ^0.0 is <0.1, ^0 is <1
    release = version.release
    return next((at for at, part in enumerate(release) if part), len(release) - 1)


def _next(version: Version, at: int) -> str:
    release = version.release
    return ".".join(map(str, (*release[:at], release[at] + 1)))


def python_marker(clause: str) -> str:
    """Write one clause of a specifier for Python as a marker."""
    operator, version = re.fullmatch(r"([<>=!~]+)(.*)", clause).groups()  # type: ignore[union-attr] # made by _clause
    variable = "python_full_version" if version.count(".") > 1 and not version.endswith("*") else "python_version"
    return f"{variable} {operator} '{version}'"
