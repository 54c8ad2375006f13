"""What a call into another process costs: envknit.worker beside RPyC, managers, execnet, a bare pipe, one copy."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from statistics import median

from harness import CACHE, ROOT, environment, interpreter, versions

RIVALS = ("pipe", "copy", "envknit", "rpyc", "manager", "execnet")


def main(rounds: int) -> None:
    versions()
    python = interpreter("worker", ROOT, "rpyc", "execnet", "numpy")
    found: dict[str, dict[str, list[float]]] = {}
    for number in range(max(3, rounds // 8)):
        shift = number % len(RIVALS)
        for rival in [*RIVALS[shift:], *RIVALS[:shift]]:
            script = Path(__file__).with_name("_worker_rival.py")
            done = subprocess.run(
                [python, script, rival], env=environment(), cwd=CACHE, stdout=subprocess.PIPE, check=True
            )
            for row, seconds in json.loads(done.stdout.splitlines()[-1]).items():
                found.setdefault(row, {}).setdefault(rival, []).append(seconds)
    for row, rivals in found.items():
        _row(row, {rival: median(rivals[rival]) for rival in RIVALS if rival in rivals})


def _row(row: str, seconds: dict[str, float]) -> None:
    size = int(row.split()[1]) if row.startswith("array") else 0
    print(f"\n{row}{' MB' if size else ''} (medians, ratios against: pipe)")
    for rival, value in seconds.items():
        rate = f"{size / value:8.0f} MB/s" if size else f"{1 / value:8.0f} /s  "
        print(f"  {rival:8} {value * 1e6:12.1f} us  {rate}  {value / seconds['pipe']:6.2f} x")
