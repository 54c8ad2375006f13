"""Which reader understands which file, and which files of a folder are worth reading."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from envknit.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envknit.exchange.foreign import Foreign

# File name -> module and reader; of each tool the project comes before its lock. What pyproject.toml, setup.cfg and
# setup.py say is no import: they are project files of envknit's as they stand.
READERS = {
    "poetry.lock": ("poetry", "read_poetry_lock"),
    "pdm.lock": ("pdm", "read_pdm_lock"),
    "uv.lock": ("uv", "read_uv_lock"),
    "Pipfile": ("pipenv", "read_pipfile"),
    "Pipfile.lock": ("pipenv", "read_pipfile_lock"),
    "pylock.toml": ("pylock", "read_pylock"),
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
    if not found:
        raise ProjectError("nothing here can be imported", folder=folder, known=", ".join(READERS))
    return found
