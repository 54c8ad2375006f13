"""Projects of real build backends, and the same in a virtual environment by `pip install -e`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kit.machine import Project

if TYPE_CHECKING:
    from kit import Machine

pytestmark = [pytest.mark.network, pytest.mark.once]

BACKENDS = {
    "hatchling": "hatchling.build",
    "setuptools": "setuptools.build_meta",
    "flit_core": "flit_core.buildapi",
    "poetry-core": "poetry.core.masonry.api",
}


def probe() -> None:
    import importlib.metadata as m
    import json
    import os
    import sys

    import shop_thing
    import shop_thing.deep.inner as inner

    print(
        json.dumps(
            [
                m.version("shop-thing"),
                sorted(m.requires("shop-thing") or []),
                os.path.realpath(shop_thing.__file__),
                inner.VALUE,
                sorted(point.value for point in m.entry_points(group="shop.plugins")),
                json.loads(m.distribution("shop-thing").read_text("direct_url.json") or "{}"),
            ]
        )
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_project_is_there_as_pip_would_have_it(online: Machine, backend: str) -> None:
    shop = Project(online, online.root / "shop")
    shop.write(
        "pyproject.toml",
        f"""
        [project]
        name = "shop-thing"
        version = "0.1.0"
        description = "a shop"
        requires-python = ">=3.10"
        dependencies = ["six"]
        [project.scripts]
        shop = "shop_thing:main"
        [project.entry-points."shop.plugins"]
        one = "shop_thing:main"
        [build-system]
        requires = ["{backend}"]
        build-backend = "{BACKENDS[backend]}"
        """,
    )
    shop.write("src/shop_thing/__init__.py", "import six\ndef main(): print('sold')\n")
    shop.write("src/shop_thing/deep/__init__.py", "")
    shop.write("src/shop_thing/deep/inner.py", "VALUE = 7\n")
    shop.ready()
    locked = json.loads(shop.run("-c", probe).out)
    assert shop.envknit("run", "--", "shop").out == "sold\n"

    online.run("-m", "venv", online.root / "venv", env={"ENVKNIT": "0"})
    python = online.root / "venv" / "bin" / "python"
    online.run(python, "-m", "pip", "install", "-q", "-e", shop.root, env={"ENVKNIT": "0"}, timeout=300)
    plain = online.run(python, "-c", probe, cwd=online.root, env={"ENVKNIT": "0"})
    assert json.loads(plain.out) == locked


def test_uv_and_envknit_lock_the_same_of_one_file(online: Machine) -> None:
    tools = online.project(["uv"], name="tools").ready()
    shop = Project(online, online.root / "shop")
    shop.write(
        "pyproject.toml",
        """
        [project]
        name = "shop"
        version = "1"
        requires-python = ">=3.12"
        dependencies = ["jinja2", "lib", "idna<4"]
        [project.optional-dependencies]
        fast = ["attrs"]
        [dependency-groups]
        dev = ["iniconfig", { include-group = "lint" }, "shop[fast]"]
        lint = ["six==1.16"]
        [tool.uv]
        constraint-dependencies = ["markupsafe<3"]
        override-dependencies = ["idna==3.6"]
        [tool.uv.workspace]
        members = ["lib"]
        [tool.uv.sources]
        lib = { workspace = true }
        """,
    )
    shop.write(
        "lib/pyproject.toml",
        """
        [project]
        name = "lib"
        version = "3"
        requires-python = ">=3.12"
        dependencies = ["pluggy"]
        [build-system]
        requires = ["flit_core"]
        build-backend = "flit_core.buildapi"
        """,
    )
    tools.envknit("run", "--", "uv", "lock", "--project", shop.root, "--python", online.python, timeout=300)
    shop.lock()

    from envknit.exchange.foreign import read_toml
    from envknit.files.lockfile import read_lock

    theirs = {
        (package["name"], package["version"])
        for package in read_toml(shop.root / "uv.lock")["package"]
        if package["name"] != "shop"
    }
    assert {(pin.name, pin.version) for pin in read_lock(shop.lock_file).environments["default"].pins} == theirs
