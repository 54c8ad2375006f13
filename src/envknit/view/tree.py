"""The tree of a view: what it shares with the views of other interpreters, as relative links into the store.

    plan
    lib/python3.X/site-packages/    a link for each top-level name; a real folder only where several entries share one
    share/ etc/ include/ ...        from the `.data` folders of wheels, likewise

Python's own finder must find here what ours finds in the plan, so the plan decides which entry a name belongs to.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from typing import NamedTuple

from envknit.store.disk import seal
from envknit.store.entry import data_folder
from envknit.view.host import site_packages_of
from envknit.view.runtime import HOOK
from envknit.wheel.contents import module_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envknit.plan import Plan
    from envknit.store.store import Store

_DEPTH = 6  # of a tree in the store: plans/2/<abi>/<key>/trees/<digest>
_START_UP = (".pth", ".start")  # run by the hook, where the project asks for it


class _Offer(NamedTuple):
    """One name that a folder of the store offers."""

    name: str
    path: str  # relative to the store, or absolute
    is_folder: bool


def make_tree(store: Store, plan: Plan, into: Path) -> None:
    """Make the tree of a plan in a new folder, read-only.

    Args:
        store: where the pins are.
        plan: which pins.
        into: does not exist yet; it has to be moved to where it belongs, or its links lead nowhere.

    Cost: one listing a pin, and a link for each of its top-level names.
    """
    site_packages = site_packages_of(plan.abi)
    site = into / site_packages
    site.mkdir(parents=True)
    (into / "plan").write_bytes(plan.render().encode(errors="surrogateescape"))
    (into / "plan").chmod(0o444)
    depth = _DEPTH + site_packages.count("/") + 1
    for name in (*HOOK, "envknit"):  # first: these names never come from a package
        if os.path.exists(os.path.join(store.root, plan.runtime, name)):
            up = "" if os.path.isabs(plan.runtime) else "../" * depth
            (site / name).symlink_to(f"{up}{plan.runtime}/{name}")
    if plan.paths:  # for tools that read `.pth` files; a Python with the hook has them from the plan
        (site / "_own_folders.pth").write_text("".join(f"{path}\n" for path in plan.paths), encoding="utf-8")
    links = _Links(str(store.root), plan.abi)
    links.add(str(site), depth, _importable(links, plan))
    links.add(str(into), _DEPTH, _under_the_prefix(links, plan))
    if sys.platlibdir != "lib":
        (into / sys.platlibdir).symlink_to("lib")
    seal(into)


def _importable(links: _Links, plan: Plan) -> Iterator[_Offer]:
    """List what site-packages holds: what the plan says of each import name, and all that is no import name."""
    folders = dict.fromkeys(pin.folder for pin in plan.pins.values() if pin.resident)
    for folder in folders:
        for offer in links.listed(folder):
            name = _import_name(offer, plan.abi)
            if name is None:
                if not _stays_out(offer.name):
                    yield offer
            elif folder in plan.imports.get(name, ()):
                yield offer
    # A `.pth` of a wheel can make a folder within it importable: what lies there gets its link at the top
    inner = {folder for holders in plan.imports.values() for folder in holders if folder not in folders}
    for folder in sorted(inner):
        for offer in links.listed(folder):
            if folder in plan.imports.get(_import_name(offer, plan.abi) or "", ()):
                yield offer


def _under_the_prefix(links: _Links, plan: Plan) -> Iterator[_Offer]:
    for pin in plan.pins.values():
        if pin.resident and pin.dist_info:
            yield from (
                each for each in links.listed(f"{pin.folder}/{data_folder(pin.dist_info)}") if each.name != "bin"
            )


def _import_name(offer: _Offer, abi: str) -> str | None:
    if offer.is_folder:
        return offer.name if "." not in offer.name else None
    return module_name(offer.name, abi)


def _stays_out(name: str) -> bool:
    return name.endswith((".data", *_START_UP))


class _Links:
    """Makes links to what lies in the store."""

    def __init__(self, root: str, abi: str) -> None:
        self._root = root
        self._abi = abi

    def listed(self, folder: str) -> list[_Offer]:
        """List what a folder of the store holds, but for caches; nothing where there is none."""
        try:
            with os.scandir(os.path.join(self._root, folder)) as found:
                items = [_Offer(item.name, f"{folder}/{item.name}", item.is_dir()) for item in found]
        except FileNotFoundError:
            return []
        return sorted(item for item in items if item.name != "__pycache__")

    def add(self, target: str, depth: int, offers: Iterable[_Offer]) -> None:
        """Link what is offered into a folder; names that several offer are merged, in their order.

        Args:
            target: the folder; what it has already stays, and its folders take more.
            depth: how deep it will lie in the store.
            offers: what belongs into it.
        """
        named: Mapping[str, list[_Offer]] = defaultdict(list)
        for offer in offers:
            named[offer.name].append(offer)
        there = {item.name: item.is_dir(follow_symlinks=False) for item in os.scandir(target)}
        for name, same in named.items():
            if name in there:
                if there[name]:
                    self._merge(f"{target}/{name}", depth + 1, same)
            elif len(same) == 1 or not all(offer.is_folder for offer in same):
                self._link(f"{target}/{name}", depth, same[0])
            elif regular := [offer for offer in same if self._is_regular(offer)]:
                self._link(f"{target}/{name}", depth, regular[0])
            else:
                os.mkdir(f"{target}/{name}")
                self._merge(f"{target}/{name}", depth + 1, same)

    def _merge(self, target: str, depth: int, folders: Sequence[_Offer]) -> None:
        self.add(target, depth, [each for folder in folders if folder.is_folder for each in self.listed(folder.path)])

    def _link(self, place: str, depth: int, offer: _Offer) -> None:
        os.symlink(offer.path if os.path.isabs(offer.path) else "../" * depth + offer.path, place)

    def _is_regular(self, offer: _Offer) -> bool:
        return any(module_name(each.name, self._abi) == "__init__" for each in self.listed(offer.path))
