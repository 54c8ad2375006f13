"""Read Pipenv's Pipfile and Pipfile.lock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envknit.exchange.foreign import DEV, MAIN, Foreign, damaged, read_text, read_toml

if TYPE_CHECKING:
    from pathlib import Path

_LOCATIONS = ("git", "path", "file", "ref")
_GROUPS = {"packages": MAIN, "dev-packages": DEV}
_NO_GROUPS = frozenset(["source", "requires", "scripts", "pipenv", "build-system"])
_MARKERS = ("os_name", "sys_platform", "platform_machine", "platform_system", "python_version", "python_full_version")


def read_pipfile(path: Path) -> Foreign:
    """Read a Pipfile: packages, dev-packages, further categories, sources and the Python it requires."""
    found = Foreign(origin=path)
    document = read_toml(path)
    try:
        for section, table in document.items():
            if section not in _NO_GROUPS:
                for name, value in table.items():
                    _requirement(name, value, _GROUPS.get(section, section), found)
        found.indexes += [source["url"] for source in document.get("source", [])]
        python = document.get("requires", {})
        if python:
            found.python = f"=={python.get('python_full_version') or python['python_version'] + '.*'}"
    except (AttributeError, KeyError, TypeError) as cause:
        raise damaged(path, cause) from cause
    return found


def read_pipfile_lock(path: Path) -> Foreign:
    """Read the pins and hashes of a Pipfile.lock, of every category."""
    found = Foreign(origin=path)
    text = read_text(path)
    try:
        document = json.loads(text)
        for section, table in document.items():
            if section == "_meta":
                continue
            for name, fields in table.items():
                version = fields.get("version", "")
                if version.startswith("=="):
                    found.pin(name, version.lstrip("="), fields.get("hashes", []))
                elif any(kind in fields for kind in _LOCATIONS):
                    found.note(f"{name} comes from a location of its own: add it as a source")
                else:  # Pipenv locks for one platform: what another needs has no version
                    found.note(f"{name} has no version in {path.name}")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as cause:
        raise damaged(path, cause) from cause
    return found


def _requirement(name: str, value: str | dict[str, Any], group: str, found: Foreign) -> None:
    fields: dict[str, Any] = {"version": value} if isinstance(value, str) else value
    if any(kind in fields for kind in _LOCATIONS):
        found.note(f"{name} comes from a location of its own: add it as a source")
        return
    version = fields.get("version", "*")
    if version == "*":
        version = ""
    extras = ",".join(fields.get("extras", []))
    markers = [f"({fields['markers']})"] if fields.get("markers") else []
    markers += [f"{variable} {fields[variable]}" for variable in _MARKERS if variable in fields]
    if fields.get("index"):
        found.note(f"{name} is bound to the source {fields['index']!r}: bind it in the project")
    marker = f" ; {' and '.join(markers)}" if markers else ""
    found.ask(f"{name}{f'[{extras}]' if extras else ''}{version}{marker}", group)
