"""Console scripts of a plan."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from envknit.wheel.entrypoints import is_reserved, scripts_of

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shelf


def test_scripts_run_with_the_python_of_their_view_wherever_it_lies(shelf: Shelf, tmp_path: Path) -> None:
    placed = shelf.put(
        "x", "1", {"x.py": "def main():\n    print('from the entry point')\n"},
        entry_points={"console_scripts": {"x-run": "x:main"}, "other": {"y": "not ours"}},
        data={"scripts/old-style": "#!python\nimport sys\nprint(sys.executable)\n",
              "scripts/sh": "#!/bin/sh\necho sh\n"},
    )  # fmt: skip
    view, warnings = shelf.view(placed)

    def run(store: Path, name: str) -> str:
        program = store / view.relative_to(shelf.store.root) / "bin" / name
        return subprocess.run(
            [program], capture_output=True, text=True, check=True, env={**os.environ, "ENVKNIT": "0"}
        ).stdout

    moved = tmp_path / "a place with spaces, and so deep that no `#!` line could hold it".ljust(150, "x")
    shutil.copytree(shelf.store.root, moved, symlinks=True)
    for store in (shelf.store.root, moved):
        assert "from the entry point\n" == run(store, "x-run")
        assert f"{store / view.relative_to(shelf.store.root)}/bin/python\n" == run(store, "old-style")
        assert "sh\n" == run(store, "sh")
    assert (view / "bin/sh").is_symlink()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    expected = [
        "activate",
        "activate.csh",
        "activate.fish",
        "old-style",
        "python",
        "python3",
        f"python{version}",
        "sh",
        "x-run",
    ]
    assert expected == sorted(path.name for path in (view / "bin").iterdir())
    assert [] == warnings


def test_of_two_scripts_of_one_name_the_first_pins_is_taken_and_told(shelf: Shelf) -> None:
    points = {name: {"console_scripts": {"tool": f"{name}:main"}} for name in ("one", "two")}
    view, warnings = shelf.view(*(shelf.put(name, "1", entry_points=points[name]) for name in points))

    assert "from one import main" in (view / "bin/tool").read_text()
    assert ["two 1 has a script 'tool', as another package does"] == warnings


def test_scripts_of_a_bundle_are_each_made_once(shelf: Shelf) -> None:
    one = shelf.put("one", "1", {"p/__init__.py": ""}, data={"scripts/a": "#!python\n"})
    two = shelf.put("two", "1", {"p/x.py": ""}, data={"scripts/b": "#!python\n"})
    view, warnings = shelf.view(one, two)

    assert {"a", "b"} <= {path.name for path in (view / "bin").iterdir()}
    assert [] == warnings


SHELLS = [
    ("sh", ["-c", '. "$1"; command -v python; deactivate; command -v python || echo gone', "sh"]),
    ("bash", ["-c", '. "$1"; command -v python; deactivate; command -v python || echo gone', "sh"]),
    ("zsh", ["-c", '. "$1"; command -v python; deactivate; command -v python || echo gone', "sh"]),
    ("fish", ["-c", "source $argv[1].fish; command -v python; deactivate; command -v python; or echo gone"]),
    # line by line, since a whole line is read before an alias in it counts
    ("tcsh", ["-fc", 'source "$1.csh"\nwhich python\ndeactivate\nwhich python >& /dev/null || echo gone']),
]


@pytest.mark.parametrize(("shell", "words"), SHELLS, ids=[name for name, _ in SHELLS])
def test_activate_puts_the_view_first_on_path_until_deactivate(shelf: Shelf, shell: str, words: list[str]) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell}")
    view, _ = shelf.view(shelf.put("x", "1"))
    link = shelf.root / "it's .venv"
    link.symlink_to(view)
    folder = shelf.root / "empty"
    folder.mkdir()
    for tool in ("dirname", "test", "which"):
        if path := shutil.which(tool):
            (folder / tool).symlink_to(path)
    ran = subprocess.run(
        [program, *words, link / "bin/activate"], capture_output=True, text=True, check=True, env={"PATH": str(folder)}
    )

    there = view if shell in {"sh", "tcsh"} else link  # bash and its like say where a file was sourced from
    assert [f"{there}/bin/python", "gone"] == ran.stdout.splitlines(), ran.stderr


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
