"""The plan: a lock made concrete for one interpreter, the one thing that both halves of envknit read.

A plan is text, so that `cat` shows it and `split` reads it. Fields are separated by tabs, folders are
relative to the store and use `/`:

    envknit-plan 2
    abi         cpython-312-x86_64-linux-gnu
    environment default
    lock        /home/ada/app/envknit.lock.yaml       where it was when `install` ran: for messages only
    runtime     packages/site-packages/envknit=...    the folder that holds the envknit which wrote this
    site        hidden                                or `visible`: system_site_packages: true
    chosen      --group docs                          how `install` was told which groups and extras; `-`: as usual
    pin         click 7.1.2 packages/... pure click-7.1.2.dist-info - click click guest
    pin         flask 3.0.3 packages/... pure flask-3.0.3.dist-info click==8.1.7 flask flask resident
    import      flask packages/...
    node        ==20.*                                which Node `run` puts on PATH; this line is there if any
    shared      /opt/envknit                          a store of others to which links of this one lead
    path        /home/ada/app/src                     a folder of the person's own, behind the view on `sys.path`
    built       app /home/ada/app 0f3c...             a folder of the person's own, and the state that was built
    startup     coverage packages/.../a1_coverage.pth
    end

A `pin` line is: name, version, folder, `pure`, `native` (has extension modules) or `native-guest` (has them, and the
project allows it as a guest all the same), the dist-info folder in it, the pins it depends on (`name==version`,
separated by spaces), its import names (separated by spaces), its main module, and `resident` or `guest`; `-` stands for
none. A guest stands beside another pin of its name, which is the one that plain
imports get. An `import` line is a top-level import name and the folders that hold it: one, or several portions of a
namespace package. Pins that must be physical neighbours share one folder.

    <store>/plans/2/<abi>/<key of the lock's bytes>/
        lock                                a copy of the very bytes: a lock is trusted when they equal its own
        environments/<environment>          link to the current view; `<environment>@<tag>` for one interpreter
        views/<environment>-<digest>/plan   what is in use; it never changes
"""

from __future__ import annotations

import os

from _envknit_bootstrap import SHARED, USER, home
from _envknit_plans import (
    ABI,
    PLAN_FORMAT,
    PLAN_HEADER,
    SITE_PACKAGES,
    current_plan,
    interpreter_tag,
    key,
    lock_key,
    plans_folder,
    root_folder,
    store_of,
)
from envknit.errors import PlanError
from envknit.regular import read_regular

