"""Projects of real build backends, and the same in a virtual environment by `pip install -e`."""

from __future__ import annotations

import json
import shutil
import sysconfig
from pathlib import Path
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
    "pdm-backend": "pdm.backend",
    "uv_build": "uv_build",
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


CORE = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "core", 0, -1, 0};
PyMODINIT_FUNC PyInit_core(void) {
    PyObject *made = PyModule_Create(&module);
    PyModule_AddIntConstant(made, "VALUE", VALUE);
    return made;
}
"""


def test_what_is_compiled_in_place_is_built_again_when_its_source_changes(online: Machine) -> None:
    if not (shutil.which("cc") and Path(sysconfig.get_paths()["include"], "Python.h").is_file()):
        pytest.skip("there is no compiler")
    shop = Project(online, online.root / "shop")
    shop.write(
        "pyproject.toml",
        """
        [project]
        name = "shop"
        version = "1"
        requires-python = ">=3.10"
        [build-system]
        requires = ["setuptools"]
        build-backend = "setuptools.build_meta"
        [tool.setuptools]
        packages = ["shop"]
        package-dir = { "" = "src" }
        ext-modules = [{ name = "shop.core", sources = ["core.c"] }]
        """,
    )
    shop.write("src/shop/__init__.py", "from shop.core import VALUE\n")
    shop.write("core.c", CORE.replace("VALUE)", "7)"))
    shop.ready()
    assert shop.run("-c", "import shop; print(shop.VALUE)").out == "7\n"

    shop.write("core.c", CORE.replace("VALUE)", "8)"))
    assert "changed since it was built: shop" in shop.envknit("status", status=1).out
    shop.install()
    assert shop.run("-c", "import shop; print(shop.VALUE)").out == "8\n"


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
