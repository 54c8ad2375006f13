"""Read a lock file, with suspicion.

Locks of the older form (an environment is a list; dependencies are requirement texts; folders instead of files) load
too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.errors import LockError, SchemaVersionError
from envknit.files.filenames import parse_version, version_in
from envknit.files.model import (
    DEFAULT_GROUPS,
    DEFAULT_STARTUP,
    MOST_SIZE,
    PRERELEASES,
    RESOLUTIONS,
    SCHEMA_VERSION,
    Artifact,
    Edge,
    Environment,
    Lock,
    Pin,
)
from envknit.files.plain_yaml import read_plain_yaml
from envknit.files.requested import read_environment_name, read_node_version, read_python_version, read_requirement
from envknit.files.sources import parse_source
from envknit.naming import canonical_name
from envknit.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from envknit.files.values import Value

_MAJOR = int(SCHEMA_VERSION.partition(".")[0])


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        LockError: it is missing or not a whole, valid lock; the fact `at` is the path to the bad value.
        SchemaVersionError: it was written by a newer envknit.
    """
    try:
        return parse_lock(read_regular(path), str(path))
    except FileNotFoundError as cause:
        raise LockError("there is no lock file", lock=path, hint="run: envknit lock") from cause
    except OSError as cause:
        raise LockError(f"the lock file cannot be read: {cause.strerror}", lock=path) from cause


def parse_lock(data: bytes, origin: str) -> Lock:
    """Read a lock out of bytes; `origin` is its path, for messages. Raises as `read_lock` does."""
    fields = read_plain_yaml(data, origin, LockError, "lock").fields()
    if "schema_version" not in fields:
        raise LockError("the file is not a lock", lock=origin, hint="move it away, and run: envknit lock")
    schema = fields["schema_version"]
    major, *minor = schema.text().split(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in (major, *minor)):
        raise schema.bad(f"`{schema.text()}` is not a schema version")
    if int(major) > _MAJOR:
        raise SchemaVersionError(
            f"the lock was written by a newer envknit (schema {schema.text()}; this one reads {_MAJOR}.x)",
            lock=origin,
            hint="install a newer envknit: in a clone that was pulled, run python -m pip install --upgrade .",
        )
    if "environments" not in fields:
        raise LockError("the lock has no environments", lock=origin, hint="run: envknit lock")
    environments = fields["environments"].fields()
    return Lock(
        environments={
            read_environment_name(value, name): _environment(name, value) for name, value in environments.items()
        },
        targets=_texts(fields.get("targets")),
        system_site_packages="system_site_packages" in fields and fields["system_site_packages"].flag(),
        startup=tuple(_name(item) for item in fields["startup"].items()) if "startup" in fields else DEFAULT_STARTUP,
        native=tuple(_name(item) for item in fields["native"].items()) if "native" in fields else (),
        pure=tuple(_name(item) for item in fields["pure"].items()) if "pure" in fields else (),
        default_groups=_texts(fields["default_groups"]) if "default_groups" in fields else DEFAULT_GROUPS,
        exclude_newer=fields["exclude_newer"].text() if "exclude_newer" in fields else "",
        resolution=fields["resolution"].text() if "resolution" in fields else RESOLUTIONS[0],
        prerelease=fields["prerelease"].text() if "prerelease" in fields else PRERELEASES[0],
        schema_version=schema.text(),
    )


def _environment(name: str, value: Value) -> Environment:
    if isinstance(value.data, list):
        return Environment(name=name, pins=_plain_pins(value))
    fields = value.fields()
    pins = tuple(_pin(item) for item in fields["packages"].items()) if "packages" in fields else ()
    _check_edges(pins, value)
    return Environment(
        name=name,
        python_version=read_python_version(fields["python_version"]) if "python_version" in fields else "",
        requirements=_requirements(fields.get("requirements")),
        groups=_groups(fields),
        extras=_requirements_of_each(fields.get("extras")),
        constraints=_requirements(fields.get("constraints")),
        overrides=_requirements(fields.get("overrides")),
        unlocked=_texts(fields.get("unlocked")),
        pins=tuple(sorted(pins, key=Pin.order)),
        node_version=read_node_version(fields["node_version"]) if "node_version" in fields else "",
    )


def _pin(value: Value) -> Pin:
    fields = value.fields()
    name = _name(value.field("name"))
    version = _version(value.field("version"))
    files = [_artifact(item, name, version) for item in fields["files"].items()] if "files" in fields else []
    edges = [_edge(item) for item in fields["dependencies"].items()] if "dependencies" in fields else []
    roots = tuple(sorted({_marker(item) for item in fields["roots"].items()})) if "roots" in fields else ()
    if "direct" in fields and fields["direct"].flag():
        roots = roots or ("",)
    if len({file.name for file in files}) != len(files):
        raise fields["files"].bad("a file is named twice")
    return Pin(
        name=name,
        version=version,
        files=tuple(sorted(files)),
        dependencies=tuple(sorted(set(edges))),
        roots=roots,
        marker=_marker(fields["marker"]) if "marker" in fields else "",
        dev="dev" in fields and fields["dev"].flag(),
        requires_python=read_python_version(fields["requires_python"]) if "requires_python" in fields else "",
        source=str(parse_source(fields["source"].text(), fields["source"])) if "source" in fields else "",
    )


