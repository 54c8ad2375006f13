"""What a lock is made for: platforms times Python versions, their markers and the wheels they can use."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from typing import TYPE_CHECKING

from envknit.errors import ProjectError
from envknit.files.filenames import wheel_tags
from envknit.files.model import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_TAG_STARTS = {
    "linux": ("linux_", "manylinux", "musllinux"),
    "macos": ("macosx_",),
    "windows": ("win_",),
}
_TAG_ENDS = {
    "macos-arm64": ("_arm64", "_universal2"),
    "macos-x86_64": ("_x86_64", "_universal2", "_intel", "_universal"),
}
_MINORS = range(8, 17)  # what an open `>=3.8` may mean: CPython 3.8 to 3.16
_LAST_PATCH = 99  # stands for the newest patch release of a minor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Targets:
    """Everything that one environment of a lock must work on; a set of targets is an integer, one bit for each.

    Args:
        platforms: names out of `PLATFORMS`.
        pythons: CPython minors (3.x) to the full versions that stand for them, lowest minor first.
        runs_here: whether the running interpreter is one of these.
        variables: the values of marker variables, one mapping for each target.
    """

    platforms: tuple[str, ...]
    pythons: Mapping[int, tuple[str, ...]]
    runs_here: bool
    variables: tuple[dict[str, str], ...]

    @classmethod
    def of(cls, platforms: tuple[str, ...], python_version: str) -> Targets:
        """Expand what a project says.

        Args:
            platforms: names out of `PLATFORMS`; `()`: all.
            python_version: a specifier; `""`: the minor of the running interpreter and newer ones.

        Raises:
            ProjectError: no Python that envknit knows of is meant.
        """
        from packaging.specifiers import SpecifierSet  # 19 ms, where a lock is made only

        here = sys.version_info[1]
        allowed = SpecifierSet(python_version or f">=3.{here}")
        named = {clause.version for clause in allowed if clause.version.count(".") == 2 and "*" not in clause.version}
        pythons: dict[int, tuple[str, ...]] = {}
        for minor in _MINORS:
            versions = {f"3.{minor}.0", f"3.{minor}.{_LAST_PATCH}", *(v for v in named if v.startswith(f"3.{minor}."))}
            if minor == here:
                versions.add(platform.python_version())
            if accepted := sorted(filter(lambda version: allowed.contains(version, prereleases=True), versions)):
                pythons[minor] = tuple(accepted)
        if not pythons:
            raise ProjectError(f"no Python is accepted by `{python_version}`", python_version=python_version)
        platforms = platforms or tuple(PLATFORMS)
        return cls(
            platforms=platforms,
            pythons=pythons,
            runs_here=here in pythons and allowed.contains(platform.python_version(), prereleases=True),
            variables=tuple(_variables(platforms, pythons)),
        )

    def restricted(self, marker: str) -> Targets:
        """Return those targets alone on which a marker holds; there must be one."""
        where = self.where(marker)
        variables = tuple(each for position, each in enumerate(self.variables) if where >> position & 1)
        minors = {each["python_version"] for each in variables}
        machines = {(each["sys_platform"], each["platform_machine"]) for each in variables}
        return Targets(
            platforms=tuple(name for name in self.platforms if PLATFORMS[name][::3] in machines),
            pythons={minor: versions for minor, versions in self.pythons.items() if f"3.{minor}" in minors},
            runs_here=self.holds_here(marker),
            variables=variables,
        )

    def where(self, marker: str) -> int:
        """Return the targets on which a marker holds; a marker that mentions `extra` is an error."""
        return _where(self, marker)

    def holds_here(self, marker: str) -> bool:
        """Whether a marker holds on the running interpreter; never where that is none of the targets' Pythons."""
        return self.runs_here and (not marker or _holds_here(marker))

    @property
    def everywhere(self) -> int:
        """All targets."""
        return (1 << len(self.variables)) - 1

    def pythons_to_support(self, where: int) -> tuple[str, ...]:
        """Return the full versions of the lowest minor of these targets, and the running one, last, if it is meant.

        Where it is not, `""` is last.
        """
        return _pythons_to_support(self, where)

    def lowest_minor(self, where: int) -> int:
        """Return the lowest minor of these targets."""
        found = {v["python_version"] for position, v in enumerate(self.variables) if where >> position & 1}
        return min(minor for minor in self.pythons if f"3.{minor}" in found)

    def literals(self) -> Iterator[str]:
        """Give comparisons that tell any two targets from each other."""
        for names, operators in (
            (("sys_platform", "platform_machine", "platform_release"), ("==", "!=")),
            (("python_version", "python_full_version"), ("<", ">=", "==")),
        ):
            for name, operator in product(names, operators):
                for value in sorted({variables[name] for variables in self.variables}):
                    yield f'{name} {operator} "{value}"'

    def accepts_python(self, requires_python: str, where: int) -> bool:
        """Whether a `Requires-Python` accepts the lowest Python of these targets, and the running one if it is meant.

        A patch release of the lowest minor is enough: `>=3.9.2` is for 3.9. What is no specifier accepts all,
        as in pip.
        """
        return not requires_python or _accepts_python(requires_python, self.pythons_to_support(where))

    def where_python(self, requires_python: str) -> int:
        """Return where a candidate can be: on all targets if it accepts the lowest Python, else on those it accepts."""
        if self.accepts_python(requires_python, self.everywhere):
            return self.everywhere
        accepted = {
            v["python_full_version"]
            for v in self.variables
            if _accepts_python(requires_python, (v["python_full_version"], ""))
        }
        minors = {version.rpartition(".")[0] for version in accepted}
        return _bits(v["python_version"] in minors for v in self.variables)

    @property
    def lowest(self) -> tuple[str, ...]:
        """The full versions of the lowest minor."""
        return next(iter(self.pythons.values()))

    def can_use(self, wheel: str) -> bool:
        """Whether a wheel, by its file name, works on any of the targets."""
        python, abi, where = wheel_tags(wheel)
        return any(
            _fits_python(python, abi, minor) and any(_fits_platform(where, name) for name in self.platforms)
            for minor in self.pythons
        )


