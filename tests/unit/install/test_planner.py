"""Plans: import names, neighbours, start-up code and what is reported."""

from __future__ import annotations

import importlib.machinery
import os
from typing import TYPE_CHECKING

import pytest

from envknit.errors import StoreError
from envknit.plan import Plan

if TYPE_CHECKING:
    from conftest import Shelf

EXTENSION = importlib.machinery.EXTENSION_SUFFIXES[0]


def test_import_names_are_packages_modules_extensions_and_namespace_portions(shelf: Shelf) -> None:
    placed = shelf.put(
        "x",
        "1",
        {
            "pack/__init__.py": "",
            "mod.py": "",
            f"fast{EXTENSION}": b"",
            "81d243bd2c585b0f4821__mypyc.abi3.so": b"",
            "space/part/x.py": "",
            "data_only/a.json": "",
            "libs.libs/libx.so.1": b"",
            "readme.txt": "",
            "old.cpython-27m.so": b"",
        },
        data={"data/share/x/y.txt": "", "scripts/tool": "#!python\n", "headers/x.h": ""},
    )
    plan, warnings = shelf.plan(placed)

    expected = ["81d243bd2c585b0f4821__mypyc", "data_only", "fast", "mod", "pack", "space"]
    assert expected == sorted(plan.imports)
    assert {(placed.entry.folder,)} == set(plan.imports.values())
    assert plan.pins["x", "1"].native
    assert [] == warnings


@pytest.mark.parametrize(
    ("path", "native"),
    [(f"x/_a{EXTENSION}", True), ("x/_a.abi3.so", True), ("x/libplain.so", True), ("x/liba.so.1", False),
     ("x.libs/liba.so", False), ("x/_a.cpython-27m.so", False), ("x/a.py", False)],
)  # fmt: skip
def test_a_pin_is_native_where_this_interpreter_could_import_a_library(shelf: Shelf, path: str, native: bool) -> None:  # noqa: FBT001 - a table
    plan, _ = shelf.plan(shelf.put("x", "1", {"x/__init__.py": "", path: b""}))

    assert native == plan.pins["x", "1"].native


def test_namespace_portions_of_several_pins_are_all_listed(shelf: Shelf) -> None:
    one, two = shelf.put("one", "1", {"space/one.py": ""}), shelf.put("two", "1", {"space/two/__init__.py": ""})
    plan, _ = shelf.plan(one, two)

    assert {"space": (one.entry.folder, two.entry.folder)} == plan.imports


def test_a_module_hides_namespace_portions_of_its_name(shelf: Shelf) -> None:
    one, two = shelf.put("one", "1", {"x/data.txt": ""}), shelf.put("two", "1", {"x.py": ""})
    plan, _ = shelf.plan(one, two)

    assert {"x": (two.entry.folder,)} == plan.imports


def test_a_package_spread_over_two_pins_gets_one_folder_of_hard_links(shelf: Shelf) -> None:
    one = shelf.put("one", "1", {"pack/__init__.py": "", "pack/sub/__init__.py": ""})
    two = shelf.put("two", "1", {"pack/sub/more.py": "y = 2\n"})
    other = shelf.put("other", "1")
    plan, warnings = shelf.plan(one, other, two)

    folder = plan.pins["one", "1"].folder
    assert folder.startswith("packages/site-packages/bundle=")
    assert folder == plan.pins["two", "1"].folder
    assert other.entry.folder == plan.pins["other", "1"].folder
    assert {"pack": (folder,), "other": (other.entry.folder,)} == plan.imports
    more = shelf.store.path(folder) / "pack/sub/more.py"
    assert os.path.samefile(more, shelf.store.path(two.entry.folder) / "pack/sub/more.py")
    assert (shelf.store.path(folder) / "two-1.dist-info/METADATA").exists()
    assert [] == warnings


def test_a_bundle_is_made_once(shelf: Shelf) -> None:
    pins = shelf.put("one", "1", {"pack/__init__.py": ""}), shelf.put("two", "1", {"pack/more.py": ""})
    first, _ = shelf.plan(*pins)
    before = shelf.store.stats()
    second, _ = shelf.plan(*pins)

    assert first.render() == second.render()
    assert before == shelf.store.stats()


