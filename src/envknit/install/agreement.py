"""Whether a wheel says of itself what it was locked with: a lock that was made from other metadata must not pass."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envknit.errors import InstallError
from envknit.index.metadata import read_metadata
from envknit.install.target import this_target
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from packaging.requirements import Requirement

    from envknit.index.metadata import Metadata
    from envknit.install.choose import ChosenPin
    from envknit.install.target import Target
    from envknit.plan import Plan

_EXTRA = re.compile(r"""\bextra\s*[=!]=\s*["']([^"']+)""")


def refuse_other(pin: ChosenPin, folder: Path, overridden: Collection[str] = (), target: Target | None = None) -> None:
    """Compare what an entry of the store requires with what its pin was locked with.

    Args:
        pin: with the edges that hold for the interpreter.
        folder: the entry.
        overridden: names of which the person says what is required, whatever the entry says.
        target: the interpreter; None: the one that runs this.

    Raises:
        InstallError: they differ; the message says in what.

    Cost: reads one file.
    """
    file = next(folder.glob("*.dist-info/METADATA"), None)
    told = differences(read_metadata(file.read_bytes()), pin, overridden, target) if file else []
    if told:
        raise InstallError(
            f"{pin.pin.name} {pin.pin.version} is not what was locked",
            file=pin.artifact.name if pin.artifact else folder,
            differences="\n    " + "\n    ".join(told),
            hint=f"run: envknit lock --update {pin.pin.name}",
        )


def differences(
    metadata: Metadata, pin: ChosenPin, overridden: Collection[str] = (), target: Target | None = None
) -> list[str]:
    """Say in what the metadata of a wheel differs from its pin, for one interpreter.

    Which extras were asked for is not in a lock, so a dependency of any extra may have been locked. What an sdist was
    built into may require less here than where it was locked.
    """
    variables = (target or this_target()).variables
    locked, told = _unmet(metadata, pin.dependencies, overridden, variables)
    if pin.artifact is not None and pin.artifact.is_wheel:
        told += [
            f"it does not require {name}, which was locked"
            for name in sorted(_never_required(locked - set(overridden), metadata, variables))
        ]
        told += _python_range(metadata.requires_python, pin.pin.requires_python, variables["python_full_version"])
    return told


def outgrown(plan: Plan, overridden: Collection[str] = (), target: Target | None = None) -> list[str]:
    """Say what folders of the person's own require, as they were built, that their lock does not hold.

    Only their builds know it: a `setup.py` or another dynamic field may say more now than when they were locked.

    Cost: reads one file for each of them.
    """
    told = []
    for pin in plan.pins.values():
        file = Path(plan.store, pin.folder, pin.dist_info, "METADATA")
        if pin.name in {name for name, _, _ in plan.built} and file.is_file():
            metadata = read_metadata(file.read_bytes())
            _, more = _unmet(metadata, pin.dependencies, overridden, (target or this_target()).variables)
            told += [f"{pin.name} has changed: {text}" for text in more]
    return told


def _unmet(
    metadata: Metadata,
    dependencies: Iterable[tuple[str, str]],
    overridden: Collection[str],
    variables: Mapping[str, str],
) -> tuple[set[str], list[str]]:
    """Return what was locked though nothing requires it without an extra, and what is required and was not locked."""
    needed = _required(metadata.requires_dist, {""}, variables)
    locked: dict[str, set[str]] = {}
    for name, version in dependencies:
        locked.setdefault(name, set()).add(version)
    told = [
        f"it requires {requirement}, and {' and '.join(sorted(locked.get(name, {'nothing of that name'})))} was locked"
        for name, requirements in needed.items()
        for requirement in requirements
        if name != metadata.name
        and name not in overridden
        and not (
            requirement.url or any(requirement.specifier.contains(v, prereleases=True) for v in locked.get(name, ()))
        )
    ]
    return locked.keys() - needed.keys(), told


def _never_required(names: Collection[str], metadata: Metadata, variables: Mapping[str, str]) -> set[str]:
    """Return those of the names that no extra requires either."""
    asked = [each for each in metadata.requires_dist if canonical_name(each.name) in names]
    extras = {found for requirement in asked for found in _EXTRA.findall(str(requirement.marker))}
    return set(names) - _required(asked, {"", *extras}, variables).keys()


def _required(
    requirements: Iterable[Requirement], extras: Collection[str], variables: Mapping[str, str]
) -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    environments = [{**variables, "extra": extra} for extra in extras]
    for requirement in requirements:
        marker = requirement.marker
        if marker is None or any(marker.evaluate(facts) for facts in environments):
            found.setdefault(canonical_name(requirement.name), []).append(requirement)
    return found


def _python_range(found: str, locked: str, python: str) -> list[str]:
    try:
        range_ = SpecifierSet(found)
        same = range_ == SpecifierSet(locked) if locked else range_.contains(python, prereleases=True)
    except InvalidSpecifier:
        return []  # what old tools wrote cannot be compared
    return [] if same else [f"it is for Python {found or 'of any version'}, and {locked or 'any version'} was locked"]
