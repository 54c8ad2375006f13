"""`pyproject.toml`: the standard tables, `[tool.envknit]`, and those of uv, Poetry and pdm, obeyed as they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from envknit.errors import ProjectError
from envknit.files.project import Package, Project, RequestedEnvironment, union
from envknit.files.requested import read_python_version
from envknit.files.values import Value
from envknit.naming import canonical_name
from envknit.projects import pdm, poetry, uv
from envknit.projects.groups import expand_groups, expand_own_extras
from envknit.projects.script import read_block
from envknit.projects.settings import (
    ENVIRONMENT,
    TOP,
    read_environment,
    read_environments,
    read_lists,
    read_settings,
    requirements,
)
from envknit.projects.sourced import Sources, read_sources
from envknit.projects.toml import parse_toml, read_toml
from envknit.projects.workspace import find_members

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


_OWN = TOP | ENVIRONMENT | {"sources", "package", "workspace"}
_DYNAMIC = {"dependencies": "requirements", "optional-dependencies": "extras", "requires-python": "python_version"}


def asks_for_packages(path: Path) -> bool:
    """Whether a `pyproject.toml` is a project of Python's, and not only the settings of a tool."""
    tables = read_toml(path).data
    tool = tables.get("tool", {})
    named = {"project", "dependency-groups", "build-system"} & tables.keys()
    return bool(
        named or {"envknit", "poetry"} & tool.keys() or {"workspace", "dev-dependencies"} & tool.get("uv", {}).keys()
    )


def read_pyproject(path: Path) -> Project:
    """Read a `pyproject.toml`, and those of the members of its workspace.

    Raises:
        ProjectError: a value is not what it must be, or names a source that is not understood.
    """
    return _project(path, _Tables(path, read_toml(path), has_build=(path.parent / "setup.py").is_file()))


def read_script(path: Path) -> Project:
    """Read what a script says in its block (PEP 723), with the tables that tools have there.

    Raises:
        ProjectError: it has no block, or a value is not what it must be.
    """
    block = read_block(path)
    if block is None:
        hint = f"run: envknit add --script {path.name} PACKAGE"
        raise ProjectError("the script does not say what it needs", script=path, hint=hint)
    data = parse_toml(block, path)
    standard = {key: data[key] for key in ("dependencies", "requires-python") if key in data}
    tables = {"project": standard, "tool": data.get("tool", {})}
    return _project(path, _Tables(path, Value(data=tables, file=str(path), error=ProjectError, kind="script")))


def _project(path: Path, top: _Tables) -> Project:
    tables = {".": top} | {
        folder: _Tables(path.parent / folder / "pyproject.toml")
        for folder in find_members(path.parent, top.workspace())
    }
    named = {one.name: folder for folder, one in tables.items() if one.is_package}
    indexes = uv.named_indexes(top.uv.get("index")) | poetry.named_indexes(top.poetry)
    sources = top.sources(".", indexes, named, None)
    packages = []
    default = RequestedEnvironment(name="default")
    for folder, one in tables.items():
        asked = one.environment(folder, sources if one is top else one.sources(folder, indexes, named, sources))
        if one.is_package:
            packages.append(one.package(folder, asked))
            asked = replace(asked, packages=(folder,))
            if one.name:
                asked = replace(asked, requirements=union(asked.requirements, (packages[-1].requirement,)))
        default = asked if one is top else _with_member(default, asked)
    settings = {**poetry.settings(top.poetry), **pdm.settings(top.pdm), **uv.settings(top.uv), **read_settings(top.own)}
    return Project(
        path=path,
        environments=read_environments(top.own, {"default": default}),
        packages=tuple(packages),
        alone=top.workspace() is None,
        **settings,
    )


def _with_member(root: RequestedEnvironment, member: RequestedEnvironment) -> RequestedEnvironment:
    pythons = filter(None, [root.python_version, member.python_version])
    joined = root.joined(member)
    clauses = {clause for python in pythons for clause in python.split(",")}
    return replace(joined, python_version=",".join(sorted(clauses)))


