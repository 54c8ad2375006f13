"""Where the user's pip finds packages: its configuration files, its variables and its own default.

envknit has no index of its own: whatever `pip install` would ask, `envknit lock` asks.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from envknit.errors import PackageIndexError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTIONS = ("global", "install")  # the later wins, whichever file it is in


@dataclass(frozen=True, kw_only=True, slots=True)
class PipSettings:
    """What pip was told about indexes and connections.

    Args:
        indexes: index URLs, in the order to ask; empty with `no-index`.
        find_links: folders, files and pages that list artifacts of any project.
        cert: a bundle of CA certificates; `""`: pip was told of none.
        client_cert: a PEM file with a client certificate and its key.
        trusted_hosts: `host` or `host:port` whose certificate is not checked.
        proxy: a proxy for everything.
    """

    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    cert: str = ""
    client_cert: str = ""
    trusted_hosts: tuple[str, ...] = ()
    proxy: str = ""


def read_pip_settings(*, with_default: bool = True) -> PipSettings:
    """Read pip's configuration files and `PIP_*` variables, as pip does.

    Args:
        with_default: whether pip's own default stands where no index is configured.

    Raises:
        PackageIndexError: no index is configured and no pip is there to tell its default.
    """
    told = _from_files() | _from_variables()
    no_index = told.get("no-index", "").lower() in ("1", "true", "yes", "on", "y", "t")
    first = told.get("index-url") or told.get("pypi-url")
    if not first and with_default and not no_index:
        first = default_index()
    indexes = [] if no_index else [*([first] if first else []), *told.get("extra-index-url", "").split()]
    return PipSettings(
        indexes=tuple(dict.fromkeys(indexes)),
        find_links=tuple(dict.fromkeys(told.get("find-links", "").split())),
        cert=os.path.expanduser(told.get("cert", "")),  # noqa: PTH111 - `""` must stay so
        client_cert=os.path.expanduser(told.get("client-cert", "")),  # noqa: PTH111 - as above
        trusted_hosts=tuple(told.get("trusted-host", "").split()),
        proxy=told.get("proxy", ""),
    )


def _from_variables() -> dict[str, str]:
    names = (name for name, value in os.environ.items() if name.startswith("PIP_") and value)
    return {name[4:].lower().replace("_", "-"): os.environ[name] for name in names}


def _from_files() -> dict[str, str]:
    import configparser  # noqa: PLC0415 - only where an index is asked

    merged: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for path in _files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError) as cause:
            raise PackageIndexError("a configuration file of pip cannot be read", file=path) from cause
        for section in _SECTIONS:
            if parser.has_section(section):
                merged[section] |= {key.lower().replace("_", "-"): value for key, value in parser.items(section)}
    return merged["global"] | merged["install"]


def _files() -> Iterator[Path]:
    """Give pip's configuration files, the weakest first (pip/_internal/configuration.py)."""
    explicit = os.environ.get("PIP_CONFIG_FILE", "")
    if explicit == os.devnull:
        return
    home = Path.home()
    if sys.platform == "win32":
        yield Path(os.environ.get("PROGRAMDATA", "C:/ProgramData"), "pip", "pip.ini")
        yield home / "pip" / "pip.ini"
        yield Path(os.environ.get("APPDATA", home), "pip", "pip.ini")
        yield Path(sys.prefix, "pip.ini")
    else:
        if sys.platform == "darwin":
            yield Path("/Library/Application Support/pip/pip.conf")
        else:
            yield from (Path(folder, "pip/pip.conf") for folder in _folders("XDG_CONFIG_DIRS", "/etc/xdg"))
            yield Path("/etc/pip.conf")
        yield home / ".pip/pip.conf"
        apple = home / "Library/Application Support/pip"
        own = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "pip")
        yield (apple if sys.platform == "darwin" and apple.is_dir() else own) / "pip.conf"
        yield Path(sys.prefix, "pip.conf")
    if explicit:
        yield Path(explicit)


def _folders(variable: str, default: str) -> list[str]:
    return [folder for folder in (os.environ.get(variable) or default).split(os.pathsep) if folder]


def default_index() -> str:
    """Return the index that pip uses when nobody told it any, out of the source of the pip that is here.

    Raises:
        PackageIndexError: there is neither a pip nor the one that Python carries (`ensurepip`).
    """
    for source in _pip_sources():
        if url := _default_in(source):
            return urljoin(url, "simple") + "/"
    raise PackageIndexError(
        "no package index is configured, and there is no pip whose default could be used",
        hint="set PIP_INDEX_URL, or write `indexes` into the project file",
    )


def _pip_sources() -> Iterator[str]:
    import importlib.util  # noqa: PLC0415 - only where nothing is configured
    import sysconfig  # noqa: PLC0415 - as above
    import zipfile  # noqa: PLC0415 - as above

    where = "pip/_internal/models/index.py"
    spec = importlib.util.find_spec("pip")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        source = Path(folder).parent / where
        if source.is_file():
            yield source.read_text(encoding="utf-8")
    bundled = importlib.util.find_spec("ensurepip")
    folders = [Path(bundled.origin).parent / "_bundled"] if bundled and bundled.origin else []
    if wheels := sysconfig.get_config_var("WHEEL_PKG_DIR"):  # where distributions move them to
        folders.append(Path(wheels))
    for wheel in (wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"), reverse=True)):
        with zipfile.ZipFile(wheel) as archive:
            yield archive.read(where).decode()


def _default_in(source: str) -> str:
    import ast  # noqa: PLC0415 - as above

    for statement in ast.parse(source).body:
        if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)):
            continue
        names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        if names == ["PyPI"] and statement.value.args and isinstance(statement.value.args[0], ast.Constant):
            return str(statement.value.args[0].value)
    return ""
