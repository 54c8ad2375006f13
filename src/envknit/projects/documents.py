"""Project files that are open for an edit: where in them what is asked for stands, and how they are written back."""

from __future__ import annotations

from contextlib import suppress
from io import StringIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from envknit.errors import ProjectError
from envknit.files.requested import name_in, read_requirement
from envknit.files.values import Value
from envknit.naming import canonical_name
from envknit.projects.poetry_tables import drop_from, poetry_keys, put_into
from envknit.projects.where import Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
    from pathlib import Path

    from envknit.files.sources import Source
    from envknit.projects.where import Editable


class Document:
    """An `envknit.yaml` that is open for an edit.

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

    def put(self, where: Where, requirement: str, name: str, source: Source | None) -> None:
        """Ask for a package; see `Editable`."""
        items = self.list_of(where)
        places = [position for position, item in enumerate(items) if name_of(item) == name]
        if places and source is None and canonical_name(requirement) == name:
            return
        item = self.item(requirement, name, source)
        if not places:
            items.append(item)
            return
        items[places[0]] = item
        for position in reversed(places[1:]):
            del items[position]

    def drop(self, where: Where, name: str) -> bool:
        """Ask for a package no more; see `Editable`."""
        removed = False
        for items in self.lists(where):
            for position in reversed(range(len(items))):
                if name_of(items[position]) == name:
                    del items[position]
                    removed = True
        return removed

    def list_of(self, where: Where) -> MutableSequence[Any]:
        """Return the list that a new requirement belongs to; it is made where it is missing."""
        *tables, key = self.places(where)[0]
        table = self._table(tables)
        if not isinstance(table.get(key), list):
            table[key] = self.make_list()
        items: MutableSequence[Any] = table[key]
        if not items and hasattr(items, "fa"):
            items.fa.set_block_style()  # `packages: []`, as `init` writes it, becomes a list of lines
        return items

    def _table(self, names: list[str]) -> MutableMapping[str, Any]:
        table: Any = self.top
        for name in names:
            if not table.get(name):
                table[name] = self.make_table()
                self._begin(name, table)
            table = table[name]
        return table  # type: ignore[no-any-return] # of ruamel and of tomlkit: both are mappings

    def lists(self, where: Where) -> Iterator[MutableSequence[Any]]:
        """Give every list there is of what is meant."""
        for *tables, key in self.places(where):
            table: Any = self.top
            for name in tables:
                table = table.get(name) or {}
            if table.get(key):
                yield table[key]

    def places(self, where: Where) -> list[tuple[str, ...]]:
        """Name the keys that lead to the lists of what is meant, the one to add to first."""
        return [("environments", where.environment, *_within(where))]

    def item(self, requirement: str, name: str, source: Source | None) -> Any:  # noqa: ANN401 - a text or a map
        """Make the entry for a requirement; the source stands in it."""
        if source is None:
            return requirement
        extras = requirement.partition("[")[2].rstrip("]").split(",") if "[" in requirement else []
        return self._filled({"name": name, **({"extras": extras} if extras else {}), **table_of(source)})

    def forget(self, name: str) -> None:
        """Drop what is said of a name; see `Editable`."""

    def _filled(self, fields: dict[str, object]) -> Any:  # noqa: ANN401 - as above
        table = self.make_table()
        table.update(fields)
        return table

    def _begin(self, name: str, tables: MutableMapping[str, Any]) -> None:
        # A new environment is for the same Pythons as the default one, until the person says otherwise.
        python_version = (tables.get("default") or {}).get("python_version")
        if python_version and tables is self.top.get("environments"):
            tables[name]["python_version"] = python_version


class Pyproject(Document):
    """A `pyproject.toml` that is open for an edit: standard tables are for `default`, the others for the rest.

    What stands in a table of uv's, pdm's or Poetry's stays there, so that these read it as ever.
    """

    def put(self, where: Where, requirement: str, name: str, source: Source | None) -> None:
        """Ask for a package; see `Editable`."""
        tables = poetry_keys(self.top, where)
        if tables is None:
            super().put(where, requirement, name, source)
        else:
            put_into(self._table(tables), self._poetry, requirement, source, extra=where.extra)

    def drop(self, where: Where, name: str) -> bool:
        """Ask for a package no more; see `Editable`."""
        tables = poetry_keys(self.top, where)
        removed = super().drop(where, name)
        table = self.top
        for key in tables or ():
            table = table.get(key, {})
        return (bool(tables) and drop_from(table, self._poetry, name, extra=where.extra)) or removed

    @property
    def _poetry(self) -> MutableMapping[str, Any]:
        return self._table(["tool", "poetry"])

    def places(self, where: Where) -> list[tuple[str, ...]]:
        """Name the keys that lead to the lists of what is meant, the one to add to first."""
        own = ("tool", "envknit", *_within(where))
        if where.environment != "default":
            return [("tool", "envknit", "environments", where.environment, *_within(where))]
        if where.group:
            older = self._older(where.group)
            standard = ("dependency-groups", self._spelled(where.group, "dependency-groups"))
            return (
                [*older, standard, own] if standard[1] not in self.top.get("dependency-groups", {}) else [standard, own]
            )
        if where.extra:
            return [
                ("project", "optional-dependencies", self._spelled(where.extra, "project", "optional-dependencies")),
                own,
            ]
        standard = ("project", "dependencies")
        return [standard, own] if "project" in self.top else [own, standard]

    def _older(self, group: str) -> list[tuple[str, ...]]:
        """Name the keys of a group that stands where uv and pdm kept groups before there was a standard."""
        tool = self.top.get("tool", {})
        uv = [("tool", "uv", "dev-dependencies")] if group == "dev" and "dev-dependencies" in tool.get("uv", {}) else []
        spelled = self._spelled(group, "tool", "pdm", "dev-dependencies")
        there = spelled in tool.get("pdm", {}).get("dev-dependencies", {})
        return [*uv, *([("tool", "pdm", "dev-dependencies", spelled)] if there else [])]

    def _spelled(self, name: str, *tables: str) -> str:
        table: Any = self.top
        for key in tables:
            table = table.get(key) or {}
        return next((key for key in table if canonical_name(key) == name), name)

    def item(self, requirement: str, name: str, source: Source | None) -> Any:  # noqa: ANN401 - tomlkit's
        """Make the entry for a requirement; the source goes into a table of its own, where uv would read it too."""
        if source is not None:
            tool = "uv" if "sources" in self.top.get("tool", {}).get("uv", {}) else "envknit"
            self._table(["tool", tool, "sources"])[name] = self._filled(table_of(source))
        return requirement

    def _filled(self, fields: dict[str, object]) -> Any:  # noqa: ANN401 - tomlkit's
        import tomlkit  # only edits need it

        table = tomlkit.inline_table()
        table.update(fields)
        return table

    def forget(self, name: str) -> None:
        """Drop the source of a name that is not asked for any more."""
        for tool in ("envknit", "uv"):
            sources = self.top.get("tool", {}).get(tool, {}).get("sources", {})
            for key in [key for key in sources if canonical_name(key) == name]:
                del sources[key]


class Script(Pyproject):
    """The block of a script that is open for an edit."""

    def places(self, where: Where) -> list[tuple[str, ...]]:
        """Name the one list that there is."""
        if where != Where():
            raise ProjectError(f"a script has no {where}", hint="leave --env, --dev, --group and --extra away")
        return [("dependencies",)]


def name_of(item: object) -> str:
    """Return the name in an entry: a requirement, or a map with a name; `""` for anything else."""
    if isinstance(item, dict):
        return canonical_name(str(item.get("name", "")))
    text = str(item)
    if text.startswith("-e "):  # pdm's
        return canonical_name(text.partition("#egg=")[2])
    with suppress(ProjectError):
        return name_in(read_requirement(Value(data=text, file="", error=ProjectError, kind="project")))
    return ""


def _within(where: Where) -> tuple[str, ...]:
    if where.extra:
        return ("extras", where.extra)
    if where.group not in ("", "dev"):
        return ("groups", where.group)
    return ("dev_packages" if where.group else "packages",)


def table_of(source: Source) -> dict[str, object]:
    """Write a source as the table that `read_source` reads."""
    fields: dict[str, object] = {source.kind: source.location}
    if source.rev:
        fields["rev"] = source.rev
    if source.subdirectory:
        fields["subdirectory"] = source.subdirectory
    if source.editable:
        fields["editable"] = True
    return fields


def edited_yaml(text: str, change: Callable[[Editable], object]) -> str:
    """Change the text of an `envknit.yaml`; comments, order and indentation stay."""
    from ruamel.yaml import YAML  # only edits need it
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.line_break = "\r\n" if "\r\n" in text else "\n"  # type: ignore[assignment]  # declared as None
    mapping, sequence, offset = _indentation(text)
    yaml.indent(mapping=mapping, sequence=sequence, offset=offset)
    top = yaml.load(text) or CommentedMap()
    change(Document(top, CommentedSeq, CommentedMap))
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


def edited_toml(text: str, path: Path, change: Callable[[Editable], object], kind: type[Document] = Pyproject) -> str:
    """Change the text of a `pyproject.toml`, or that of a script's block; comments and order stay."""
    import tomlkit  # only edits need it
    from tomlkit.exceptions import TOMLKitError

    try:
        top = tomlkit.parse(text)
    except TOMLKitError as cause:
        raise ProjectError(f"the project file is not TOML: {cause}", project=path) from cause

    def lines() -> Any:  # noqa: ANN401 - tomlkit's array
        return tomlkit.array().multiline(multiline=True)

    change(kind(top, lines, lambda: tomlkit.table(is_super_table=None)))
    return tomlkit.dumps(top)
