"""Packages of the real index do under a lock what they do in a virtual environment of the same pins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit import UNMEASURED, Machine

if TYPE_CHECKING:
    from kit import Project

pytestmark = [pytest.mark.network, pytest.mark.ends, pytest.mark.timeout(240)]

# What each set of requirements does for real; the same program runs in both places and must say the same
SETS = {
    "flask": (
        ["flask", "requests"],
        """
        import flask, requests, threading, werkzeug.serving
        app = flask.Flask(__name__)
        app.add_url_rule("/", view_func=lambda: flask.render_template_string("{{ 6 * 7 }}"))
        server = werkzeug.serving.make_server("127.0.0.1", 0, app)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(requests.get(f"http://127.0.0.1:{server.port}/").text)
        """,
    ),
    "fastapi": (
        ["fastapi[standard]"],
        """
        import fastapi, fastapi.testclient, uvicorn, email_validator, jinja2
        app = fastapi.FastAPI()
        @app.get("/{item}")
        def read(item: int): return {"twice": 2 * item}
        print(fastapi.testclient.TestClient(app).get("/21").json())
        """,
    ),
    "pandas": (
        ["pandas", "numpy"],
        """
        import numpy as np, pandas as pd
        frame = pd.DataFrame({"k": list("aab"), "v": [1, 2, 3]})
        print(frame.groupby("k").v.sum().to_dict(), float(np.linalg.norm([3.0, 4.0])))
        """,
    ),
    "sqlalchemy": (
        ["sqlalchemy"],
        """
        import sqlalchemy as sa
        engine = sa.create_engine("sqlite://")
        print(engine.connect().execute(sa.text("select 6 * 7")).scalar())
        """,
    ),
    "google": (
        ["google-api-core", "google-auth", "protobuf"],
        """
        import google.api_core.exceptions, google.auth.credentials, google.protobuf.struct_pb2 as pb
        message = pb.Struct(); message["x"] = 1
        print(google.api_core.exceptions.NotFound("gone").code.value, message["x"], google.auth.__name__)
        """,
    ),
    "names": (
        ["PyYAML", "Pillow", "beautifulsoup4", "python-dateutil"],
        """
        import yaml, bs4, dateutil.parser, io
        from PIL import Image
        file = io.BytesIO(); Image.new("RGB", (2, 3)).save(file, "PNG")
        print(yaml.safe_load("a: [1]"), bs4.BeautifulSoup("<b>x</b>", "html.parser").b.text,
              dateutil.parser.parse("2020-02-29").day, Image.open(file).size)
        """,
    ),
    "sdist": (["docopt"], "import docopt; print(docopt.docopt('usage: x <n>', ['5']))"),
    "pkg_resources": (
        ["setuptools<80", "flask"],
        """
        import pkg_resources, distutils
        print(sorted((d.key, d.version) for d in pkg_resources.working_set), distutils.__name__)
        print(pkg_resources.require("flask")[0].key, list(pkg_resources.iter_entry_points("console_scripts", "flask")))
        """,
    ),
    "kernel": (
        ["ipykernel"],
        """
        import jupyter_client
        manager, client = jupyter_client.manager.start_new_kernel()
        try:
            reply = client.execute_interactive("import ipykernel; x = 6 * 7", timeout=60)
            print(reply["content"]["status"], client.execute("x") != "")
        finally:
            client.stop_channels(); manager.shutdown_kernel(now=True)
        """,
    ),
}

REPORT = """
    import importlib.metadata as m, importlib.util, json, os, sys
    names = json.load(open(sys.argv[1])) if len(sys.argv) > 1 else []
    def kind(name):
        spec = importlib.util.find_spec(name)
        return None if spec is None else "namespace" if spec.origin is None else os.path.basename(spec.origin)
    print(json.dumps({
        "names": {name: kind(name) for name in names},
        "versions": sorted((d.metadata["Name"], d.version) for d in m.distributions()),
        "entry points": sorted((e.group, e.name, e.value) for d in m.distributions() for e in d.entry_points),
        "path": list(dict.fromkeys(os.path.basename(p) for p in sys.path[1:])),
    }))
