"""Why no set of versions fits, in sentences a person can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.errors import ResolutionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envknit.files.project import RequestedEnvironment
    from envknit.resolve.judge import Candidate
    from envknit.resolve.provider import Information, Provider, Watcher
    from envknit.resolve.releases import Release
    from envknit.resolve.requirements import Requirement

_MOST_REASONS = 3


def explain(
    clash: Sequence[Information], provider: Provider, watcher: Watcher, wanted: RequestedEnvironment, marker: str
) -> ResolutionError:
    """Make the error for requirements that cannot be met together.

    Args:
        clash: the requirements of one project that nothing answers, and who has them.
        provider: what was asked.
        watcher: who asked for what.
        wanted: the environment.
        marker: the part of its targets that this is about; `""`: all.
    """
    story = _Story(provider, watcher, wanted, marker)
    refused = [cause for cause in clash if cause.requirement.refusal]
    if refused:
        return story.refused(refused[0])
    name = clash[0].requirement.name
    asked = [(cause.requirement, cause.parent) for cause in clash if cause.requirement.name == name]
    return story.conflict(name, [(own, parent) for own, parent in asked if not own.exact] or asked)


def explain_depth(rounds: int, provider: Provider, wanted: RequestedEnvironment) -> ResolutionError:
    """Make the error for a search that was given up."""
    stubborn = [identifier for identifier, _ in provider.conflicts.most_common(_MOST_REASONS)]
    return ResolutionError(
        f"no set of versions was found in {rounds} steps",
        environment=wanted.name,
        hard_to_agree_on=", ".join(stubborn),
        hint="narrow the requirements on these, or on what needs them",
    )


class _Story:
    """Finds the words: for one project, who asks what of it through which chain, and what the index has."""

    def __init__(self, provider: Provider, watcher: Watcher, wanted: RequestedEnvironment, marker: str) -> None:
        self._provider = provider
        self._judge = provider.judge
        self._watcher = watcher
        self._wanted = wanted
        self._place = {"environment": wanted.name} | ({"where": marker} if marker else {})

    def refused(self, cause: Information) -> ResolutionError:
        """Tell of a candidate that cannot be used at all."""
        candidate = cause.parent
        assert candidate is not None  # noqa: S101 - the person cannot ask for the impossible
        reason, _, output = cause.requirement.refusal.partition("\n")
        facts = {"output": f"\n{output}"} if output else {}
        return ResolutionError(
            f"{candidate} cannot be used: {reason}",
            **self._place,
            because=_lines([self._chain(candidate)]),
            **facts,
            hint=self._python_hint(reason),
        )

    def conflict(self, name: str, asked: Sequence[tuple[Requirement, Candidate | None]]) -> ResolutionError:
        """Tell of a project of which no version does."""
        sentences = self._sentences(asked)
        releases = self._judge.releases(name)
        if not releases and name in self._judge.too_new:
            return ResolutionError(
                f"no file of {name} is known to have been uploaded until {self._judge.rules.exclude_newer}",
                **self._place,
                because=_lines(sentences),
                hint="choose a later `exclude_newer`, or an index that says when its files were uploaded (PEP 700)",
            )
        if not releases:
            return ResolutionError(
                f"no index has a package named {name}",
                **self._place,
                because=_lines(sentences),
                hint="check the spelling, or name the index that has it under `indexes`",
            )
        constraints = self._judge.constraints(name)
        sentences += [f"your constraints say {constraint.text}" for constraint in constraints]
        requirements = [requirement for requirement, _ in asked]
        limits = [*requirements, *constraints]
        fitting = [release for release in releases if self._fits(release, limits)]
        if not fitting:
            return self._nothing_fits(name, sentences, limits, list(releases))
        reasons = [*self._reasons(fitting, requirements), *self._clashes(fitting)]
        return ResolutionError(
            f"no version of {name} that is asked for can be used",
            **self._place,
            because=_lines([*sentences, *reasons]),
            hint=self._python_hint(" ".join(reasons)) or self._yanked_hint(fitting),
        )

    def _nothing_fits(
        self, name: str, sentences: list[str], limits: Sequence[Requirement], releases: Sequence[Release]
    ) -> ResolutionError:
        alone = [limit for limit in limits if not any(self._fits(release, [limit]) for release in releases)]
        if not alone:
            return ResolutionError(
                f"no version of {name} satisfies all that is asked of it",
                **self._place,
                because=_lines(sentences),
                hint="loosen one of these requirements, or put what cannot agree into environments of its own",
            )
        newest = next((release for release in releases if not release.version.is_prerelease), releases[0])
        until = f" until {self._judge.rules.exclude_newer}" if name in self._judge.too_new else ""
        there = f"the newest that the index has{until} is {newest.version}"
        hint = f"ask for a version of {name} that exists"
        if newest is not releases[0]:
            there += f"; its newest pre-release is {releases[0].version}"
            hint = f"to take a pre-release, name it: {name}>={releases[0].version}"
        if others := self._judge.index.unasked(name):
            there += f"; not asked, since an earlier index has {name}: {', '.join(others)}"
            hint = f"bind {name} to the index that you mean (`index`), or name that one first under `indexes`"
        return ResolutionError(
            f"no version of {name} is {_bare(alone[0], name)}",
            **self._place,
            because=_lines([*sentences, there]),
            hint=hint,
        )

    def _fits(self, release: Release, limits: Iterable[Requirement]) -> bool:
        return all(self._judge.fits(release, limit) for limit in limits)

    def _sentences(self, askers: Sequence[tuple[Requirement, Candidate | None]]) -> list[str]:
        """Say of each requirement who has it; what many versions of one project ask alike is said once."""
        said: dict[tuple[str, str], str] = {}
        for asked, parent in askers:
            key = (parent.name if parent else "", asked.text)
            if key not in said:
                said[key] = self._who(asked, parent)
        return sorted(said.values(), key=lambda sentence: not sentence.startswith("you "))

    def _who(self, asked: Requirement, parent: Candidate | None) -> str:
        where = f" (where {asked.marker})" if asked.marker else ""
        if parent is None:
            return f"you ask for {asked.text}{where}"
        return f"{self._chain(parent)}, which needs {asked.text}{where}"

    def _chain(self, candidate: Candidate) -> str:
        """Say how a candidate came in: `you ask for flask>=2, which gives flask 2.0, which needs werkzeug>=2, ...`."""
        steps = [str(candidate)]
        seen = {candidate.name}
        current: Candidate | None = candidate
        while current is not None:
            asked, current = self._asker(current, seen)
            if current is not None:
                seen.add(current.name)
            steps += [f"needs {asked.text}", str(current)] if current else [asked.text]
        first, *rest = reversed(steps)
        told = f"you ask for {first}, which gives {rest[0]}"
        for position, step in enumerate(rest[1:]):
            told += f", which {step}" if position % 2 == 0 else f", which gives {step}"
        return told

    def _asker(self, candidate: Candidate, seen: set[str]) -> tuple[Requirement, Candidate | None]:
        """Find a requirement that a candidate answers; the person's own first, then the latest."""
        askers = self._watcher.askers[candidate.identifier]
        own = [asked for asked, parent in askers if parent is None]
        if own:
            return own[0], None
        for asked, parent in reversed(askers):
            if parent is not None and parent.name not in seen and self._fits(candidate.release, [asked]):
                return asked, parent
        return askers[0][0], None

    def _reasons(self, fitting: Sequence[Release], requirements: Sequence[Requirement]) -> list[str]:
        """Say why versions that fit cannot be chosen, the newest first."""
        reasons: dict[str, list[str]] = {}
        for release in fitting:
            reason = next(filter(None, map(release.refusal, requirements)), "")
            if not reason and release.yanked is not None:
                reason = "was yanked from the index" + (f": {release.yanked}" if release.yanked else "")
            if not reason and release.version.is_prerelease:
                reason = f"is a pre-release, and `prerelease` is `{self._judge.rules.prerelease}`"
            if reason:
                reasons.setdefault(reason, []).append(f"{release.name} {release.version}")
        return [
            f"{versions[0]} {reason}" + (f" (and so do {len(versions) - 1} older)" if len(versions) > 1 else "")
            for reason, versions in list(reasons.items())[:_MOST_REASONS]
        ]

    def _clashes(self, fitting: Sequence[Release]) -> list[str]:
        """Say what versions that fit cannot be joined with, of the newest one."""
        candidates = map(self._judge.candidate, fitting)
        clash = next(filter(None, map(self._provider.clash_of, candidates)), [])
        said = (
            f"{parent} needs {asked.text or asked.refusal}" if parent else f"you ask for {asked.text}"
            for asked, parent in clash
        )
        return list(dict.fromkeys(said))

    def _python_hint(self, reason: str) -> str:
        if "requires Python" not in reason:
            return ""
        python = self._wanted.python_version
        return f"the environment is for Python {python}: change its python_version, or ask for this under a marker"

    def _yanked_hint(self, fitting: Sequence[Release]) -> str:
        if any(release.yanked is not None for release in fitting):
            return f"to use a yanked version all the same, pin it: {fitting[0].name}=={fitting[0].version}"
        return "lock on another platform, or name the platforms that matter under `targets`"


def _bare(asked: Requirement, name: str) -> str:
    return str(asked.specifier) if asked.specifier else asked.text.removeprefix(name)


def _lines(sentences: Iterable[str]) -> str:
    return "".join(f"\n    {sentence}" for sentence in sentences)
