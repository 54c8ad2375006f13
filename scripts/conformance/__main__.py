"""Run packages' own test suites in a virtual environment and as guests, and compare: `python scripts/conformance`.

Each suite comes from the package's sdist, or from the package itself where that holds its tests, and runs twice with
one interpreter: first with the package installed, then with another version of it resident and the tested one as a
guest beside it, in one process. What passed before must pass again, but for the cases in `excused.txt`, each with its
reason.

    python scripts/conformance                   every suite
    python scripts/conformance click jinja2      some
    python scripts/conformance --list            name them
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "conformance" / f"{sys.version_info.major}.{sys.version_info.minor}"
CONFIGURATION = ("pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", "conftest.py", "README.rst", "README.md")


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One package's tests.

    Args:
        name: the distribution.
        version: what is tested.
        beside: the requirements of the resident version.
        needs: what its tests need besides pytest.
        ignore: files that need what is not worth having here; left out of both runs.
        pins: what goes with the tested version.
        inside: the folders of tests to run that the installed package holds; none: the sdist's `tests`.
        options: what pytest gets besides, in both runs.
    """

    name: str
    version: str
    beside: tuple[str, ...]
    needs: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def subject(self) -> tuple[str, ...]:
        return (f"{self.name}=={self.version}", *self.pins)


