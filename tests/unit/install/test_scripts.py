"""Console scripts of a plan."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from envknit.install.scripts import place_scripts, script_folder
from envknit.wheel.entrypoints import is_reserved, scripts_of

if TYPE_CHECKING:
    from conftest import Shelf


def test_scripts_run_with_the_interpreter_that_installed_them(shelf: Shelf) -> None:
    placed = shelf.put(
        "x", "1", {"x.py": "def main():\n    print('from the entry point')\n"},
        entry_points={"console_scripts": {"x-run": "x:main"}, "other": {"y": "not ours"}},
        data={"scripts/old-style": "#!python\nimport sys\nprint(sys.executable)\n",
              "scripts/sh": "#!/bin/sh\necho sh\n"},
    )  # fmt: skip
    plan, _ = shelf.plan(placed)
    folder, warnings = place_scripts(shelf.store, plan)

    def run(name: str) -> str:
        environment = {"PYTHONPATH": str(shelf.store.path(placed.entry.folder)), "ENVKNIT": "0"}
        return subprocess.run([folder / name], capture_output=True, text=True, check=True, env=environment).stdout

    assert "from the entry point\n" == run("x-run")
    assert f"{sys.executable}\n" == run("old-style")
    assert "sh\n" == run("sh")
    assert (folder / "sh").is_symlink()
    assert ["old-style", "sh", "x-run"] == sorted(path.name for path in folder.iterdir())
    assert [] == warnings


def test_scripts_are_made_once_for_each_plan_and_interpreter(shelf: Shelf) -> None:
    plan, _ = shelf.plan(shelf.put("x", "1", entry_points={"console_scripts": {"x": "x:main"}}))
    other, _ = shelf.plan(shelf.put("y", "1"))
    folder, _ = place_scripts(shelf.store, plan)

    assert folder == script_folder(plan)
    assert folder != script_folder(other)
    assert folder != script_folder(plan, "/usr/bin/python3")
    before = (folder / "x").stat().st_ino
    assert (folder, []) == place_scripts(shelf.store, plan)
    assert before == (folder / "x").stat().st_ino


def test_of_two_scripts_of_one_name_the_first_pins_is_taken_and_told(shelf: Shelf) -> None:
    points = {name: {"console_scripts": {"tool": f"{name}:main"}} for name in ("one", "two")}
    plan, _ = shelf.plan(*(shelf.put(name, "1", entry_points=points[name]) for name in points))
    folder, warnings = place_scripts(shelf.store, plan)

    assert "from one import main" in (folder / "tool").read_text()
    assert ["two 1 has a script 'tool', as another package does"] == warnings


def test_scripts_of_a_bundle_are_each_made_once(shelf: Shelf) -> None:
    one = shelf.put("one", "1", {"p/__init__.py": ""}, data={"scripts/a": "#!python\n"})
    two = shelf.put("two", "1", {"p/x.py": ""}, data={"scripts/b": "#!python\n"})
    plan, _ = shelf.plan(one, two)
    folder, warnings = place_scripts(shelf.store, plan)

    assert ["a", "b"] == sorted(path.name for path in folder.iterdir())
    assert [] == warnings


def test_entry_points_are_read_as_they_are_written() -> None:
    text = "[console_scripts]\na = m:f\nB.c-d = m.n : o.p [extra, more]\n[gui_scripts]\ng=m:f\n[x]\na=%(nonsense\n"

    assert [("a", "m", "f", "console"), ("B.c-d", "m.n", "o.p", "console"), ("g", "m", "f", "gui")] == scripts_of(text)
    assert [] == scripts_of("")


@pytest.mark.parametrize("name", ["python", "PYTHON3", "python3.12", "python.exe", "pythonw", "python3.13t", "pypy3"])
def test_names_of_interpreters_are_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["pythonic", "ipython", "python-dotenv", "pypi", "bpython"])
def test_names_that_only_resemble_them_are_not(name: str) -> None:
    assert not is_reserved(name)
