"""What the name of a wheel or sdist says: which project and which version."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from envknit.naming import canonical_name

if TYPE_CHECKING:
    from packaging.version import Version

SDIST_SUFFIXES = (".tar.gz", ".zip")
_COMPONENT = re.compile(r'[^./\\:\0<>|?*"%][^/\\:\0<>|?*"%]{0,254}')


def is_component(filename: str) -> bool:
    """Whether a text is the name of one file and nothing that could leave a folder."""
    return _COMPONENT.fullmatch(filename) is not None and filename.isprintable()


def version_in(filename: str, name: str) -> Version | None:
    """Read the version out of the file name of a wheel or sdist.

    Args:
        filename: as an index or a lock states it.
        name: canonical name of the project that the file must belong to.

    Returns:
        None where it is neither a wheel nor an sdist, belongs to another project, or has no valid version.

    Cost: 1 µs; `packaging.utils.parse_wheel_filename`, with which this agrees, takes 14 for its set of tags, and pages
        list tens of thousands of files.
    """
    if not is_component(filename):
        return None
    if filename.endswith(".whl"):
        parts = filename[:-4].split("-")
        if len(parts) not in (5, 6) or not all(parts) or _canonical(parts[0]) != name:
            return None
        if len(parts) == 6 and not parts[2][0].isdigit():  # a build tag starts with a digit (PEP 427)
            return None
        return parse_version(parts[1])
    for suffix in SDIST_SUFFIXES:
        if filename.endswith(suffix):
            return _sdist_version(filename.removesuffix(suffix), name)
    return None


_canonical = lru_cache(maxsize=4096)(canonical_name)  # the files of a project repeat its name


def _sdist_version(stem: str, name: str) -> Version | None:
    # Old sdists have dashes in the name (`zope-interface-5.0`): the split is where the name ends.
    at = stem.find("-")
    while at != -1:
        if _canonical(stem[:at]) == name:
            return parse_version(stem[at + 1 :])
        at = stem.find("-", at + 1)
    return None


@lru_cache(maxsize=65536)
def parse_version(text: str) -> Version | None:
    """Parse a PEP 440 version; None where it is none. Each text is parsed once a process."""
    from packaging.version import Version  # loaded once a lock is read

    try:
        return Version(text)
    except ValueError:  # `InvalidVersion`, or a number of more digits than `int` takes
        return None


def is_pure(filename: str) -> bool:
    """Whether it is a wheel for every platform: one that surely has no extension modules."""
    return filename.endswith("-none-any.whl")


def wheel_tags(filename: str) -> tuple[str, str, str]:
    """Return the python, ABI and platform tags of a wheel, each still compressed (`py2.py3`)."""
    python, abi, platform = filename[:-4].split("-")[-3:]
    return python, abi, platform