def _variables(platforms: tuple[str, ...], pythons: Mapping[int, tuple[str, ...]]) -> Iterator[dict[str, str]]:
    for sys_platform, system, os_name, machine in (PLATFORMS[name] for name in platforms):
        for minor, versions in pythons.items():
            # Nobody knows the kernels of other machines: `platform_release` is very old, and very new.
            for version, release in product(versions, ("0", "99999")):
                yield {
                    "implementation_name": "cpython",
                    "implementation_version": version,
                    "os_name": os_name,
                    "platform_machine": machine,
                    "platform_python_implementation": "CPython",
                    "platform_release": release,
                    "platform_system": system,
                    "platform_version": release,
                    "python_full_version": version,
                    "python_version": f"3.{minor}",
                    "sys_platform": sys_platform,
                }


def can_use_here(wheel: str) -> bool:
    """Whether a wheel, by its file name, works on the running interpreter."""
    python, abi, where = wheel_tags(wheel)
    return any(
        f"{one_python}-{one_abi}-{one_platform}" in _tags_here()
        for one_platform in where.split(".")
        for one_abi in abi.split(".")
        for one_python in python.split(".")
    )


@lru_cache(maxsize=1)
def _tags_here() -> frozenset[str]:
    from packaging.tags import sys_tags  # asks the platform; only where wheels are chosen

    return frozenset(map(str, sys_tags()))


@lru_cache(maxsize=4096)
def _pythons_to_support(targets: Targets, where: int) -> tuple[str, ...]:
    minors = {v["python_version"] for position, v in enumerate(targets.variables) if where >> position & 1}
    meant = [minor for minor in targets.pythons if f"3.{minor}" in minors]
    here = platform.python_version() if targets.runs_here and sys.version_info[1] in meant else ""
    return (*(targets.pythons[meant[0]] if meant else ()), here)


@lru_cache(maxsize=4096)
def _accepts_python(requires_python: str, pythons: tuple[str, ...]) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        accepted = SpecifierSet(requires_python)
    except InvalidSpecifier:
        return True
    *lowest, here = pythons
    if here and not accepted.contains(here, prereleases=True):
        return False
    return any(accepted.contains(version, prereleases=True) for version in lowest)


@lru_cache(maxsize=16384)
def _holds_here(marker: str) -> bool:
    from packaging.markers import Marker

    return Marker(marker).evaluate()


@lru_cache(maxsize=16384)
def _where(targets: Targets, marker: str) -> int:
    from packaging.markers import Marker, UndefinedComparison

    if not marker:
        return targets.everywhere
    parsed = Marker(marker)
    # Evaluated once for each combination of the values that it mentions: `sys_platform` has three, not thirty.
    mentioned = [name for name in targets.variables[0] if name in marker]

    @cache
    def holds(*values: str) -> bool:
        try:
            return parsed.evaluate({**targets.variables[0], **dict(zip(mentioned, values, strict=True)), "extra": ""})
        except UndefinedComparison:  # `platform_release >= "10"` of a release that is unknown: maybe
            return True

    return _bits(holds(*(variables[name] for name in mentioned)) for variables in targets.variables)


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << position for position, flag in enumerate(flags) if flag)


@lru_cache(maxsize=16384)
def _fits_python(python: str, abi: str, minor: int) -> bool:
    abis = abi.split(".")
    for tag in python.split("."):
        kind, number = tag[:2], tag[3:]
        if tag[2:3] != "3" or not (number.isdigit() or not number):
            continue
        since = int(number or 0)
        if kind == "py" and since <= minor and "none" in abis:
            return True
        if kind == "cp" and since == minor and (f"cp3{minor}" in abis or "none" in abis):
            return True
        if kind == "cp" and since <= minor and "abi3" in abis:
            return True
    return False


@lru_cache(maxsize=16384)
def _fits_platform(where: str, name: str) -> bool:
    system, _, machine = name.partition("-")
    ends = _TAG_ENDS.get(name, (f"_{machine}",))
    return any(tag == "any" or (tag.startswith(_TAG_STARTS[system]) and tag.endswith(ends)) for tag in where.split("."))
