"""Which pins of an environment an interpreter needs, and which artifact of each."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.markers import Marker, default_environment
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from envknit.errors import InstallError, LockError
from envknit.files.filenames import is_pure
from envknit.files.model import DEFAULT_GROUPS
from envknit.install.selection import USUAL
from envknit.install.target import this_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from envknit.files.model import Artifact, Edge, Environment, Pin
    from envknit.install.selection import Selection
    from envknit.install.target import Target
    from envknit.store.entry import Entry

    Facts = Mapping[str, str | AbstractSet[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenPin:
    """A pin that an interpreter needs, the edges that hold here, and the artifact to take.

    `artifact` is None for a pin of a lock that names folders instead of files; `resident` is false for one that stands
    beside another version, which plain imports get.
    """

    pin: Pin
    artifact: Artifact | None
    dependencies: tuple[tuple[str, str], ...]
    resident: bool = True


def accepts_interpreter(python_version: str, python: str | None = None) -> bool:
    """Tell whether an environment's `python_version` (`3.12`, `>=3.10`, or empty) accepts a Python version.

    Raises:
        LockError: it is neither a version nor a specifier (PEP 440).
    """
    text = python_version.strip()
    if text[:1].isdigit():
        text = f"=={text}" if text.count(".") > 1 or text.endswith("*") else f"=={text}.*"
    try:
        return SpecifierSet(text).contains(python or default_environment()["python_full_version"], prereleases=True)
    except InvalidSpecifier as error:
        raise LockError("a python_version of the lock is not a version", python_version=python_version) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedPin:
    """A pin and the entry that holds it."""

    chosen: ChosenPin
    entry: Entry

    @property
    def is_in_place(self) -> bool:
        """Whether it leads to a folder of the person's own, whose `.pth` lines count as in site-packages."""
        return "editable" in self.chosen.pin.source.partition("#")[2].split("&")

    @property
    def title(self) -> str:
        """Name and version, for messages."""
        return f"{self.chosen.pin.name} {self.chosen.pin.version}"


def choose(
    environment: Environment,
    selection: Selection = USUAL,
    default_groups: Sequence[str] = DEFAULT_GROUPS,
    target: Target | None = None,
) -> list[ChosenPin]:
    """Choose what to install of an environment, sorted by name and version.

    Args:
        environment: which.
        selection: which of its groups and extras.
        default_groups: the groups that count where nobody says.
        target: the interpreter; None: the one that runs this.

    Raises:
        LockError: an edge leads to a pin that the lock does not hold.
        InstallError: a pin has no artifact for the interpreter.
    """
    target = target or this_target()
    needed = needed_pins(environment, selection, default_groups, target.variables)
    residents = _residents([pin for pin, _ in needed])
    return [
        ChosenPin(
            pin=pin,
            artifact=None
            if (pin.install_path or pin.source) and not pin.files
            else choose_artifact(pin, target, guest=pin not in residents),
            dependencies=tuple(sorted({(edge.name, edge.version) for edge in edges})),
            resident=pin in residents,
        )
        for pin, edges in needed
    ]


def _residents(pins: Sequence[Pin]) -> frozenset[Pin]:
    """Pick the pin of each name that plain imports get: the one that the person asked for, else the newest."""
    chosen: dict[str, Pin] = {}
    for pin in sorted(pins, key=lambda pin: (pin.direct, Version(pin.version))):
        chosen[pin.name] = pin
    return frozenset(chosen.values())


def needed_pins(
    environment: Environment,
    selection: Selection,
    default_groups: Sequence[str],
    variables: Mapping[str, str],
) -> list[tuple[Pin, list[Edge]]]:
    """Walk from what the person asked for along the edges whose markers hold (PEP 508, PEP 751).

    Args:
        environment: which.
        selection: which of its groups and extras.
        default_groups: the groups that count where nobody says.
        variables: the values of marker variables.

    Raises:
        LockError: an edge leads to a pin that the lock does not hold.
    """
    known = {(pin.name, pin.version): pin for pin in environment.pins}
    groups, extras = selection.chosen(environment, default_groups)
    facts: Facts = {**variables, "dependency_groups": groups, "extras": extras}
    waiting = [
        pin
        for pin in environment.pins
        if ("dev" in groups or not pin.dev)
        and any(_holds(marker, facts) for marker in pin.roots if not selection.only or "dependency_groups" in marker)
    ]
    found: dict[tuple[str, str], tuple[Pin, list[Edge]]] = {}
    while waiting:
        pin = waiting.pop()
        if (pin.name, pin.version) in found:
            continue
        edges = [edge for edge in pin.dependencies if _holds(edge.marker, facts)]
        found[pin.name, pin.version] = pin, edges
        for edge in edges:
            if (edge.name, edge.version) not in known:
                raise LockError(
                    f"{pin.name} {pin.version} depends on {edge.name} {edge.version}, which the lock does not hold",
                    environment=environment.name,
                    hint="run: envknit lock",
                )
            waiting.append(known[edge.name, edge.version])
    return [found[key] for key in sorted(found)]


def choose_artifact(pin: Pin, target: Target, *, guest: bool = False) -> Artifact:
    """Choose the best wheel for an interpreter, by tag priority and then build tag (PEP 425, 427), else the sdist.

    Args:
        pin: the pin.
        target: the interpreter.
        guest: whether it stands beside another version; a wheel without extension modules comes first then.

    Raises:
        InstallError: there is none; the message lists the wheels and the tags that the interpreter accepts.
    """
    ranked = [
        (rank, wheel) for wheel in pin.files if wheel.is_wheel and (rank := target.rank_wheel(wheel.name)) is not None
    ]
    if guest:
        ranked = [each for each in ranked if is_pure(each[1].name)] or ranked
    if ranked:
        return max(ranked)[1]
    sdists = sorted(file for file in pin.files if not file.is_wheel)
    if sdists:
        return next((file for file in sdists if file.name.endswith(".tar.gz")), sdists[0])
    wheels = [file.name for file in pin.files]
    raise InstallError(
        f"{pin.name} {pin.version} has no wheel for {target}, and no sdist to build one from",
        wheels=_first(wheels) or "none",
        accepted_tags=_first([str(tag) for tag in target.accepted]),
        hint="use another interpreter, or lock a version that has a wheel for this one",
    )


def _holds(marker: str, facts: Facts) -> bool:
    return not marker or Marker(marker).evaluate(dict(facts), context="lock_file")


def _first(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