"""


@pytest.fixture(name="real")
def _real(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine with the real index; all tests of a run share one store, also those that run at the same time."""
    machine = Machine(tmp_path / "machine", None)
    machine.home = tmp_path_factory.getbasetemp().parent / f"store-{sys.version_info.minor}"
    machine.env |= {"ENVKNIT_HOME": str(machine.home), "HOME": str(tmp_path / "machine" / "user")}
    # What these need of us, tests on the loopback need too; to measure pip and the packages would take minutes
    machine.env = {name: value for name, value in machine.env.items() if name not in UNMEASURED}
    return machine


def _ready(real: Machine, requirements: list[str], **more: object) -> Project:
    return real.project(requirements, **more).ready()  # type: ignore[arg-type]


def _pins(project: Project) -> list[str]:
    plan = project.run("-c", "from envknit.runtime.activation import active; print(active().plan_path)").out.strip()
    rows = [line.split("\t") for line in Path(plan).read_text(encoding="utf-8").splitlines()]
    return [f"{row[1]}=={row[2]}" for row in rows if row[0] == "pin"]


def _venv(real: Machine, pins: list[str]) -> Path:
    """Make a virtual environment of exactly these pins, with pip and nothing else in it."""
    venv = real.root / "venv"
    real.run("-m", "venv", "--without-pip", venv)
    (real.root / "pins.txt").write_text("\n".join(pins))
    real.run(
        "-m", "pip", "-q", "--python", venv / "bin/python", "--disable-pip-version-check",
        "install", "--no-deps", "--no-compile", "-r", real.root / "pins.txt", timeout=200,
    )  # fmt: skip
    return venv / "bin" / "python"


@pytest.mark.parametrize("name", SETS)
def test_a_set_of_packages_behaves_as_in_a_virtual_environment(real: Machine, name: str) -> None:
    requirements, source = SETS[name]
    project = _ready(real, requirements)
    python = _venv(real, _pins(project))
    site = next(python.parents[1].glob("lib/python*/site-packages"))
    tops = {path.name.partition(".")[0] for path in site.iterdir() if not path.name.endswith((".dist-info", ".pth"))}
    (project.root / "names.json").write_text(json.dumps(sorted(tops - {"__pycache__", "bin"})))
    project.write("work.py", source)
    project.write("report.py", REPORT)

    locked = project.run("report.py", "names.json").out
    in_venv = project.run(python, "report.py", "names.json").out

    assert json.loads(in_venv) == json.loads(locked)
    assert project.run(python, "work.py").out == project.run("work.py").out


def test_the_lock_provides_no_name_that_the_virtual_environment_lacks(real: Machine) -> None:
    project = _ready(real, ["flask", "requests", "setuptools", "zope.interface", "pyyaml"])
    python = _venv(real, _pins(project))
    names = project.run("-c", "from envknit.runtime.activation import *; print(*plan_of(active()).imports)").out.split()
    (project.root / "names.json").write_text(json.dumps(names))
    project.write("report.py", REPORT)

    kinds = json.loads(project.run(python, "report.py", "names.json").out)["names"]

    assert [name for name in names if kinds[name] is None] == []


def test_django_sets_up_checks_and_serves_through_its_reloader(real: Machine) -> None:
    project = _ready(real, ["django", "requests"])
    project.run("-m", "django", "startproject", "site1", ".")
    assert "no issues" in project.run("manage.py", "check").out
    assert project.code(
        "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'site1.settings'; django.setup(); "
        "from django.contrib.auth.models import User; print(User.__name__)"
    ).out == "User\n"  # fmt: skip

    def program():
        import os
        import signal
        import socket
        import subprocess
        import sys
        import time

        import requests

        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "manage.py", "runserver", f"127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            for _ in range(100):
                try:
                    print(requests.get(f"http://127.0.0.1:{port}/").status_code)
                    break
                except requests.ConnectionError:
                    time.sleep(0.2)
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()

    assert project.code(program).out == "200\n"


