"""Look-ahead: pages and metadata of what a resolution will very likely need are fetched before it asks for them."""

from __future__ import annotations

import contextlib
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from envknit.index.metadata import Metadata
    from envknit.resolve.judge import Candidate, Judge
    from envknit.resolve.releases import Release
    from envknit.resolve.requirements import Requirement

_MOST = 16  # how many older versions' metadata is fetched side by side while backtracking


class LookAhead:
    """Guesses that the best candidate of each requirement is taken, in the index's threads.

    Args:
        judge: says which that is.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._seen: set[tuple[str, str]] = set()

    def follow(self, requirements: Iterable[Requirement]) -> None:
        """Begin to fetch what these requirements will very likely lead to, level by level."""
        for requirement in requirements:
            key = (requirement.identifier, str(requirement.specifier))
            if requirement.refusal or key in self._seen:
                continue
            self._seen.add(key)
            with contextlib.suppress(RuntimeError):  # the index was closed while a thread of it was here
                soon = self._judge.index.links_soon(requirement.name)
                soon.add_done_callback(lambda done, asked=requirement: self._guess(asked, done))  # type: ignore[misc]

    def _guess(self, requirement: Requirement, done: Future[Any]) -> None:
        if done.cancelled() or done.exception():
            return  # whoever needs the page hears of it
        with contextlib.suppress(StopIteration, RuntimeError):
            release = next(self._judge.matches([requirement], requirement.extra)).release
            if (soon := self._fetch(release)) is not None:
                soon.add_done_callback(lambda found: self._follow_metadata(requirement, found))

    def _follow_metadata(self, requirement: Requirement, done: Future[Metadata]) -> None:
        if not (done.cancelled() or done.exception()):
            self.follow(self._judge.expected(done.result(), requirement))

    def in_batches(self, candidates: Iterator[Candidate], tried: int) -> Iterator[Candidate]:
        """Give candidates as they are; the more were tried in vain, the more are fetched side by side."""
        size = min(_MOST, 1 << tried)
        while batch := list(islice(candidates, size)):
            if size > 1:
                for candidate in batch:
                    self._fetch(candidate.release)
            yield from batch
            size = min(_MOST, size * 2)

    def _fetch(self, release: Release) -> Future[Metadata] | None:
        link = release.metadata_link
        # The metadata of an sdist may take a build: not on a guess.
        return self._judge.index.metadata_soon(link) if link.is_wheel or link.metadata else None
