"""Poetry's tables of dependencies, open for an edit: a name is a key there, and what is asked of it the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envknit.naming import canonical_name

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from envknit.files.sources import Source
    from envknit.projects.where import Where


def poetry_keys(top: Mapping[str, Any], where: Where) -> list[str] | None:
    """Return the keys that lead to Poetry's table of what is meant; None where the file keeps it in another."""
    poetry = top.get("tool", {}).get("poetry")
    if poetry is None or where.environment != "default":
        return None
    if where.group:
        return (
            None if where.group in map(canonical_name, top.get("dependency-groups", {})) else _group(top, where.group)
        )
    project = top.get("project", {"dynamic": ["dependencies"]})
    left = "dependencies" in project.get("dynamic", ()) and ("dependencies" in poetry or "project" not in top)
    return ["tool", "poetry", "dependencies"] if left else None


def _group(top: Mapping[str, Any], group: str) -> list[str] | None:
    poetry = top["tool"]["poetry"]
    spelled = next((name for name in poetry.get("group", {}) if canonical_name(name) == group), "")
    if not spelled and group == "dev" and "dev-dependencies" in poetry:
        return ["tool", "poetry", "dev-dependencies"]
    if not spelled and "project" in top and "group" not in poetry:
        return None
    return ["tool", "poetry", "group", spelled or group, "dependencies"]


def put_into(
    table: MutableMapping[str, Any],
    poetry: MutableMapping[str, Any],
    requirement: str,
    source: Source | None,
    *,
    extra: str = "",
) -> None:
    """Ask for a package in one of Poetry's tables; an entry that is there keeps what is not asked anew.

    Args:
        table: which.
        poetry: all of `[tool.poetry]`, for its extras.
        requirement: as the person writes it; with a source, the name with its extras.
        source: where the package comes from, if not from an index.
        extra: the extra of the project that needs it, or `""`.
    """
    import tomlkit  # only edits need it
    from packaging.requirements import Requirement

    asked = Requirement(requirement)
    key = _key(table, asked.name)
    before = table.get(key)
    fields: dict[str, Any] = dict(before) if isinstance(before, dict) else {} if before is None else {"version": before}
    if source is not None:
        fields = {name: value for name, value in fields.items() if name not in _PLACES} | _place(source)
    elif asked.specifier or not fields:
        fields = {"version": str(asked.specifier) or "*", **{k: v for k, v in fields.items() if k not in _PLACES}}
    fields |= {"extras": sorted(asked.extras)} if asked.extras else {}
    fields |= {"markers": str(asked.marker)} if asked.marker else {}
    fields |= {"optional": True} if extra and before is None else {}
    if fields.keys() == {"version"}:
        table[key] = fields["version"]
    elif isinstance(before, dict):
        for name in before.keys() - fields.keys():
            del before[name]
        before.update({name: value for name, value in fields.items() if before.get(name) != value})
    else:
        row = tomlkit.inline_table()
        row.update(fields)
        table[key] = row
    if extra:
        extras = poetry.setdefault("extras", tomlkit.table())
        name = next((name for name in extras if canonical_name(name) == extra), extra)
        listed = extras.setdefault(name, tomlkit.array())
        if canonical_name(key) not in map(canonical_name, listed):
            listed.append(key)


def drop_from(table: MutableMapping[str, Any], poetry: MutableMapping[str, Any], name: str, *, extra: str = "") -> bool:
    """Ask for a package no more, or not for an extra; returns whether it was asked for.

    Args:
        table: one of Poetry's tables.
        poetry: all of `[tool.poetry]`: no extra may name what is not asked for.
        name: canonical name.
        extra: the extra that it is to be no part of; `""`: drop it from the table.
    """
    key = _key(table, name)
    lists = [(canonical_name(of), names) for of, names in poetry.get("extras", {}).items()]
    listed = [(of, names) for of, names in lists if name in map(canonical_name, names)]
    meant = [(of, names) for of, names in listed if extra in ("", of)]
    if key not in table or (extra and not meant):
        return False
    for _, names in meant:
        for position in reversed([at for at, each in enumerate(names) if canonical_name(each) == name]):
            del names[position]
    if len(meant) == len(listed):
        del table[key]
    return True


_PLACES = frozenset({"version", "path", "url", "git", "rev", "tag", "branch", "subdirectory", "develop", "source"})


def _key(table: Mapping[str, Any], name: str) -> str:
    wanted = canonical_name(name)
    return next((key for key in table if key != "python" and canonical_name(key) == wanted), name)


def _place(source: Source) -> dict[str, Any]:
    return {
        source.kind: source.location,
        **({"rev": source.rev} if source.rev else {}),
        **({"subdirectory": source.subdirectory} if source.subdirectory else {}),
        **({"develop": True} if source.editable else {}),
    }
