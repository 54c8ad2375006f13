"""What the files of a project leave to its build backend: `dynamic` fields, and all that `setup.py` says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from envknit.errors import ProjectError
from envknit.files.project import RequestedEnvironment
from envknit.files.requested import normal_requirement
from envknit.files.values import Value
from envknit.index.metadata import read_metadata
from envknit.projects.groups import expand_own_extras
from envknit.resolve.markers import without_extra

if TYPE_CHECKING:
    from envknit.files.project import Package, Project
    from envknit.index.build import Builder
    from envknit.index.metadata import Metadata
    from envknit.reporter import Reporter


def completed(project: Project, builder: Builder, reporter: Reporter) -> Project:
    """Ask the build backends of a project for what its files leave to them.

    Raises:
        InstallError: a backend fails.

    Cost: nothing where the files say everything; else it starts pip and the backend.
    """
    for package in project.packages:
        if package.dynamic or not package.name:
            reporter.stage(f"Asking the build backend of {package.name or project.root.name}")
            metadata = read_metadata(builder.metadata(project.root / package.folder, editable=True))
            project = _with(project, package, _told(package, metadata))
    return project


def _told(package: Package, metadata: Metadata) -> Package:
    """Fill in what a backend says of a package."""
    requirements, extras = set[str](), dict[str, set[str]]()
    for extra in ("", *sorted(metadata.extras)):
        for needed in metadata.requires_dist:
            marker = without_extra(needed.marker, extra)
            if marker is None or (extra and without_extra(needed.marker, "") is not None):
                continue
            plain = Requirement(str(needed))
            plain.marker = Requirement(f"x ; {marker}").marker if marker else None
            (extras.setdefault(extra, set()) if extra else requirements).add(normal_requirement(plain))
    return replace(
        package,
        name=metadata.name,
        built_version=metadata.version,
        python_version=metadata.requires_python or package.python_version,
        requirements=tuple(sorted({*package.requirements, *requirements})),
        extras={**package.extras, **{extra: tuple(sorted(texts)) for extra, texts in extras.items()}},
        dynamic=frozenset(),
    )


def _with(project: Project, before: Package, after: Package) -> Project:
    def filled(environment: RequestedEnvironment) -> RequestedEnvironment:
        if before.folder not in environment.packages:
            return environment
        own = RequestedEnvironment(
            name=environment.name,
            requirements=tuple(sorted({*after.requirements, after.requirement})),
            extras=after.extras,
        )
        joined = replace(environment.joined(own), python_version=environment.python_version or after.python_version)
        return expand_own_extras(
            joined, after.name, Value(data=after.name, file=str(project.path), error=ProjectError, kind="project")
        )

    return replace(
        project,
        packages=tuple(after if package is before else package for package in project.packages),
        environments={name: filled(environment) for name, environment in project.environments.items()},
    )