class _Tables:
    """The tables of one `pyproject.toml`; `own` are those of `[tool.envknit]`."""

    def __init__(self, path: Path, whole: Value | None = None, *, has_build: bool = False) -> None:
        self.path = path
        self.whole = read_toml(path) if whole is None else whole
        fields = self.whole.fields()
        tool = fields["tool"].fields() if "tool" in fields else {}
        self.project = fields["project"].fields() if "project" in fields else {}
        self.has_build = "build-system" in fields or has_build
        self.group_table = fields.get("dependency-groups")
        self.own = tool["envknit"].fields(_OWN) if "envknit" in tool else {}
        self.uv = tool["uv"].fields() if "uv" in tool else {}
        self.poetry = tool["poetry"].fields() if "poetry" in tool else {}
        self.pdm = tool["pdm"].fields() if "pdm" in tool else {}
        self.dynamic = {item.text() for item in self.project["dynamic"].items()} if "dynamic" in self.project else set()

    def workspace(self) -> Value | None:
        """Return the table that names the members of the workspace."""
        return self.own.get("workspace") or self.uv.get("workspace")

    @property
    def is_package(self) -> bool:
        """Whether the project itself is built and installed: it has a build, and nobody said otherwise."""
        for tables in (self.own, self.uv):
            if "package" in tables:
                return tables["package"].flag()
        if "package-mode" in self.poetry:
            return self.poetry["package-mode"].flag()
        distribution = self.pdm.get("distribution")
        return self.has_build if distribution is None else distribution.flag()

    @property
    def name(self) -> str:
        """The project's canonical name; `""` where only the build backend knows it."""
        named = self.project.get("name") or self.poetry.get("name")
        return canonical_name(named.text()) if named else ""

    def package(self, folder: str, asked: RequestedEnvironment) -> Package:
        """Describe the package that this file makes of its folder."""
        version = self.project.get("version") or self.poetry.get("version")
        return Package(
            folder=folder,
            name=self.name,
            version=version.text() if version and "version" not in self.dynamic else "",
            python_version=asked.python_version,
            requirements=asked.requirements,
            extras=asked.extras,
            dynamic=self.unknown,
        )

    def sources(
        self, base: str, indexes: Mapping[str, str], packages: Mapping[str, str], behind: Sources | None
    ) -> Sources:
        """Read every table of sources; a name in several has them of the first of: envknit, uv, Poetry."""
        rows = poetry.sources(self.poetry, base, indexes)
        for table in (self.uv.get("sources"), self.own.get("sources")):
            rows |= read_sources(table, base=base, indexes=indexes, members=packages)
        return Sources(rows, behind)

    def environment(self, base: str, sources: Sources) -> RequestedEnvironment:
        """Read what the project asks for: the environment `default`."""
        own = read_environment("default", {k: v for k, v in self.own.items() if k in ENVIRONMENT - {"include"}}, base)
        standard = self._standard(base)
        groups = expand_groups(self.group_table, base)
        for more in (uv.groups(self.uv, base), pdm.groups(self.pdm, base), poetry.groups(self.poetry, base)):
            groups = {name: union(groups.get(name, ()), more.get(name, ())) for name in {*groups, *more}}
        whole = own.joined(replace(standard, groups=groups)).joined(
            replace(uv.limits(self.uv, base), name="default").joined(pdm.limits(self.pdm, base))
        )
        # What `[tool.envknit]` says of the Pythons goes before what the project requires
        whole = replace(whole, python_version=own.python_version or standard.python_version)
        whole = expand_own_extras(whole, self.name, self.whole)
        return _sourced(whole, sources)

    @property
    def unknown(self) -> frozenset[str]:
        """Which fields of the environment only the build backend can tell."""
        if not self.project:
            return frozenset(_DYNAMIC.values()) if self.is_package and not self.poetry else frozenset()
        told = (
            {"dependencies", "optional-dependencies", "requires-python"} if self.poetry.get("dependencies") else set()
        )
        return frozenset(_DYNAMIC[key] for key in self.dynamic & _DYNAMIC.keys() - told)

    def _standard(self, base: str) -> RequestedEnvironment:
        """Read `[project]`, and what it leaves to Poetry's tables."""
        left = poetry.environment(self.poetry, base) if self.poetry else RequestedEnvironment(name="default")
        if not self.project:
            return left
        python, optional = self.project.get("requires-python"), self.project.get("optional-dependencies")
        return RequestedEnvironment(
            name="default",
            python_version=read_python_version(python) if python else left.python_version,
            requirements=left.requirements
            if "dependencies" in self.dynamic
            else requirements(self.project.get("dependencies"), base),
            extras=left.extras if "optional-dependencies" in self.dynamic else read_lists(optional, base),
        )


def _sourced(environment: RequestedEnvironment, sources: Sources) -> RequestedEnvironment:
    def all_of(texts: tuple[str, ...], **where: str) -> tuple[str, ...]:
        return tuple(sorted({given for text in texts for given in sources.apply(text, **where)}))

    return replace(
        environment,
        requirements=all_of(environment.requirements),
        groups={name: all_of(texts, group=name) for name, texts in environment.groups.items()},
        extras={name: all_of(texts, extra=name) for name, texts in environment.extras.items()},
        constraints=all_of(environment.constraints),
        overrides=all_of(environment.overrides),
    )
