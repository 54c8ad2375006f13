"""What an install is for: the interpreter that runs this, or one of another machine, which nobody has to start."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from packaging.markers import default_environment
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms, parse_tag, sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from envknit.errors import LockError, UnsupportedPlatformError
from envknit.files.model import PLATFORMS
from envknit.plan import ABI
from envknit.view.host import Host, this_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PLATFORM = re.compile(r"(?:manylinux|musllinux|macosx)_(\d{1,4})_(\d{1,4})_(\w+)", re.ASCII)
_PYTHON = re.compile(r"(?:(/.*)/python)?3\.(\d{1,3})(?:\.(\d{1,3}))?(t?)", re.ASCII)
_USUAL_FOLDER = "/usr/local/bin"  # of the official images
_FIRST_GLIBC = {"x86_64": 5}  # `manylinux1`; other machines began with `manylinux2014`
_OLD_NAMES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}  # PEP 600
# How CPython calls a platform in the names of extension modules (Misc/platform_triplet.c)
_TRIPLETS = {"aarch64": "aarch64-linux", "x86_64": "x86_64-linux"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Target:
    """One interpreter: which wheels it takes, which markers hold there, and what its views are like.

    Args:
        host: where it lies, and its version.
        abi: as in the suffix of its extension modules.
        variables: the values of marker variables (PEP 508).
        accepted: tags of the wheels that it takes, each with its rank: 0 is the best.
    """

    host: Host
    abi: str
    variables: Mapping[str, str]
    accepted: Mapping[Tag, int]

    @classmethod
    def of(cls, platform: str, python: str) -> Target:
        """Describe an interpreter of another machine.

        Args:
            platform: as at the end of a wheel's name: `manylinux_2_28_aarch64`, `musllinux_1_2_x86_64`,
                `macosx_14_0_arm64`.
            python: its version, as `3.13`, or its path there, as `/usr/bin/python3.13`.

        Raises:
            UnsupportedPlatformError: it is none that envknit runs on.
        """
        found = _PYTHON.fullmatch(python)
        if found is None or int(found[2]) < 10:
            raise UnsupportedPlatformError(
                f"{python!r} is no CPython 3.10 or newer of another machine",
                hint="give its version, as in `--python 3.13`, or its path there: `--python /usr/bin/python3.13`",
            )
        folder, minor, threads = found[1] or _USUAL_FOLDER, f"3.{found[2]}", found[4]
        version = f"{minor}.{found[3] or 0}"
        abi, platforms, name = _platform(platform)
        python_tag = f"cp3{found[2]}{threads}"
        numbers = (3, int(found[2]))
        tags = [*cpython_tags(numbers, [python_tag], platforms), *compatible_tags(numbers, f"cp3{found[2]}", platforms)]
        return cls(
            host=Host(f"{folder}/python{minor}{threads}", version),
            abi=f"cpython-3{found[2]}{threads}-{abi}",
            variables=_variables(name, version),
            accepted={tag: place for place, tag in enumerate(dict.fromkeys(tags))},
        )

    def __str__(self) -> str:
        return "this interpreter" if self.host.here else f"Python {self.host.minor} of {self.abi}"

    def accepts(self, tags: str) -> bool:
        """Tell whether it takes a wheel of these (compressed) tags: `cp312-cp312-linux_x86_64`."""
        try:
            return not parse_tag(tags).isdisjoint(self.accepted)
        except ValueError:
            return False

    def rank(self, tags: str) -> int:
        """Rank (compressed) tags that it accepts: 0 is the best."""
        return min(self.accepted[tag] for tag in parse_tag(tags) if tag in self.accepted)

    def rank_wheel(self, wheel: str) -> tuple[int, tuple[int, str]] | None:
        """Rank a wheel by its file name, by tag and then build tag (PEP 425, 427), the best highest; None: not taken.

        Raises:
            LockError: it is no wheel's name.
        """
        try:
            _, _, build, tags = parse_wheel_filename(wheel)
        except InvalidWheelFilename as error:
            raise LockError(
                "the lock names a file that is not a wheel", file=wheel, hint="run: envknit lock"
            ) from error
        places = [self.accepted[tag] for tag in tags if tag in self.accepted]
        return (-min(places), build or (0, "")) if places else None


@cache
def this_target() -> Target:
    """Return the interpreter that runs this."""
    variables = {name: str(value) for name, value in default_environment().items()}
    return Target(
        host=this_host(), abi=ABI, variables=variables, accepted={tag: at for at, tag in enumerate(sys_tags())}
    )


def _platform(tag: str) -> tuple[str, list[str], str]:
    """Return the end of the ABI's name, the platform tags that are accepted, and the name of a lock's target."""
    found = _PLATFORM.fullmatch(tag)
    if found is not None:
        major, minor, machine = int(found[1]), int(found[2]), found[3]
        own = f"linux_{machine}"  # what was built there; no index takes it
        if tag.startswith("macosx") and machine in ("arm64", "x86_64"):
            return "darwin", list(mac_platforms((major, minor), machine)), f"macos-{machine}"
        if machine in _TRIPLETS and tag.startswith("manylinux_2_"):
            return f"{_TRIPLETS[machine]}-gnu", [own, *_manylinux(minor, machine)], f"linux-{machine}"
        if machine in _TRIPLETS and tag.startswith("musllinux_1_"):
            older = [f"musllinux_1_{each}_{machine}" for each in range(minor, -1, -1)]
            return f"{_TRIPLETS[machine]}-musl", [own, *older], f"linux-{machine}"
    raise UnsupportedPlatformError(
        f"there is no platform {tag!r} that envknit could install for",
        hint="give the end of a wheel's name, as in `--platform manylinux_2_28_aarch64`, `musllinux_1_2_x86_64` or"
        " `macosx_14_0_arm64`",
    )


def _manylinux(minor: int, machine: str) -> Iterator[str]:
    for each in range(minor, _FIRST_GLIBC.get(machine, 17) - 1, -1):
        yield f"manylinux_2_{each}_{machine}"
        if each in _OLD_NAMES:
            yield f"{_OLD_NAMES[each]}_{machine}"


def _variables(name: str, version: str) -> dict[str, str]:
    """Return the values of marker variables; the kernel of another machine is not known."""
    sys_platform, system, os_name, machine = PLATFORMS[name]
    return {
        "implementation_name": "cpython",
        "implementation_version": version,
        "os_name": os_name,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": version,
        "python_version": ".".join(version.split(".")[:2]),
        "sys_platform": sys_platform,
    }
