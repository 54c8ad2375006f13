"""Groups and extras that refer to each other: `include-group`, and the project's own name with an extra."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from envknit.files.requested import name_in, narrowed, read_requirement
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envknit.files.project import RequestedEnvironment
    from envknit.files.values import Value


def expand_groups(value: Value | None, base: str) -> dict[str, tuple[str, ...]]:
    """Read dependency groups (PEP 735); an `include-group` is replaced by what that group holds."""
    if value is None:
        return {}
    groups: dict[str, Value] = {}
    for name, group in value.fields().items():
        if canonical_name(name) in groups:
            raise group.bad(f"two groups have the name `{canonical_name(name)}`")
        groups[canonical_name(name)] = group

    def expand(name: str, asker: Value, above: tuple[str, ...]) -> Iterator[str]:
        if name in above:
            raise asker.bad(f"the groups {' -> '.join((*above, name))} include each other")
        if name not in groups:
            raise asker.bad(f"there is no group `{name}`")
        for item in groups[name].items():
            if isinstance(item.data, dict):
                item.fields({"include-group"})  # and nothing else
                yield from expand(canonical_name(item.field("include-group").text()), item, (*above, name))
            else:
                yield read_requirement(item, base=base)

    return {name: tuple(sorted(set(expand(name, group, ())))) for name, group in groups.items()}


def expand_own_extras(environment: RequestedEnvironment, own: str, value: Value) -> RequestedEnvironment:
    """Replace what names the project itself (`requests[socks]` in requests' own group) by what its extras hold.

    Args:
        environment: the environment of the project.
        own: the project's canonical name; `""` where it is not known.
        value: the file, for complaints.

    Raises:
        the value's own error: there is no such extra, or extras ask for each other.
    """
    if not own:
        return environment
    expand = _Expansion(own, environment.extras, value).whole
    return replace(
        environment,
        requirements=expand(environment.requirements),
        groups={name: expand(texts) for name, texts in environment.groups.items()},
        extras={name: expand(texts, name) for name, texts in environment.extras.items()},
    )


class _Expansion:
    """Requirements with the project's own name replaced by what its extras hold."""

    def __init__(self, own: str, extras: Mapping[str, tuple[str, ...]], value: Value) -> None:
        self._own = own
        self._extras = extras
        self._value = value

    def whole(self, texts: tuple[str, ...], *above: str) -> tuple[str, ...]:
        """Expand a list; `above` are the extras that it is a part of."""
        return tuple(sorted({found for text in texts for found in self._one(text, above)}))

    def _one(self, text: str, above: tuple[str, ...]) -> Iterator[str]:
        if name_in(text) != self._own or " @ " in text:
            yield text
            return
        from packaging.requirements import Requirement  # only for projects that name themselves

        asked = Requirement(text)
        for extra in sorted(asked.extras):
            if extra in above:
                raise self._value.bad(f"the extras {' -> '.join((*above, extra))} ask for each other")
            if extra not in self._extras:
                raise self._value.bad(f"`{text}`: this project has no extra `{extra}`")
            for inner in self.whole(self._extras[extra], *above, extra):
                yield narrowed(inner, str(asked.marker or ""))