__all__ = [
    "ABI",
    "PLAN_FORMAT",
    "SHARED",
    "SITE_PACKAGES",
    "USER",
    "Pin",
    "Plan",
    "current_plan",
    "current_plans",
    "home",
    "interpreter_tag",
    "key",
    "load_plan",
    "lock_key",
    "plans_folder",
    "read_plan",
    "root_folder",
    "runtime_folder",
    "store_of",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Label = tuple[str, str, str]  # name, version, folder
    Links = tuple[Label, frozenset[tuple[Label, Label]]]


class Pin:
    """One pin of a plan.

    Args:
        name: canonical distribution name.
        version: normalised version.
        folder: where its files lie, relative to the store; shared by pins that must be neighbours.
        native: whether it holds extension modules.
        may_be_guest: whether the project allows it beside another version, though it holds them.
        dist_info: its `.dist-info` folder's name within `folder`.
        dependencies: the pins it was locked with, as (name, version).
        imports: the top-level import names that its wheel ships, sorted.
        main: the dotted name of the module that stands for it; `""` where it has none.
        resident: whether plain imports get it; a guest stands beside the resident of its name.
    """

    __slots__ = (
        "dependencies", "dist_info", "folder", "imports", "main", "may_be_guest", "name", "native", "resident",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        version: str,
        folder: str,
        *,
        native: bool,
        dist_info: str,
        dependencies: Sequence[tuple[str, str]],
        imports: Sequence[str] = (),
        main: str = "",
        resident: bool = True,
        may_be_guest: bool = False,
    ) -> None:
        self.may_be_guest = may_be_guest
        self.name = name
        self.version = version
        self.folder = folder
        self.native = native
        self.dist_info = dist_info
        self.dependencies = tuple(dependencies)
        self.imports = tuple(imports)
        self.main = main
        self.resident = resident

    def is_at(self, folder: str) -> bool:
        """Tell whether a folder, relative to the store, is its own or lies in it."""
        return folder == self.folder or folder.startswith(self.folder + "/")

    def row(self) -> tuple[str, ...]:
        """Return the fields of its line."""
        needs = " ".join(f"{name}=={version}" for name, version in sorted(self.dependencies))
        kind = ("native-guest" if self.may_be_guest else "native") if self.native else "pure"
        role = "resident" if self.resident else "guest"
        names = " ".join(self.imports)
        texts = (self.folder, kind, self.dist_info, needs, names, self.main, role)
        return (self.name, self.version, *(text or "-" for text in texts))

    @classmethod
    def from_row(cls, *row: str) -> Pin:
        """Read the fields of its line."""
        name, version, folder, kind, dist_info, needs, names, main, role = ("" if text == "-" else text for text in row)
        parts = [need.partition("==") for need in needs.split()]
        return cls(
            name,
            version,
            folder,
            native=kind != "pure",
            may_be_guest=kind == "native-guest",
            dist_info=dist_info,
            dependencies=[(other, locked) for other, _, locked in parts],
            imports=names.split(),
            main=main,
            resident=role == "resident",
        )


class Plan:
    """A lock's environment, made concrete for one interpreter.

    Args:
        environment: which environment of the lock this is.
        lock: path of the lock when the plan was made, for messages.
        path: where the plan file lies; `""` before it is written.
        store: absolute path of the store that `folder`s are relative to; a plan file says it by where it lies.
        runtime: the folder that holds the `envknit` package which wrote the plan, relative to the store or absolute.
        pins: what this interpreter sees, by name and version.
        imports: top-level import name to the folders that hold it, for plain imports.
        shared: absolute paths of other stores that some of its entries are linked from.
        paths: folders of the person's own that stand behind the view on `sys.path`, in order.
        built: (pin name, folder, digest) of what was built out of folders of the person's own; see `install.own`.
        startup: (pin name, file) of start-up code that the project asked for, relative to the store.
        abi: the interpreter's ABI, as in the suffix of its extension modules.
        site_visible: whether the host's site-packages stay on `sys.path` behind the lock.
        chosen: the options of `install` that say which groups and extras are part of it; `""`: none.
        node: which Node versions the environment is for, a specifier; `""`: none.
    """

    __slots__ = (
        "abi", "built", "chosen", "environment", "imports", "lock", "node", "path", "paths", "pins", "runtime",
        "shared", "site_visible", "startup", "store",
    )  # fmt: skip

    def __init__(
        self,
        *,
        environment: str,
        lock: str,
        store: str,
        runtime: str,
        pins: Iterable[Pin],
        imports: dict[str, tuple[str, ...]],
        shared: Sequence[str] = (),
        paths: Sequence[str] = (),
        built: Sequence[tuple[str, str, str]] = (),
        startup: Sequence[tuple[str, str]] = (),
        abi: str = ABI,
        site_visible: bool = False,
        chosen: str = "",
        node: str = "",
        path: str = "",
    ) -> None:
        self.path = path
        self.abi = abi
        self.environment = environment
        self.lock = lock
        self.store = store
        self.runtime = runtime
        self.pins = {(pin.name, pin.version): pin for pin in pins}
        self.imports = imports
        self.shared = tuple(shared)
        self.paths = tuple(paths)
        self.built = tuple(built)
        self.startup = tuple(startup)
        self.site_visible = site_visible
        self.chosen = chosen
        self.node = node

    def render(self) -> str:
        """Write the plan as text; equal plans give equal text."""
        rows: list[tuple[str, ...]] = [
            ("abi", self.abi),
            ("environment", self.environment),
            ("lock", self.lock),
            ("runtime", self.runtime),
            ("site", "visible" if self.site_visible else "hidden"),
            ("chosen", self.chosen or "-"),
        ]
        rows += [("pin", *pin.row()) for _, pin in sorted(self.pins.items())]
        rows += [("import", name, *folders) for name, folders in sorted(self.imports.items())]
        rows += [("node", self.node)] if self.node else []
        rows += [("shared", store) for store in self.shared]
        rows += [("path", folder) for folder in self.paths]
        rows += [("built", *row) for row in self.built]
        rows += [("startup", *entry) for entry in self.startup]
        for row in rows:
            if any("\t" in field or "\n" in field for field in row):
                raise PlanError("a tab or line break in a name or path", row=row)
        return "\n".join([PLAN_HEADER, *map("\t".join, rows), "end", ""])

    @property
    def identity(self) -> str:
        """The text but for where the lock lay: a second worktree with the same lock has the same plan."""
        return self.render().replace(f"\nlock\t{self.lock}\n", "\n", 1)

    @classmethod
    def parse(cls, text: str, origin: str = "") -> Plan:
        """Read a plan from text.

        Args:
            text: what `render` wrote.
            origin: path of the plan file; it says which store is meant.

        Raises:
            PlanError: the text is not a whole plan of this format.
        """
        lines = text.split("\n")
        if lines[0] != PLAN_HEADER or lines[-2:] != ["end", ""]:
            raise PlanError("not a whole plan of this envknit", plan=origin, hint="run: envknit install")
        facts: dict[str, str] = {}
        rows: dict[str, list[list[str]]] = {
            "pin": [],
            "import": [],
            "shared": [],
            "path": [],
            "built": [],
            "startup": [],
        }
        try:
            for line in lines[1:-2]:
                kind, *fields = line.split("\t")
                if kind in rows:
                    rows[kind].append(fields)
                else:
                    (facts[kind],) = fields
            return cls(
                environment=facts["environment"],
                lock=facts["lock"],
                store=store_of(origin),
                runtime=facts["runtime"],
                pins=[Pin.from_row(*row) for row in rows["pin"]],
                imports={name: tuple(folders) for name, *folders in rows["import"]},
                shared=[store for (store,) in rows["shared"]],
                paths=[folder for (folder,) in rows["path"]],
                built=[(pin, folder, digest) for pin, folder, digest in rows["built"]],
                startup=[(pin, file) for pin, file in rows["startup"]],
                abi=facts["abi"],
                site_visible=facts["site"] == "visible",
                chosen="" if facts["chosen"] == "-" else facts["chosen"],
                node=facts.get("node", ""),
                path=origin,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PlanError("a damaged plan", plan=origin, hint="run: envknit install") from error

    @classmethod
    def read(cls, path: str) -> Plan:
        """Read the plan file at `path`; PlanError where it is missing or damaged."""
        try:
            return cls.parse(read_plan(path), path)
        except OSError as error:
            raise PlanError("a plan cannot be read", plan=path, hint="run: envknit install") from error

    @property
    def view(self) -> str:
        """The folder shaped like a virtual environment in which it lies."""
        return os.path.dirname(self.path)

    @property
    def lock_folder(self) -> str:
        """The folder of everything that was installed from the same lock for its ABI; see `plans_folder`."""
        return self.path.rsplit(os.sep, 3)[0]

    def closure(self, pin: Pin) -> list[Pin]:
        """Return a pin and all that it depends on, nearest first."""
        found = {pin: None}
        ahead = [pin]
        for each in ahead:  # grows while it is walked
            for dependency in each.dependencies:
                needed = self.pins.get(dependency)
                if needed is not None and needed not in found:
                    found[needed] = None
                    ahead.append(needed)
        return ahead

    def links(self, pin: Pin) -> Links:
        """Return what makes a pin equal to one of another plan: itself, and every edge that can be reached from it."""
        closure = {(each.name, each.version): (each.name, each.version, each.folder) for each in self.closure(pin)}
        edges = {
            (closure[key], closure[dependency])
            for key in closure
            for dependency in self.pins[key].dependencies
            if dependency in closure
        }
        return closure[pin.name, pin.version], frozenset(edges)

    def providers(self, head: str) -> list[Pin]:
        """Return the residents that plain imports of a name come from: one for each portion of a namespace package."""
        found = []
        for folder in self.imports.get(head, ()):
            there = [pin for pin in self.pins.values() if pin.resident and pin.is_at(folder)]
            found += ([pin for pin in there if head in pin.imports] or there)[:1]  # neighbours share a folder
        return found

    def folder_of(self, pin: Pin, head: str) -> str:
        """Return the folder that holds a top-level name of a pin: a `.pth` file can lead to one within its own."""
        return next((folder for folder in self.imports.get(head, ()) if pin.is_at(folder)), pin.folder)

    def lost(self) -> list[str]:
        """Name the pins whose folders are gone from the store; cost: one `stat` a pin."""
        gone = [pin for pin in self.pins.values() if not os.path.isdir(os.path.join(self.store, pin.folder))]
        return [f"{pin.name} {pin.version}" for pin in gone]


_loaded: dict[str, Plan] = {}


def load_plan(path: str) -> Plan:
    """Read a plan file, once a process: it never changes once it is placed."""
    plan = _loaded.get(path)
    if plan is None:
        plan = _loaded[path] = Plan.read(path)
    return plan


def read_plan(path: str | os.PathLike[str]) -> str:
    """Read the text of a plan file, in which paths need not be UTF-8; OSError where it is no regular file."""
    return read_regular(path).decode(errors="surrogateescape")


def current_plans(folder: str) -> dict[str, str]:
    """Return the plan file of each environment that was installed from one lock, `default` first.

    Args:
        folder: of the lock; see `plans_folder`.
    """
    try:
        links = os.listdir(os.path.join(folder, "environments"))
    except OSError:
        return {}
    names = sorted({link.partition("@")[0] for link in links}, key=lambda name: (name != "default", name))
    return {name: plan for name in names if (plan := current_plan(folder, name))}


def runtime_folder() -> str:
    """Return the folder that holds the `envknit` package which runs now."""
    return os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # a view has a link to it
