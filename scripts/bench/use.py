"""What `use()` costs: nothing before its first use, and little after it."""

from __future__ import annotations

import json
import subprocess
from statistics import median
from typing import TYPE_CHECKING

from harness import ROOT, environment, fresh, interpreter, versions

if TYPE_CHECKING:
    from pathlib import Path

_FILES = {"lib.py": "def call(): return 1\nVALUE = 1\n"}

# One process measures one state of the interpreter; `{first}` is what has happened in it before
_PROGRAM = """
import json, sys, timeit
{first}
import lib
def best(statement, number=200_000):
    return min(timeit.repeat(statement, globals=globals(), number=number, repeat=5)) / number * 1e9
def statement():
    import lib
def late():
    from lib import VALUE
print(json.dumps({{
    "import statement": best("statement()"), "from-import": best("late()"),
    "attribute": best("lib.VALUE"), "call": best("lib.call()"), "builtin": best("len(())"),
    {more}
}}))
"""
_BLOCK = """
    "a block of a loaded guest": best("with use('lib', '1.0'): pass", 20_000),
    "entering one that was made": best("with block: pass", 20_000),
    "import statement in a block": inside(),
    "import statement in a guest": best("old.late()"),
"""
_USED = """
import envknit
from envknit import use
with use("lib", "1.0") as old: pass
exec("def late():\\n    import lib", vars(old))
block = use("lib", "1.0")
def inside():
    with block:
        return best("statement()")
"""


def main(rounds: int) -> None:
    versions()
    store = fresh("use-store")
    knit = interpreter("envknit", ROOT)
    project = _project(knit, store)
    env = environment(ENVKNIT_HOME=str(store))
    programs = {
        "never used": _PROGRAM.format(first="", more=""),
        "envknit imported": _PROGRAM.format(first="import envknit", more=""),
        "after the first use()": _PROGRAM.format(first=_USED, more=_BLOCK),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
    for _ in range(max(3, rounds // 8)):
        for name, program in programs.items():
            done = subprocess.run(
                [knit, "-c", program], cwd=project, env=env, check=True, capture_output=True, text=True
            )
            runs[name].append(json.loads(done.stdout))
    found = {name: {key: median(run[key] for run in all_) for key in all_[0]} for name, all_ in runs.items()}
    print(f"\n{'nanoseconds':34}{'never used':>12}{'imported':>12}{'used':>12}{'ratio':>8}")
    used = found["after the first use()"]
    for key, after in used.items():
        before = found["never used"].get(key)
        plain = "".join(f"{found[name][key]:12.1f}" for name in list(programs)[:2]) if before else " " * 24
        print(f"{key:34}{plain}{after:12.1f}" + (f"{after / before:8.2f}" if before else ""))


def _project(knit: Path, store: Path) -> Path:
    """Install two versions of a package from a folder of wheels."""
    import sys

    sys.path.insert(0, str(ROOT / "tests"))
    from kit import make_wheel, wheel_name

    folder = fresh("use")
    wheels = folder / "wheels"
    wheels.mkdir()
    for version in ("1.0", "2.0"):
        (wheels / wheel_name("lib", version)).write_bytes(make_wheel("lib", version, _FILES))
    rows = [f"indexes: [{wheels}]", "environments:"]
    rows += ["  default: {packages: ['lib==2.0']}", "  old: {packages: ['lib==1.0']}"]
    (folder / "envknit.yaml").write_text("\n".join(rows) + "\n")
    for verb in ("lock", "install"):
        subprocess.run(
            [knit, "-m", "envknit", verb],
            cwd=folder, env=environment(ENVKNIT_HOME=str(store)), check=True, capture_output=True,
        )  # fmt: skip
    return folder
