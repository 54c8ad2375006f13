"""What more pins cost: lock, install, verify, gc and start-up at 10, 100 and 1,000 pins.

Processor time is told, not the clock: it is what must not grow faster than the pins.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness import ROOT, Rival, environment, fresh, interpreter, set_aside, table, versions

if TYPE_CHECKING:
    from pathlib import Path

sys.path.insert(0, str(ROOT / "tests"))

from kit import LoopbackIndex, make_wheel, wheel_name

SIZES = (10, 100, 1_000)
VERBS = {
    "lock": ("lock", "--upgrade"),
    "install": ("install", "--no-compile"),
    "install, nothing to do": ("install",),
    "verify": ("verify",),
    "gc": ("store", "gc"),
}


def main(rounds: int) -> None:
    versions()
    knit = interpreter("envknit", ROOT)
    with LoopbackIndex(json=True, pep658=True) as index:
        for number in range(max(SIZES)):
            wanted = [f"grown-{at:04}" for at in (number * 2 + 1, number * 2 + 2) if at < max(SIZES)]
            name = f"grown-{number:04}"
            index.add(wheel_name(name, "1.0"), make_wheel(name, "1.0", requires=wanted))
        found: dict[str, dict[str, list[float]]] = {}
        for size in SIZES:
            _measure(knit, index.url, size, max(2, rounds // 20), found)
    for verb, rows in found.items():
        table(f"processor time of {verb}", rows, f"{SIZES[0]} pins")


def _measure(knit: Path, index: str, size: int, rounds: int, found: dict[str, dict[str, list[float]]]) -> None:
    folder = fresh(f"growth-{size}")
    names = "\n".join(f"      - grown-{number:04}" for number in range(size))
    # The pins of a smaller project would need the others too: the tree is cut by exclusion
    cut = "\n".join(f"      - grown-{at:04} ; python_version < '3'" for at in range(size, 2 * size + 1))
    text = f"environments:\n  default:\n    packages:\n{names}\n    overrides:\n{cut}\n"
    (folder / "envknit.yaml").write_text(text, encoding="utf-8")
    env = environment(
        PATH=f"{knit.parent}:/usr/bin:/bin", ENVKNIT_HOME=str(folder / "store"),
        PIP_CONFIG_FILE="/dev/null", PIP_INDEX_URL=index, PIP_FIND_LINKS="",
    )  # fmt: skip
    rivals = [
        Rival(verb, [knit.with_name("envknit"), "-q", *arguments], folder, env) for verb, arguments in VERBS.items()
    ]
    for _ in range(rounds):
        set_aside(folder / "store")
        for rival in [*rivals, Rival("start-up", [knit, "-c", "pass"], folder, env)]:
            found.setdefault(rival.name, {}).setdefault(f"{size:,} pins", []).append(rival.run().cpu)
