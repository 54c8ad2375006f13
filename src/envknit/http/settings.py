"""Where the user's pip finds packages: its configuration files, its variables and its own default.

envknit has no index of its own: whatever `pip install` would ask, `envknit lock` asks.
"""

from __future__ import annotations

import configparser
import io
import os
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.errors import PackageIndexError
from envknit.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECTIONS = ("global", "install")  # the later wins, whichever file it is in

# Options that say where to install, not where to find: they must not reach the environment of a build
_NOT_FOR_BUILDS = frozenset(
    {"config-file", "dry-run", "editable", "log", "prefix", "python", "report", "require-hashes", "require-virtualenv"}
    | {"requirement", "root", "target", "user"}
)


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
        keyring: which keyring to ask for a login that is missing: `auto`, `import`, `subprocess` or `disabled`.
        told: every option that pip was told, as it was written.
    """

    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    cert: str = ""
    client_cert: str = ""
    trusted_hosts: tuple[str, ...] = ()
    proxy: str = ""
    keyring: str = "disabled"
    told: Mapping[str, str] = field(default_factory=dict)

    def configuration(self) -> str:
        """Write a configuration file for a pip that shall look where these settings say, and nowhere else."""
        options = {name: value for name, value in self.told.items() if name not in _NOT_FOR_BUILDS}
        options |= {
            "index-url": self.indexes[0] if self.indexes else "",
            "extra-index-url": "\n".join(self.indexes[1:]),
            "find-links": "\n".join(self.find_links),
            "no-index": "false" if self.indexes else "true",
            "proxy": self.proxy or _proxy_with_login(),
            "disable-pip-version-check": "true",
        }
        parser = configparser.RawConfigParser()
        parser["install"] = {name: value for name, value in options.items() if value}
        written = io.StringIO()
        parser.write(written)
        return written.getvalue()


def read_pip_settings(*, with_default: bool = True) -> PipSettings:
    """Read pip's configuration files and `PIP_*` variables, as pip does.

    Args:
        with_default: whether pip's own default stands where no index is configured.

    Raises:
        PackageIndexError: a file cannot be read, or no index is configured and no pip is there to tell its default.
    """
    told = _from_files() | _from_variables()
    no_index = _is_on(told.get("no-index", ""))
    first = told.get("index-url") or told.get("pypi-url")
    if not first and with_default and not no_index:
        first = default_index()
    indexes = [] if no_index else [*([first] if first else []), *told.get("extra-index-url", "").split()]
    keyring = told.get("keyring-provider", "auto")
    return PipSettings(
        indexes=tuple(dict.fromkeys(indexes)),
        find_links=tuple(dict.fromkeys(told.get("find-links", "").split())),
        cert=os.path.expanduser(told.get("cert", "")),  # noqa: PTH111 - `""` must stay so
        client_cert=os.path.expanduser(told.get("client-cert", "")),  # noqa: PTH111 - as above
        trusted_hosts=tuple(told.get("trusted-host", "").split()),
        proxy=told.get("proxy", ""),
        # A keyring may ask questions in a window: pip leaves it alone where it must not ask (network/auth.py)
        keyring="disabled" if keyring == "auto" and _is_on(told.get("no-input", "")) else keyring,
        told=told,
    )


def default_index() -> str:
    """Return the index that pip asks when nobody told it any: a constant of the pip that is here.

    Raises:
        PackageIndexError: there is neither a pip nor the one that Python carries for `ensurepip`.
    """
    before = list(sys.path)
    sys.path += map(str, _bundled_pips())
    try:
        return f"{import_module('pip._internal.models.index').PyPI.simple_url}/"
    except ImportError as cause:
        raise PackageIndexError(
            "no package index is configured, and there is no pip whose default could be used",
            hint="set PIP_INDEX_URL, or write `indexes` into the project file",
        ) from cause
    finally:
        sys.path[:] = before


def _bundled_pips() -> Iterator[Path]:
    import ensurepip  # only where nothing is configured
    import sysconfig

    # Distributions move the wheels elsewhere, and say where (CPython's configure, `--with-wheel-pkg-dir`)
    for folder in (sysconfig.get_config_var("WHEEL_PKG_DIR"), Path(ensurepip.__file__).parent / "_bundled"):
        yield from sorted(Path(folder).glob("pip-*.whl"), reverse=True) if folder else ()


def _proxy_with_login() -> str:
    """Return the proxy that variables name, where it has a login: pip cannot see such variables in a build."""
    from urllib.request import getproxies  # it loads http.client and more

    proxies = getproxies()
    return next((proxies[kind] for kind in ("https", "http", "all") if "@" in proxies.get(kind, "")), "")


def _is_on(value: str) -> bool:
    return value.lower() in ("1", "true", "yes", "on", "y", "t")


def _from_variables() -> dict[str, str]:
    names = (name for name, value in os.environ.items() if name.startswith("PIP_") and value)
    return {name[4:].lower().replace("_", "-"): os.environ[name] for name in names}


def _from_files() -> dict[str, str]:
    merged: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for path in _files():
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(read_regular(path).decode(), str(path))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # as pip does
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
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - `Path.home` raises where nobody has told a home
    of_user = home.is_absolute() and not (explicit and Path(explicit).exists())
    if sys.platform == "win32":
        yield Path(os.environ.get("PROGRAMDATA", "C:/ProgramData"), "pip", "pip.ini")
        user = [home / "pip" / "pip.ini", Path(os.environ.get("APPDATA", home), "pip", "pip.ini")]
        site = "pip.ini"
    elif sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
        apple = home / "Library/Application Support/pip"
        user = [home / ".pip/pip.conf", (apple if apple.is_dir() else _xdg_home(home)) / "pip.conf"]
        site = "pip.conf"
    else:
        yield from (Path(folder, "pip/pip.conf") for folder in _folders("XDG_CONFIG_DIRS", "/etc/xdg"))
        yield Path("/etc/pip.conf")
        user = [home / ".pip/pip.conf", _xdg_home(home) / "pip.conf"]
        site = "pip.conf"
    yield from user if of_user else ()
    yield Path(sys.prefix, site)
    if explicit:
        yield Path(explicit)


def _xdg_home(home: Path) -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "pip")


def _folders(variable: str, default: str) -> list[str]:
    return [folder for folder in (os.environ.get(variable) or default).split(os.pathsep) if folder]
