"""What `[tool.pdm]` says that decides what is locked: groups, overrides and indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envknit.files.project import OWN_INDEXES, RequestedEnvironment
from envknit.files.requested import read_requirement
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envknit.files.values import Value


def groups(tables: Mapping[str, Value], base: str) -> dict[str, tuple[str, ...]]:
    """Read the groups as they were written before there were dependency groups."""
    if "dev-dependencies" not in tables:
        return {}
    return {
        canonical_name(name): tuple(sorted({_requirement(item, base) for item in items.items()}))
        for name, items in tables["dev-dependencies"].fields().items()
    }


def _requirement(item: Value, base: str) -> str:
    """Read a requirement, which may be `-e file:///${PROJECT_ROOT}/lib#egg=lib`."""
    text = item.text()
    if not text.startswith("-e "):
        return read_requirement(item, base=base)
    place, _, name = text.removeprefix("-e ").strip().partition("#egg=")
    if not name:
        raise item.bad(
            f"`{text}` does not say the package's name", hint="write it as in: -e file:///${PROJECT_ROOT}/lib#egg=lib"
        )
    return read_requirement(item.like(f"{name} @ {place}#editable"), base=base)


def limits(tables: Mapping[str, Value], base: str) -> RequestedEnvironment:
    """Read the overrides; one without an operator is a version."""
    resolution = tables["resolution"].fields() if "resolution" in tables else {}
    texts = resolution["overrides"].fields() if "overrides" in resolution else {}
    overrides = [
        read_requirement(value.like(f"{name}{_specifier(value.text())}"), base=base) for name, value in texts.items()
    ]
    return RequestedEnvironment(name="default", overrides=tuple(sorted(overrides)))


def _specifier(text: str) -> str:
    if "://" in text:
        return f" @ {text}"
    return f"=={text}" if text[:1].isdigit() else text


def settings(tables: Mapping[str, Value]) -> dict[str, Any]:
    """Read the indexes; one with the name `pypi` stands in place of those that pip uses."""
    rows = [row.fields() for row in tables["source"].items()] if "source" in tables else []
    for row in rows:
        if "include_packages" in row:
            raise row["include_packages"].bad(
                "`include_packages` is not understood",
                hint="name the index of each package under [tool.envknit.sources]",
            )
    if not rows:
        return {}
    urls = [row["url"].text() for row in rows if "url" in row]
    replaced = any("name" in row and row["name"].text() == "pypi" for row in rows)
    return {"indexes": tuple(urls if replaced else [OWN_INDEXES, *urls])}
