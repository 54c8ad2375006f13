"""Views: folders in which Python's own finder, and whatever reads folders, finds what the plan says."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.plan import SITE_PACKAGES, interpreter_tag
from envknit.view.place import place_views
from envknit.view.runtime import HOOK

if TYPE_CHECKING:
    import pytest

    from conftest import Shelf

PROBE = """
import importlib, importlib.metadata, importlib.resources, json, sys
told = {}
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    told[name] = getattr(module, "WHO", None) or sorted(p.rpartition("/site-packages/")[2] for p in module.__path__)
told["distributions"] = sorted(f"{d.name}=={d.version}" for d in importlib.metadata.distributions() if d.name != "pip")
print(json.dumps(told))
"""


OLD_NAMESPACE = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"


def probe(python: Path | str, *modules: str, **environment: str) -> dict[str, object]:
    """Import modules in a fresh Python without the hook, and list distributions."""
    command = [str(python), "-c", PROBE, *modules]
    env = {**os.environ, "ENVKNIT": "0", **environment}
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout)


def test_python_s_own_finder_gives_what_the_plan_says(shelf: Shelf) -> None:
    view, warnings = shelf.view(
        shelf.put("dotted.name", "1", {"space/dotted/name.py": "WHO = 'dotted'\n"}),
        shelf.put("mixed", "1", {"other/data.txt": "", "space/deep/mixed.py": "WHO = 'mixed'\n"}),
        shelf.put("old-a", "1", {"old/__init__.py": OLD_NAMESPACE,
                                 "old/a.py": "WHO = 'a'\n"}),
        shelf.put("old-b", "1", {"old/__init__.py": OLD_NAMESPACE,
                                 "old/b.py": "WHO = 'b'\n"}),
        shelf.put("other", "1", {"other.py": "WHO = 'other'\n", "space/deep/part/__init__.py": "WHO = 'part'\n"}),
        shelf.put("pywin", "1", {"pywin.pth": "win/lib\n", "win/lib/api.py": "WHO = 'api'\n"}),
        shelf.put("spread-a", "1", {"spread/__init__.py": "WHO = 'spread'\n"}),
        shelf.put("spread-b", "1", {"spread/more.py": "WHO = 'more'\n"}),
    )  # fmt: skip
    modules = (
        "space.dotted.name",
        "space.deep.mixed",
        "space.deep.part",
        "old.a",
        "old.b",
        "other",
        "api",
        "spread.more",
    )
    found = probe(view / "bin/python", *modules)

    assert {
        "space.dotted.name": "dotted", "space.deep.mixed": "mixed", "space.deep.part": "part", "old.a": "a",
        "old.b": "b", "other": "other", "api": "api", "spread.more": "more",
    } == {name: found[name] for name in modules}  # fmt: skip
    assert [
        f"{name}==1" for name in ("dotted.name", "mixed", "old-a", "old-b", "other", "pywin", "spread-a", "spread-b")
    ] == (found["distributions"])
    assert found == probe(sys.executable, *modules, PYTHONPATH=str(view / SITE_PACKAGES)) | {
        "distributions": found["distributions"]
    }
    assert [] == warnings


def test_a_link_for_each_name_and_real_folders_only_where_several_share_one(shelf: Shelf) -> None:
    one = shelf.put("one", "1", {"one/__init__.py": "", "space/one.py": "", "space/deep/x.py": ""})
    two = shelf.put("two", "1", {"two.py": "", "space/two/__init__.py": "", "space/deep/y.py": ""})
    view, _ = shelf.view(one, two)
    site = (view / SITE_PACKAGES).resolve()

    links = {
        str(path.relative_to(site))
        for parent, folders, names in os.walk(site)
        for path in (Path(parent, name) for name in [*folders, *names])
        if path.is_symlink()
    }
    hook = {*HOOK, "envknit"}
    assert {
        "one", "one-1.dist-info", "two.py", "two-1.dist-info", "space/one.py", "space/two", "space/deep/x.py",
        "space/deep/y.py",
    } == links - hook  # fmt: skip
    assert hook <= links
    assert (view / SITE_PACKAGES / "one").samefile(shelf.store.path(one.entry.folder) / "one")
    assert not (view / SITE_PACKAGES / "one").readlink().is_absolute()


def test_what_a_wheel_has_for_the_prefix_lies_under_the_prefix_and_its_record_says_so(shelf: Shelf) -> None:
    one = shelf.put(
        "one",
        "1",
        data={"data/share/app/one.txt": "1", "data/etc/one.cfg": "", "headers/one.h": "", "scripts/x": "#!python\n"},
    )
    two = shelf.put("two", "1", data={"data/share/app/two.txt": "2", "data/lib/tool/two.so": ""})
    view, _ = shelf.view(one, two)

    assert {"one.txt", "two.txt"} == {path.name for path in (view / "share/app").iterdir()}
    assert (view / "etc/one.cfg").exists()
    assert (view / "include/one/one.h").exists()
    assert (view / "lib/tool/two.so").exists()
    assert {"bin", "etc", "include", "lib", "pip.conf", "plan", "pyvenv.cfg", "share"} == {
        path.name for path in view.iterdir()
    } - {"lib64"}
    program = "import importlib.metadata as m; print(*(f for f in m.files('one') if f.locate().exists()))"
    files = subprocess.run([view / "bin/python", "-c", program], capture_output=True, text=True, check=True,
                           env={**os.environ, "ENVKNIT": "0"}).stdout.split()  # fmt: skip
    assert "../../../share/app/one.txt" in files
    assert () == shelf.store.verify().findings


def test_a_view_is_shaped_like_a_virtual_environment(shelf: Shelf) -> None:
    view, _ = shelf.view(shelf.put("x", "1"))
    program = "import sys, sysconfig; print(sys.prefix, sys.base_prefix, sysconfig.get_path('purelib'), sep='\\n')"
    told = subprocess.run([view / "bin/python", "-c", program], capture_output=True, text=True, check=True,
                          env={**os.environ, "ENVKNIT": "0"}).stdout.splitlines()  # fmt: skip

    assert [str(view), sys.base_prefix, str(view / SITE_PACKAGES)] == told


def test_a_store_that_was_copied_elsewhere_works(shelf: Shelf, tmp_path: Path) -> None:
    view, _ = shelf.view(shelf.put("x", "1", {"x.py": "WHO = 'x'\n"}))
    copy = tmp_path / "copy"
    shutil.copytree(shelf.store.root, copy, symlinks=True)
    shelf.store.root.rename(tmp_path / "away")

    assert "x" == probe(copy / view.relative_to(shelf.store.root) / "bin/python", "x")["x"]


def test_two_interpreters_of_one_abi_share_a_tree_and_each_has_a_view(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, _ = shelf.plan(shelf.put("x", "1"))
    first, _ = place_views(shelf.store, b"lock", [plan])
    before = interpreter_tag()
    monkeypatch.setattr(sys, "base_prefix", "/opt/other")
    monkeypatch.setattr(sys, "_base_executable", "/opt/other/bin/python3", raising=False)
    second, _ = place_views(shelf.store, b"lock", [plan])

    one, two = first["default"], second["default"]
    assert one != two
    assert (one / "lib").samefile(two / "lib")
    assert "/opt/other/bin/python3" == str((two / "bin/python").readlink())
    environments = one.parents[1] / "environments"
    assert {"default", f"default@{before}", f"default@{interpreter_tag()}"} == {
        path.name for path in environments.iterdir()
    }
    assert (environments / f"default@{before}").samefile(one)
    assert (environments / "default").samefile(two)


def test_a_second_lock_path_with_the_same_bytes_has_the_same_view(shelf: Shelf) -> None:
    placed = shelf.put("x", "1")
    view, _ = shelf.view(placed)
    shelf.root = shelf.root / "worktree"

    assert view == shelf.view(placed)[0]


def test_names_of_envknit_s_own_never_come_from_a_package(shelf: Shelf) -> None:
    view, _ = shelf.view(
        shelf.put("envknit", "9", {"envknit/__init__.py": "WHO = 'a package'\n", "envknit.pth": "import x\n"})
    )

    assert "WHO" not in (view / SITE_PACKAGES / "envknit/__init__.py").read_text()
    assert "_envknit_bootstrap" in (view / SITE_PACKAGES / "envknit.pth").read_text()


def test_the_view_of_a_folder_that_the_lock_names_leads_there(shelf: Shelf, tmp_path: Path) -> None:
    from envknit.files.model import Pin
    from envknit.install.choose import ChosenPin, PlacedPin
    from envknit.store.entry import read_foreign

    (tmp_path / "own/mine").mkdir(parents=True)
    (tmp_path / "own/mine/__init__.py").write_text("WHO = 'mine'\n")
    pin = Pin(name="mine", version="1", files=(), roots=("",), install_path=str(tmp_path / "own"))
    placed = PlacedPin(
        chosen=ChosenPin(pin=pin, artifact=None, dependencies=()), entry=read_foreign(str(tmp_path / "own"))
    )
    view, _ = shelf.view(placed)

    assert "mine" == probe(view / "bin/python", "mine")["mine"]


def test_a_view_of_many_pins_is_a_link_for_each_name_and_each_metadata(shelf: Shelf) -> None:
    pins = [
        shelf.put(f"p{number:03}", "1", {f"p{number:03}/__init__.py": "", f"_p{number:03}.py": ""})
        for number in range(60)
    ]
    view, _ = shelf.view(*pins)
    names = [path for path in (view / SITE_PACKAGES).iterdir() if path.name.lstrip("_").startswith("p0")]

    assert [path.is_symlink() for path in names] == [True] * 180


def test_a_wheel_of_bytecode_only_is_imported(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "hidden.py").write_text("WHO = 'hidden'\n")
    py_compile.compile(str(tmp_path / "hidden.py"), cfile=str(tmp_path / "hidden.pyc"))
    code = (tmp_path / "hidden.pyc").read_bytes()
    view, _ = shelf.view(shelf.put("hidden", "1", {"hidden/__init__.pyc": code, "alone.pyc": code}))

    assert {"hidden": "hidden", "alone": "hidden", "distributions": ["hidden==1"]} == probe(
        view / "bin/python", "hidden", "alone"
    )


def test_a_view_of_another_plan_in_its_place_makes_way(shelf: Shelf) -> None:
    placed = shelf.put("x", "1", {"x.py": "WHO = 'x'\n"})
    view, _ = shelf.view(placed)
    view.chmod(0o755)
    (view / "plan").unlink()
    (view / "plan").symlink_to("../../trees/other/plan")

    assert view == shelf.view(placed)[0]
    assert "x" == probe(view / "bin/python", "x")["x"]


def test_a_view_made_by_an_envknit_that_runs_from_a_view_leads_to_the_same_envknit(shelf: Shelf) -> None:
    view, _ = shelf.view(shelf.put("x", "1"))
    site = view / SITE_PACKAGES
    program = (
        "import envknit.plan, _envknit_bootstrap as b; print(envknit.plan.__file__, envknit.plan.runtime_folder())"
    )
    told = subprocess.run([view / "bin/python", "-c", program], capture_output=True, text=True, check=True,
                          env={**os.environ, "ENVKNIT": "0"}).stdout.split()  # fmt: skip

    assert [str(site / "envknit/plan.py"), str((site / "envknit").resolve().parent)] == told


def test_programs_can_keep_what_they_compile_beside_modules_and_write_nothing_else(shelf: Shelf) -> None:
    files = {"x/__init__.py": "", "x/data/a.txt": "", "top.py": "", "space/a.py": ""}
    view, _ = shelf.view(shelf.put("x", "1", files), shelf.put("y", "1", {"space/b.py": ""}))
    site = view / SITE_PACKAGES

    for folder in (site, site / "x", site / "space"):
        assert 0o555 == stat.S_IMODE(folder.stat().st_mode)
        assert 0o700 == stat.S_IMODE((folder / "__pycache__").stat().st_mode)
    assert not (site / "x/data/__pycache__").exists()
    assert () == shelf.store.verify().findings
