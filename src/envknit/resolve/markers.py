"""Markers as the lock needs them: rid of `extra`, and joined."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from envknit.naming import canonical_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.markers import Marker

ALWAYS, NEVER = "", None
_PAIRS = (("==", "!="), ("<", ">="), ("<=", ">"), ("in", "not in"))
_OPPOSITES = {**dict(_PAIRS), **{second: first for first, second in _PAIRS}}


def without_extra(marker: Marker | None, extra: str) -> str | None:
    """Decide what a marker says about `extra`, and return what is left of it.

    Args:
        marker: of a `Requires-Dist`.
        extra: the extra that was asked for, canonical; `""`: none.

    Returns:
        The rest as text, without `extra`; `""` where it always holds, None where it never does.
    """
    return ALWAYS if marker is None else _without_extra(str(marker), extra)


def is_of_extra(marker: Marker | None) -> bool:
    """Whether a dependency is there only for an extra."""
    return marker is not None and without_extra(marker, "") is NEVER


def literals(marker: str) -> Iterator[str]:
    """Give the comparisons that a marker is made of, each as it is and turned round: `a == "b"` and `a != "b"`."""
    from packaging.markers import Marker  # loaded where a lock is made

    parts: list[Any] = [Marker(marker)._markers] if marker else []  # noqa: SLF001 - see `_without_extra`
    for part in parts:
        if isinstance(part, list):
            parts.extend(part)
        elif isinstance(part, tuple):
            left, operator, right = (side.serialize() for side in part)
            yield f"{left} {operator} {right}"
            if operator in _OPPOSITES:
                yield f"{left} {_OPPOSITES[operator]} {right}"


@lru_cache(maxsize=16384)
def _without_extra(text: str, extra: str) -> str | None:
    from packaging.markers import Marker  # loaded where a lock is made

    # `_markers` is the parsed form: [atom, "and" | "or", atom or nested list, ...]; packaging offers no public one.
    left = _reduce(Marker(text)._markers, extra)  # noqa: SLF001 - see above
    return str(Marker(left)) if left else left


def _reduce(parsed: Any, extra: str) -> str | None:  # noqa: ANN401 - packaging's nested lists
    if isinstance(parsed, tuple):
        return _reduce_atom(parsed, extra)
    groups: list[list[str | None]] = [[]]
    for item in parsed:
        if item == "or":
            groups.append([])
        elif item != "and":
            groups[-1].append(_reduce(item, extra))
    return any_of(all_of(group) for group in groups)


def _reduce_atom(atom: tuple[Any, Any, Any], extra: str) -> str | None:
    left, operator, right = atom
    sides = {str(left.value), str(right.value)}
    if "extra" not in (str(left), str(right)):
        return " ".join(side.serialize() for side in atom)
    (wanted,) = sides - {"extra"} or {"extra"}
    is_it = canonical_name(wanted) == extra
    return ALWAYS if is_it == (operator.serialize() in ("==", "in")) else NEVER


def all_of(markers: Iterable[str | None]) -> str | None:
    """Join with `and`."""
    parts: list[str] = []
    for marker in markers:
        if marker is NEVER:
            return NEVER
        if marker and marker not in parts:
            parts.append(marker)
    return parts[0] if len(parts) == 1 else " and ".join(f"({part})" if " or " in part else part for part in parts)


def any_of(markers: Iterable[str | None]) -> str | None:
    """Join with `or`."""
    parts: list[str] = []
    for marker in markers:
        if marker == ALWAYS:
            return ALWAYS
        if marker is not NEVER and marker not in parts:
            parts.append(marker)
    return " or ".join(parts) if parts else NEVER
