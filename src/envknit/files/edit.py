"""Edits of the project file that keep the person's comments, order and style."""

from __future__ import annotations

from contextlib import suppress
from io import StringIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from envknit.errors import ProjectError
from envknit.files.atomic import place
from envknit.files.plain_yaml import read_plain_yaml
from envknit.files.project import PROJECT_FILE
from envknit.files.requested import read_environment_name, read_requirement
from envknit.files.values import Value
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
    from pathlib import Path

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


def add_requirement(path: Path, environment: str, requirement: str, *, dev: bool = False) -> None:
    """Ask for a package: add its requirement, or replace the one that has its name.

    An environment that does not exist yet is created.

    Args:
        path: the project file.
        environment: which environment.
        requirement: as the person writes it.
        dev: whether it is a dev package.

    Raises:
        ProjectError: the requirement or the file is not valid, or it cannot be written.
    """
    whole = _origin(path, requirement)
    name = _name_in(read_requirement(whole))
    read_environment_name(whole, environment)

    def change(document: _Document) -> None:
        items = document.add_to(environment, dev=dev)
        places = [position for position, item in enumerate(items) if _name_of(item) == name]
        if not places:
            items.append(requirement)
            return
        items[places[0]] = requirement
        for position in reversed(places[1:]):
            del items[position]

    _edit(path, change)


def remove_requirement(path: Path, environment: str, name: str, *, dev: bool | None = None) -> None:
    """Stop asking for a package.

    Args:
        path: the project file.
        environment: which environment.
        name: of the package, in any spelling.
        dev: from the dev packages or the others only; None: from both.

    Raises:
        ProjectError: it is not asked for there, or the file is not valid or cannot be written.
    """
    wanted = canonical_name(name)

    def change(document: _Document) -> None:
        removed = False
        for kind in (False, True) if dev is None else (dev,):
            for items in document.lists(environment, dev=kind):
                for position in reversed(range(len(items))):
                    if _name_of(items[position]) == wanted:
                        del items[position]
                        removed = True
        if not removed:
            raise ProjectError(f"{name} is not asked for in the environment `{environment}`", project=path)

    _edit(path, change)


class _Document:
    """A project file that is open for an edit: finds the list of requirements that is meant.

    Args:
        top: the whole file.
        make_list: makes an empty list in the style of the file.
        make_table: makes an empty mapping.
    """

    def __init__(
        self, top: MutableMapping[str, Any], make_list: Callable[[], Any], make_table: Callable[[], Any]
    ) -> None:
        self.top = top
        self.make_list = make_list
        self.make_table = make_table

    def add_to(self, environment: str, *, dev: bool) -> MutableSequence[Any]:
        """Return the list that a new requirement belongs to; it is made where it is missing."""
        *tables, key = self.places(environment, dev=dev)[0]
        table: Any = self.top
        for name in tables:
            if not table.get(name):
                table[name] = self.make_table()
                self._begin(name, table)
            table = table[name]
        if not isinstance(table.get(key), list):
            table[key] = self.make_list()
        items: MutableSequence[Any] = table[key]
        if not items and hasattr(items, "fa"):
            items.fa.set_block_style()  # `packages: []`, as `init` writes it, becomes a list of lines
        return items

    def lists(self, environment: str, *, dev: bool) -> Iterator[MutableSequence[Any]]:
        """Give every list there is of the requirements of an environment."""
        for *tables, key in self.places(environment, dev=dev):
            table: Any = self.top
            for name in tables:
                table = table.get(name) or {}
            if table.get(key):
                yield table[key]

    def places(self, environment: str, *, dev: bool) -> list[tuple[str, ...]]:
        """Name the keys that lead to the lists of an environment, the one to add to first."""
        return [("environments", environment, "dev_packages" if dev else "packages")]

    def _begin(self, name: str, tables: MutableMapping[str, Any]) -> None:
        # A new environment is for the same Pythons as the default one, until the person says otherwise.
        python_version = (tables.get("default") or {}).get("python_version")
        if python_version and tables is self.top.get("environments"):
            tables[name]["python_version"] = python_version


