"""Write a requirements file that `pip install -r` and `uv pip install -r` take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envknit.exchange.chosen import Chosen


def write_requirements(chosen: Sequence[Chosen], *, hashes: bool) -> str:
    """Write one pin a line, with its marker and, below it, the hashes of its files; above them indexes of their own.

    Args:
        chosen: the pins, sorted.
        hashes: whether to write them; see `can_be_hashed`.
    """
    places = sorted({one.pin.source.removeprefix("index+") for one in chosen if one.pin.source.startswith("index+")})
    lines = [f"--{'extra-index-url' if '://' in place else 'find-links'} {place}" for place in places]
    return "".join(f"{line}\n" for line in (*lines, *(line for one in chosen for line in _lines(one, hashes=hashes))))


def can_be_hashed(chosen: Sequence[Chosen]) -> bool:
    """Whether every pin is a file: pip takes hashes for all lines of a requirements file or for none."""
    return all(one.source is None or one.source.kind == "url" for one in chosen)


def _lines(one: Chosen, *, hashes: bool) -> Iterator[str]:
    marker = f" ; {one.marker}" if one.marker else ""
    digests = sorted({file.sha256 for file in one.pin.files}) if hashes else []
    end = " \\" if digests else ""
    yield f"{one.requirement}{marker}{end}"
    for digest in digests[:-1]:
        yield f"    --hash=sha256:{digest} \\"
    yield from (f"    --hash=sha256:{digest}" for digest in digests[-1:])
