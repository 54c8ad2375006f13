"""What an entry offers to a program: import names, extension modules, folders of `.pth` files, start-up code.

The tree decides, not the metadata's `Import-Name` (PEP 794): what is importable in site-packages is importable from the
store, whether its author declared it or not (mypyc's helper modules never are).
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cache
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES

from envknit.naming import main_module
from envknit.plan import ABI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envknit.store.entry import Entry

# The order in which one folder decides what a name means
REGULAR, MODULE, NAMESPACE = range(3)

_CUSTOMIZE = frozenset({"sitecustomize", "usercustomize"})
_OLD_NAMESPACE = ("extend_path", "declare_namespace")  # pkgutil's and pkg_resources' ways before PEP 420


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What one entry offers.

    Args:
        imports: (import name, REGULAR, MODULE or NAMESPACE, folder within the entry that holds it).
        names: those of them under which there is code, sorted.
        main: the dotted name of the module that stands for the distribution; `""` where there is none.
        native: whether it has extension modules for this interpreter.
        startup: files with code that wants to run when Python starts, sorted.
        outside: lines of `.pth` files that lead out of the entry, and are not honoured.
    """

    imports: tuple[tuple[str, int, str], ...]
    names: tuple[str, ...]
    main: str
    native: bool
    startup: tuple[str, ...]
    outside: tuple[str, ...]

    @property
    def folders_outside(self) -> list[str]:
        """The absolute folders that `.pth` lines lead to; they count for what the person builds in place."""
        lines = [line.partition(": ")[2] for line in self.outside]
        return [posixpath.normpath(line) for line in lines if line.startswith("/")]


def read_contents(entry: Entry, distribution: str, abi: str = ABI) -> Contents:
    """Find out what an entry offers.

    Args:
        entry: the entry.
        distribution: canonical name of the distribution; its main module is often named like it.
        abi: of the interpreter that is meant.

    Cost: its `.pth` files are read, nothing else.
    """
    paths = [file.path for file in entry.files]
    roots = [name for name in paths if "/" not in name]
    folders, coded, outside = _path_files(entry, [name for name in roots if name.endswith(".pth")])
    starts = {name for name in roots if name.endswith(".start")}
    startup = sorted(starts | {name for name in coded if name[:-4] + ".start" not in starts})  # PEP 829
    startup += sorted(f"{name}.py" for name in _CUSTOMIZE if f"{name}.py" in roots)
    held = _held(paths, ["", *folders])
    imports = [
        (name, kind, folder) for folder, inside in held.items() for name, kind in _top_level(inside, abi).items()
    ]
    modules = {module for inside in held.values() for module in _modules(inside, abi)}
    coded_names = {_head(module) for module in modules}
    kinds = {name: kind for name, kind, _ in reversed(imports) if name in coded_names and " " not in name}
    spaces = {name for name, kind in kinds.items() if kind == NAMESPACE}
    return Contents(
        imports=tuple(imports),
        names=tuple(sorted(kinds)),
        main=main_module(distribution, kinds, spaces, (name for name in modules if _head(name) in spaces)),
        native=any(_is_extension(path, abi) for path in paths),
        startup=tuple(startup),
        outside=tuple(outside),
    )


@cache
def _native(abi: str) -> tuple[str, ...]:
    """List how the names of extension modules end that an interpreter of this ABI imports, the first choice first."""
    limited = () if abi.partition("-")[2].partition("-")[0].endswith("t") else (".abi3.so",)
    return tuple(EXTENSION_SUFFIXES) if abi == ABI else (f".{abi}.so", *limited, ".so")


def _is_extension(path: str, abi: str) -> bool:
    """Tell whether an interpreter of this ABI could import the file as an extension module."""
    folder, _, name = path.rpartition("/")
    return name.endswith(_native(abi)) and module_name(name, abi) is not None and "." not in folder


def is_old_namespace(entry: Entry, package: str) -> bool:
    """Tell whether a package's `__init__.py` is the boilerplate that shares its name with other distributions."""
    text = entry.read_text(f"{package}/__init__.py")
    return any(word in text for word in _OLD_NAMESPACE)


def _held(paths: Iterable[str], folders: Iterable[str]) -> dict[str, list[str]]:
    """List what lies in each of these folders, at any depth; cost: once the parents of each path."""
    held: dict[str, list[str]] = {folder: [] for folder in folders}
    for path in paths:
        held[""].append(path)
        at = path.find("/")
        while at > 0:
            if path[:at] in held:
                held[path[:at]].append(path[at + 1 :])
            at = path.find("/", at + 1)
    return held


def _top_level(paths: Iterable[str], abi: str) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for path in paths:
        first, _, rest = path.partition("/")
        if rest:
            name: str | None = first if "." not in first and first != "__pycache__" else None
            kind = REGULAR if "/" not in rest and module_name(rest, abi) == "__init__" else NAMESPACE
        else:
            name, kind = module_name(first, abi), MODULE
        if name and name not in _CUSTOMIZE:
            kinds[name] = min(kind, kinds.get(name, NAMESPACE))
    return kinds


def _modules(paths: Iterable[str], abi: str) -> Iterator[str]:
    """List the dotted names of all modules and regular packages in a folder that is on `sys.path`."""
    for path in paths:
        parent, _, file = path.rpartition("/")
        name = module_name(file, abi)
        if name and "." not in parent and "__pycache__" not in parent:
            yield ".".join(filter(None, [*parent.split("/"), "" if name == "__init__" else name]))


def _head(module: str) -> str:
    return module.partition(".")[0]


def module_name(name: str, abi: str = ABI) -> str | None:
    """Return the name under which an interpreter of this ABI could import a file; None where it cannot."""
    for suffix in (*_native(abi), *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES):
        if name.endswith(suffix) and name[: -len(suffix)].replace("_", "a").isalnum():
            return name[: -len(suffix)]
    return None


def _path_files(entry: Entry, names: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Read `.pth` files: folders within the entry, files with `import` lines, and lines that lead elsewhere."""
    folders: dict[str, None] = {}  # in order
    coded: list[str] = []
    outside: list[str] = []
    for name in sorted(names):
        if name.startswith("."):
            continue  # `site` skips hidden ones too
        for line in entry.read_text(name).removeprefix("\ufeff").splitlines():
            text = line.rstrip()
            if not text or text.startswith("#"):
                continue
            if text.startswith(("import ", "import\t")):
                coded.append(name)
                continue
            folder = posixpath.normpath(text)
            if folder.startswith(("/", "..")):
                outside.append(f"{name}: {text}")
            elif folder != ".":
                folders[folder] = None
    return list(folders), coded, outside
