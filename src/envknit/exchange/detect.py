"""Which reader understands which file, and which files of a folder are worth reading."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from envknit.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envknit.exchange.foreign import Foreign

# File name -> module and reader; of each tool the project comes before its lock
READERS = {
    "pyproject.toml": ("poetry", "read_poetry"),
    "poetry.lock": ("poetry", "read_poetry_lock"),
    "pdm.lock": ("pdm", "read_pdm_lock"),
    "uv.lock": ("uv", "read_uv_lock"),
    "Pipfile": ("pipenv", "read_pipfile"),
    "Pipfile.lock": ("pipenv", "read_pipfile_lock"),
    "pylock.toml": ("pylock", "read_pylock"),
    "setup.cfg": ("setuptools", "read_setup_cfg"),
    "environment.yml": ("conda", "read_conda"),
    "environment.yaml": ("conda", "read_conda"),
    "requirements.txt": ("requirements_txt", "read_requirements"),
}


def reader_of(path: Path) -> Callable[[Path], Foreign]:
    """Find the reader of a file by its name; any other `.txt` or `.in` is a requirements file.

    Raises:
        ProjectError: the name is none that is known.
    """
    name = path.name
    if name.startswith("pylock.") and name.endswith(".toml"):
        name = "pylock.toml"
    elif name not in READERS and path.suffix in {".txt", ".in"}:
        name = "requirements.txt"
    if name not in READERS:
        raise ProjectError("not a file that can be imported", file=path, known=", ".join(READERS))
    module, function = READERS[name]
    reader: Callable[[Path], Foreign] = getattr(import_module(f"envknit.exchange.{module}"), function)
    return reader


def find_files(folder: Path) -> list[Path]:
    """Find what can be imported from a folder, where no file is named.

    Raises:
        ProjectError: there is nothing.
    """
    found = [folder / name for name in READERS if (folder / name).is_file()]
    found = [path for path in found if path.name != "pyproject.toml" or _is_poetry(path)]
    if not found:
        raise ProjectError("nothing here can be imported", folder=folder, known=", ".join(READERS))
    return found


def _is_poetry(path: Path) -> bool:
    try:
        return "[tool.poetry" in path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
