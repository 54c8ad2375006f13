"""Shared environments: a project file and a lock in the store's folder, which work from anywhere by their name."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.cli.place import Place, shared_folder, shared_place
from envknit.files.project import PROJECT_FILE
from envknit.plan import SHARED, USER, home
from envknit.regular import make_private

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYSTEM = "# As with `pip install --user`: what the interpreter has itself stays visible\nsystem_site_packages: true\n"


def shared_names() -> list[str]:
    """List the shared environments, sorted."""
    return sorted(path.parent.name for path in Path(home(), SHARED).glob(f"*/{PROJECT_FILE}"))


def user_place() -> Place | None:
    """Return the environment that plain Python falls back to; None where the person made none."""
    return shared_place(USER) if (shared_folder(USER) / PROJECT_FILE).is_file() else None


def make_shared(name: str, python_version: str = "") -> Place:
    """Make a shared environment without packages.

    Args:
        name: its name.
        python_version: which Pythons it is for; `""`: the running one and newer.

    Raises:
        ProjectError: there is one already, or the name is none.
    """
    from envknit.projects.edit import create_project  # loads the YAML editor

    folder = shared_folder(name)
    make_private(folder)
    path = create_project(folder, python_version or f">={sys.version_info[0]}.{sys.version_info[1]}")
    if folder.name == USER:
        with path.open("a", encoding="utf-8") as file:
            file.write(_SYSTEM)
    return shared_place(name)


@contextmanager
def made_where_missing(name: str | None) -> Iterator[None]:
    """Make a shared environment for what follows; where that fails, it is as if it had never been."""
    if name is None or (shared_folder(name) / PROJECT_FILE).is_file():
        yield
        return
    place = make_shared(name)
    try:
        yield
    except BaseException:
        if not place.lock.exists():
            shutil.rmtree(place.root)
        raise


def remove_shared(name: str) -> Path:
    """Remove a shared environment: its files, and what keeps its packages from `store gc`; returns its folder.

    Raises:
        ProjectError: there is none.
    """
    from envknit.store.roots import root_path  # few commands remove one

    place = shared_place(name)
    root = Path(root_path(home(), str(place.lock)))
    shutil.rmtree(place.root)
    with suppress(FileNotFoundError):
        root.unlink()
    shutil.rmtree(root.with_suffix(""), ignore_errors=True)
    return place.root


def name_of(lock: str) -> str:
    """Return the name of the shared environment whose lock this is; `""`: it is a project's."""
    folder = Path(lock).parent
    return folder.name if folder.parent == Path(home(), SHARED) else ""