def test_a_bundle_of_other_entries_in_its_place_is_refused(shelf: Shelf) -> None:
    pins = shelf.put("one", "1", {"pack/__init__.py": ""}), shelf.put("two", "1", {"pack/more.py": ""})
    shelf.plan(*pins)
    (note,) = shelf.store.root.rglob("bundle=*.entries")
    note.write_text("packages/site-packages/other\n")

    with pytest.raises(StoreError, match="another bundle lies where this one belongs"):
        shelf.plan(*pins)


def test_two_pins_that_ship_one_package_are_reported_and_the_first_wins(shelf: Shelf) -> None:
    one = shelf.put("one", "1", {"tests/__init__.py": "1", "tests/a.py": "1"})
    two = shelf.put("two", "1", {"tests/__init__.py": "2", "tests/a.py": "2"})
    plan, warnings = shelf.plan(one, two)

    assert "one 1 and two 1 ship the same top-level package 'tests'" == warnings[0]
    assert "one 1 and two 1 both ship tests/__init__.py and 1 more files" in warnings[1]
    assert "1" == (shelf.store.path(plan.imports["tests"][0]) / "tests/a.py").read_text()


def test_namespaces_of_the_old_kind_are_neighbours_and_no_news(shelf: Shelf) -> None:
    boilerplate = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    one = shelf.put("one", "1", {"space/__init__.py": boilerplate, "space/one.py": ""})
    two = shelf.put("two", "1", {"space/__init__.py": boilerplate, "space/two.py": ""})
    plan, warnings = shelf.plan(one, two)

    folder = shelf.store.path(plan.imports["space"][0])
    assert {"__init__.py", "__pycache__", "one.py", "two.py"} == {path.name for path in (folder / "space").iterdir()}
    assert [] == warnings


def test_one_file_that_two_pins_ship_differently_is_reported(shelf: Shelf) -> None:
    _, warnings = shelf.plan(shelf.put("one", "1", {"m.py": "1"}), shelf.put("two", "1", {"m.py": "2"}))

    assert ["one 1 and two 1 both ship m.py with different contents; those of one 1 are used"] == warnings


def test_path_lines_of_pth_files_make_their_folders_importable(shelf: Shelf) -> None:
    placed = shelf.put(
        "pywin",
        "1",
        {"pywin.pth": "# folders\nwin32\nwin32/lib\n/usr\n../up\n.\n", "win32/api.py": "", "win32/lib/util.py": ""},
    )
    plan, warnings = shelf.plan(placed)

    folder = placed.entry.folder
    expected = {"win32": (folder,), "api": (f"{folder}/win32",), "util": (f"{folder}/win32/lib",)}
    assert expected == {name: plan.imports[name] for name in expected}
    assert ["pywin 1 wants a folder outside of itself on sys.path (pywin.pth: /usr, and 1 more)"] == warnings


STARTUP = {
    "x.py": "",
    "a.pth": "import x; x.start()\n",
    "b.pth": "import x\n",
    "b.start": "x:start\n",
    ".hidden.pth": "import x\n",
    "sitecustomize.py": "",
}


def test_start_up_code_is_reported_and_does_not_become_an_import_name(shelf: Shelf) -> None:
    plan, warnings = shelf.plan(shelf.put("x", "1", STARTUP))

    assert ["x"] == list(plan.imports)
    assert () == plan.startup
    assert warnings[0].startswith(
        "x 1 has code that wants to run when Python starts (a.pth, b.start, sitecustomize.py)"
    )


def test_start_up_code_of_a_named_pin_is_in_the_plan(shelf: Shelf) -> None:
    placed = shelf.put("x", "1", STARTUP)
    plan, warnings = shelf.plan(placed, startup=("x",))

    files = ("a.pth", "b.start", "sitecustomize.py")
    assert tuple(("x", f"{placed.entry.folder}/{file}") for file in files) == plan.startup
    assert [] == warnings


def test_a_name_of_the_standard_library_is_reported(shelf: Shelf) -> None:
    _, warnings = shelf.plan(shelf.put("typing", "1", {"typing.py": ""}))

    assert ["typing 1 ships typing, which the standard library has: that one is imported"] == warnings


def test_a_plan_survives_writing_and_reading(shelf: Shelf) -> None:
    plan, _ = shelf.plan(shelf.put("x", "1"), shelf.put("y", "2"))

    assert plan.render() == Plan.parse(plan.render()).render()