def test_pytest_with_its_plugins_works_from_the_lock(real: Machine) -> None:
    project = _ready(real, ["pytest", "pytest-xdist", "pytest-cov", "pytest-mock", "hypothesis"])
    project.write("mine.py", "def double(x):\n    return 2 * x\n\n\ndef unused():\n    return 1\n")
    project.write("child.py", "import mine\nprint(mine.double(4))\n")
    project.write(
        "test_mine.py",
        """
        import subprocess, sys
        import mine
        import hypothesis, hypothesis.strategies as st

        @hypothesis.given(st.integers())
        def test_double(x): assert mine.double(x) == x + x

        def test_mock(mocker): assert mocker.patch("mine.double", return_value=3) and mine.double(1) == 3

        def test_lock(): assert any(p.startswith(sys.prefix) for p in sys.path) and "plans" in sys.prefix

        def test_child():
            ran = subprocess.run([sys.executable, "child.py"], capture_output=True, text=True)
            assert ran.stdout == "8\\n"
        """,
    )
    project.write("test_rewritten.py", "def test_fails():\n    left = [1, 2]\n    assert left == [1, 3]\n")
    project.write(".coveragerc", "[run]\npatch = subprocess\nparallel = true\nbranch = true\n")
    project.write("test_only_child.py", CHILD_ONLY)

    ran = project.run(
        "-m", "pytest", "-n", "2", "--cov=.", "--cov-report=term-missing", "-p", "no:randomly", status=1, timeout=250
    )

    assert "5 passed" in ran.out
    assert "1 failed" in ran.out
    assert "At index 1 diff: 2 != 3" in ran.out
    assert "only.py 2 0" in " ".join(ran.out.split())


CHILD_ONLY = """
import pathlib, subprocess, sys

def test_child_only():
    pathlib.Path("only.py").write_text("x = 1\\ny = 2\\n")
    subprocess.run([sys.executable, "only.py"], check=True)
"""


def test_two_projects_see_different_versions_and_a_third_sees_none(real: Machine) -> None:
    show = "import importlib.metadata as m, click; print(m.version('click'))"
    projects = {}
    for name, wanted in {"old": ["click==8.0.4"], "new": ["click==8.1.7"], "none": ["six"]}.items():
        projects[name] = real.project(wanted, name=name).ready()
        projects[name].write("app.py", show)
        projects[name].write("sub/app.py", show)

    assert projects["old"].run("app.py").out == "8.0.4\n"
    assert projects["new"].run("sub/app.py").out == "8.1.7\n"
    assert projects["none"].run(projects["old"].root / "app.py").out == "8.0.4\n"
    missing = projects["none"].run("app.py", status=1)
    assert "ModuleNotFoundError: No module named 'click'" in missing.err
    assert "python -m envknit add" in missing.err


def test_tools_that_manage_environments_are_untouched_in_a_locked_project(real: Machine, tmp_path: Path) -> None:
    project = _ready(real, ["six"])
    source = tmp_path / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "small"\nversion = "1"\n'
    )
    (source / "small.py").write_text("")

    built = project.run("-m", "pip", "-q", "wheel", "--no-deps", "-w", tmp_path / "out", source)
    project.run("-m", "venv", tmp_path / "fresh")
    fresh = project.run(tmp_path / "fresh/bin/python", "-m", "pip", "--version")

    assert built.status == 0
    assert [path.name.split("-")[0] for path in (tmp_path / "out").iterdir()] == ["small"]
    assert str(tmp_path / "fresh") in fresh.out


def test_the_standard_ways_to_run_code_see_the_lock(real: Machine) -> None:
    project = _ready(real, ["six"])
    project.write(
        "tests/test_six.py", "import six, unittest\nclass T(unittest.TestCase):\n    def test(self): six.PY3\n"
    )
    project.write("tests/__init__.py", "")

    found = subprocess.run(
        [sys.executable, "-m", "unittest", "discover"], cwd=project.root, env=real.env, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    ran = project.code("import runpy; print(runpy.run_module('six')['__name__'])")

    assert "Ran 1 test" in found.stderr
    assert ran.out == "six\n"
