"""Whether a lock answers what its project asks for now; no index is asked, nothing heavy is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from envknit.files.model import Environment, Lock
    from envknit.files.project import Project, RequestedEnvironment

_ASKED = ("requirements", "groups", "extras", "constraints", "overrides", "node_version")
SETTINGS = (
    *("targets", "system_site_packages", "startup", "native", "pure", "default_groups"),
    *("exclude_newer", "resolution", "prerelease"),
)


def is_current(project: Project, lock: Lock) -> bool:
    """Whether a lock was made from what the project asks for now; needs no index."""
    unknown = project.dynamic
    asked = {name: _asked(wanted, unknown) for name, wanted in project.environments.items()}
    locked = {name: _asked(made, unknown) for name, made in lock.environments.items()}
    pythons = {name: wanted.python_version for name, wanted in project.environments.items() if wanted.python_version}
    if any(name in locked and lock.environments[name].python_version != python for name, python in pythons.items()):
        return False
    return asked == locked and all(getattr(project, key) == getattr(lock, key) for key in SETTINGS)


def is_settled(project: Project, lock: Lock) -> bool:
    """Whether resolving would give this lock again, unless an index offers other files for the versions in it.

    Not where something that could not be locked may be possible now, nor where a folder may have changed.
    """
    own = {str(package.source): package.version for package in project.packages if package.name and not package.dynamic}
    return (
        not project.dynamic
        and is_current(project, lock)
        and all(
            not environment.unlocked
            and all(
                own.get(pin.source) == pin.version if pin.source.startswith("file:") else pin.files or pin.source
                for pin in environment.pins
            )
            for environment in lock.environments.values()
        )
    )


def _asked(environment: RequestedEnvironment | Environment, unknown: Collection[str]) -> dict[str, object]:
    """Return what an environment was asked for, but for the fields that only a build backend knows."""
    return {field: getattr(environment, field) for field in _ASKED if field not in unknown}
