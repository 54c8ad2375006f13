"""The one room for builds: metadata, wheels and editable wheels of source folders, for `lock` and `install` alike."""

from __future__ import annotations

import shutil
import tempfile
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, NamedTuple

from envknit.errors import InstallError
from envknit.files.plain_toml import loads_toml
from envknit.index.build_environment import Environments, Needs
from envknit.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyproject_hooks import BuildBackendHookCaller

    from envknit.http.settings import PipSettings

_LAST_LINES = 30  # of the output of a build that failed, for the message
_AT_A_TIME = 2  # builds; many of them use every processor themselves


class _System(NamedTuple):
    """The `[build-system]` table of a source folder, or what stands for one (PEP 517, PEP 518)."""

    requires: frozenset[str] = frozenset({"setuptools >= 40.8.0"})
    backend: str = "setuptools.build_meta:__legacy__"
    path: tuple[str, ...] = ()


class Builder:
    """Builds wheels for the interpreter that runs this, each in an environment of its own.

    Build requirements come from where the project's packages come from. pip reads that from a configuration file: the
    variables of a backend hold no login (nor anything else that looks like a secret).

    Args:
        settings: where build requirements come from.
    """

    def __init__(self, settings: PipSettings) -> None:
        self._settings = settings
        self._environments = Environments()
        self._turns = threading.Semaphore(_AT_A_TIME)

    def close(self) -> None:
        """End the builds under way, with all that they started, and remove their environments."""
        self._environments.close()

    def metadata(self, source: Path, *, editable: bool = False) -> bytes:
        """Ask the backend of a source folder for its core metadata.

        Args:
            source: the folder that holds `pyproject.toml` or `setup.py`; backends may write into it.
            editable: whether it is to be installed in place.

        Raises:
            InstallError: the backend fails; with the end of what it printed.

        Cost: starts the backend, and pip for requirements that no build had before; seconds.
        """
        with tempfile.TemporaryDirectory(prefix="envknit-") as scratch:
            out = self._run("metadata", source, Path(scratch), editable=editable)
            found = sorted(out.glob("*.dist-info/METADATA"))
            if len(found) != 1:
                raise InstallError(f"the build backend of {source.name} gives no metadata", folder=source)
            return found[0].read_bytes()

    def wheel(self, source: Path, into: Path, *, editable: bool = False) -> Path:
        """Build the wheel of a source folder (PEP 517), or one that leads to the folder (PEP 660).

        Args:
            source: the folder that holds `pyproject.toml` or `setup.py`; backends may write into it.
            into: an existing folder for the wheel.
            editable: whether the folder is to be used in place.

        Raises:
            InstallError: the backend fails; with the end of what it printed.

        Cost: as `metadata`; seconds to hours.
        """
        if editable and _builds_at_import(source) and not shutil.which("ninja"):
            raise InstallError(
                f"{source.name} cannot be used in place: meson-python builds it again at every import, with a `ninja` "
                "that must not go when this build ends",
                folder=source,
                hint="put `ninja` on PATH; or, to have it copied: package = false, and no `editable` at its source",
            )
        with tempfile.TemporaryDirectory(prefix="envknit-", dir=into) as scratch:
            wheels = sorted(self._run("wheel", source, Path(scratch), editable=editable).glob("*.whl"))
            if len(wheels) != 1:
                raise InstallError(f"the build backend of {source.name} gives no wheel", folder=source)
            return wheels[0].replace(into / wheels[0].name)

    def metadata_of_sdist(self, archive: Path, filename: str, *, subdirectory: str = "") -> bytes:
        """Unpack an sdist or another source archive and ask its backend for metadata; see `metadata`."""
        with tempfile.TemporaryDirectory(prefix="envknit-") as scratch:
            return self.metadata(_source(archive, filename, Path(scratch), subdirectory))

    def wheel_of_sdist(self, archive: Path, filename: str, into: Path, *, subdirectory: str = "") -> Path:
        """Unpack an sdist or another source archive and build its wheel; see `wheel`."""
        with tempfile.TemporaryDirectory(prefix="envknit-", dir=into) as scratch:
            return self.wheel(_source(archive, filename, Path(scratch), subdirectory), into)

    def _run(self, wanted: str, source: Path, scratch: Path, *, editable: bool) -> Path:
        import pyproject_hooks as hooks  # for commands that build alone

        warnings.simplefilter("ignore", hooks.BuildBackendWarning)  # is for whoever made the package
        out, temporary, environment = scratch / "out", scratch / "tmp", scratch / "environment"
        for folder in (out, temporary):
            folder.mkdir()
        configuration = scratch / "pip.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(self._settings.configuration(), encoding="utf-8")
        told = {"PIP_CONFIG_FILE": str(configuration), "TMPDIR": str(temporary)}
        if self._settings.keyring == "auto" and shutil.which("keyring"):
            told["PIP_KEYRING_PROVIDER"] = "subprocess"  # one in the environment of the build would be asked

        def call(cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
            more = {**told, "PYTHONPATH": "", **(extra_environ or {})}
            self._environments.run(cmd, Path(cwd or source), environment, more)

        system = _build_system(source)
        needs = Needs(system.backend.partition(":")[0], (system.requires,))
        try:
            backend = hooks.BuildBackendHookCaller(
                str(source), system.backend, system.path, call, str(environment / "bin" / "python")
            )
            with self._turns:
                self._environments.copy(needs, environment, told)
                ask = backend.get_requires_for_build_editable if editable else backend.get_requires_for_build_wheel
                if more := frozenset(map(str, ask())) - system.requires:
                    shutil.rmtree(environment)
                    needs = needs._replace(requirements=(system.requires, more))
                    self._environments.copy(needs, environment, told)
                _call(backend, wanted, str(out), editable=editable)
        except CalledProcessError as cause:
            raise _failed(source, cause.output) from None
        except (hooks.BackendUnavailable, hooks.HookMissing, hooks.UnsupportedOperation, ValueError) as cause:
            raise _failed(source, getattr(cause, "traceback", "") or f"{type(cause).__name__}: {cause}") from None
        return out


def _call(backend: BuildBackendHookCaller, wanted: str, out: str, *, editable: bool) -> None:
    from pyproject_hooks import HookMissing  # as above

    if wanted == "wheel":
        (backend.build_editable if editable else backend.build_wheel)(out)
        return
    with suppress(HookMissing):
        if editable:
            backend.prepare_metadata_for_build_editable(out, _allow_fallback=False)
            return
    backend.prepare_metadata_for_build_wheel(out)  # without such a hook, the wheel is built


def _build_system(source: Path) -> _System:
    """Read how a folder is built.

    Raises:
        InstallError: it does not say so as PEP 518 wants, or is no project.
    """
    try:
        table = loads_toml(read_regular(source / "pyproject.toml").decode()).get("build-system")
    except FileNotFoundError:
        if not (source / "setup.py").is_file():
            raise _failed(source, "it has neither a pyproject.toml nor a setup.py") from None
        return _System()
    except (OSError, ValueError) as cause:
        raise _failed(source, f"its pyproject.toml cannot be read: {cause}") from None
    if table is None:
        return _System()
    found = table if isinstance(table, dict) else {}
    texts = [found.get("requires"), found.get("backend-path", []), [found.get("build-backend", _System().backend)]]
    if not all(isinstance(each, list) and all(isinstance(text, str) for text in each) for each in texts):
        raise _failed(source, "its [build-system] is not as PEP 518 wants it")
    requires, path, (backend,) = texts
    return _System(frozenset(requires), backend, tuple(path))


def _failed(source: Path, told: str) -> InstallError:
    return InstallError(
        f"{source.name} could not be built",
        output="\n    " + "\n    ".join(told.splitlines()[-_LAST_LINES:]),
        hint="its build may need a compiler, a library or another Python; or choose a version that has a wheel",
    )


def _builds_at_import(source: Path) -> bool:
    try:
        return b"mesonpy" in (source / "pyproject.toml").read_bytes()
    except OSError:
        return False


def _source(archive: Path, filename: str, scratch: Path, subdirectory: str) -> Path:
    source = scratch / "source"
    source.mkdir()
    from envknit.index.sdist import unpack  # loads tarfile and zipfile

    root = unpack(archive, filename, source)
    folder = (root / subdirectory).resolve()
    if not (folder.is_dir() and folder.is_relative_to(root.resolve())):
        raise InstallError(f"{filename} has no folder {subdirectory}")
    return folder
