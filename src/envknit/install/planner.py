"""Turn the pins that an interpreter needs into a plan: import name to folders of the store."""

from __future__ import annotations

import sys
from collections import defaultdict

from _envknit_bootstrap import MODULES
from envknit.errors import InstallError
from envknit.install.selection import USUAL
from envknit.naming import canonical_name
from envknit.plan import ABI, Pin, Plan
from envknit.store.bundle import place_bundle
from envknit.view.runtime import place_runtime
from envknit.wheel.contents import NAMESPACE, Contents, read_contents
from envknit.wheel.neighbours import groups, overwritten, shared_packages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
    """
    contents = [read_contents(pin.entry, pin.chosen.pin.name, abi) for pin in placed]
    _check_guests(placed, contents, {*lock.native, *lock.pure})
    seen = [(pin, inside) for pin, inside in zip(placed, contents, strict=True) if pin.chosen.resident]
    bundles = _place_bundles([pin for pin, _ in seen], store)
    folders = [bundles.get(pin.entry.folder, pin.entry.folder) for pin in placed]
    pins = [
        Pin(
            pin.chosen.pin.name,
            pin.chosen.pin.version,
            folder,
            native=inside.native,
            dist_info=pin.entry.dist_info,
            dependencies=pin.chosen.dependencies,
            imports=inside.names,
            main=inside.main,
            resident=pin.chosen.resident,
            may_be_guest=inside.native and pin.chosen.pin.name in lock.native,
        )
        for pin, folder, inside in zip(placed, folders, contents, strict=True)
    ]
    plan = Plan(
        environment=environment,
        lock=str(lock_path),
        store=str(store.root),
        runtime=place_runtime(store),
        pins=pins,
        imports=_imports(
            [folder for pin, folder in zip(placed, folders, strict=True) if pin.chosen.resident],
            [inside for _, inside in seen],
            [pin.chosen.pin.name for pin, _ in seen],
        ),
        startup=[
            (pin.chosen.pin.name, f"{folder}/{file}")
            for pin, folder, inside in zip(placed, folders, contents, strict=True)
            if (pin.chosen.pin.name in lock.startup or pin.is_in_place) and pin.chosen.resident
            for file in inside.startup
        ],
        paths=[path for pin, inside in seen if pin.is_in_place for path in inside.folders_outside],
        shared=sorted({lender for folder in folders if (lender := store.lender(folder))}),
        built=[row for pin, _ in seen if sources and (row := sources.built(pin.chosen.pin))],
        site_visible=lock.system_site_packages,
        chosen=str(selection),
        node=lock.environments[environment].node_version if environment in lock.environments else "",
        abi=abi,
    )
    return plan, _warnings([pin for pin, _ in seen], [inside for _, inside in seen], lock.startup)


def _check_guests(placed: Sequence[PlacedPin], contents: Sequence[Contents], allowed: set[str]) -> None:
    """Refuse what would be refused when it is imported: the lock knows wheels only by their names, and sdists not."""
    for pin, inside in zip(placed, contents, strict=True):
        name = pin.chosen.pin.name
        if inside.native and not pin.chosen.resident and name not in allowed:
            raise InstallError(
                f"{pin.title} has extension modules, so it cannot be loaded beside the other version in the lock",
                hint=f"if it can do without them: `pure: [{name}]` in the project; else allow them, on Linux:"
                f" `native: [{name}]`; or give what depends on it an environment of its own, and reach it through"
                f" envknit.worker(); or ask for versions that agree on {name}",
            )


def _place_bundles(placed: Sequence[PlacedPin], store: Store) -> Mapping[str, str]:
    """Place the bundles of an environment; returns entry folder to bundle folder."""
    own = [pin.entry for pin in placed if pin.entry.note is not None]
    found = {}
    for group in groups(own):
        bundle = place_bundle(store, group)
        found.update(dict.fromkeys((entry.folder for entry in group), bundle))
    return found


def _imports(folders: Sequence[str], contents: Sequence[Contents], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Join the import names of all pins as one folder would: a package hides modules, both hide namespace portions.

    A pin of the import name's own name comes before others: an `install_path` may bundle copies of its dependencies.
    """
    offers: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for folder, inside, pin in zip(folders, contents, names, strict=True):
        for name, kind, within in inside.imports:
            at = 0 if canonical_name(name) == pin else len(offers[name])
            offers[name].insert(at, (kind, f"{folder}/{within}" if within else folder))
    imports = {}
    for name, found in offers.items():
        if name in _OWN_NAMES:
            continue
        best = min(kind for kind, _ in found)
        holders = dict.fromkeys(folder for kind, folder in found if kind == best)
        imports[name] = tuple(holders) if best == NAMESPACE else (next(iter(holders)),)
    return imports


def _warnings(placed: Sequence[PlacedPin], contents: Sequence[Contents], startup: Sequence[str]) -> list[str]:
    titles = {pin.entry.folder: pin.title for pin in placed}
    entries = [pin.entry for pin in placed]
    found = []
    for pin, inside in zip(placed, contents, strict=True):
        if pin.is_in_place:
            continue
        if inside.startup and pin.chosen.pin.name not in startup:
            files = ", ".join(inside.startup)
            found.append(
                f"{pin.title} has code that wants to run when Python starts ({files}), which does not run here;"
                f" name {pin.chosen.pin.name} under `startup` in the project if it shall"
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