def _artifact(value: Value, name: str, version: str) -> Artifact:
    filename = value.field("name").text()
    if version_in(filename, name) != parse_version(version):  # `demo-1.0.tar.gz` is a file of 1.0.0, too (PEP 440)
        raise value.field("name").bad(f"`{filename}` is not a file of {name} {version}")
    stated = value.optional("size")
    size = stated.text() if stated else None
    if stated and size is not None and not (size.isascii() and size.isdigit() and len(size) <= len(str(MOST_SIZE))):
        raise stated.bad(f"`{size}` is not a number of bytes")
    return Artifact(name=filename, sha256=_sha256(value.field("sha256")), size=None if size is None else int(size))


def _edge(value: Value) -> Edge:
    marker = value.optional("marker")
    return Edge(
        name=_name(value.field("name")),
        version=_version(value.field("version")),
        marker=_marker(marker) if marker else "",
    )


def _check_edges(pins: Iterable[Pin], environment: Value) -> None:
    known: set[tuple[str, str]] = set()
    for position, pin in enumerate(pins):
        if (pin.name, pin.version) in known:
            raise environment.bad(f"{pin.name} {pin.version} is pinned twice (packages[{position}])")
        known.add((pin.name, pin.version))
    for position, pin in enumerate(pins):
        for edge in pin.dependencies:
            if (edge.name, edge.version) not in known:
                what = f"{pin.name} depends on {edge.name} {edge.version}, which is not pinned (packages[{position}])"
                raise environment.bad(what, hint="run: envknit lock")


def _plain_pins(environment: Value) -> tuple[Pin, ...]:
    """Read an environment of the older form, where every package counts as asked for."""
    entries = [(item, item.fields()) for item in environment.items()]
    versions: dict[str, str] = {}
    for item, _ in entries:
        name = canonical_name(item.field("name").text())
        if name in versions:
            raise item.bad(f"{name} is pinned twice")
        versions[name] = _version(item.field("version"), strict=False)
    pins = []
    for item, fields in entries:
        name = canonical_name(item.field("name").text())
        if "sha256" in fields and fields["sha256"].text():
            _sha256(fields["sha256"])
        edges = (
            [_plain_edge(need, versions) for need in fields["dependencies"].items()] if "dependencies" in fields else []
        )
        pins.append(
            Pin(
                name=name,
                version=versions[name],
                dependencies=tuple(sorted(set(edges))),
                roots=("",),
                dev="dev" in fields and fields["dev"].flag(),
                install_path=fields["install_path"].text() if "install_path" in fields else "",
            )
        )
    return tuple(sorted(pins, key=Pin.order))


def _plain_edge(value: Value, versions: dict[str, str]) -> Edge:
    requirement, _, marker = read_requirement(value).partition("; ")
    name = requirement
    for stop in "[<>=!~":
        name = name.partition(stop)[0]
    if name not in versions:
        raise value.bad(f"the dependency {name} is not pinned")
    return Edge(name=name, version=versions[name], marker=marker)


def _name(value: Value) -> str:
    name = value.text()
    bare = name.replace("-", "a")
    if canonical_name(name) != name or not (bare.isascii() and bare.isalnum()) or "-" in (name[0], name[-1]):
        raise value.bad(f"`{name}` is not a normalised name")
    if len(name) > 100:
        raise value.bad("a name of more than 100 characters")
    return name


def _version(value: Value, *, strict: bool = True) -> str:
    version = parse_version(value.text())
    if version is None or (strict and str(version) != value.text()):
        raise value.bad(f"`{value.text()}` is not a normalised version")
    return str(version)


def _sha256(value: Value) -> str:
    digest = value.text()
    if len(digest) != 64 or digest.strip("0123456789abcdef"):
        raise value.bad(f"`{digest}` is not a sha256 in lower-case hexadecimal")
    return digest


def _marker(value: Value) -> str:
    if value.text() == "":
        return ""
    from packaging.markers import InvalidMarker, Marker  # most locks have none or few

    try:
        return str(Marker(value.text()))
    except InvalidMarker as cause:
        raise value.bad(f"`{value.text()}` is not a marker") from cause


def _requirements(value: Value | None) -> tuple[str, ...]:
    return tuple(sorted({read_requirement(item) for item in value.items()})) if value else ()


def _requirements_of_each(value: Value | None) -> dict[str, tuple[str, ...]]:
    return {name: _requirements(items) for name, items in sorted(value.fields().items())} if value else {}


def _groups(fields: dict[str, Value]) -> dict[str, tuple[str, ...]]:
    """Read the groups; `dev` stands for itself, as the one that there is in most projects."""
    groups = _requirements_of_each(fields.get("groups"))
    if "dev_requirements" in fields:
        groups["dev"] = _requirements(fields["dev_requirements"])
    return dict(sorted(groups.items()))


def _texts(value: Value | None) -> tuple[str, ...]:
    return tuple(sorted({item.text() for item in value.items()})) if value else ()
