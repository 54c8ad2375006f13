"""What comes from a place that a person named: it is bound to that place before any index could be asked for it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from envknit.errors import InstallError, PackageIndexError, ProjectError, ResolutionError
from envknit.files.requested import normal_requirement, source_of
from envknit.files.sources import Source, parse_source, path_from
from envknit.files.values import Value
from envknit.index.links import Link, link_to
from envknit.index.metadata import Metadata, UnusableMetadataError, read_metadata
from envknit.naming import canonical_name
from envknit.projects.load import PYPROJECT
from envknit.projects.pyproject import read_pyproject
from envknit.projects.workspace import workspace_above

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envknit.files.model import Lock
    from envknit.files.project import Package, Project
    from envknit.index.index import Index


def bound_indexes(project: Project) -> dict[str, set[str]]:
    """Return which indexes each package has that the project binds to some: canonical name to sources."""
    found: dict[str, set[str]] = {}
    for text in _texts(project):
        if " @ index+" in text:
            requirement = Requirement(text)
            _, source = source_of(requirement, _value(project, text))
            found.setdefault(canonical_name(requirement.name), set()).add(str(source))
    return found


def bind_sources(project: Project, index: Index, previous: Lock | None, updated: Iterable[str] = ()) -> None:
    """Bind every name that has a source to it, and the names that those sources require from others.

    Args:
        project: says the sources.
        index: answers from then on with nothing else for these names.
        previous: the lock so far: a branch stays at its commit, and a folder keeps a version that only its build knows.
        updated: names for which that does not count.

    What cannot be had or built is no error here, but one of whatever asks for it: a group that nobody needs may.

    Raises:
        ProjectError: a source requires a name from another place than the project does, or a folder is not there.

    Cost: nothing for folders whose `pyproject.toml` says everything; else a download, a clone or a build each.
    """
    _Binding(project, index, previous, frozenset(updated)).run()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """What is at a source: its resolved form, the metadata, and its file where it is one."""

    source: Source
    metadata: Metadata
    file: Link | None = None


class _Binding:
    def __init__(self, project: Project, index: Index, previous: Lock | None, updated: frozenset[str]) -> None:
        self._project = project
        self._index = index
        self._packages = {package.folder: package for package in project.packages}
        self._bound: dict[str, list[Source]] = {}
        self._plain = set(_asked_plainly(project))
        self._locked = {
            pin.name: (pin.version, parse_source(pin.source, _value(project, pin.source)))
            for environment in (previous.environments.values() if previous else ())
            for pin in environment.pins
            if pin.source and pin.name not in updated
        }

    def run(self) -> None:
        waiting = [(Requirement(text), True) for text in _texts(self._project) if " @ " in text]
        while waiting:
            requirement, own = waiting.pop(0)
            _, source = source_of(requirement, _value(self._project, str(requirement)))
            name = canonical_name(requirement.name)
            if source is None or source.kind == "index" or self._known(name, source, own=own):
                continue
            try:
                found = self._find(name, source)
            except (PackageIndexError, InstallError) as cause:  # may concern one group only
                self._refuse(name, source, ResolutionError(cause.message, hint=cause.hint, **cause.facts), own=own)
                continue
            waiting += [(needed, False) for needed in found.metadata.requires_dist if needed.url is not None]
            self._bind(name, found, source)

    def _refuse(self, name: str, source: Source, error: ResolutionError, *, own: bool) -> None:
        """Let nothing come from a source that cannot be had.

        Nor may an index have a say in the name instead, which may be a stranger's there, unless the person asks for it
        without a source elsewhere. What a source requires from another is asked for by name alone from here on.
        """
        self._index.refuse(name, str(replace(source, editable=False)), error)
        if not own or name not in self._plain:
            self._index.refuse(name, "", error)

    def _known(self, name: str, source: Source, *, own: bool) -> bool:
        bound = self._bound.setdefault(name, [])
        if any(replace(other, editable=False) == replace(source, editable=False) for other in bound):
            return True
        if bound and not own:
            raise ProjectError(
                f"{name} has two sources", project=self._project.path, sources=f"{bound[0]}, {source}",
                hint="one of them is that of another source; name the same place in the project",
            )  # fmt: skip
        bound.append(source)
        return False

    def _bind(self, name: str, found: _Found, written: Source) -> None:
        metadata = found.metadata
        if metadata.name != name:
            raise ProjectError(f"what is at the source of {name} is {metadata.name}", source=found.source)
        plain = tuple(_without_source(needed, self._project) for needed in metadata.requires_dist)
        filename = found.file.filename if found.file and found.file.is_wheel else ""
        link = Link(
            name=name,
            filename=filename or f"{name.replace('-', '_')}-{metadata.version}.tar.gz",
            url=found.file.url if found.file else str(found.source),
            sha256=self._index.sha256(found.file) if found.file else None,
            requires_python=metadata.requires_python,
            source=str(found.source),
            answers=(str(replace(written, editable=False)),),
        )
        if found.file:
            link = replace(link, source=str(replace(found.source, sha256=link.sha256 or "")))
        self._index.bind(link, replace(metadata, requires_dist=plain))

    def _find(self, name: str, source: Source) -> _Found:
        try:
            if source.kind == "git":
                return self._at_commit(name, source)
            place = Path(self._project.root, source.location).expanduser()
            if source.is_here and place.is_dir():
                return self._in_folder(name, source, place / source.subdirectory)
            if source.is_here and not place.exists():
                raise ProjectError(f"the source of {name} is not there", path=place)
            link = link_to(
                source.location if not source.is_here else place, name=name, subdirectory=source.subdirectory
            )
            return _Found(source=source, metadata=_normal(self._index.metadata(link)), file=link)
        except UnusableMetadataError as cause:
            raise InstallError(f"the source of {name} cannot be used: {cause}", source=source) from cause

    def _at_commit(self, name: str, source: Source) -> _Found:
        _, locked = self._locked.get(name, ("", source))
        same = replace(locked, commit="") == replace(source, commit="")
        commit = (locked.commit if same else "") or self._index.git.commit(source.location, source.rev)
        data = self._index.git.metadata(source.location, commit, subdirectory=source.subdirectory)
        return _Found(source=replace(source, commit=commit), metadata=_normal(read_metadata(data)))

    def _in_folder(self, name: str, source: Source, folder: Path) -> _Found:
        package = self._packages.get(source.location) or _package_in(folder, source.location)
        if package is None or package.dynamic or not package.name:
            metadata = read_metadata(self._index.builder.metadata(folder, editable=source.editable))
            return _Found(source=source, metadata=_normal(metadata))
        version = package.version
        if not version:
            known, locked = self._locked.get(name, ("", None))
            same = locked is not None and locked.location == source.location
            version = known if same else package.built_version
        if not version:
            version = read_metadata(self._index.builder.metadata(folder, editable=source.editable)).version
        return _Found(source=source, metadata=_metadata_of(package, version))


def _package_in(folder: Path, location: str) -> Package | None:
    """Read what a folder outside of the project says of itself, its paths as seen from the lock's folder."""
    path = folder / PYPROJECT
    if not path.is_file():
        return None
    root = workspace_above(path) or path
    project = read_pyproject(root)
    within = folder.resolve().relative_to(root.parent.resolve()).as_posix()
    location = path_from(posixpath.relpath(".", within), location)  # of the root of that workspace
    package = next((package for package in project.packages if package.folder == within), None)
    if package is None:
        raise ProjectError(
            "the folder of a source has no build", folder=folder, hint="write [build-system] into its pyproject.toml"
        )

    def moved(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(_moved(text, location, project) for text in texts))

    return replace(
        package,
        requirements=moved(text for text in package.requirements),
        extras={extra: moved(texts) for extra, texts in package.extras.items()},
    )


