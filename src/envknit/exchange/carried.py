"""What an import carries over: a lock to start from, and what of it the new lock does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.errors import PackageIndexError
from envknit.files.filenames import parse_version
from envknit.files.model import Environment, Lock, Pin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envknit.exchange.foreign import Foreign


def start_from(foreign: Foreign, environment: str) -> Lock:
    """Make a lock of what was pinned elsewhere: the resolver keeps its versions wherever they still fit."""
    pins = [
        Pin(name=name, version=str(parsed))
        for name, versions in sorted(foreign.pins.items())
        for parsed in (parse_version(version) for version in sorted(versions))
        if parsed is not None
    ]
    return Lock(environments={environment: Environment(name=environment, pins=tuple(pins))})


def check_hashes(foreign: Foreign, made: Environment) -> None:
    """Refuse files that the index offers in place of those whose hashes were pinned.

    Raises:
        PackageIndexError: of a version that both locks hold, no file is the same.
    """
    for pin in made.pins:
        pinned = foreign.hashes.get((pin.name, pin.version))
        offered = {file.sha256 for file in pin.files}
        if pinned and offered and not pinned & offered:
            raise PackageIndexError(
                f"none of the files that the index has of {pin.name} {pin.version} is one that was locked",
                file=foreign.origin,
                hint="ask the index that it was locked from: name it under `indexes`, or set PIP_INDEX_URL",
            )


def differences(foreign: Foreign, made: Environment) -> Iterator[str]:
    """Say what was pinned elsewhere and is not so in the new lock, one sentence a name."""
    now: dict[str, set[str]] = {}
    for pin in made.pins:
        now.setdefault(pin.name, set()).add(pin.version)
    for name, versions in sorted(foreign.pins.items()):
        wanted = {str(parse_version(version) or version) for version in versions}
        if name not in now:
            yield f"{name} {', '.join(sorted(wanted))} is not in the lock: nothing that is asked for needs it"
        elif not now[name] <= wanted:
            yield f"{name} is {', '.join(sorted(now[name]))} and was {', '.join(sorted(wanted))}"
