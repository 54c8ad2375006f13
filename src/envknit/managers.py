"""Where version managers keep the Pythons and Nodes of a person: folders that are listed, and nothing that is run."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# manager -> the variable that names its folder, and the usual places; `{data}` is $XDG_DATA_HOME
_HOMES = {
    "pyenv": ("PYENV_ROOT", "~/.pyenv"),
    "uv": ("UV_PYTHON_INSTALL_DIR", "{data}/uv/python"),
    "fnm": ("FNM_DIR", "{data}/fnm", "~/.fnm", "~/Library/Application Support/fnm"),
    "nvm": ("NVM_DIR", "~/.nvm"),
    "mise": ("MISE_DATA_DIR", "{data}/mise"),
    "asdf": ("ASDF_DATA_DIR", "~/.asdf"),
    "volta": ("VOLTA_HOME", "~/.volta"),
}
# tool -> manager -> the folder of its versions, and where in a version the programs are
_VERSIONS = {
    "python": {
        "pyenv": ("versions", "bin"),
        "mise": ("installs/python", "bin"),
        "asdf": ("installs/python", "bin"),
        "uv": ("", "bin"),
    },
    "node": {
        "fnm": ("node-versions", "installation/bin"),
        "nvm": ("versions/node", "bin"),
        "mise": ("installs/node", "bin"),
        "asdf": ("installs/nodejs", "bin"),
        "volta": ("tools/image/node", "bin"),
    },
}
# How a person gets another version -> of Python, of Node
_COMMANDS = {
    "pyenv": ("pyenv install {version}", ""),
    "uv": ("uv python install {version}", ""),
    "mise": ("mise install python@{version}", "mise install node@{version}"),
    "asdf": ("asdf install python {version}", "asdf install nodejs {version}"),
    "fnm": ("", "fnm install {version}"),
    "nvm": ("", "nvm install {version}"),
    "volta": ("", "volta install node@{version}"),
}


class Kept:
    """One version that a manager keeps.

    Args:
        manager: `pyenv`.
        version: as its folder says: `3.12.1`, `3.13.0t`.
        programs: the folder of its programs.
    """

    __slots__ = ("manager", "programs", "version")

    def __init__(self, manager: str, version: str, programs: str) -> None:
        self.manager = manager
        self.version = version
        self.programs = programs

    @property
    def numbers(self) -> tuple[int, ...]:
        """What to sort by: 3.12.10 is newer than 3.12.9."""
        return numbers(self.version)


def kept(tool: str) -> list[Kept]:
    """List the versions of `python` or `node` that managers keep, the newest first; aliases such as `lts` are none.

    Cost: one listing a manager.
    """
    found = [
        Kept(manager, version, os.path.join(folder, name, programs))
        for manager, (below, programs) in _VERSIONS[tool].items()
        for folder in (os.path.join(home, below) for home in homes(manager))
        for name in _listed(folder)
        if (version := _version_in(name))
    ]
    return sorted(found, key=lambda each: each.numbers, reverse=True)


def homes(manager: str) -> Iterator[str]:
    """Give the folders that a manager may have."""
    variable, *usual = _HOMES[manager]
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    named = os.environ.get(variable)
    for place in [named] if named else usual:
        folder = os.path.expanduser(place.replace("{data}", data))
        if os.path.isabs(folder):
            yield folder


def how_to_get(tool: str, version: str) -> str:
    """Return the command that gets a version, of the first manager that is on this machine; `""`: there is none."""
    for manager, commands in _COMMANDS.items():
        command = commands[tool == "node"]
        if command and any(map(os.path.isdir, homes(manager))):
            return command.format(version=version)
    return ""


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with."""
    found = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits or len(digits) > 9:
            break
        found.append(int(digits))
    return tuple(found)


def _version_in(name: str) -> str:
    """Read the version that a folder is named after: `3.12.1`, `v20.11.1`, `cpython-3.13.0+freethreaded-linux-...`."""
    version, plus, build = name.removeprefix("cpython-").removeprefix("v").partition("-")[0].partition("+")
    if plus and build != "freethreaded":
        return ""
    whole = version.count(".") == 2 and len(numbers(version)) == 3 and version.isascii()
    return f"{version}{'t' if plus else ''}" if whole else ""


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