def _moved(text: str, location: str, project: Project) -> str:
    """Write a requirement of another folder's project as seen from the lock's folder."""
    if " @ " not in text:
        return text
    requirement = Requirement(text)
    _, source = source_of(requirement, _value(project, text))
    if source is not None and source.is_here:
        requirement.url = str(replace(source, location=path_from(source.location, location)))
    return normal_requirement(requirement)


def _metadata_of(package: Package, version: str) -> Metadata:
    texts = [Requirement(text) for text in package.requirements]
    for extra, asked in package.extras.items():
        for text in asked:
            requirement = Requirement(text)
            marker = f"({requirement.marker}) and extra == '{extra}'" if requirement.marker else f"extra == '{extra}'"
            requirement.marker = Requirement(f"x ; {marker}").marker
            texts.append(requirement)
    metadata = Metadata(
        name=package.name,
        version=version,
        requires_dist=tuple(texts),
        requires_python=package.python_version,
        extras=frozenset(package.extras),
    )
    return _normal(metadata)


def _normal(metadata: Metadata) -> Metadata:
    try:
        return replace(metadata, version=str(Version(metadata.version)))
    except InvalidVersion as cause:
        raise PackageIndexError(f"{metadata.name} has a version that is none: {metadata.version}") from cause


def _without_source(requirement: Requirement, project: Project) -> Requirement:
    if requirement.url is None:
        return requirement
    specifier, _ = source_of(requirement, _value(project, str(requirement)))
    plain = Requirement(str(requirement.name))
    plain.extras, plain.specifier, plain.marker = requirement.extras, specifier, requirement.marker
    return plain


def _asked_plainly(project: Project) -> Iterator[str]:
    """Give the canonical names that the person asks for without a source, those of overrides left out."""
    overridden = {
        canonical_name(Requirement(text).name)
        for environment in project.environments.values()
        for text in environment.overrides
    }
    for environment in project.environments.values():
        for texts in (environment.requirements, *environment.groups.values(), *environment.extras.values()):
            for text in texts:
                name = canonical_name(Requirement(text).name)
                if " @ " not in text and name not in overridden:
                    yield name


def _texts(project: Project) -> Iterator[str]:
    for environment in project.environments.values():
        lists = (environment.requirements, environment.constraints, environment.overrides)
        for texts in (*lists, *environment.groups.values(), *environment.extras.values()):
            yield from texts


def _value(project: Project, text: str) -> Value:
    return Value(data=text, file=str(project.path), error=ProjectError, kind="project")


def name_at(source: Source, index: Index, root: Path) -> str:
    """Find out the canonical name of the project at a source.

    Args:
        source: where.
        index: fetches and builds.
        root: the folder that a path is relative to.

    Raises:
        InstallError: its build backend fails.
        PackageIndexError: it cannot be had, or is no project.
    """
    place = Path(root, source.location).expanduser()
    if source.kind == "git":
        commit = index.git.commit(source.location, source.rev)
        data = index.git.metadata(source.location, commit, subdirectory=source.subdirectory)
        return read_metadata(data).name
    if source.is_here and place.is_dir():
        package = _package_in(place / source.subdirectory, source.location)
        return package.name if package and package.name else read_metadata(index.builder.metadata(place)).name
    filename = source.location.rpartition("/")[2]
    name = canonical_name(filename.partition("-")[0])
    if filename.endswith(".whl"):
        return name
    link = link_to(source.location if not source.is_here else place, name=name, subdirectory=source.subdirectory)
    archive = index.artifacts.readable(link)
    return read_metadata(index.builder.metadata_of_sdist(archive, link.filename, subdirectory=source.subdirectory)).name
