"""The project: what a person asks for, whichever files say it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from envknit.files.model import DEFAULT_GROUPS, DEFAULT_STARTUP, PRERELEASES, RESOLUTIONS
from envknit.files.sources import Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROJECT_FILE = "envknit.yaml"
LOCK_FILE = "envknit.lock.yaml"
OWN_INDEXES = "pip"  # among the indexes of a project: those that the user's pip is configured for


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestedEnvironment:
    """One environment as the person asked for it; all requirements in normal form, sorted.

    Args:
        name: its name.
        python_version: which Pythons it is for, a specifier; `""`: not said.
        requirements: what it always needs.
        groups: further requirements by the name of their group (PEP 735); `dev` is installed unless told otherwise.
        extras: further requirements by extra, those of the project itself.
        constraints: limits for what something else needs.
        overrides: requirements that stand in place of whatever anything asks of their names.
        packages: the folders of the project's own packages that are part of it.
        node_version: which Node `run` puts on PATH, a specifier; `""`: none.
    """

    name: str
    python_version: str = ""
    requirements: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    node_version: str = ""

    def joined(self, more: RequestedEnvironment) -> RequestedEnvironment:
        """Add what another environment asks for; its `python_version` and `node_version` win where it says them."""
        return replace(
            self,
            python_version=more.python_version or self.python_version,
            requirements=union(self.requirements, more.requirements),
            groups=union_of_each(self.groups, more.groups),
            extras=union_of_each(self.extras, more.extras),
            constraints=union(self.constraints, more.constraints),
            overrides=union(self.overrides, more.overrides),
            packages=union(self.packages, more.packages),
            node_version=more.node_version or self.node_version,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A folder that is built and used in place: the project itself, or a member of its workspace.

    Args:
        folder: where it lies, relative to the folder of the lock.
        name: canonical name; `""`: only the build backend knows it.
        version: as the file states it; `""`: only the backend knows it.
        built_version: what the backend said, where it had to be asked for something.
        python_version: which Pythons it is for, a specifier.
        requirements: what it always needs, in normal form.
        extras: what its extras add.
        dynamic: which of `requirements`, `extras` and `python_version` the backend has still to be asked for.
    """

    folder: str
    name: str = ""
    version: str = ""
    built_version: str = ""
    python_version: str = ""
    requirements: tuple[str, ...] = ()
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dynamic: frozenset[str] = frozenset()

    @property
    def requirement(self) -> str:
        """What stands for it among the requirements of an environment."""
        return f"{self.name} @ {self.source}"

    @property
    def source(self) -> Source:
        """Where it comes from."""
        return Source(kind="path", location=self.folder, editable=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """What the files of a project ask for.

    Args:
        path: the project file.
        environments: what is asked for, by environment; never empty.
        packages: the project itself, where it has a build, and the members of its workspace.
        default_groups: which groups `install` takes where it is not told; `*` means all.
        indexes: index URLs and folders in the order to ask, `OWN_INDEXES` for those that pip uses; `()`: those alone.
        targets: platforms to lock for; `()`: all that we know.
        system_site_packages: whether the host's site-packages stay visible behind the lock.
        startup: pins whose start-up code may run.
        native: pins that may be guests though they have extension modules.
        pure: pins that may be guests without their extension modules.
        split: names of which an environment may hold several versions where it must; None: any name.
        exclude_newer: the time (RFC 3339) after which nothing that was uploaded counts; `""`: none.
        resolution: one of `RESOLUTIONS`.
        prerelease: one of `PRERELEASES`.
        alone: whether no other file has a say in it: it is no workspace.
    """

    path: Path
    environments: dict[str, RequestedEnvironment] = field(default_factory=dict)
    packages: tuple[Package, ...] = ()
    default_groups: tuple[str, ...] = DEFAULT_GROUPS
    indexes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    system_site_packages: bool = False
    startup: tuple[str, ...] = DEFAULT_STARTUP
    native: tuple[str, ...] = ()
    pure: tuple[str, ...] = ()
    split: frozenset[str] | None = frozenset()
    exclude_newer: str = ""
    resolution: str = RESOLUTIONS[0]
    prerelease: str = PRERELEASES[0]
    alone: bool = True

    @property
    def dynamic(self) -> frozenset[str]:
        """The fields of its environments that only build backends know."""
        return frozenset[str]().union(*(package.dynamic for package in self.packages))

    @property
    def root(self) -> Path:
        """The folder that holds the project file."""
        return self.path.parent

    @property
    def lock_path(self) -> Path:
        """Where the lock of this project is."""
        return self.root / LOCK_FILE


def union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Join two lists of requirements, sorted."""
    return tuple(sorted({*one, *other}))


def union_of_each(
    one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Join two mappings of lists of requirements, name by name."""
    return {name: union(one.get(name, ()), other.get(name, ())) for name in sorted({*one, *other})}
