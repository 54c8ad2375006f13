"""Measure envknit against what it replaces: `python scripts/bench startup`.

Every figure is a median of runs that alternate between the rivals, and every claim is a ratio of two of them in one
run: absolute times are the machine's, ratios are ours.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

BENCHES = {path.stem: path for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "harness"}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bench", choices=sorted(BENCHES))
    parser.add_argument("--rounds", type=int, default=40, help="how often each rival runs (default: 40)")
    arguments = parser.parse_args()
    importlib.import_module(arguments.bench).main(arguments.rounds)


if __name__ == "__main__":
    sys.exit(main())
