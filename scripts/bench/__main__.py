"""Measure envknit against what it replaces: `python scripts/bench startup beside_uv`.

Every figure is a median of runs that alternate between the rivals, and every claim is a ratio of two of them in one
run: absolute times are the machine's, ratios are ours.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from harness import FOUND

BENCHES = {path.stem: path for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "harness"}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bench", choices=sorted(BENCHES), nargs="+")
    parser.add_argument("--rounds", type=int, default=40, help="how often each rival runs (default: 40)")
    parser.add_argument("--quick", action="store_true", help="few rounds: minutes instead of an hour")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every row there, too")
    arguments = parser.parse_args()
    for bench in arguments.bench:
        importlib.import_module(bench).main(8 if arguments.quick else arguments.rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(FOUND, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