class _Pyproject(_Document):
    """`pyproject.toml`: the default environment is `[project]` and the group `dev`; a group is an environment."""

    def places(self, environment: str, *, dev: bool) -> list[tuple[str, ...]]:
        """Name the keys that lead to the lists of an environment, the one to add to first."""
        kind = "dev_packages" if dev else "packages"
        table = ("tool", "envknit", "environments", environment, kind)
        group = ("dependency-groups", "dev" if dev else self._group(environment))
        if environment == "default":
            standard = group if dev else ("project", "dependencies")
            own = ("tool", "envknit", kind)
            return [standard, own] if dev or "project" in self.top else [own, standard]
        if dev:
            return [table]
        described = environment in self.top.get("tool", {}).get("envknit", {}).get("environments", {})
        return [table, group] if described and group[1] not in self.top.get("dependency-groups", {}) else [group, table]

    def _group(self, environment: str) -> str:
        groups = self.top.get("dependency-groups", {})
        return next((name for name in groups if canonical_name(name) == environment), environment)


def _edit(path: Path, change: Callable[[_Document], None]) -> None:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise ProjectError(f"the project file cannot be read: {cause}", project=path) from cause
    if path.name == "pyproject.toml":
        _write(path, _edited_toml(text, path, change))
    else:
        read_plain_yaml(text.encode(), str(path), ProjectError, "project")  # refuses what ruamel would obey
        _write(path, _edited_yaml(text, change))


def _edited_yaml(text: str, change: Callable[[_Document], None]) -> str:
    from ruamel.yaml import YAML  # noqa: PLC0415 - only edits need it
    from ruamel.yaml.comments import CommentedMap, CommentedSeq  # noqa: PLC0415 - as above

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.line_break = "\r\n" if "\r\n" in text else "\n"  # type: ignore[assignment]  # declared as None
    mapping, sequence, offset = _indentation(text)
    yaml.indent(mapping=mapping, sequence=sequence, offset=offset)
    top = yaml.load(text) or CommentedMap()

    def block_list() -> CommentedSeq:
        return CommentedSeq()

    document = _Document(top, block_list, CommentedMap)
    change(document)
    out = StringIO()
    yaml.dump(top, out)
    return out.getvalue()


def _indentation(text: str) -> tuple[int, int, int]:
    """Find how the file indents: mappings, and the dash of a list against its key."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    mapping = next((len(line) - len(line.lstrip()) for line in lines if line[0] == " "), 2)
    offset = 2
    for above, line in pairwise(lines):
        if line.lstrip().startswith("- ") and above.rstrip().endswith(":"):
            offset = (len(line) - len(line.lstrip())) - (len(above) - len(above.lstrip()))
            break
    return mapping, offset + 2, offset


def _edited_toml(text: str, path: Path, change: Callable[[_Document], None]) -> str:
    import tomlkit  # noqa: PLC0415 - only edits need it
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 - as above

    try:
        top = tomlkit.parse(text)
    except TOMLKitError as cause:
        raise ProjectError(f"the project file is not TOML: {cause}", project=path) from cause

    def lines() -> Any:  # noqa: ANN401 - tomlkit's array
        return tomlkit.array().multiline(multiline=True)

    change(_Pyproject(top, lines, tomlkit.table))
    return tomlkit.dumps(top)


def _write(path: Path, text: str) -> None:
    try:
        place(path, text.encode())
    except OSError as cause:
        raise ProjectError(f"the project file cannot be written: {cause.strerror}", project=path) from cause


def _name_of(item: object) -> str:
    """Return the name in an entry: a requirement, or a map with a name; `""` for anything else."""
    if isinstance(item, dict):
        return canonical_name(str(item.get("name", "")))
    with suppress(ProjectError):
        return _name_in(read_requirement(_origin(None, str(item))))
    return ""


def _name_in(requirement: str) -> str:
    for stop in "[<>=!~;":
        requirement = requirement.partition(stop)[0]
    return requirement.strip()


def _origin(path: Path | None, data: str) -> Value:
    return Value(data=data, file=str(path or ""), error=ProjectError, kind="project")
