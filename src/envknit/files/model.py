"""What a lock says: artifacts, pins and the edges between them, by environment."""

from __future__ import annotations

from dataclasses import dataclass, field

from envknit.files.filenames import parse_version

SCHEMA_VERSION = "1.0"
DEFAULT_GROUPS = ("dev",)  # which are installed where nobody says
DEFAULT_STARTUP = ("coverage", "setuptools")  # their start-up lines are inert until asked for
RESOLUTIONS = ("highest", "lowest", "lowest-direct")
PRERELEASES = ("if-necessary-or-explicit", "if-necessary", "explicit", "allow", "disallow")
MOST_SIZE = 999_999_999_999_999  # bytes of a file; an index that states more invents it


# What a project may name as a target -> sys_platform, platform_system, os_name, platform_machine (PEP 508)
PLATFORMS = {
    "linux-aarch64": ("linux", "Linux", "posix", "aarch64"),
    "linux-x86_64": ("linux", "Linux", "posix", "x86_64"),
    "macos-arm64": ("darwin", "Darwin", "posix", "arm64"),
    "macos-x86_64": ("darwin", "Darwin", "posix", "x86_64"),
    "windows-amd64": ("win32", "Windows", "nt", "AMD64"),
}


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Artifact:
    """One file to download: its name on the index, what its bytes hash to, and how many there are."""

    name: str
    sha256: str
    size: int | None = None

    @property
    def is_wheel(self) -> bool:
        """Whether this is a wheel; otherwise it is an sdist."""
        return self.name.endswith(".whl")


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Edge:
    """One dependency of a pin: which pin, and under which PEP 508 marker (`""`: always).

    The extras that were asked for are resolved already: their dependencies are edges like any other, and a marker
    never mentions `extra`. A marker that holds on every target of the lock is left out.
    """

    name: str
    version: str
    marker: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """One candidate that the lock chose.

    `roots` is non-empty for pins that the person asked for: one entry a requirement, its marker (`""`: always), which
    names the group or extra that asks as lock files do: `'docs' in dependency_groups`, `'cli' in extras` (PEP 751).
    `marker` is set where a name has several pins for different targets: they exclude each other.
    `dev` is true for a pin that only dev packages need. `install_path` is set only in locks of the older form,
    which name a folder instead of files. `source` is the place that the person named, if not an index.
    """

    name: str
    version: str
    files: tuple[Artifact, ...] = ()
    dependencies: tuple[Edge, ...] = ()
    roots: tuple[str, ...] = ()
    marker: str = ""
    dev: bool = False
    requires_python: str = ""
    install_path: str = ""
    source: str = ""

    @property
    def direct(self) -> bool:
        """Whether the person asked for it by name."""
        return bool(self.roots)

    def order(self) -> tuple[str, object]:
        """Return what the pins of an environment are sorted by."""
        return self.name, parse_version(self.version)


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """One environment of a lock: what was asked for, and the pins that answer it, sorted by name and version.

    `python_version` and `node_version` are specifiers (`>=3.11`); `requirements`, `groups`, `extras`, `constraints` and
    `overrides` are what the project said, normalised, so that a changed project can be told from its lock. `unlocked`
    names the groups and extras for which there was no answer (`group lint`): their requirements are not among the pins.
    """

    name: str
    python_version: str = ""
    requirements: tuple[str, ...] = ()
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    extras: dict[str, tuple[str, ...]] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    unlocked: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()
    node_version: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """All pins of a project, by environment; `targets` are the platforms it was made for (`()`: all that we know)."""

    environments: dict[str, Environment] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    system_site_packages: bool = False
    startup: tuple[str, ...] = DEFAULT_STARTUP
    native: tuple[str, ...] = ()
    pure: tuple[str, ...] = ()
    default_groups: tuple[str, ...] = DEFAULT_GROUPS
    exclude_newer: str = ""
    resolution: str = RESOLUTIONS[0]
    prerelease: str = PRERELEASES[0]
    schema_version: str = SCHEMA_VERSION
