"""The project file: what a person asks for, in `envknit.yaml` or `pyproject.toml`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envknit.errors import ProjectError
from envknit.files.model import DEFAULT_STARTUP, PLATFORMS
from envknit.files.plain_yaml import MOST_BYTES, read_plain_yaml
from envknit.files.requested import read_environment_name, read_python_version, read_requirement
from envknit.files.values import Value
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from pathlib import Path

PROJECT_FILE = "envknit.yaml"
LOCK_FILE = "envknit.lock.yaml"
_TOP = frozenset({"environments", "system_site_packages", "indexes", "targets", "startup", "split"})
_ENVIRONMENT = frozenset({"python_version", "packages", "dev_packages", "constraints"})


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestedEnvironment:
    """One environment as the person asked for it; requirements and constraints in normal form, sorted."""

    name: str
    python_version: str = ""
    packages: tuple[str, ...] = ()
    dev_packages: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A project file, read.

    Args:
        path: the project file.
        environments: what is asked for, by environment; never empty.
        indexes: index URLs and folders; `()`: those that pip uses.
        targets: platforms to lock for; `()`: all that we know.
        system_site_packages: whether the host's site-packages stay visible behind the lock.
        startup: pins whose start-up code may run.
        split: names of which an environment may hold several versions where it must; None: any name.
    """

    path: Path
    environments: dict[str, RequestedEnvironment] = field(default_factory=dict)
    indexes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    system_site_packages: bool = False
    startup: tuple[str, ...] = DEFAULT_STARTUP
    split: frozenset[str] | None = frozenset()

    @property
    def root(self) -> Path:
        """The folder that holds the project file."""
        return self.path.parent

    @property
    def lock_path(self) -> Path:
        """Where the lock of this project is."""
        return self.root / LOCK_FILE