# The newest two major versions that have wheels for this Python: pandas and numpy of the guest, and beside it
PANDAS, NUMPY, BESIDE = (
    ("2.0.3", "1.26.4", ("pandas==2.3.3", "numpy==2.2.6"))
    if sys.version_info < (3, 12)
    else ("2.2.3", "2.1.3", ("pandas==2.3.3", "numpy==2.2.6"))
)
NUMPY_CORE = "core" if NUMPY.startswith("1.") else "_core"
NATIVE = ("numpy", "pandas")
OLD_FLASK = ("flask==1.1.4", "markupsafe==2.0.1")
SUITES = (
    Suite(name="click", version="8.1.7", beside=("click==7.1.2",)),
    Suite(name="jinja2", version="3.1.4", beside=("jinja2==2.11.3", "markupsafe==2.0.1"), needs=("trio<0.26",)),
    Suite(
        name="attrs",
        version="23.2.0",
        beside=("attrs==19.3.0",),
        needs=("hypothesis", "cloudpickle"),
        ignore=("tests/test_mypy.yml", "tests/test_pyright.py"),
    ),
    Suite(name="flask", version="3.0.3", beside=OLD_FLASK),
    Suite(
        name="werkzeug",
        version="3.0.3",
        beside=("werkzeug==1.0.1",),
        needs=("ephemeral-port-reserve", "pytest-timeout", "pytest-xprocess", "cffi"),
        ignore=("tests/test_serving.py",),
    ),
    Suite(name="itsdangerous", version="2.2.0", beside=("itsdangerous==1.1.0",), needs=("freezegun",)),
    Suite(
        name="requests",
        version="2.31.0",
        beside=("requests==2.28.2", "urllib3<2"),
        needs=("pytest-httpbin==2.1.0", "pytest-mock", "trustme", "pysocks"),
        pins=("pysocks",),
    ),
    Suite(
        name="marshmallow",
        version="3.21.3",
        beside=("marshmallow==2.21.0",),
        needs=("pytz", "simplejson"),
        pins=("pytz", "simplejson"),
    ),
    Suite(
        name="numpy",
        version=NUMPY,
        beside=BESIDE[1:],
        needs=("hypothesis",),
        inside=tuple(f"{part}/tests" for part in (NUMPY_CORE, "fft", "lib", "linalg", "ma", "polynomial", "random")),
        options=("-m", "not slow"),
    ),
    Suite(
        name="pandas",
        version=PANDAS,
        beside=BESIDE,
        needs=("hypothesis",),
        pins=(f"numpy=={NUMPY}",),
        inside=tuple(f"tests/{part}" for part in ("arrays", "groupby", "indexing", "reshape", "io/parser", "io/data")),
        options=("-m", "not slow and not network and not single_cpu"),
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", help="which; all by default")
    parser.add_argument("--list", action="store_true", help="name the suites and end")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{suite.name} {suite.version} beside {suite.beside[0]}" for suite in SUITES))
        return 0
    chosen = [suite for suite in SUITES if not arguments.suites or suite.name in arguments.suites]
    unexplained = 0
    for suite in chosen:
        unexplained += compare(suite, run(suite, guest=False), run(suite, guest=True))
    return 1 if unexplained or not chosen else 0


def compare(suite: Suite, before: dict[str, str], after: dict[str, str]) -> int:
    """Print what differs; return how many cases nobody excused."""
    excuses = read_excuses(suite.name)
    passed = [case for case, outcome in before.items() if outcome == "passed"]
    broken = [case for case in passed if after.get(case, "not run") != "passed"]
    excused = [case for case in broken if any(fnmatch.fnmatchcase(case, pattern) for pattern in excuses)]
    print(
        f"{suite.name} {suite.version} beside {suite.beside[0]}: {len(passed)} of {len(before)} pass in a virtual"
        f" environment, {len(passed) - len(broken)} of these as guests, {len(excused)} excused"
    )
    for case in broken:
        if case not in excused:
            print(f"  {after.get(case, 'not run')}: {case}")
    for pattern in excuses:
        if not any(fnmatch.fnmatchcase(case, pattern) for case in broken):
            print(f"  no longer needs an excuse: {pattern}")
    if not passed:
        print("  nothing ran")
    return len(broken) - len(excused) + (not passed)


def read_excuses(suite: str) -> list[str]:
    rows = (HERE / "excused.txt").read_text(encoding="utf-8").splitlines()
    fields = [row.split(None, 2) for row in rows if row and not row.startswith("#")]
    return [pattern for name, pattern, _ in fields if name == suite]


def run(suite: Suite, *, guest: bool) -> dict[str, str]:
    """Run a suite's tests in one of the two ways; return each case's outcome."""
    folder = CACHE / suite.name
    python = interpreter(folder, suite)
    work = fresh(folder / ("guest" if guest else "venv"))
    if suite.inside:
        copy_inside(next(folder.glob("python/lib/python3*/site-packages")) / suite.name, suite, work)
    else:
        source = unpack(folder, suite, python)
        shutil.copytree(source / "tests", work / "tests")
        for name in CONFIGURATION:
            if (source / name).exists():
                shutil.copy(source / name, work / name)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ENVKNIT", "VIRTUAL_ENV"))}
    env |= {"ENVKNIT_HOME": str(CACHE / "store"), "ENVKNIT": "0"}
    report = work / "report.xml"
    command = [python, "-m", "pytest", "tests", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "--tb=short"]
    command += [
        "-W",
        "default",
        "-o",
        "xfail_strict=false",
        *(f"--ignore={path}" for path in suite.ignore),
        *suite.options,
    ]
    if guest:
        lock(work, suite, python, env)
        env |= {"ENVKNIT": "1", "PYTHONPATH": str(HERE), "ENVKNIT_LOCK": str(work / "envknit.lock.yaml")}
        command += ["-p", "guest_plugin"]
    with (work / "output.txt").open("w") as output:
        subprocess.run(command, cwd=work, env=env, stdout=output, stderr=output, check=False, timeout=7200)
    return outcomes(report) if report.exists() else {}


def lock(work: Path, suite: Suite, python: Path, env: dict[str, str]) -> None:
    rows = ["system_site_packages: true", f"native: {list(NATIVE)}", "environments:"]
    for name, requirements in (("default", suite.beside), ("subject", suite.subject)):
        rows += [f"  {name}:", "    packages:", *(f"      - {requirement!r}" for requirement in requirements)]
    (work / "envknit.yaml").write_text("\n".join(rows) + "\n")
    for verb in ("lock", "install"):
        subprocess.run([python, "-m", "envknit", verb], cwd=work, env=env, check=True, stdout=subprocess.DEVNULL)


def interpreter(folder: Path, suite: Suite) -> Path:
    """Return a virtual environment's Python with the tested version, what its tests need, and envknit."""
    python = folder / "python" / "bin" / "python"
    if not python.exists():
        venv.create(folder / "python", with_pip=True)
        needs = ["pytest<9", *suite.subject, *suite.needs, "-e", str(ROOT)]
        subprocess.run([python, "-m", "pip", "install", "-q", *needs], check=True)
    return python


def copy_inside(package: Path, suite: Suite, work: Path) -> None:
    """Lay an installed package's tests out as one package, `tests`; what is imported as `tests` is no guest's."""
    (work / "tests").mkdir()
    (work / "tests" / "__init__.py").touch()
    (work / "pytest.ini").write_text("[pytest]\n")
    shutil.copy(package / "conftest.py", work)
    for part in suite.inside:
        inner = [each for each in part.split("/") if each != "tests"]
        shutil.copytree(package / part, work.joinpath("tests", *inner))
        for depth in range(1, len(inner)):
            work.joinpath("tests", *inner[:depth], "__init__.py").touch()


def unpack(folder: Path, suite: Suite, python: Path) -> Path:
    source = folder / "sdist"
    if not source.exists():
        command = [
            python,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary=:all:",
            "-d",
            folder,
            suite.subject[0],
        ]
        subprocess.run(command, check=True)
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(source)
    (inner,) = source.iterdir()
    return inner


def outcomes(report: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        # a parameter may be a guest, or a path, and its name becomes the case's
        name = re.sub(r"@[0-9]\w*", "", case.get("name", "").replace(str(report.parent), ""))
        found[f"{case.get('classname')}::{name}".replace(" ", "_")] = outcome
    return found


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
