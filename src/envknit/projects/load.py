"""Find the project of a folder, and read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.errors import ProjectError
from envknit.files.plain_yaml import read_plain_yaml
from envknit.files.project import PROJECT_FILE, Package, Project, RequestedEnvironment
from envknit.projects.settings import TOP, read_environments, read_settings
from envknit.projects.toml import read_project_file
from envknit.projects.workspace import workspace_above
from envknit.regular import read_regular

if TYPE_CHECKING:
    from pathlib import Path

PYPROJECT = "pyproject.toml"
SETUP_CFG = "setup.cfg"
SETUP = (SETUP_CFG, "setup.py")


def find_project(start: Path) -> Path:
    """Find the project of a folder: the nearest project file, or the root of the workspace that it is a member of.

    Raises:
        ProjectError: as `find_project_file`.
    """
    nearest = find_project_file(start)
    return (workspace_above(nearest) if nearest.name == PYPROJECT else None) or nearest


def find_project_file(start: Path) -> Path:
    """Walk up from a folder to the nearest project file.

    In each folder `envknit.yaml` comes first, then a `pyproject.toml` that says more than the settings of a tool, then
    what setuptools alone reads.

    Raises:
        ProjectError: there is none up to the root of the file system; the hint names a file that does not count.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        if found := project_file_in(folder):
            return found
    hint = "run: envknit init"
    settings = next((folder / PYPROJECT for folder in (start, *start.parents) if (folder / PYPROJECT).is_file()), None)
    if settings:
        hint = f"{settings} names no packages: it has none of [project], [dependency-groups], [build-system]; {hint}"
    raise ProjectError("no project file here or in a folder above", folder=start, hint=hint)


def project_file_in(folder: Path) -> Path | None:
    """Return the project file of one folder; None where it has none."""
    if (folder / PROJECT_FILE).is_file():
        return folder / PROJECT_FILE
    if (folder / PYPROJECT).is_file():
        from envknit.projects.pyproject import asks_for_packages  # not for an `envknit.yaml`

        if asks_for_packages(folder / PYPROJECT):
            return folder / PYPROJECT
    if (folder / "setup.py").is_file() or _is_setup(folder / "setup.cfg"):
        return folder / next(name for name in SETUP if (folder / name).is_file())
    return None


def load_project(path: Path) -> Project:
    """Read a project file.

    Raises:
        ProjectError: it cannot be read, or a value in it is not what it must be; the fact `at` is its path.
    """
    if path.name == PYPROJECT:
        from envknit.projects.pyproject import read_pyproject

        return read_pyproject(path)
    if path.suffix not in (".yaml", ".yml", ".cfg") and path.name not in SETUP:
        from envknit.projects.pyproject import read_script

        return read_script(path)
    if path.name in SETUP:
        package = Package(folder=".", dynamic=frozenset({"requirements", "extras", "python_version"}))
        default = RequestedEnvironment(name="default", packages=(".",))
        return Project(path=path, environments={"default": default}, packages=(package,))
    whole = read_plain_yaml(read_project_file(path), str(path), ProjectError, "project")
    settings = whole.fields(TOP)
    return Project(path=path, environments=read_environments(settings, {}), **read_settings(settings))


def _is_setup(path: Path) -> bool:
    """Whether a `setup.cfg` describes a package: many hold nothing but settings of tools."""
    try:
        lines = read_regular(path).decode(errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip() in ("[metadata]", "[options]") for line in lines)
