"""Inspect what was installed from locks, and mend it: entries, bundles, bytecode, and the views with their scripts.

A view follows from its plan, so it is made once more and compared.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from envknit.errors import PlanError
from envknit.plan import Plan, current_plans, key
from envknit.store.disk import disk_faults, remove_tree
from envknit.store.verify import Finding, verify
from envknit.view.host import this_host
from envknit.view.place import make_view, tree_name, view_name
from envknit.view.runtime import make_runtime, runtime_entry
from envknit.view.tree import make_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from envknit.store.store import Store
    from envknit.store.verify import Verified

_IN_PLACE = frozenset({"others", "mode"})


def inspect(store: Store, plans_folders: Iterable[str], *, everything: bool = False) -> Verified:
    """Compare what was installed with what was placed; see `store.verify`.

    Args:
        store: which.
        plans_folders: absolute folders of plans, one a lock, for this interpreter.
        everything: every entry and bundle of the store and every folder, too.
    """
    root = str(store.root)
    read = {path: read_if_whole(path) for folder in plans_folders for path in current_plans(folder).values()}
    plans = [plan for plan in read.values() if plan is not None]
    damaged = [
        Finding(folder=os.path.relpath(_tree(path), root), path="plan", kind="changed")
        for path, plan in read.items()
        if plan is None
    ]
    folders = {pin.folder for plan in plans for pin in plan.pins.values()}
    others = [os.path.relpath(folder, root) for folder in plans_folders]
    if everything:
        folders |= set(store.folders())
        others += [os.path.relpath(parent, root) for parent in _own_folders(root)]
    done = verify(root, folders, others)
    findings = {*done.findings, *damaged, *(finding for plan in plans for finding in changed_view(store, plan))}
    if any(plan.runtime == runtime_entry() for plan in plans):
        findings.update(_changed_runtime(store))
    return replace(done, findings=tuple(sorted(findings)))


def read_if_whole(plan_path: str) -> Plan | None:
    """Read a plan as it is now; None where it is damaged, or is not the one that its folder is named after."""
    try:
        plan = Plan.read(plan_path)
    except PlanError:
        return None
    return plan if os.path.basename(_tree(plan_path)) == key(plan.identity.encode(errors="surrogateescape")) else None


def mend(store: Store, found: Verified, reinstall: Callable[[], None]) -> list[str]:
    """Mend what was found, and say what was done, one sentence each.

    Args:
        store: which.
        found: by `inspect`.
        reinstall: puts back what the store lacks; where it fails, the damaged folders are put back.
    """
    told = [f"mended {finding}" for finding in found.findings if _is_mode(store, finding) and _mend(store, finding)]
    for finding in found.findings:
        if finding.folder.startswith("bytecode/") and finding.kind == "changed":
            store.path(finding.place).unlink(missing_ok=True)
            told.append(f"removed {finding.place}, which is compiled anew when it is next imported")
    damaged = sorted({finding.folder for finding in found.findings if _is_placed(store, finding)})
    if damaged:
        with disk_faults(store.root), store.workspace() as aside:
            _replace(store, damaged, aside, reinstall)
        told += [f"placed anew: {folder}" if store.path(folder).is_dir() else f"removed {folder}" for folder in damaged]
    return told


def _replace(store: Store, damaged: Iterable[str], aside: Path, reinstall: Callable[[], None]) -> None:
    moved: list[tuple[Path, Path]] = []
    for place in map(store.path, damaged):
        kept = aside / str(len(moved))
        if os.path.lexists(place):
            if place.is_dir() and not place.is_symlink():
                place.chmod(0o755)  # a folder can be moved only while it may be written: its `..` changes
            place.rename(kept)
            moved.append((place, kept))
    try:
        reinstall()
    except BaseException:
        for place, kept in moved:
            if not os.path.lexists(place):
                kept.rename(place)
        raise


def _is_mode(store: Store, finding: Finding) -> bool:
    """Tell whether a finding can be mended where it is: what another store holds is not touched."""
    return finding.kind in _IN_PLACE and not store.lender(finding.folder)


def _is_placed(store: Store, finding: Finding) -> bool:
    """Tell whether a finding is of a folder that an install places as a whole, and cannot be mended where it is."""
    if finding.folder.startswith("bytecode/"):
        return False
    return finding.kind not in {*_IN_PLACE, "owner"} or bool(store.lender(finding.folder))


def _mend(store: Store, finding: Finding) -> bool:
    path = store.path(finding.place)
    try:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if finding.kind == "others":
            path.chmod(mode & ~0o022)
        elif path.is_dir():
            path.chmod(0o555)
        else:
            path.chmod(0o555 if finding.executable else 0o444)
    except OSError:
        return False  # it is somebody else's
    return True


def _own_folders(root: str) -> Iterator[str]:
    """List the folders of the store that are no part of an entry or a bundle, whose modes are compared there."""
    for parent, folders, _ in os.walk(root):
        yield parent
        if os.path.basename(parent) in {"site-packages", "tmp"}:
            folders.clear()


def _tree(plan_path: str) -> str:
    return os.path.dirname(os.path.realpath(plan_path))


def changed_view(store: Store, plan: Plan) -> Iterator[Finding]:
    """Find what is not in the view of a plan as it was placed; cost: as making the view."""
    if plan.runtime != runtime_entry():
        return  # another envknit made it, which alone can tell
    view, tree = Path(plan.path).parent, Path(_tree(plan.path))
    workspace = Path(tempfile.mkdtemp(prefix="envknit-"))  # the store may be read-only here
    try:
        made = workspace / tree.name
        make_tree(store, plan, made)
        yield from _differences(store, made, tree)
        here = view_name(plan, this_host(), tree_name(plan))
        if view.name == here:  # else it was made for another interpreter of this ABI
            make_view(store, plan, workspace / "view", tree=made, final=str(view), host=this_host())
            yield from _differences(store, workspace / "view", view)
    finally:
        remove_tree(workspace)


def _changed_runtime(store: Store) -> Iterator[Finding]:
    """Compare the envknit that views start with the one that runs here."""
    workspace = Path(tempfile.mkdtemp(prefix="envknit-"))
    try:
        make_runtime(workspace / "runtime")
        yield from _differences(store, workspace / "runtime", store.path(runtime_entry()))
    finally:
        remove_tree(workspace)


def _differences(store: Store, made: Path, placed: Path) -> Iterator[Finding]:
    """Compare a folder with one that was made just now, as it should be."""
    folder = os.path.relpath(placed, store.root)
    expected, found = _look(str(made)), _look(str(placed))
    for path in sorted(expected.keys() | found.keys()):
        if "__pycache__" in path and not (path in found and path in expected):
            continue  # Python writes it where it may
        if path not in found:
            yield Finding(folder=folder, path=path, kind="missing")
        elif path not in expected:
            yield Finding(folder=folder, path=path, kind="extra")
        elif expected[path] != found[path]:
            yield Finding(folder=folder, path=path, kind="changed")


def _look(top: str) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of everything in a folder, by path; of a link, where it leads."""
    found: dict[str, tuple[int, bytes]] = {}
    for parent, folders, names in os.walk(top):
        for name in (*folders, *names):
            path = os.path.join(parent, name)
            mode = os.lstat(path).st_mode
            content = b""
            if stat.S_ISLNK(mode):
                mode, content = stat.S_IFLNK, os.fsencode(os.readlink(path))
            elif stat.S_ISREG(mode):
                with suppress(OSError), open(path, "rb") as file:
                    content = file.read()
            found[os.path.relpath(path, top)] = mode, content
    return found
