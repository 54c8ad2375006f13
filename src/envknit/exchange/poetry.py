"""Read Poetry's tables of a pyproject.toml, and poetry.lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envknit.exchange.foreign import DEV, MAIN, Foreign, damaged, read_toml
from envknit.files.poetry import python_marker, specifier

if TYPE_CHECKING:
    from pathlib import Path

_LOCATIONS = ("git", "path", "url", "file", "directory")


def read_poetry(path: Path) -> Foreign:
    """Read `[tool.poetry]`: dependencies, groups, extras and sources.

    Caret and tilde requirements become PEP 440 ranges; `||` has no PEP 440 form and is told.

    Args:
        path: the pyproject.toml.

    Raises:
        ProjectError: it cannot be read, or is not as Poetry writes it.
    """
    found = Foreign(origin=path)
    try:
        table = read_toml(path)["tool"]["poetry"]
        _requirements(table.get("dependencies", {}), MAIN, found)
        _requirements(table.get("dev-dependencies", {}), DEV, found)
        for name, group in table.get("group", {}).items():
            _requirements(group.get("dependencies", {}), name, found)
        for source in table.get("source", []):
            if source.get("url") and source.get("priority") != "explicit":
                found.indexes.append(source["url"])
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise damaged(path, cause) from cause
    return found


def read_poetry_lock(path: Path) -> Foreign:
    """Read the pins and hashes of a poetry.lock, of any version of its format."""
    found = Foreign(origin=path)
    document = read_toml(path)
    try:
        files = document.get("metadata", {}).get("files", {})  # format 1.x keeps them here, 2.x at the package
        for package in document.get("package", []):
            name, version = package["name"], package["version"]
            if package.get("source", {}).get("type") in {"git", "directory", "file", "url"}:
                found.note(f"{name} {version} comes from {package['source'].get('url')}: add it as a source")
                continue
            listed = package.get("files") or files.get(name, [])
            found.pin(name, version, [file["hash"] for file in listed])
    except (AttributeError, KeyError, TypeError) as cause:
        raise damaged(path, cause) from cause
    return found


def _requirements(table: dict[str, Any], group: str, found: Foreign) -> None:
    for name, value in table.items():
        choices = value if isinstance(value, list) else [value]
        for choice in choices:
            fields = {"version": choice} if isinstance(choice, str) else dict(choice)
            if name.lower() == "python":
                python = specifier(fields["version"])
                found.python = python or ""
                if python is None:
                    found.note(f"python = {fields['version']!r} has no PEP 440 form: set python_version by hand")
            else:
                _requirement(name, fields, group, found)


def _requirement(name: str, fields: dict[str, Any], group: str, found: Foreign) -> None:
    where = next((f"{kind} = {fields[kind]!r}" for kind in _LOCATIONS if kind in fields), None)
    if where is not None:
        found.note(f"{name} comes from {where}: add it as a source")
        return
    wanted = specifier(fields.get("version", "*"))
    if wanted is None:
        found.note(f"{name} {fields['version']!r} has no PEP 440 form: any version is allowed, the lock's is kept")
    if fields.get("optional"):
        found.note(f"{name} is optional (an extra): it is asked for like any other")
    if fields.get("source"):
        found.note(f"{name} is bound to the source {fields['source']!r}: bind it in the project")
    extras = ",".join(fields.get("extras", []))
    found.ask(f"{name}{f'[{extras}]' if extras else ''}{wanted or ''}{_marker(fields)}", group)


def _marker(fields: dict[str, Any]) -> str:
    parts = [f"({fields['markers']})"] if fields.get("markers") else []
    if fields.get("python"):
        python = specifier(fields["python"])
        parts += [python_marker(clause) for clause in (python or "").split(",") if clause]
    if fields.get("platform"):
        parts.append(f"sys_platform == '{fields['platform']}'")
    return f" ; {' and '.join(parts)}" if parts else ""
