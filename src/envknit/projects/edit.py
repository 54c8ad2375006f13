"""Edits of the project file that keep the person's comments, order and style."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from envknit.errors import ProjectError
from envknit.files.atomic import place
from envknit.files.plain_yaml import read_plain_yaml
from envknit.files.project import PROJECT_FILE
from envknit.files.requested import name_in, read_environment_name, read_requirement
from envknit.files.values import Value
from envknit.naming import canonical_name
from envknit.projects.documents import Script, edited_toml, edited_yaml
from envknit.projects.load import PYPROJECT, SETUP, SETUP_CFG, find_project, load_project
from envknit.projects.script import edited_script
from envknit.projects.setup_cfg import SetupCfg
from envknit.projects.toml import read_toml
from envknit.projects.where import Where
from envknit.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envknit.files.sources import Source
    from envknit.projects.where import Editable

_HERE = Where()
_BLOCK = f'requires-python = ">=3.{sys.version_info[1]}"\ndependencies = []\n'
_TEMPLATE = """\
# What this project needs. After an edit run: envknit lock && envknit install
environments:
  default:
    python_version: "{python_version}"
    packages: []
    dev_packages: []
"""


def create_project(folder: Path, python_version: str) -> Path:
    """Write an `envknit.yaml` without packages.

    Args:
        folder: where to; it must exist.
        python_version: which Pythons it is for, a specifier or `3.12`.

    Raises:
        ProjectError: there is one already, or it cannot be written.
    """
    path = folder / PROJECT_FILE
    if path.exists():
        raise ProjectError("there is a project file already", project=path, hint="add packages with: envknit add")
    _write(path, _TEMPLATE.format(python_version=python_version))
    return path


def file_to_edit(path: Path, where: Where) -> Path:
    """Return the file in which a list of a project stands: a `pyproject.toml` may leave it to a `setup.cfg`."""
    beside = path.with_name(SETUP_CFG)
    if path.name != PYPROJECT or where.group or where.environment != "default" or not beside.is_file():
        return path
    tables = read_toml(path).data
    field = "optional-dependencies" if where.extra else "dependencies"
    dynamic = tables["project"].get("dynamic", ()) if "project" in tables else (field,)
    left = "build-system" in tables and "poetry" not in tables.get("tool", {}) and field in dynamic
    return beside if left and SetupCfg(_read(beside), beside).has_options else path


def add_requirement(path: Path, requirement: str, where: Where = _HERE, *, source: Source | None = None) -> None:
    """Ask for a package: add its requirement, or replace the one that has its name.

    A bare name that is asked for already stays as it is. What does not exist yet of the way to it is made.

    Args:
        path: the project file.
        requirement: as the person writes it; with a source, the name with its extras.
        where: which list.
        source: where the package comes from, if not from an index.

    Raises:
        ProjectError: the requirement or the file is not valid, or it cannot be written.
    """
    whole = _origin(path, requirement)
    name = name_in(read_requirement(whole))
    read_environment_name(whole, where.environment)
    if path.name in SETUP and (where.group or where.environment != "default"):
        hint = "write a pyproject.toml beside it, with [build-system] and [dependency-groups]"
        raise ProjectError(f"a {path.name} has no {where}", project=path, hint=hint)
    _refuse_dynamic(path, where)

    _edit(path, lambda document: document.put(where, requirement, name, source))


def remove_requirement(path: Path, name: str, *places: Where) -> None:
    """Stop asking for a package.

    Args:
        path: the project file.
        name: of the package, in any spelling.
        places: the lists to look into.

    Raises:
        ProjectError: it is not asked for there, or the file is not valid or cannot be written.
    """
    wanted = canonical_name(name)

    def change(document: Editable) -> None:
        dropped = [document.drop(where, wanted) for where in places]  # from each of them
        if not any(dropped):
            raise ProjectError(f"{name} is not asked for in the {places[0]}", project=path)

    _edit(path, change)
    if not _is_asked_for(path, wanted):
        _edit(path, lambda document: document.forget(wanted))


def _is_asked_for(path: Path, name: str) -> bool:
    return any(
        name_in(text) == name
        for asked in load_project(_project_of(path)).environments.values()
        for texts in (asked.requirements, *asked.groups.values(), *asked.extras.values())
        for text in texts
    )


def _project_of(path: Path) -> Path:
    """Return the project file that an edited one is a part of: itself, or the root of its workspace."""
    return find_project(path.parent) if path.name == PYPROJECT else path


def _refuse_dynamic(path: Path, where: Where) -> None:
    """Refuse what would contradict the file: a field cannot be both there and `dynamic` (PEP 621)."""
    field = "extras" if where.extra else "requirements"
    if path.name not in (PROJECT_FILE, PYPROJECT):  # a script, or what setuptools alone reads
        return
    packages = {package.folder: package for package in load_project(find_project(path.parent)).packages}
    folder = path.parent.relative_to(find_project(path.parent).parent).as_posix()
    own = packages.get(folder)
    if not where.group and where.environment == "default" and own and field in own.dynamic:
        raise ProjectError(
            "the dependencies of this project are dynamic: its build backend says them",
            project=path,
            hint="write it where the backend reads it, then run: envknit lock; --group and --dev work as ever",
        )


def _edit(path: Path, change: Callable[[Editable], object]) -> None:
    if path.name == "setup.py":
        raise ProjectError(
            "setup.py is a program, which says what it needs when it runs: edit it by hand",
            project=path,
            hint="then run: envknit lock && envknit install",
        )
    try:
        new = _edited(path, _read(path), change)
    except (AttributeError, KeyError, TypeError):
        load_project(_project_of(path))  # what has another shape than any project is told as ever
        raise
    _write(path, new)


def _edited(path: Path, text: str, change: Callable[[Editable], object]) -> str:
    if path.name == SETUP_CFG:
        document = SetupCfg(text, path)
        change(document)
        return document.text
    if path.name == PYPROJECT:
        return edited_toml(text, path, change)
    if path.name != PROJECT_FILE:
        return edited_script(text, path, _BLOCK, lambda toml: edited_toml(toml, path, change, Script))
    read_plain_yaml(text.encode(), str(path), ProjectError, "project")  # refuses what ruamel would obey
    return edited_yaml(text, change)


def _read(path: Path) -> str:
    try:
        return read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise ProjectError(f"the project file cannot be read: {cause}", project=path) from cause


def _write(path: Path, text: str) -> None:
    try:
        place(path, text.encode())
    except OSError as cause:
        raise ProjectError(f"the project file cannot be written: {cause.strerror}", project=path) from cause


def _origin(path: Path, data: str) -> Value:
    return Value(data=data, file=str(path), error=ProjectError, kind="project")
