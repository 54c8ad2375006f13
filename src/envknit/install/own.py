"""Code of the person's own: folders that a lock names, built where they lie; and whether they were changed since.

Standard library only, and nothing heavy: an install that has nothing to do looks here, too.
"""

from __future__ import annotations

import os

from envknit.plan import ABI, key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What decides how a folder is built lies at its top; Python files do not, since they are used where they lie
_DECIDING = frozenset(
    {
        "pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in", "meson.build", "meson_options.txt", "CMakeLists.txt",
        "Cargo.toml", "Cargo.lock", "build.rs", "hatch_build.py", "build.py", "VERSION",
    }
)  # fmt: skip
_COMPILED = (
    ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".pyx", ".pxd", ".pxi", ".f", ".f90", ".rs", ".cu", ".i", ".swg",
    "meson.build", "CMakeLists.txt",
)  # fmt: skip
_SEPARATORS = bytes.maketrans(b"\0\"'`,;:=()[]{}<>", b" " * 16)
_PURE = (b"flit_core", b"hatchling", b"poetry.core", b"pdm.backend", b"uv_build")  # build nothing but what hooks add
_HOOKS = (b".hooks", b"[tool.poetry.build]", b"[tool.pdm.build]")
_SKIPPED = frozenset({"__pycache__", "build", "dist", "node_modules", "target"})


def digest_of(folder: str, *, in_place: bool) -> str:
    """Name the state of a folder that is built, by what decides the outcome: 32 hexadecimal digits.

    Args:
        folder: absolute path of the source.
        in_place: whether its Python files are used where they lie, so that only the rest decides.

    Cost: reads the files that say how it is built; where those may compile something, or it is copied, a stat a file.
    """
    parts = [os.path.realpath(folder), ABI if in_place else ""]
    texts = _read(folder, _DECIDING.intersection(os.listdir(folder)))
    whole = b"\0".join(texts.values())
    texts |= _read(folder, _named(whole))
    parts += (f"{name} {key(text)}" for name, text in sorted(texts.items()))
    pure = any(word in whole for word in _PURE) and not any(word in whole for word in _HOOKS)
    if not in_place:
        parts += _states(folder, "")
    elif not pure:
        parts += _states(folder, _COMPILED)
    return key("\0".join(parts).encode(errors="surrogateescape"))


def _read(folder: str, names: Iterable[str]) -> dict[str, bytes]:
    found = {}
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                found[name] = file.read()
    return found


def _named(text: bytes) -> set[str]:
    """Find the files that a build reads what it needs from, by their names: `dependencies = {file = ["base.txt"]}`."""
    words = text.translate(_SEPARATORS).split()
    return {os.fsdecode(word) for word in words if word.endswith((b".txt", b".in"))}


def changed(built: Iterable[tuple[str, str, str]]) -> list[str]:
    """Name the pins whose folders are not in the state that was built; see `Plan.built`."""
    found = []
    for name, folder, digest in built:
        try:
            same = digest in (digest_of(folder, in_place=True), digest_of(folder, in_place=False))
        except OSError:
            same = False
        if not same:
            found.append(name)
    return found


def _states(folder: str, endings: str | tuple[str, ...]) -> Iterator[str]:
    """Give path, size and time of every file with one of these endings; what builds and tools leave is passed over."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED
            and not name.startswith(".")
            and not name.endswith(".egg-info")
            and not os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))
        )
        for name in sorted(names):
            if name.endswith(endings):
                path = os.path.join(parent, name)
                found = os.stat(path, follow_symlinks=False)
                yield f"{os.path.relpath(path, folder)} {found.st_size} {found.st_mtime_ns}"
