"""Tables of sources, in the words of uv: which requirement comes from where, instead of an index.

[tool.uv.sources]
lib = { path = "../lib", editable = true }
torch = [{ index = "cpu", marker = "sys_platform != 'linux'" }, { index = "cuda", extra = "gpu" }]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envknit.files.requested import bound_to_index, name_in, narrowed, normal_requirement, read_source
from envknit.files.sources import ANY_INDEX, Source
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.requirements import Requirement

    from envknit.files.values import Value

_CONDITIONS = frozenset({"marker", "extra", "group"})
_KEYS = frozenset({"path", "git", "url", "index", "workspace", "rev", "tag", "branch", "subdirectory", "editable"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One source of a name, and when it counts: under a marker, in an extra, in a group (`""`: always)."""

    source: Source
    marker: str = ""
    extra: str = ""
    group: str = ""


class Sources:
    """The sources of one project file by the name of the requirement.

    Args:
        rows: name to its sources.
        behind: those that count where `rows` has none of a name: of the root of the workspace.
    """

    def __init__(self, rows: Mapping[str, tuple[Row, ...]], behind: Sources | None = None) -> None:
        self.rows: dict[str, tuple[Row, ...]] = {**(behind.rows if behind else {}), **rows}

    def apply(self, requirement: str, *, extra: str = "", group: str = "") -> Iterator[str]:
        """Give a requirement in normal form with its source: one for each source that counts, or as it was.

        Args:
            requirement: the text.
            extra: which extra asks for it.
            group: which group asks for it.
        """
        from packaging.requirements import Requirement  # most projects have no sources

        rows = [
            row
            for row in self.rows.get(name_in(requirement), ())
            if row.extra in ("", extra) and row.group in ("", group)
        ]
        if not rows or " @ " in requirement:
            yield requirement
            return
        for row in rows:
            yield _with_source(Requirement(narrowed(requirement, row.marker)), row.source)
        if all(row.marker for row in rows):  # where none of the markers holds, whichever index has it answers
            rest = narrowed(requirement, " and ".join(f"({negated(row.marker)})" for row in rows))
            yield bound_to_index(Requirement(rest), ANY_INDEX.removeprefix("index+"))


def _with_source(requirement: Requirement, source: Source) -> str:
    if source.kind == "index":
        return bound_to_index(requirement, source.location)
    requirement.url = str(source)
    return normal_requirement(requirement)


_OPPOSITES = {
    "==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "in": "not in", "not in": "in",
}  # fmt: skip


def negated(marker: str) -> str:
    """Write the marker that holds where this one does not."""
    from packaging.markers import Marker

    return _negated(Marker(marker)._markers)  # noqa: SLF001 - packaging offers no public form of what it parsed


def _negated(parsed: object) -> str:
    if isinstance(parsed, tuple):
        left, operator, right = parsed
        if operator.value not in _OPPOSITES:  # `~=`, `===`: the marker language has no opposite of them
            return "python_version < '0'"
        return f"{left.serialize()} {_OPPOSITES[operator.value]} {right.serialize()}"
    if isinstance(parsed, str):
        return "or" if parsed == "and" else "and"
    assert isinstance(parsed, list)  # noqa: S101 - packaging gives nothing else
    return f"({' '.join(map(_negated, parsed))})"


def read_sources(
    value: Value | None, *, base: str, indexes: Mapping[str, str], members: Mapping[str, str]
) -> dict[str, tuple[Row, ...]]:
    """Read a table of sources.

    Args:
        value: name to a table or a list of tables.
        base: the folder of the file, relative to that of the lock.
        indexes: URL by the name that the project gives an index.
        members: folder by the name of a package of the workspace.

    Raises:
        the value's own error: a source is not understood.
    """
    if value is None:
        return {}
    found = {}
    for name, rows in value.fields().items():
        several = list(rows.items()) if isinstance(rows.data, list) else [rows]
        found[canonical_name(name)] = tuple(
            _row(canonical_name(name), row, base=base, indexes=indexes, members=members) for row in several
        )
    return found


def _row(name: str, value: Value, *, base: str, indexes: Mapping[str, str], members: Mapping[str, str]) -> Row:
    fields = value.fields(_CONDITIONS | _KEYS | {"package"})
    fields.pop("package", None)  # whether uv installs a folder, or only what it needs: what has a build is installed
    told = {key: field for key, field in fields.items() if key in _KEYS}
    if "workspace" in told:
        source = _member(name, told, members)
    elif "index" in told:
        known = told["index"].text()
        url = known if "://" in known else indexes.get(known, "")
        if not url:
            raise told["index"].bad(
                f"there is no index named `{known}`", hint=f"known are: {', '.join(sorted(indexes)) or 'none'}"
            )
        source = Source(kind="index", location=url)
    else:
        source = read_source(told, value, base)
    return Row(
        source=source,
        marker=_marker(fields["marker"]) if "marker" in fields else "",
        extra=canonical_name(fields["extra"].text()) if "extra" in fields else "",
        group=canonical_name(fields["group"].text()) if "group" in fields else "",
    )


def _member(name: str, told: Mapping[str, Value], members: Mapping[str, str]) -> Source:
    if not told["workspace"].flag():
        raise told["workspace"].bad("`workspace` can only be true")
    if name not in members:
        hint = f"known are: {', '.join(sorted(filter(None, members))) or 'none'}"
        raise told["workspace"].bad(f"the workspace has no package `{name}`", hint=hint)
    editable = "editable" not in told or told["editable"].flag()
    return Source(kind="path", location=members[name], editable=editable)


def _marker(value: Value) -> str:
    from packaging.markers import InvalidMarker, Marker

    try:
        return str(Marker(value.text()))
    except InvalidMarker as cause:
        raise value.bad(f"`{value.text()}` is not a marker") from cause
