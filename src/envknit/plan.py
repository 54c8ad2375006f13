"""The plan: a lock made concrete for one interpreter, the one thing that both halves of envknit read.

A plan is text, so that `cat` shows it and `split` reads it. Fields are separated by tabs, folders are
relative to the store and use `/`:

    envknit-plan 1
    abi         cpython-312-x86_64-linux-gnu
    environment default
    lock        /home/ada/app/envknit.lock.yaml       where it was when `install` ran: for messages only
    store       /home/ada/.envknit
    runtime     /usr/lib/python3/site-packages        the folder that holds the envknit which wrote this
    site        hidden                                or `visible`: system_site_packages: true
    dev         yes                                   or `no`: installed with --no-dev
    guests      click==7.1.2                          pins that plain imports do not see; no line where there are none
    pin         click 7.1.2 packages/click/7.1.2/py2.py3-none-any-dacca892 pure click-7.1.2.dist-info -
    pin         click 8.1.7 packages/click/8.1.7/py3-none-any-ae74fb96 pure click-8.1.7.dist-info -
    import      click packages/click/8.1.7/py3-none-any-ae74fb96
    startup     coverage packages/coverage/.../a1_coverage.pth
    end

A `pin` line is: name, version, folder, `pure` or `native` (has extension modules), the dist-info folder in
it, and the pins it depends on as `name==version` separated by spaces (`-` for none). An `import` line is a
top-level import name and the folders that hold it: one, or several portions of a namespace package. Pins that
must be physical neighbours share one folder.

Plans lie in `<store>/plans/<abi>/<key of the lock's bytes>/<environment>.plan`, beside `lock`, a copy of the
very bytes they were made from: a lock is trusted when these bytes equal its own. A changed lock has another key,
so a plan is never stale.
"""

from __future__ import annotations

import os
import sys

from _envknit_bootstrap import ABI, PLAN_HEADER, environment_file, home, key
from envknit.errors import PlanError

