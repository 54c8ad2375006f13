"""From a project to a lock: one resolution for each environment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from envknit.errors import PackageIndexError, ProjectError
from envknit.files.filenames import parse_version
from envknit.files.model import MOST_SIZE, Artifact, Environment, Lock, Pin
from envknit.files.requested import normal_specifier
from envknit.naming import canonical_name
from envknit.reporter import Reporter
from envknit.resolve.explain import explain, explain_depth, telling_clash
from envknit.resolve.graph import Graph
from envknit.resolve.judge import Judge
from envknit.resolve.requirements import split_by_extra
from envknit.resolve.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from packaging.version import Version

    from envknit.files.project import Project, RequestedEnvironment
    from envknit.index.index import Index
    from envknit.index.links import Link
    from envknit.resolve.judge import Candidate
    from envknit.resolve.requirements import Requirement
    from envknit.resolve.split_resolution import Splitting

_MOST_ROUNDS = 100_000


def resolve(
    project: Project,
    index: Index,
    *,
    previous: Lock | None = None,
    environments: Sequence[str] | None = None,
    update: Collection[str] = (),
    update_all: bool = False,
    split: bool = False,
    reporter: Reporter | None = None,
) -> Lock:
    """Choose a version of everything that a project needs, directly or not.

    Args:
        project: what is asked for.
        index: where it comes from.
        previous: the lock so far: its pins stay where they still fit.
        environments: which to resolve; the others keep what `previous` says. None: all.
        update: names whose pins do not stay.
        update_all: whether none stays.
        split: whether any name may have several versions where it must; else those that the project names, and those
            that have them in `previous`.
        reporter: hears of progress.

    Raises:
        ResolutionError: no set of versions fits; the message says why.
        PackageIndexError: an index does not answer.
        ProjectError: an environment or a name in `update` that does not exist.

    Cost: a page for every project met, metadata of every version tried; about a second for ten packages.
    """
    reporter = reporter or Reporter()
    chosen = _chosen(project, environments)
    names = frozenset(map(canonical_name, update))
    _check_names(names, project, previous, chosen)
    index.prefetch(sorted({root.name for name in chosen for root in _roots(project, name)}))
    before = previous.environments if previous else {}
    done = {name: before[name] for name in project.environments if name not in chosen and name in before}
    for name in chosen:
        reporter.stage(f"Resolving {name}")
        old = before.get(name, Environment(name=name))
        work = _Resolution(project, project.environments[name], index, old, reporter, split=split)
        done[name] = work.run(frozenset(pin.name for pin in old.pins) if update_all else names)
    return Lock(
        environments=dict(sorted(done.items())),
        targets=project.targets,
        system_site_packages=project.system_site_packages,
        startup=project.startup,
        default_groups=project.default_groups,
    )


def is_current(project: Project, lock: Lock) -> bool:
    """Whether a lock was made from what the project asks for now; needs no index."""
    unknown = frozenset[str]().union(*project.dynamic.values())
    asked = {name: _asked(wanted, unknown) for name, wanted in project.environments.items()}
    locked = {name: _asked(made, unknown) for name, made in lock.environments.items()}
    pythons = {name: wanted.python_version for name, wanted in project.environments.items() if wanted.python_version}
    if any(name in locked and lock.environments[name].python_version != python for name, python in pythons.items()):
        return False
    settings = (project.targets, project.system_site_packages, project.startup, project.default_groups)
    locked_settings = (lock.targets, lock.system_site_packages, lock.startup, lock.default_groups)
    return asked == locked and settings == locked_settings


def _asked(environment: RequestedEnvironment | Environment, unknown: Collection[str]) -> dict[str, object]:
    """Return what an environment was asked for, but for the fields that only a build backend knows."""
    fields = ("requirements", "groups", "extras", "constraints", "overrides")
    return {field: getattr(environment, field) for field in fields if field not in unknown}


def _chosen(project: Project, environments: Sequence[str] | None) -> list[str]:
    for name in environments or ():
        if name not in project.environments:
            raise ProjectError(
                f"there is no environment `{name}`",
                project=project.path,
                hint=f"there are: {', '.join(sorted(project.environments))}",
            )
    return sorted(project.environments) if environments is None else sorted(set(environments))


def _check_names(update: Collection[str], project: Project, previous: Lock | None, chosen: Iterable[str]) -> None:
    known = {root.name for name in chosen for root in _roots(project, name)}
    known |= {pin.name for made in (previous.environments.values() if previous else ()) for pin in made.pins}
    for name in sorted(set(update) - known):
        raise ProjectError(f"{name} is neither asked for nor locked, so it cannot be updated", project=project.path)


def _roots(project: Project, name: str) -> Iterator[Requirement]:
    wanted = project.environments[name]
    yield from _asked_for(wanted, Targets.of(project.targets, wanted.python_version))


def _asked_for(wanted: RequestedEnvironment, targets: Targets) -> Iterator[Requirement]:
    yield from _read(wanted.requirements, targets)
    for name, requirements in wanted.groups.items():
        yield from _read(requirements, targets, given=f"'{name}' in dependency_groups")
    for name, requirements in wanted.extras.items():
        yield from _read(requirements, targets, given=f"'{name}' in extras")


def _read(requirements: Iterable[str], targets: Targets, *, given: str = "") -> Iterator[Requirement]:
    from packaging.requirements import Requirement  # noqa: PLC0415 - loaded where a lock is made

    for text in requirements:
        requirement = Requirement(text)
        if requirement.url is not None:
            raise ProjectError(f"`{text}` has a source of its own, which cannot be locked yet")
        marker = str(requirement.marker or "")
        yield from split_by_extra(requirement, marker, targets, where=targets.everywhere, here=True, given=given)


class _Resolution:
    """The resolution of one environment."""

    def __init__(
        self,
        project: Project,
        wanted: RequestedEnvironment,
        index: Index,
        old: Environment,
        reporter: Reporter,
        *,
        split: bool,
    ) -> None:
        self._project = project
        self._wanted = wanted
        self._index = index
        self._old = old
        self._reporter = reporter
        self._targets = Targets.of(project.targets, wanted.python_version)
        names = [pin.name for pin in old.pins]
        self._was_split = {name for name in names if names.count(name) > 1}
        self._splittable = None if split or project.split is None else project.split | self._was_split

    def run(self, updated: Collection[str]) -> Environment:
        """Resolve; pins of `updated` names do not stay."""
        from envknit.resolve.split_resolution import Splitting  # noqa: PLC0415 - loaded where a lock is made

        kept: dict[str, set[Version]] = {}
        for pin in self._old.pins:
            version = parse_version(pin.version)
            if pin.name not in updated and version is not None:
                kept.setdefault(pin.name, set()).add(version)
        judge = Judge(
            self._index,
            self._targets,
            roots=list(_roots(self._project, self._wanted.name)),
            constraints=list(_read(self._wanted.constraints, self._targets)),
            kept=kept,
            reporter=self._reporter,
        )
        splitting = Splitting(judge, accepted=self._splittable, reporter=self._reporter)
        # What was split is looked at as such first: that one version will not do is proven sooner so.
        graph = (splitting.find() if self._was_split else None) or self._search(judge, splitting)
        pins = [self._pin(candidate, graph, judge, updated) for candidate in graph.needed()]
        self._warn_of_extras(graph.chosen, judge)
        return Environment(
            name=self._wanted.name,
            python_version=self._wanted.python_version or f"==3.{sys.version_info[1]}.*",
            requirements=self._wanted.requirements,
            groups=dict(self._wanted.groups),
            extras=dict(self._wanted.extras),
            constraints=self._wanted.constraints,
            overrides=self._wanted.overrides,
            pins=tuple(pins),
        )

    def _search(self, judge: Judge, splitting: Splitting) -> Graph:
        from resolvelib import ResolutionImpossible, ResolutionTooDeep, Resolver  # noqa: PLC0415 - as above

        from envknit.resolve.provider import HopelessError, Provider  # noqa: PLC0415 - as above
        from envknit.resolve.watcher import Watcher  # noqa: PLC0415 - as above

        provider = Provider(judge)
        watcher = Watcher(provider, self._reporter)
        self._reporter.begin("resolving", None)
        try:
            chosen = dict(Resolver(provider, watcher).resolve(judge.roots, max_rounds=_MOST_ROUNDS).mapping)
            return Graph(chosen, judge.roots, judge.dependencies, self._targets)
        except ResolutionImpossible as cause:
            error = explain(telling_clash(list(cause.causes), watcher), provider, watcher, self._wanted)
        except HopelessError as cause:
            error = explain(cause.clash, provider, watcher, self._wanted)
        except ResolutionTooDeep:
            error = explain_depth(_MOST_ROUNDS, provider, self._wanted)
        finally:
            self._reporter.finish("resolving")
        return splitting.instead_of(error)

    def _pin(self, candidate: Candidate, graph: Graph, judge: Judge, updated: Collection[str]) -> Pin:
        release = candidate.release
        if release.yanked is not None:
            reason = f": {release.yanked}" if release.yanked else ""
            self._reporter.warn(f"{candidate} was yanked from the index{reason}")
        return Pin(
            name=candidate.name,
            version=str(candidate.version),
            files=tuple(sorted(self._artifacts(candidate, replaced=candidate.name in updated))),
            dependencies=graph.edges(candidate),
            roots=graph.root_markers(candidate),
            dev=graph.is_dev(candidate),
            requires_python=_plain_specifier(judge.metadata(release).requires_python),
        )

    def _artifacts(self, candidate: Candidate, *, replaced: bool) -> Iterator[Artifact]:
        """Give every file of a version, of every platform; one that changed since the last lock is an error."""
        before = {
            file.name: file
            for pin in self._old.pins
            if (pin.name, pin.version) == (candidate.name, str(candidate.version))
            for file in pin.files
        }
        for link in candidate.release.links:
            old = before.get(link.filename)
            sha256 = link.sha256 or self._hash(link)
            if old and old.sha256 != sha256 and not replaced:
                raise PackageIndexError(
                    f"the index now offers {link.filename} with other bytes than those in the lock",
                    locked_sha256=old.sha256,
                    offered_sha256=sha256,
                    hint=f"if that is meant, run: envknit lock --update {candidate.name}",
                )
            same = old is not None and old.sha256 == sha256
            # Some indexes state no size: one that was known stays known, and the lock the same.
            size = (link.size if 0 < (link.size or 0) <= MOST_SIZE else None) or (old.size if same and old else None)
            yield Artifact(name=link.filename, sha256=sha256, size=size)

    def _hash(self, link: Link) -> str:
        if not link.url.startswith("file:"):
            self._reporter.warn(f"the index states no sha256 of {link.filename}; it was downloaded and hashed")
        return self._index.sha256(link)

    def _warn_of_extras(self, chosen: Iterable[Candidate], judge: Judge) -> None:
        for candidate in chosen:
            if candidate.extra and candidate.extra not in judge.metadata(candidate.release).extras:
                self._reporter.warn(f"{candidate.name} {candidate.version} has no extra `{candidate.extra}`")


def _plain_specifier(text: str) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - loaded where a lock is made

    try:
        return normal_specifier(SpecifierSet(text))
    except InvalidSpecifier:
        return ""  # pip ignores what is no specifier, too
