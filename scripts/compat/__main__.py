"""Try packages with extension modules in every way of holding them, and write docs/reference/compatibility.md.

    python scripts/compat                       every CPython >= 3.10 that scripts/interpreters finds
    python scripts/compat --python PYTHON ...   these, which have envknit installed; the page keeps the others' cells
    python scripts/compat --only numpy ...      some of the packages; as above
    python scripts/compat --way guest ...       some of the ways; as above, where the version is the same

Each cell is a process of its own that imported the package in that way, out of a store of this run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from packages import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
WAYS = ("own GIL", "shared GIL", "guest", "worker")
SECONDS = 300
Cells = dict[tuple[str, str], dict[str, str]]  # (Python, package) -> outcome by way, and the version as ""
PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
import envknit
way, name, version, module = sys.argv[1:]
try:
    if way.endswith("GIL"):
        with envknit.SubInterpreterEnv(gil=way.split()[0]) as interpreter:
            interpreter.configure_from_lock("envknit.lock.yaml", name)
            interpreter.try_import(module, raise_on_cext=True)
    elif way == "guest":
        with envknit.use(name, version, env="guest", native=True):
            exec(module, {"__name__": "guest"})
        exec(module, {"__name__": "resident"})
    else:
        with envknit.worker(name, version, module=module, timeout=120) as proxy:
            proxy.__name__
    why = ""
except Exception as error:
    why = f"{type(error).__name__}: {getattr(error, 'why', error)} {getattr(error, 'facts', '')}"
print(json.dumps(why))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="*", type=Path)
    parser.add_argument("--only", nargs="*", choices=sorted(PACKAGES), default=sorted(PACKAGES))
    parser.add_argument("--way", nargs="*", choices=WAYS, default=WAYS)
    arguments = parser.parse_args()
    path = ROOT / "docs/reference/compatibility.md"
    cells = _read(path.read_text())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for python in [path.absolute() for path in arguments.python or _prepared(Path(folder))]:
            _try_all(python, arguments, Path(folder), cells)
            path.write_text(_page(cells))


def _prepared(folder: Path) -> list[Path]:
    rows = subprocess.run(["sh", ROOT / "scripts/interpreters"], check=True, capture_output=True, text=True).stdout
    pythons = []
    for row in rows.splitlines():
        version, python = row.split("\t")[:2]
        target = folder / f"python-{version}"
        subprocess.run([python, "-m", "venv", target], check=True)
        subprocess.run([target / "bin/python", "-m", "pip", "install", "-q", ROOT], check=True)
        pythons.append(target / "bin/python")
    return pythons


def _version(python: Path) -> str:
    code = "import sys; print(sys.version.split()[0])"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _try_all(python: Path, arguments: argparse.Namespace, folder: Path, cells: Cells) -> None:
    """Lock and install for one interpreter; put each outcome into its cell, by Python, package and way."""
    version = _version(python)
    project = _project(folder / version, python, {name: [name] for name in arguments.only} | {"default": []})
    for name in arguments.only:
        old, newest = cells.get((version, name), {}), _locked(project, name)
        cells[version, name] = {"": newest}
        for way in WAYS:
            if way not in arguments.way and old.get("") == newest:
                cells[version, name][way] = old[way]
                continue
            if way == "guest":
                outcome = _beside(folder / f"{version}-{name}", python, name, version)
            else:
                outcome = _outcome([python, "compat.py", way, name, newest, PACKAGES[name].module], project)
            cells[version, name][way] = outcome
            print(f"{version} {name} {newest} {way}: {outcome}", file=sys.stderr, flush=True)


def _beside(folder: Path, python: Path, name: str, version: str) -> str:
    """Let an older version be a guest beside the newest one, and both work."""
    guest = PACKAGES[name].guest(version)
    try:
        project = _project(folder, python, {"default": [name], "guest": [f"{name}=={guest}"]})
    except subprocess.CalledProcessError:
        return f"no wheel: {guest}"
    work = PACKAGES[name].work or f"import {PACKAGES[name].module}"
    outcome = _outcome([python, "compat.py", "guest", name, guest, work], project)
    return f"yes: {guest}" if outcome == "yes" else outcome


def _project(folder: Path, python: Path, environments: dict[str, list[str]]) -> Path:
    folder.mkdir()
    (folder / "compat.py").write_text(PROGRAM)
    (folder / "envknit.yaml").write_text(
        json.dumps({"environments": {name: {"packages": packages} for name, packages in environments.items()}})
    )
    for verb in "lock", "install":
        command = [python, "-m", "envknit", verb]
        subprocess.run(command, cwd=folder, env=_env(folder), check=True, stdout=subprocess.DEVNULL)
    return folder


def _env(project: Path) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ENVKNIT", "PYTHON"))}
    return env | {"ENVKNIT_HOME": str(project.parent / "store")}


def _locked(project: Path, name: str) -> str:
    lines = (project / "envknit.lock.yaml").read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if line.strip().lstrip("- ") == f"name: {name}")
    return lines[place + 1].split(":", 1)[1].strip().strip("'\"")


def _outcome(command: list[object], project: Path) -> str:
    try:
        done = subprocess.run(
            [str(part) for part in command], cwd=project, env=_env(project), capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "no: hangs"
    if done.returncode:
        return f"CRASH ({done.returncode})"
    why = json.loads(done.stdout.splitlines()[-1])
    if why:
        print(f"  {why}", file=sys.stderr)
    reasons = {
        "runs in the host": "no: needs the host",
        "single phase": "no: single phase",
        "does not support loading": "no: refuses",
        "not support subinterpreters": "no: refuses",
        "not yet support subinterpreters": "no: refuses",
        "Interpreter change detected": "no: refuses",
        "more than once per process": "no: refuses",
        "died of": "no: crashes",
        "UnsupportedPlatform": "-",
        "unexpected keyword argument 'facecolor'": "no: names",
        "failed: SyntaxError: invalid syntax": "no: names",
        "'list' object has no attribute 'dtype'": "no: names",
    }
    return next((told for words, told in reasons.items() if words in why), "no: fails") if why else "yes"


def _read(page: str) -> Cells:
    """Return what a page says."""
    cells: Cells = {}
    for part in page.split("\n## CPython ")[1:]:
        version, *lines = part.splitlines()
        for line in lines:
            title, *outcomes = (text.strip() for text in line.strip("|").split("|"))
            if len(outcomes) == len(WAYS) and title != "package" and not title.startswith("-"):
                name, _, newest = title.partition(" ")
                cells[version, name] = {"": newest, **dict(zip(WAYS, outcomes, strict=True))}
    return cells


def _page(cells: Cells) -> str:
    rows = [
        "# Which packages load where",
        "",
        "Made by `scripts/compat` from real runs, one process a cell; do not edit. What the outcomes mean, and why",
        "they differ between versions of Python: [sub-interpreters](../explanation/sub-interpreters.md).",
        "",
        "| outcome | means |",
        "|---|---|",
        "| yes | it was imported |",
        "| no: single phase | its extension modules are initialised in a single phase (PEP 489), seen in the file |",
        "| no: needs the host | its initialisation imports packages, which CPython 3.13 does in the host |",
        "| no: refuses | it says itself that it does not support such interpreters |",
        "| no: crashes | a probe's process died; the host did not |",
        "| no: names | its code compares names of its modules with a text, or compiles them; a guest's have an `@` |",
        "| no: fails | its import, or what it had to do, raised another error |",
        "| no wheel | this version has no wheel for this Python, and could not be built |",
        "| - | this Python has no sub-interpreters |",
        "| not tried | no such interpreter was at hand |",
        "",
        "A guest was loaded with its extension modules beside the version of the row, in one process, and both did a",
        "small piece of work there (`scripts/compat/packages.py`); the cell names the guest's version.",
        "`envknit compat PACKAGE==VERSION` tries any other: [two versions](../how-to/two-versions.md).",
    ]
    for version in sorted({version for version, _ in cells}, key=lambda each: [*map(int, each.split("."))]):
        rows += ["", f"## CPython {version}", "", f"| package | {' | '.join(WAYS)} |", "|---" * (len(WAYS) + 1) + "|"]
        for name in sorted(name for each, name in cells if each == version):
            outcomes = cells[version, name]
            rows.append(f"| {name} {outcomes['']} | {' | '.join(outcomes[way] for way in WAYS)} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
