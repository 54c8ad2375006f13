"""From the answer of a resolution to the pins of a lock, with every file of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.errors import PackageIndexError
from envknit.files.model import MOST_SIZE, Artifact, Pin
from envknit.files.requested import normal_specifier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from envknit.files.model import Environment
    from envknit.index.index import Index
    from envknit.index.links import Link
    from envknit.reporter import Reporter
    from envknit.resolve.graph import Graph
    from envknit.resolve.judge import Candidate


class Pins:
    """Makes the pins of one environment.

    Args:
        index: where files come from.
        old: the environment in the lock so far.
        updated: names whose files may have changed since.
        reporter: hears of what the person should know.
    """

    def __init__(self, index: Index, old: Environment, updated: Collection[str], reporter: Reporter) -> None:
        self._index = index
        self._old = old
        self._updated = updated
        self._reporter = reporter

    def make(self, graph: Graph, markers: Mapping[str, str]) -> tuple[Pin, ...]:
        """Make them.

        Args:
            graph: the answer.
            markers: when each of several versions of a project stands, by identifier.
        """
        for candidate in graph.chosen.values():
            if not (candidate.extra and graph.where(candidate.identifier)):
                continue
            if candidate.extra not in self._index.metadata(candidate.release.metadata_link).extras:
                self._reporter.warn(f"{candidate.name} {candidate.version} has no extra `{candidate.extra}`")
        return tuple(self._pin(each, graph, markers.get(each.identifier, "")) for each in graph.needed())

    def _pin(self, candidate: Candidate, graph: Graph, marker: str) -> Pin:
        release = candidate.release
        if release.yanked is not None:
            reason = f": {release.yanked}" if release.yanked else ""
            self._reporter.warn(f"{candidate} was yanked from the index{reason}")
        return Pin(
            name=candidate.name,
            version=str(candidate.version),
            files=tuple(sorted(self._artifacts(candidate, replaced=candidate.name in self._updated))),
            dependencies=graph.edges(candidate),
            roots=graph.root_markers(candidate),
            marker=marker,
            source=release.links[0].source,
            dev=graph.is_dev(candidate),
            requires_python=_plain_specifier(self._index.metadata(release.metadata_link).requires_python),
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
            if not (link.is_listed or link.sha256):  # a folder or a commit, and no file
                continue
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


def _plain_specifier(text: str) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # loaded where a lock is made

    try:
        return normal_specifier(SpecifierSet(text))
    except InvalidSpecifier:
        return ""  # pip ignores what is no specifier, too
