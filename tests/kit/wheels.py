"""Real wheels and sdists, made in memory from a dict of path to content."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


# Copies the wheel that lies beside it: an sdist that builds anywhere, with no index and no setuptools
_BACKEND = """\
import pathlib
import shutil

HERE = pathlib.Path(__file__).parent


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    (wheel,) = HERE.glob("*.whl")
    shutil.copy(wheel, wheel_directory)
    return wheel.name


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError("this sdist is made already")
"""


def wheel_name(name: str, version: str, tags: str = "py3-none-any", build: str = "") -> str:
    """Return the file name of a wheel."""
    parts = [_escaped(name), version, *([build] if build else []), tags]
    return "-".join(parts) + ".whl"


def sdist_name(name: str, version: str) -> str:
    """Return the file name of an sdist."""
    return f"{_escaped(name)}-{version}.tar.gz"


def make_metadata(
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    extras: Iterable[str] = (),
    requires_python: str = "",
    more: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Write core metadata (PEP 566 and later); `more` are further headers."""
    rows = [("Metadata-Version", "2.3"), ("Name", name), ("Version", version)]
    rows += [("Requires-Python", requires_python)] if requires_python else []
    rows += [("Provides-Extra", extra) for extra in extras]
    rows += [("Requires-Dist", requirement) for requirement in requires]
    rows += more
    return "".join(f"{header}: {value}\n" for header, value in rows).encode()


def make_wheel(
    name: str,
    version: str,
    files: Mapping[str, bytes | str] | None = None,
    *,
    requires: Iterable[str] = (),
    extras: Iterable[str] = (),
    requires_python: str = "",
    entry_points: Mapping[str, Mapping[str, str]] | None = None,
    metadata: Iterable[tuple[str, str]] = (),
    tags: str = "py3-none-any",
    data: Mapping[str, bytes | str] | None = None,
    executable: Iterable[str] = (),
    purelib: bool = True,
    overrides: Mapping[str, bytes | str | None] | None = None,
) -> bytes:
    """Make a wheel.

    Args:
        name: the distribution's name, in any spelling.
        version: its version.
        files: path in site-packages to content; by default a package of that name that knows its version.
        requires: `Requires-Dist` lines.
        extras: `Provides-Extra` lines.
        requires_python: the `Requires-Python` line.
        entry_points: group to name to object, as in `entry_points.txt`.
        metadata: further headers of METADATA.
        tags: python-abi-platform of the file name.
        data: path under `.data/` (`scripts/tool`, `data/share/x`, `headers/x.h`) to content.
        executable: paths of the archive that carry the executable bit; scripts always do.
        purelib: `Root-Is-Purelib`.
        overrides: archive path to content that is not as RECORD says (None: the file is missing): bad wheels.
    """
    stem = f"{_escaped(name)}-{version}"
    info = f"{stem}.dist-info"
    package = _escaped(name).lower()
    content: dict[str, bytes | str] = dict(
        files if files is not None else {f"{package}/__init__.py": f"__version__ = {version!r}\n"}
    )
    content |= {f"{stem}.data/{path}": value for path, value in (data or {}).items()}
    content[f"{info}/METADATA"] = make_metadata(
        name, version, requires=requires, extras=extras, requires_python=requires_python, more=metadata
    )
    content[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: kit\nRoot-Is-Purelib: {}\n{}".format(
        "true" if purelib else "false", "".join(f"Tag: {tag}\n" for tag in _expand(tags))
    )
    if entry_points:
        content[f"{info}/entry_points.txt"] = "".join(
            f"[{group}]\n" + "".join(f"{entry} = {target}\n" for entry, target in entries.items()) + "\n"
            for group, entries in entry_points.items()
        )
    content[f"{info}/RECORD"] = _record(content, f"{info}/RECORD")
    modes = {path: 0o755 for path in content if path.startswith(f"{stem}.data/scripts/") or path in set(executable)}
    for path, value in (overrides or {}).items():
        if value is None:
            del content[path]
        else:
            content[path] = value
    return _zip(content, modes)


def make_sdist(
    name: str,
    version: str,
    files: Mapping[str, bytes | str] | None = None,
    *,
    requires: Iterable[str] = (),
    extras: Iterable[str] = (),
    requires_python: str = "",
    dynamic: bool = False,
    backend: str = _BACKEND,
    build_requires: Iterable[str] = (),
    tags: str = "py3-none-any",
) -> bytes:
    """Make an sdist that carries its own build backend, which copies a wheel made with `make_wheel`.

    Args:
        name: the distribution's name.
        version: its version.
        files: what the built wheel holds, as for `make_wheel`.
        requires: `Requires-Dist` lines.
        extras: `Provides-Extra` lines.
        requires_python: the `Requires-Python` line.
        dynamic: mark `Requires-Dist` as dynamic (PEP 643): only a build tells the dependencies.
        backend: source of the backend module; write one that fails to see how that is told.
        build_requires: `build-system.requires`, fetched from the index before the backend runs.
        tags: of the wheel that the build gives.
    """
    metadata = {"requires": requires, "extras": extras, "requires_python": requires_python}
    wheel = make_wheel(name, version, files, tags=tags, **metadata)  # type: ignore[arg-type]
    static = {} if dynamic else metadata
    headers = make_metadata(name, version, more=[("Dynamic", "Requires-Dist")] if dynamic else (), **static)  # type: ignore[arg-type]
    content = {
        "PKG-INFO": headers,
        "pyproject.toml": (
            f'[build-system]\nrequires = {list(build_requires)!r}\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        ),
        "backend.py": backend,
        wheel_name(name, version, tags): wheel,
    }
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped,  # equal sdists are equal bytes
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, value in content.items():
            data = _bytes(value)
            member = tarfile.TarInfo(f"{_escaped(name)}-{version}/{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _escaped(name: str) -> str:
    return name.replace("-", "_").replace(".", "_")


def _expand(tags: str) -> list[str]:
    pythons, abis, platforms = tags.split("-")[-3:]
    return [f"{p}-{a}-{f}" for p in pythons.split(".") for a in abis.split(".") for f in platforms.split(".")]


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _record(content: Mapping[str, bytes | str], own: str) -> str:
    rows = []
    for path, value in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(_bytes(value)).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(_bytes(value))}\n")
    return "".join([*rows, f"{own},,\n"])


def _zip(content: Mapping[str, bytes | str], modes: Mapping[str, int]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, value in content.items():
            member = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))  # equal wheels are equal bytes
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (0o100000 | modes.get(path, 0o644)) << 16
            archive.writestr(member, _bytes(value))
    return out.getvalue()
