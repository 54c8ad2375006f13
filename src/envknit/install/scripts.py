"""Console scripts of a plan, for the interpreter that runs now; `envknit run` puts their folder first on PATH.

Entries hold no such scripts, since those name an interpreter. They lie in `<store>/bin/<key of plan>-<key of
interpreter>/`, so a changed plan has another folder and a folder never changes.
"""

from __future__ import annotations

import os
import stat
import sys

from envknit.plan import key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from envknit.plan import Plan
    from envknit.store.store import Store

_PLACEHOLDER = b"#!python"  # the wheel's word for "whatever interpreter this is installed for" (PEP 427)


def script_folder(plan: Plan, executable: str = "") -> Path:
    """Name the folder of a plan's console scripts; `install` makes it.

    Args:
        plan: which packages.
        executable: which interpreter runs them; the present one where it is not given.
    """
    from pathlib import Path  # noqa: PLC0415 - a warm install does without

    return Path(plan.store, script_place(plan, executable))


def script_place(plan: Plan, executable: str = "") -> str:
    """Name the same folder relative to the store."""
    return f"bin/{key(plan.identity.encode(errors='surrogateescape'))}-{key(os.fsencode(executable or sys.executable))}"


def place_scripts(store: Store, plan: Plan) -> tuple[Path, list[str]]:
    """Make the console scripts of a plan for this interpreter, where they are not there yet.

    Returns:
        Their folder, and one sentence for each name that two pins claim; the first pin's script is taken.
    """
    from envknit.store.disk import disk_faults  # noqa: PLC0415 - a warm install writes nothing

    folder = script_folder(plan)
    if folder.is_dir():
        return folder, []
    owners: dict[str, str] = {}
    warnings = []
    with disk_faults(folder), store.workspace() as workspace:
        made = workspace / "bin"
        made.mkdir(mode=0o755)
        for pin in plan.pins.values():
            if not pin.resident:
                continue
            location = store.path(pin.folder)
            found = _generated(location / pin.dist_info) if pin.dist_info else {}
            for name, content in {**_shipped(location), **found}.items():
                other = owners.setdefault(name, pin.folder)
                if not (made / name).is_symlink() and not (made / name).exists():
                    _write(made / name, content)
                elif other != pin.folder:
                    warnings.append(f"{pin.name} {pin.version} has a script {name!r}, as another package does")
        store.place([(made, script_place(plan))])
    return folder, warnings


def _generated(dist_info: Path) -> dict[str, bytes | Path]:
    """Write the scripts that entry points ask for."""
    from installer.scripts import Script  # noqa: PLC0415 - a warm install makes no scripts
    from installer.utils import get_launcher_kind  # noqa: PLC0415 - as above

    from envknit.wheel.entrypoints import scripts_of  # noqa: PLC0415 - as above

    try:
        text = (dist_info / "entry_points.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    kind = get_launcher_kind()
    made = [Script(*script).generate(sys.executable, kind) for script in scripts_of(text)]
    return dict(made)


def _shipped(location: Path) -> dict[str, bytes | Path]:
    """Take the scripts that a wheel ships: those with a placeholder for the interpreter anew, others as they are."""
    try:
        files = sorted((location / "bin").iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found: dict[str, bytes | Path] = {}
    for file in files:
        mode = file.lstat().st_mode
        if not stat.S_ISREG(mode):
            continue
        with file.open("rb") as script:
            first = script.readline(256)
            if first.startswith(_PLACEHOLDER):
                found[file.name] = _shebang() + script.read()
            elif mode & 0o111:
                found[file.name] = file
    return found


def _shebang() -> bytes:
    from installer.scripts import Script  # noqa: PLC0415 - it knows about long and odd paths

    _, script = Script("x", "x", "x", "console").generate(sys.executable, "posix")
    return script.partition(b"# -*- coding")[0]


def _write(target: Path, content: bytes | Path) -> None:
    if isinstance(content, bytes):
        target.write_bytes(content)
        target.chmod(0o555)
    else:
        target.symlink_to(content)  # a program, often a large one
