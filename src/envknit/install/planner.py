"""Turn the pins that an interpreter needs into a plan: import name to folders of the store."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, replace

from _envknit_bootstrap import MODULES
from envknit.install.guests import check_guests
from envknit.install.selection import USUAL
from envknit.naming import canonical_name
from envknit.plan import ABI, Pin, Plan
from envknit.store.bundle import place_bundle
from envknit.view.runtime import place_runtime
from envknit.wheel.contents import NAMESPACE, Contents, read_contents
from envknit.wheel.neighbours import groups, overwritten, shared_packages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from envknit.files.model import Lock
    from envknit.install.choose import PlacedPin
    from envknit.install.selection import Selection
    from envknit.install.sources import Sources
    from envknit.store.store import Store


# They are those of the envknit that runs, whatever is locked
_OWN_NAMES = frozenset({"envknit", "_envknit_bootstrap", *MODULES})


def make_plan(
    lock: Lock,
    environment: str,
    placed: Sequence[PlacedPin],
    *,
    store: Store,
    lock_path: Path,
    selection: Selection = USUAL,
    sources: Sources | None = None,
    abi: str = ABI,
) -> tuple[Plan, list[str]]:
    """Make the plan of one environment, placing the bundles that it needs.

    Args:
        lock: says which pins may run start-up code, and whether the host's packages stay visible.
        environment: its name.
        placed: its pins, sorted by name and version.
        store: where the entries are.
        lock_path: for messages of the program side.
        selection: which groups and extras these are.
        sources: knows which pins are folders of the person's own.
        abi: of the interpreter that it is for.

    Returns:
        The plan, and what the person should know: one sentence each.

    Raises:
        InstallError: a guest has extension modules, and cannot do without them.
    """
    rows = [_Row(pin, read_contents(pin.entry, pin.chosen.pin.name, abi), pin.entry.folder) for pin in placed]
    bundles = _place_bundles([row.pin for row in rows if row.is_resident], store)
    rows = [replace(row, folder=bundles.get(row.folder, row.folder)) for row in rows]
    resident = [row for row in rows if row.is_resident]
    plan = Plan(
        environment=environment,
        lock=str(lock_path),
        store=str(store.root),
        runtime=place_runtime(store),
        pins=[row.planned(lock.native) for row in rows],
        imports=_imports(resident),
        startup=[
            (row.name, f"{row.folder}/{file}")
            for row in resident
            if row.name in lock.startup or row.pin.is_in_place
            for file in row.inside.startup
        ],
        paths=[path for row in resident if row.pin.is_in_place for path in row.inside.folders_outside],
        shared=sorted({lender for row in rows if (lender := store.lender(row.folder))}),
        built=[built for row in resident if sources and (built := sources.built(row.pin.chosen.pin))],
        site_visible=lock.system_site_packages,
        chosen=str(selection),
        node=lock.environments[environment].node_version if environment in lock.environments else "",
        abi=abi,
    )
    check_guests(plan, {*lock.native, *lock.pure})
    return plan, _warnings(resident, lock.startup)


@dataclass(frozen=True)
class _Row:
    """A pin on its way into a plan: what its entry holds, and the folder of the store that it is imported from."""

    pin: PlacedPin
    inside: Contents
    folder: str

    @property
    def name(self) -> str:
        return self.pin.chosen.pin.name

    @property
    def is_resident(self) -> bool:
        return self.pin.chosen.resident

    def planned(self, native: Collection[str]) -> Pin:
        """Return the line of the plan; `native` are the names whose extension modules may load in guests."""
        return Pin(
            self.name,
            self.pin.chosen.pin.version,
            self.folder,
            native=self.inside.native,
            dist_info=self.pin.entry.dist_info,
            dependencies=self.pin.chosen.dependencies,
            imports=self.inside.names,
            main=self.inside.main,
            resident=self.is_resident,
            may_be_guest=self.inside.native and self.name in native,
        )


def _place_bundles(placed: Sequence[PlacedPin], store: Store) -> Mapping[str, str]:
    """Place the bundles of an environment; returns entry folder to bundle folder."""
    own = [pin.entry for pin in placed if pin.entry.note is not None]
    found = {}
    for group in groups(own):
        bundle = place_bundle(store, group)
        found.update(dict.fromkeys((entry.folder for entry in group), bundle))
    return found


def _imports(rows: Sequence[_Row]) -> dict[str, tuple[str, ...]]:
    """Join the import names of all pins as one folder would: a package hides modules, both hide namespace portions.

    A pin of the import name's own name comes before others: an `install_path` may bundle copies of its dependencies.
    """
    offers: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in rows:
        for name, kind, within in row.inside.imports:
            at = 0 if canonical_name(name) == row.name else len(offers[name])
            offers[name].insert(at, (kind, f"{row.folder}/{within}" if within else row.folder))
    imports = {}
    for name, found in offers.items():
        if name in _OWN_NAMES:
            continue
        best = min(kind for kind, _ in found)
        holders = dict.fromkeys(folder for kind, folder in found if kind == best)
        imports[name] = tuple(holders) if best == NAMESPACE else (next(iter(holders)),)
    return imports


def _warnings(rows: Sequence[_Row], startup: Sequence[str]) -> list[str]:
    titles = {row.pin.entry.folder: row.pin.title for row in rows}
    entries = [row.pin.entry for row in rows]
    found = []
    for row in rows:
        pin, inside = row.pin, row.inside
        if pin.is_in_place:
            continue
        if inside.startup and row.name not in startup:
            files = ", ".join(inside.startup)
            found.append(
                f"{pin.title} has code that wants to run when Python starts ({files}), which does not run here;"
                f" name {row.name} under `startup` in the project if it shall"
            )
        if inside.outside:
            more = f", and {len(inside.outside) - 1} more" if inside.outside[1:] else ""
            found.append(f"{pin.title} wants a folder outside of itself on sys.path ({inside.outside[0]}{more})")
        hidden = sorted({name for name, _, _ in inside.imports} & sys.stdlib_module_names)
        if hidden:
            found.append(f"{pin.title} ships {', '.join(hidden)}, which the standard library has: that one is imported")
    for package, holders in shared_packages(entries):
        names = " and ".join(titles[entry.folder] for entry in holders)
        found.append(f"{names} ship the same top-level package {package!r}")
    for one, other, paths in overwritten(entries):
        more = f" and {len(paths) - 1} more files" if len(paths) > 1 else ""
        found.append(
            f"{titles[one.folder]} and {titles[other.folder]} both ship {paths[0]}{more} with different contents;"
            f" those of {titles[one.folder]} are used"
        )
    return found
