"""Locks of uv, Poetry, pdm and Pipenv, made by these tools: their versions and files are kept, and go back to them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envknit.exchange.detect import reader_of
from envknit.files.lockfile import read_lock
from envknit.http.settings import default_index
from kit.machine import Project

if TYPE_CHECKING:
    from kit import Machine

pytestmark = [pytest.mark.network, pytest.mark.once]

INDEX = default_index()
PROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.10"
dependencies = ["jinja2", "markupsafe<3", "colorama; sys_platform == 'win32'"]
[project.optional-dependencies]
pretty = ["pluggy<1.6"]
[dependency-groups]
dev = ["iniconfig<2"]
[tool.pdm]
distribution = false
"""
POETRY = f"""
[tool.poetry]
name = "shop"
version = "1"
package-mode = false
[tool.poetry.dependencies]
python = "^3.10"
jinja2 = "^3.0"
markupsafe = "<3"
colorama = {{ version = "*", markers = "sys_platform == 'win32'" }}
pluggy = {{ version = "<1.6", optional = true }}
[tool.poetry.extras]
pretty = ["pluggy"]
[tool.poetry.group.dev.dependencies]
iniconfig = "<2"
[[tool.poetry.source]]
name = "simple"
url = "{INDEX}"
"""
PIPFILE = f"""
[[source]]
url = "{INDEX}"
verify_ssl = true
name = "pypi"
[packages]
jinja2 = "*"
markupsafe = "<3"
colorama = {{ version = "*", sys_platform = "== 'win32'" }}
[dev-packages]
iniconfig = "<2"
"""
WITH = {
    "uv": (["uv"], "pyproject.toml", PROJECT, "uv.lock", ["uv", "lock"]),
    "poetry": (["poetry"], "pyproject.toml", POETRY, "poetry.lock", ["poetry", "lock"]),
    "pdm": (["pdm"], "pyproject.toml", PROJECT, "pdm.lock", ["pdm", "lock", "-G", ":all"]),
    "pipenv": (["pipenv"], "Pipfile", PIPFILE, "Pipfile.lock", ["pipenv", "lock"]),
}


def settings(machine: Machine) -> dict[str, str]:
    """Let the tools keep to the machine's folders, use its Python, and trust whom pip trusts."""
    trusted = os.environ.get("PIP_CERT")
    return {
        "HOME": str(machine.root / "user"),
        "UV_PYTHON": machine.python,
        "POETRY_VIRTUALENVS_CREATE": "false",
        "PDM_CHECK_UPDATE": "0",
        "PDM_USE_VENV": "0",
        "PDM_PYTHON": machine.python,
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_PYTHON": machine.python,
        **({"REQUESTS_CA_BUNDLE": trusted, "SSL_CERT_FILE": trusted} if trusted else {}),
    }


@pytest.mark.parametrize("tool", WITH)
def test_what_a_tool_has_locked_stays_locked(online: Machine, tool: str) -> None:
    packages, name, text, lock, command = WITH[tool]
    # What pdm needs of today does not fit together; what it needed then does
    tools = online.project(packages, name="tools", more="exclude_newer: 2025-06-01\n" if tool == "pdm" else "").ready()
    shop = Project(online, online.root / "shop")
    shop.write(name, text)
    tools.envknit("view")
    program = tools.root / ".venv/bin" / command[0]
    online.run(program, *command[1:], cwd=shop.root, env={"ENVKNIT": "0", **settings(online)}, timeout=300)

    # Newer versions would do now, and are not taken
    shop.write(name, text.replace("<3", "" if name.startswith("py") and tool != "poetry" else "*").replace("<2", "<3"))
    told = shop.envknit("import", "--no-install")

    theirs = reader_of(shop.root / lock)(shop.root / lock)
    ours = {pin.name: pin for pin in read_lock(shop.lock_file).environments["default"].pins}
    unlocked = {"colorama"} if tool == "pipenv" else set()  # it locks for one platform
    assert {(pin.name, pin.version) for pin in ours.values() if pin.name not in unlocked} == {
        (name, version) for name, versions in theirs.pins.items() for version in versions
    }
    assert ours["markupsafe"].version.startswith("2.")
    for (name, _), hashes in theirs.hashes.items():
        assert hashes <= {file.sha256 for file in ours[name].files}, name
    assert ("colorama has no version in Pipfile.lock" in told.err) == (tool == "pipenv")


def test_uv_installs_what_was_exported_of_a_lock_of_its_own(online: Machine) -> None:
    tools = online.project(["uv"], name="tools").ready()
    tools.envknit("view")
    uv = tools.root / ".venv/bin/uv"
    variables = {"ENVKNIT": "0", **settings(online)}
    shop = Project(online, online.root / "shop")
    shop.write("pyproject.toml", PROJECT)
    online.run(uv, "lock", cwd=shop.root, env=variables)
    shop.envknit("import", "--no-install")
    shop.envknit("export", "--all-extras", "--format", "pylock", "-o", "pylock.toml")
    shop.envknit("export", "--all-extras", "-o", "requirements.txt")

    online.run(uv, "venv", "-q", "venv", cwd=shop.root, env=variables)
    python = shop.root / "venv/bin/python"
    online.run(uv, "pip", "sync", "-q", "--python", python, "pylock.toml", cwd=shop.root, env=variables)
    synced = online.run(uv, "pip", "freeze", "--python", python, env=variables).out.lower().split()
    exported = [line.split()[0] for line in shop.envknit("export", "--all-extras", "--no-hashes").out.splitlines()]
    assert synced == [line for line in exported if not line.startswith("colorama")]
    told = online.run(
        "-m", "pip", "install", "--dry-run", "--target", "there", "--require-hashes", "-r", "requirements.txt",
        cwd=shop.root, env={"ENVKNIT": "0"},
    )  # fmt: skip
    assert "Would install" in told.out

    again = Project(online, online.root / "again")
    again.write("requirements.txt", (shop.root / "requirements.txt").read_text(encoding="utf-8"))
    again.envknit("import", "--no-install")
    again.envknit("export", "-o", "back.txt")
    assert (again.root / "back.txt").read_text() == (again.root / "requirements.txt").read_text()


def test_what_uv_writes_into_an_environment_is_refused_or_found_and_mended(online: Machine) -> None:
    tools = online.project(["uv"], name="tools").ready()
    shop = online.project(["idna==3.6"], name="shop").ready()
    (python,) = online.home.glob("roots/shop-*/default/bin/python")
    uv = next(online.home.glob("roots/tools-*/default/bin/uv"))
    variables = {"ENVKNIT": "0", **settings(online)}
    command = (uv, "pip", "install", "--python", python, "idna==3.7")

    ran = online.run(*command, cwd=tools.root, env=variables, status=None)

    if os.geteuid():  # the folders are read-only
        assert ran.status != 0
        assert "all as it was placed" in shop.envknit("verify").err
    else:  # nothing is read-only to root
        assert "something else wrote into the environment" in shop.envknit("doctor").out
        shop.envknit("verify", status=1)
        assert "placed anew: packages/site-packages/idna-3.6-" in shop.envknit("verify", "--repair").out
    assert shop.code("import idna; print(idna.__version__)").out == "3.6\n"
