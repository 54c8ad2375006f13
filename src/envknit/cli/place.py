"""Where a command works: the project file and the lock of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.errors import LockError, ProjectError
from envknit.files.project import LOCK_FILE, PROJECT_FILE
from envknit.plan import SHARED, home
from envknit.projects.load import find_project, find_project_file, load_project
from envknit.projects.script import script_lock

if TYPE_CHECKING:
    from argparse import Namespace

    from envknit.files.model import Environment, Lock
    from envknit.files.project import Project


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A project on disk.

    Args:
        root: the folder of the lock.
        project: the project file; None where there is only a lock, as in an image that copies no more.
        lock: where the lock is, or would be.
        nearest: the project file that `add` and `remove` edit: that of a member, within a workspace.
    """

    root: Path
    project: Path | None
    lock: Path
    nearest: Path | None = None

    def load(self) -> Project:
        """Read the project file; ProjectError where there is none."""
        if self.project is None:
            raise ProjectError("there is a lock, but no project file", folder=self.root, hint="run: envknit init")
        return load_project(self.project)

    def require_nearest(self) -> Path:
        """Return the project file to edit; ProjectError where there is none."""
        return self.nearest or self.load().path

    def load_if_any(self) -> Project | None:
        """Read the project file where there is one."""
        return load_project(self.project) if self.project else None

    def read(self) -> Lock:
        """Read the lock; LockError where there is none."""
        from envknit.files.lockfile import read_lock  # a warm install reads no YAML

        self.require_lock()
        return read_lock(self.lock)

    def require_lock(self) -> None:
        """Raise LockError where there is no lock."""
        if not self.lock.exists():
            raise LockError("this project has no lock", project=self.root, hint="run: envknit lock")


def find_place(arguments: Namespace) -> Place:
    """Find the project that is meant: that of the folder that `-C` names, or a shared environment.

    Raises:
        ProjectError: there is neither.
    """
    if getattr(arguments, "shared", None):
        return shared_place(arguments.shared)
    try:
        start = Path(arguments.project).absolute()
    except OSError as error:
        raise ProjectError(
            f"the working folder is gone: {error.strerror}", hint="change to a folder that exists, or name one with -C"
        ) from error
    if not start.is_dir():
        raise ProjectError("no such folder", folder=start)
    if getattr(arguments, "script", None):
        return script_place(start / arguments.script)
    problem: ProjectError | None = None
    try:
        nearest = find_project_file(start)
        project = find_project(start)
    except ProjectError as error:
        problem = error
    for folder in (start, *start.parents):
        if problem is None and folder == nearest.parent:
            break
        if (folder / LOCK_FILE).is_file():  # nearer than a project file: Python takes it, too
            return Place(root=folder, project=None, lock=folder / LOCK_FILE)
    if problem is not None:
        raise problem
    return Place(root=project.parent, project=project, lock=project.parent / LOCK_FILE, nearest=nearest)


def shared_folder(name: str) -> Path:
    """Name the folder of a shared environment; it need not be there.

    Raises:
        ProjectError: that is no name for one.
    """
    from envknit.files.requested import read_environment_name  # few commands name one
    from envknit.files.values import Value

    name = name.removeprefix("@")
    value = Value(data=name, file="the command line", error=ProjectError, kind="argument")
    return Path(home(), SHARED, read_environment_name(value, name or "."))


def shared_place(name: str) -> Place:
    """Return the place of a shared environment; ProjectError where there is none of that name."""
    folder = shared_folder(name)
    if not (folder / PROJECT_FILE).is_file():
        raise ProjectError(
            f"there is no shared environment {name!r}", folder=folder, hint=f"run: envknit env create {name}"
        )
    return Place(root=folder, project=folder / PROJECT_FILE, lock=folder / LOCK_FILE)


def script_place(script: Path) -> Place:
    """Return the place of a script, whose lock lies beside it.

    Raises:
        ProjectError: there is no such file.
    """
    if not script.is_file():
        raise ProjectError("there is no such script", script=script)
    return Place(root=script.parent, project=script, lock=script_lock(script), nearest=script)


def environment_of(lock: Lock, name: str, path: Path) -> Environment:
    """Return one environment of a lock; LockError names those that there are."""
    if name not in lock.environments:
        import difflib  # 2 ms, for wrong command lines alone

        known = sorted(lock.environments)
        near = known if len(known) == 1 else difflib.get_close_matches(name, known, n=1)
        raise LockError(
            f"the lock has no environment {name!r}",
            lock=path,
            environments=", ".join(known),
            hint=f"did you mean: --env {near[0]}" if near else "",
        )
    return lock.environments[name]
