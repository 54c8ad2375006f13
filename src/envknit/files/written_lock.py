"""Write a lock file, for review in a diff: sorted, one fact a line, equal locks in equal bytes.

No path and no URL of a machine is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.errors import LockError
from envknit.files.atomic import place
from envknit.files.model import (
    DEFAULT_GROUPS,
    DEFAULT_STARTUP,
    PRERELEASES,
    RESOLUTIONS,
    SCHEMA_VERSION,
    Environment,
    Lock,
    Pin,
)
from envknit.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_HEAD = "# Made by `envknit lock`: edit the project file, not this one."
_AMBIGUOUS = frozenset({"y", "yes", "n", "no", "on", "off", "true", "false", "null"})  # YAML 1.1 reads them as no text


def write_lock(path: Path, lock: Lock) -> bool:
    """Write a lock by an atomic rename; False where the file says the same already and was left alone.

    Raises:
        LockError: the file cannot be written.
    """
    try:
        data = render_lock(lock).encode()
        if _holds(path, data):
            return False
        place(path, data)
    except (OSError, RuntimeError) as cause:  # RuntimeError: links in a circle, up to Python 3.12
        reason = getattr(cause, "strerror", None) or cause
        hint = "what was there before is still there"
        raise LockError(f"the lock file cannot be written: {reason}", lock=path, hint=hint) from cause
    return True


def holds(path: Path, lock: Lock) -> bool:
    """Tell whether a file has the text of this lock, with whatever line ends: git may have changed those."""
    return _holds(path, render_lock(lock).encode())


def _holds(path: Path, data: bytes) -> bool:
    try:
        return read_regular(path).replace(b"\r\n", b"\n") == data
    except FileNotFoundError:
        return False


def render_lock(lock: Lock) -> str:
    """Write a lock as text; equal locks give equal text, and `parse_lock` gives the lock back."""
    return "\n".join([*_lines(lock), ""])


def _lines(lock: Lock) -> Iterator[str]:
    yield _HEAD
    yield f'schema_version: "{SCHEMA_VERSION}"'
    if any(pin.source.startswith("file:") and not pin.files for one in lock.environments.values() for pin in one.pins):
        yield "in_place: true"  # the bootstrap reads it: plans of this lock are for the folder that it lies in
    if lock.system_site_packages:
        yield "system_site_packages: true"
    if lock.startup != DEFAULT_STARTUP:
        yield from _list("startup", lock.startup, "", empty=True)
    yield from _list("native", lock.native, "")
    yield from _list("pure", lock.pure, "")
    if lock.default_groups != DEFAULT_GROUPS:
        yield from _list("default_groups", lock.default_groups, "", empty=True)
    yield from _list("targets", lock.targets, "")
    for key, usual in (("exclude_newer", ""), ("resolution", RESOLUTIONS[0]), ("prerelease", PRERELEASES[0])):
        if getattr(lock, key) != usual:
            yield f"{key}: {_quoted(getattr(lock, key))}"
    yield "environments:" if lock.environments else "environments: {}"
    for name, environment in sorted(lock.environments.items()):
        yield from _environment_lines(name, environment)


def _environment_lines(name: str, environment: Environment) -> Iterator[str]:
    yield f"  {_scalar(name)}:"
    for key in ("python_version", "node_version"):
        if text := getattr(environment, key):
            yield f"    {key}: {_quoted(text)}"
    yield from _list("requirements", environment.requirements, "    ", empty=True)
    yield from _list("dev_requirements", environment.groups.get("dev", ()), "    ")
    yield from _lists("groups", {name: asked for name, asked in environment.groups.items() if name != "dev"})
    yield from _lists("extras", environment.extras)
    yield from _list("constraints", environment.constraints, "    ")
    yield from _list("overrides", environment.overrides, "    ")
    yield from _list("unlocked", environment.unlocked, "    ")
    yield "    packages:" if environment.pins else "    packages: []"
    for pin in sorted(environment.pins, key=Pin.order):
        yield from _pin_lines(pin)


def _pin_lines(pin: Pin) -> Iterator[str]:
    yield f"      - name: {_scalar(pin.name)}"
    yield f"        version: {_quoted(pin.version)}"
    if pin.roots:
        yield "        direct: true"
    if pin.roots not in ((), ("",)):
        yield from _list("roots", sorted(pin.roots), "        ")
    if pin.dev:
        yield "        dev: true"
    for field in ("marker", "requires_python", "source"):
        if text := getattr(pin, field):
            yield f"        {field}: {_quoted(text)}"
    if pin.dependencies:
        yield "        dependencies:"
    for edge in sorted(pin.dependencies):
        marker = f", marker: {_quoted(edge.marker)}" if edge.marker else ""
        yield f"          - {{name: {_scalar(edge.name)}, version: {_quoted(edge.version)}{marker}}}"
    if pin.files:
        yield "        files:"
    for file in sorted(pin.files):
        size = "" if file.size is None else f", size: {file.size}"
        yield f"          - {{name: {_scalar(file.name)}, sha256: {_quoted(file.sha256)}{size}}}"


def _list(key: str, items: Iterable[str], indent: str, *, empty: bool = False) -> Iterator[str]:
    items = list(items)
    if items or empty:
        yield f"{indent}{key}:" if items else f"{indent}{key}: []"
    for item in items:
        yield f"{indent}  - {_quoted(item)}"


def _lists(key: str, lists: Mapping[str, Iterable[str]]) -> Iterator[str]:
    if lists:
        yield f"    {key}:"
    for name, items in sorted(lists.items()):
        yield from _list(_scalar(name), items, "      ", empty=True)


def _scalar(text: str) -> str:
    # Plain where every YAML reader takes it for this text.
    plain = text.replace("-", "a").replace("_", "a").replace(".", "a")
    if plain.isascii() and plain.isalnum() and text[0].isalpha() and text.lower() not in _AMBIGUOUS:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable():
        if '"' not in text and "\\" not in text:
            return f'"{text}"'
        if '"' in text and "'" not in text:
            return f"'{text}'"  # markers read best so
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if " " <= character <= "~":
        return character
    return f"\\U{ord(character):08x}"
