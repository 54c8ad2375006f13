"""Project files that are open for an edit: where in them what is asked for stands, and how they are written back."""

from __future__ import annotations

from io import StringIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from envknit.errors import ProjectError
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
    from pathlib import Path

    from envknit.files.sources import Source


class Where(NamedTuple):
    """Which list of a project file is meant: that of an environment itself, of one of its groups or of its extras."""

    environment: str = "default"
    group: str = ""
    extra: str = ""

    def __str__(self) -> str:
        kind = f"group `{self.group}` of the " if self.group else f"extra `{self.extra}` of the " if self.extra else ""
        return f"{kind}environment `{self.environment}`"


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
        """Drop what is said of a name that is not asked for any more, outside of the lists."""

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
    """A `pyproject.toml` that is open for an edit: standard tables are for `default`, the others for the rest."""

    def places(self, where: Where) -> list[tuple[str, ...]]:
        """Name the keys that lead to the lists of what is meant, the one to add to first."""
        own = ("tool", "envknit", *_within(where))
        if where.environment != "default":
            return [("tool", "envknit", "environments", where.environment, *_within(where))]
        if where.group:
            return [("dependency-groups", self._spelled(where.group, "dependency-groups")), own]
        if where.extra:
            return [
                ("project", "optional-dependencies", self._spelled(where.extra, "project", "optional-dependencies")),
                own,
            ]
        standard = ("project", "dependencies")
        return [standard, own] if "project" in self.top else [own, standard]

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


def edited_yaml(text: str, change: Callable[[Document], None]) -> str:
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


def edited_toml(text: str, path: Path, change: Callable[[Document], None], kind: type[Document] = Pyproject) -> str:
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
