"""Resolve one environment by splitting, where single versions cannot satisfy everything and the person accepts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from envknit.errors import ResolutionError
from envknit.resolve.split import smallest_split
from envknit.resolve.split_provider import JudgeCatalogue, graph_of
from envknit.resolve.split_report import crossings, describe
from envknit.resolve.targets import can_use_here

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from packaging.version import Version

    from envknit.reporter import Reporter
    from envknit.resolve.graph import Graph
    from envknit.resolve.judge import Judge
    from envknit.resolve.releases import Release
    from envknit.resolve.split import Split


class Splitting:
    """Splits of one environment.

    Args:
        judge: knows the candidates.
        accepted: names of which the person accepts several copies; None: any.
        reporter: hears of what the person should know.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        accepted: Collection[str] | None,
        reporter: Reporter,
    ) -> None:
        self._catalogue = JudgeCatalogue(judge)
        self._accepted = accepted
        self._reporter = reporter

    def find(self) -> Graph | None:
        """Find the smallest answer with copies of accepted names alone; None where there is none.

        Raises:
            ResolutionError: a copy has extension modules, so it cannot be loaded beside the other.
        """
        self._reporter.stage("Looking for the smallest split")
        split = smallest_split(self._catalogue, allowed=self._accepted)
        if split is None:
            return None
        return self._usable(split, None)

    def instead_of(self, error: ResolutionError) -> Graph:
        """Find an answer where a plain resolution has failed.

        Raises:
            ResolutionError: no split helps, or none that the person accepted; the error names the smallest there is.
        """
        self._reporter.stage("Looking for the smallest split")
        split = smallest_split(self._catalogue, allowed=self._accepted)
        if split is None and self._accepted is not None:
            split = smallest_split(self._catalogue)
        if split is None:
            raise error
        graph = self._usable(split, error)
        if self._accepted is not None and not self._accepted_all(split):
            names = ", ".join(split.copies)
            raise ResolutionError(
                error.message,
                **error.facts,
                **describe(split),
                hint="to accept it, run: envknit lock --split (`add` knows it too), "
                f"or write `split: [{names}]` into the project",
            )
        return graph

    def _accepted_all(self, split: Split) -> bool:
        return self._accepted is None or set(split.copies) <= set(self._accepted)

    def _usable(self, split: Split, error: ResolutionError | None) -> Graph:
        """Make the graph of a split after checking that all its guests can be guests."""
        unbuilt = []
        for name, version, release in self._guests(split):
            kind = _kind(release)
            if kind == "native":
                raise _native(split, name, version, error)
            if kind == "sdist":
                unbuilt.append(
                    f"{name} {version} has no wheel: whether it can stand beside another copy shows at install"
                )
        if self._accepted_all(split):
            for sentence in (*unbuilt, *crossings(split)):
                self._reporter.warn(sentence)
        return graph_of(split, self._catalogue)

    def _guests(self, split: Split) -> Iterator[tuple[str, Version, Release]]:
        for name, versions in split.copies.items():
            for version in versions[1:]:
                yield name, cast("Version", version), self._catalogue.candidate(name, version).release


def _kind(release: Release) -> str:
    """Tell from file names whether a version can be a guest: `pure`, `native`, or `sdist` where no wheel says it."""
    wheels = [link.filename for link in release.links if link.is_wheel]
    if any(wheel.endswith("-none-any.whl") for wheel in wheels):
        return "pure"
    usable = [wheel for wheel in wheels if can_use_here(wheel)] or wheels
    return "native" if usable else "sdist"


def _native(split: Split, name: str, version: Version, error: ResolutionError | None) -> ResolutionError:
    there = split.residents[name]
    facts = error.facts if error is not None else {}
    return ResolutionError(
        f"{name} {version} cannot be loaded beside {name} {there}: it has extension modules, which CPython loads once",
        **facts,
        **describe(split),
        hint="give one side an environment of its own, and reach it through envknit.worker() (a process of its own) or"
        " envknit.SubInterpreterEnv",
    )
