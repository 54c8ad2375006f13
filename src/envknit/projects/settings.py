"""The settings of envknit, as `envknit.yaml` and `[tool.envknit]` say them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from envknit.files.model import DEFAULT_STARTUP, PLATFORMS, PRERELEASES, RESOLUTIONS
from envknit.files.project import RequestedEnvironment
from envknit.files.requested import read_environment_name, read_node_version, read_python_version, read_requirement
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from envknit.files.values import Value

TOP = frozenset(
    {
        "default_groups",
        "environments",
        "exclude_newer",
        "indexes",
        "native",
        "node_version",
        "prerelease",
        "pure",
        "resolution",
        "split",
        "startup",
        "system_site_packages",
        "targets",
    }
)
ENVIRONMENT = frozenset(
    {
        "python_version",
        "node_version",
        "packages",
        "dev_packages",
        "groups",
        "extras",
        "constraints",
        "overrides",
        "include",
    }
)


def read_settings(settings: Mapping[str, Value]) -> dict[str, Any]:
    """Read what stands above the environments; returns the arguments of `Project` that it gives."""
    found: dict[str, Any] = {
        "targets": _targets(settings["targets"]) if "targets" in settings else (),
        "system_site_packages": "system_site_packages" in settings and settings["system_site_packages"].flag(),
        "startup": _names(settings["startup"]) if "startup" in settings else DEFAULT_STARTUP,
        "native": _names(settings["native"]) if "native" in settings else (),
        "pure": _names(settings["pure"]) if "pure" in settings else (),
        "split": _split(settings["split"]) if "split" in settings else frozenset(),
    }
    if "indexes" in settings:
        found["indexes"] = tuple(index.text() for index in settings["indexes"].items())
    if "default_groups" in settings:
        found["default_groups"] = read_default_groups(settings["default_groups"])
    if "exclude_newer" in settings:
        found["exclude_newer"] = read_time(settings["exclude_newer"])
    if "resolution" in settings:
        found["resolution"] = read_choice(settings["resolution"], RESOLUTIONS)
    if "prerelease" in settings:
        found["prerelease"] = read_choice(settings["prerelease"], PRERELEASES)
    return found


def read_environments(
    settings: Mapping[str, Value], given: Mapping[str, RequestedEnvironment]
) -> dict[str, RequestedEnvironment]:
    """Read `environments`, on top of those that standard tables give; each may `include` others."""
    described = settings["environments"].fields() if "environments" in settings else {}
    read = {name: _Described(read_environment_name(value, name), value) for name, value in described.items()}
    names = [*given, *(name for name in read if name not in given)]
    found = {name: _assembled(name, read, given, ()) for name in names}
    found = found or {"default": RequestedEnvironment(name="default")}
    if "node_version" in settings:
        usual = read_node_version(settings["node_version"])
        found = {name: replace(one, node_version=one.node_version or usual) for name, one in found.items()}
    return found


class _Described:
    """One entry of `environments`: what it asks for itself, and which others it includes."""

    def __init__(self, name: str, value: Value) -> None:
        fields = value.fields(ENVIRONMENT)
        self.value = value
        self.own = read_environment(name, fields)
        include = fields.get("include")
        texts = [] if include is None else [include] if isinstance(include.data, str) else list(include.items())
        self.includes = [(item, item.text()) for item in texts if item.text()]


def _assembled(
    name: str, read: Mapping[str, _Described], given: Mapping[str, RequestedEnvironment], above: tuple[str, ...]
) -> RequestedEnvironment:
    default = given.get("default")
    whole = given.get(name) or RequestedEnvironment(name=name, python_version=default.python_version if default else "")
    if name not in read:
        return whole
    for item, included in read[name].includes:
        if included in (*above, name):
            raise item.bad(f"the environments {' -> '.join((*above, name, included))} include each other")
        if included not in read and included not in given:
            raise item.bad(f"there is no environment `{included}`")
        more = _assembled(included, read, given, (*above, name))
        whole = more.joined(whole) if whole.python_version else whole.joined(more)
    whole = whole.joined(read[name].own)
    return RequestedEnvironment(**{**_fields(whole), "name": name})


def _fields(environment: RequestedEnvironment) -> dict[str, Any]:
    return {name: getattr(environment, name) for name in RequestedEnvironment.__dataclass_fields__}


def read_environment(name: str, fields: Mapping[str, Value], base: str = "") -> RequestedEnvironment:
    """Read the keys of one environment."""
    groups = read_lists(fields.get("groups"), base)
    if "dev_packages" in fields:
        groups = {**groups, "dev": tuple(sorted({*groups.get("dev", ()), *requirements(fields["dev_packages"], base)}))}
    return RequestedEnvironment(
        name=name,
        python_version=read_python_version(fields["python_version"]) if "python_version" in fields else "",
        requirements=requirements(fields.get("packages"), base),
        groups={group: asked for group, asked in sorted(groups.items()) if asked or group != "dev"},
        extras=read_lists(fields.get("extras"), base),
        constraints=requirements(fields.get("constraints"), base),
        overrides=requirements(fields.get("overrides"), base),
        node_version=read_node_version(fields["node_version"]) if "node_version" in fields else "",
    )


def requirements(value: Value | None, base: str = "") -> tuple[str, ...]:
    """Read a list of requirements, sorted."""
    return tuple(sorted({read_requirement(item, base=base) for item in value.items()})) if value else ()


def read_lists(value: Value | None, base: str = "") -> dict[str, tuple[str, ...]]:
    """Read a mapping of lists of requirements; its names are written canonically."""
    return {canonical_name(name): requirements(items, base) for name, items in value.fields().items()} if value else {}


def read_choice(value: Value, choices: Collection[str]) -> str:
    """Read one of a few words."""
    if value.text() not in choices:
        raise value.bad(f"`{value.text()}` is not one of: {', '.join(choices)}")
    return value.text()


def read_default_groups(value: Value) -> tuple[str, ...]:
    """Read which groups are installed where nobody says: a list, or `all`."""
    return ("*",) if value.data == "all" else _names(value)


def read_time(value: Value) -> str:
    """Read a date, a time (RFC 3339) or how long ago, and write it in one form.

    A time is written with its zone; a date is the end of that day, in UTC, as in uv. `1 week` is written `P7D`: what it
    means is found out when it counts, by `moment`.
    """
    text = value.data.isoformat() if hasattr(value.data, "isoformat") else value.text().strip()
    if ago := _AGO.fullmatch(text):
        hours = int(ago["count"] or ago["iso"]) * _HOURS[(ago["unit"] or f"{ago['time'] or ''}{ago['letter']}").lower()]
        return f"P{hours // 24}D" if hours % 24 == 0 else f"PT{hours}H"
    try:
        read = datetime.fromisoformat(f"{text}T23:59:59+00:00" if len(text) == 10 else text.replace("Z", "+00:00"))
    except ValueError as cause:
        hint = 'write it as in: "2025-03-01" or "1 week"'
        raise value.bad(f"`{text}` is neither a date nor a time nor how long ago", hint=hint) from cause
    if read.tzinfo is None:
        raise value.bad(f"`{text}` names no time zone", hint='write it as in: "2025-03-01T12:00:00Z"')
    return read.isoformat()


_AGO = re.compile(
    r"(?P<count>\d+) ?(?P<unit>hour|day|week)s?|P(?P<time>T)?(?P<iso>\d+)(?P<letter>[HDW])", re.IGNORECASE | re.ASCII
)
_HOURS = {"hour": 1, "day": 24, "week": 168, "th": 1, "d": 24, "w": 168}


def moment(text: str) -> datetime:
    """Return the time that a text in the form of `read_time` means now."""
    if text.startswith("P"):
        number = int(text.strip("PTHD"))
        ago = timedelta(hours=number) if text.endswith("H") else timedelta(days=number)
        return datetime.now(timezone.utc) - ago
    return datetime.fromisoformat(text)


def _names(value: Value) -> tuple[str, ...]:
    return tuple(sorted({canonical_name(name.text()) for name in value.items()}))


def _split(value: Value) -> frozenset[str] | None:
    if isinstance(value.data, list):
        return frozenset(canonical_name(name.text()) for name in value.items())
    if value.text() != "auto":
        raise value.bad(f"`{value.text()}` is neither `auto` nor a list", hint="write it as in: split: [jinja2]")
    return None


def _targets(value: Value) -> tuple[str, ...]:
    chosen = set()
    for item in value.items():
        if item.text() not in PLATFORMS:
            raise item.bad(f"`{item.text()}` is not a target", hint=f"known are: {', '.join(PLATFORMS)}")
        chosen.add(item.text())
    return tuple(sorted(chosen))