def find_project(start: Path) -> Path:
    """Walk up from a folder to the nearest project file.

    In each folder `envknit.yaml` comes first, then a `pyproject.toml` that has `[project]`, `[dependency-groups]`
    or `[tool.envknit]`.

    Raises:
        ProjectError: there is none up to the root of the file system.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder / PROJECT_FILE
        pyproject = folder / "pyproject.toml"
        if pyproject.is_file() and _asks_for_packages(pyproject):
            return pyproject
    raise ProjectError("no project file here or in a folder above", folder=start, hint="run: envknit init")


def load_project(path: Path) -> Project:
    """Read a project file.

    Raises:
        ProjectError: it cannot be read, or a value in it is not what it must be; the fact `at` is its path.
    """
    if path.name == "pyproject.toml":
        return _from_pyproject(path)
    whole = read_plain_yaml(_read(path), str(path), ProjectError, "project")
    return _from_settings(path, whole.fields(_TOP), {})


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as cause:
        raise ProjectError(f"the project file cannot be read: {cause.strerror}", project=path) from cause


def _from_settings(path: Path, settings: dict[str, Value], given: dict[str, RequestedEnvironment]) -> Project:
    environments = dict(given)
    if "environments" in settings:
        for name, value in settings["environments"].fields().items():
            described = _environment(read_environment_name(value, name), value)
            environments[name] = _joined(environments[name], described) if name in environments else described
    indexes = tuple(index.text() for index in settings["indexes"].items()) if "indexes" in settings else ()
    return Project(
        path=path,
        environments=environments or {"default": RequestedEnvironment(name="default")},
        indexes=indexes,
        targets=_targets(settings["targets"]) if "targets" in settings else (),
        system_site_packages="system_site_packages" in settings and settings["system_site_packages"].flag(),
        startup=tuple(sorted({canonical_name(name.text()) for name in settings["startup"].items()}))
        if "startup" in settings
        else DEFAULT_STARTUP,
        split=_split(settings["split"]) if "split" in settings else frozenset(),
    )


def _split(value: Value) -> frozenset[str] | None:
    if isinstance(value.data, list):
        return frozenset(canonical_name(name.text()) for name in value.items())
    if value.text() != "auto":
        raise value.bad(f"`{value.text()}` is neither `auto` nor a list", hint="write it as in: split: [jinja2]")
    return None


def _environment(name: str, value: Value) -> RequestedEnvironment:
    fields = value.fields(_ENVIRONMENT)
    return RequestedEnvironment(
        name=name,
        python_version=read_python_version(fields["python_version"]) if "python_version" in fields else "",
        packages=_requirements(fields.get("packages")),
        dev_packages=_requirements(fields.get("dev_packages")),
        constraints=_requirements(fields.get("constraints")),
    )


def _joined(given: RequestedEnvironment, more: RequestedEnvironment) -> RequestedEnvironment:
    """Add what `[tool.envknit]` says of an environment to what a standard table says."""
    return RequestedEnvironment(
        name=given.name,
        python_version=more.python_version or given.python_version,
        packages=tuple(sorted({*given.packages, *more.packages})),
        dev_packages=tuple(sorted({*given.dev_packages, *more.dev_packages})),
        constraints=tuple(sorted({*given.constraints, *more.constraints})),
    )


def _requirements(value: Value | None) -> tuple[str, ...]:
    return tuple(sorted({read_requirement(item) for item in value.items()})) if value else ()


def _targets(value: Value) -> tuple[str, ...]:
    chosen = set()
    for item in value.items():
        if item.text() not in PLATFORMS:
            raise item.bad(f"`{item.text()}` is not a target", hint=f"known are: {', '.join(PLATFORMS)}")
        chosen.add(item.text())
    return tuple(sorted(chosen))


def _from_pyproject(path: Path) -> Project:
    whole = Value(data=_toml(path), file=str(path), error=ProjectError, kind="project")
    tables = whole.fields()
    tool = tables["tool"].fields() if "tool" in tables else {}
    settings = tool["envknit"].fields(_TOP | _ENVIRONMENT) if "envknit" in tool else {}
    groups = _groups(tables["dependency-groups"]) if "dependency-groups" in tables else {}
    project = tables["project"].fields() if "project" in tables else {}
    python = settings.get("python_version") or project.get("requires-python")
    python_version = read_python_version(python) if python else ""
    default = RequestedEnvironment(
        name="default",
        python_version=python_version,
        packages=tuple(sorted({*_requirements(project.get("dependencies")), *_requirements(settings.get("packages"))})),
        dev_packages=tuple(sorted({*groups.pop("dev", ()), *_requirements(settings.get("dev_packages"))})),
        constraints=_requirements(settings.get("constraints")),
    )
    given = {"default": default} | {
        name: RequestedEnvironment(name=name, python_version=python_version, packages=packages)
        for name, packages in groups.items()
    }
    return _from_settings(path, settings, given)


def _groups(value: Value) -> dict[str, tuple[str, ...]]:
    """Read PEP 735 groups; an `include-group` is replaced by what that group holds."""
    groups = {canonical_name(name): group for name, group in value.fields().items()}

    def expand(name: str, asker: Value, above: tuple[str, ...]) -> list[str]:
        if name in above:
            raise asker.bad(f"the groups {' -> '.join((*above, name))} include each other")
        if name not in groups:
            raise asker.bad(f"there is no group `{name}`")
        found: list[str] = []
        for item in groups[name].items():
            if isinstance(item.data, dict):
                included = canonical_name(item.fields({"include-group"})["include-group"].text())
                found += expand(included, item, (*above, name))
            else:
                found.append(read_requirement(item))
        return found

    return {
        read_environment_name(group, name): tuple(sorted(set(expand(name, group, ()))))
        for name, group in groups.items()
    }


def _toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - most projects have no pyproject.toml to read
    else:
        import tomli as tomllib  # noqa: PLC0415 - as above
    try:
        return tomllib.loads(_read(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise ProjectError(f"the project file is not TOML: {cause}", project=path) from cause


def _asks_for_packages(pyproject: Path) -> bool:
    tables = _toml(pyproject)
    return "project" in tables or "dependency-groups" in tables or "envknit" in tables.get("tool", {})