__all__ = [
    "ABI",
    "Plan",
    "PlannedPin",
    "bytecode_path",
    "environment_file",
    "home",
    "key",
    "plan_folder",
    "runtime_folder",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


class PlannedPin:
    """One pin of a plan.

    Args:
        name: canonical distribution name.
        version: normalised version.
        folder: where its files lie, relative to the store; shared by pins that must be neighbours.
        native: whether it holds extension modules.
        dist_info: its `.dist-info` folder's name within `folder`.
        dependencies: the pins it was locked with, as (name, version).
    """

    __slots__ = ("dependencies", "dist_info", "folder", "name", "native", "version")

    def __init__(
        self,
        name: str,
        version: str,
        folder: str,
        *,
        native: bool,
        dist_info: str,
        dependencies: Sequence[tuple[str, str]],
    ) -> None:
        self.name = name
        self.version = version
        self.folder = folder
        self.native = native
        self.dist_info = dist_info
        self.dependencies = tuple(dependencies)


class Plan:
    """A lock's environment, made concrete for one interpreter.

    Args:
        environment: which environment of the lock this is.
        lock: path of the lock when the plan was made, for messages.
        store: absolute path of the store that `folder`s are relative to.
        runtime: absolute path of the folder that holds the `envknit` package which wrote the plan.
        pins: what this interpreter sees, by name and version.
        imports: top-level import name to the folders that hold it.
        startup: (pin name, file) of start-up code that the project asked for, relative to the store.
        abi: the interpreter's ABI, as in the suffix of its extension modules.
        site_visible: whether the host's site-packages stay on `sys.path` behind the lock.
        dev: whether dev packages are part of it.
        guests: (name, version) of pins beside another of their name, which is the resident.
    """

    __slots__ = (
        "abi", "dev", "environment", "guests", "imports", "lock", "pins", "runtime", "site_visible", "startup", "store",
    )  # fmt: skip

    def __init__(
        self,
        *,
        environment: str,
        lock: str,
        store: str,
        runtime: str,
        pins: Sequence[PlannedPin],
        imports: dict[str, tuple[str, ...]],
        startup: Sequence[tuple[str, str]] = (),
        abi: str = ABI,
        site_visible: bool = False,
        dev: bool = True,
        guests: Collection[tuple[str, str]] = (),
    ) -> None:
        self.abi = abi
        self.environment = environment
        self.lock = lock
        self.store = store
        self.runtime = runtime
        self.pins = {(pin.name, pin.version): pin for pin in pins}
        self.imports = imports
        self.startup = tuple(startup)
        self.site_visible = site_visible
        self.dev = dev
        self.guests = frozenset(guests)

    def render(self) -> str:
        """Write the plan as text; equal plans give equal text."""
        rows: list[tuple[str, ...]] = [
            ("abi", self.abi),
            ("environment", self.environment),
            ("lock", self.lock),
            ("store", self.store),
            ("runtime", self.runtime),
            ("site", "visible" if self.site_visible else "hidden"),
            ("dev", "yes" if self.dev else "no"),
        ]
        if self.guests:
            rows.append(("guests", _joined(self.guests)))
        for _, pin in sorted(self.pins.items()):
            needs = _joined(pin.dependencies) or "-"
            kind = "native" if pin.native else "pure"
            rows.append(("pin", pin.name, pin.version, pin.folder, kind, pin.dist_info, needs))
        rows += [("import", name, *folders) for name, folders in sorted(self.imports.items())]
        rows += [("startup", *entry) for entry in self.startup]
        for row in rows:
            if any("\t" in field or "\n" in field for field in row):
                raise PlanError("a tab or line break in a name or path", row=row)
        return "\n".join([PLAN_HEADER, *map("\t".join, rows), "end", ""])

    @classmethod
    def parse(cls, text: str, origin: str = "") -> Plan:
        """Read a plan from text.

        Args:
            text: what `render` wrote.
            origin: path of the plan file, for messages.

        Raises:
            PlanError: the text is not a whole plan of this schema.
        """
        lines = text.split("\n")
        if lines[0] != PLAN_HEADER or lines[-2:] != ["end", ""]:
            raise PlanError("not a whole plan of this envknit", plan=origin, hint="run: envknit install")
        facts: dict[str, str] = {}
        pins: list[PlannedPin] = []
        imports: dict[str, tuple[str, ...]] = {}
        startup: list[tuple[str, str]] = []
        try:
            for line in lines[1:-2]:
                kind, *fields = line.split("\t")
                if kind == "import":
                    imports[fields[0]] = tuple(fields[1:])
                elif kind == "pin":
                    pins.append(_pin(*fields))
                elif kind == "startup":
                    startup.append((fields[0], fields[1]))
                else:
                    (facts[kind],) = fields
            return cls(
                environment=facts["environment"],
                lock=facts["lock"],
                store=facts["store"],
                runtime=facts["runtime"],
                pins=pins,
                imports=imports,
                startup=startup,
                abi=facts["abi"],
                site_visible=facts["site"] == "visible",
                dev=facts["dev"] == "yes",
                guests=_parted(facts.get("guests", "")),
            )
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise PlanError("a damaged plan", plan=origin, hint="run: envknit install") from error

    @classmethod
    def read(cls, path: str) -> Plan:
        """Read the plan file at `path`; PlanError where it is missing or damaged."""
        try:
            with open(path, encoding="utf-8") as file:
                return cls.parse(file.read(), path)
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError("a plan cannot be read", plan=path, hint="run: envknit install") from error


def _pin(name: str, version: str, folder: str, kind: str, dist_info: str, needs: str) -> PlannedPin:
    return PlannedPin(
        name,
        version,
        folder,
        native=kind == "native",
        dist_info=dist_info,
        dependencies=_parted(needs) if needs != "-" else (),
    )


def _joined(pins: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{name}=={version}" for name, version in sorted(pins))


def _parted(text: str) -> list[tuple[str, str]]:
    parts = [pin.partition("==") for pin in text.split()]
    return [(name, version) for name, _, version in parts]


def plan_folder(store: str, lock_bytes: bytes, abi: str = ABI) -> str:
    """Name the folder that holds the plans made of these lock bytes for this ABI."""
    return os.path.join(store, "plans", abi, key(lock_bytes))


def runtime_folder() -> str:
    """Return the folder that holds the `envknit` package which runs now."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def bytecode_path(store: str, source: str) -> str:
    """Name the file that holds the bytecode of a source file in the store, for this interpreter.

    Entries are read-only and every file in them is known, so bytecode has a folder of its own.

    Args:
        store: absolute path of the store.
        source: absolute path of a `.py` file in it.
    """
    tag = sys.implementation.cache_tag
    if sys.flags.optimize:
        tag = f"{tag}.opt-{sys.flags.optimize}"
    return f"{store}{os.sep}bytecode{os.sep}{tag}{source[len(store) :]}c"
