"""Installing from an index on the loopback interface, by the function that `envknit install` calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from _envknit_finder import bytecode_path
from envknit.errors import InstallError, LockError, PackageIndexError, StoreError, UnsafeWheelError
from envknit.files.model import Artifact, Edge, Environment, Lock, Pin
from envknit.files.written_lock import write_lock
from envknit.install.flow import install
from envknit.install.installed import Installed, find_installed
from envknit.install.selection import Selection
from envknit.plan import Plan
from envknit.reporter import Reporter
from envknit.store.collect import collect
from envknit.store.roots import view_link
from envknit.store.store import Store
from kit import UNMEASURED, make_wheel

if TYPE_CHECKING:
    from kit import LoopbackIndex
    from kit.loopback import File


class Shop:
    """A project whose lock is written by hand, on an index of its own."""

    def __init__(self, index: LoopbackIndex, root: Path) -> None:
        self.index = index
        self.root = root
        self.lock = root / "project" / "envknit.lock.yaml"
        self.lock.parent.mkdir()
        self.store = Store()

    def write(self, *pins: Pin, lock: Path | None = None, **environments: Environment) -> Path:
        """Write a lock with these pins in `default`, and further environments."""
        default = Environment(name="default", pins=tuple(sorted(pins, key=lambda pin: pin.name)))
        path = lock or self.lock
        path.parent.mkdir(exist_ok=True)
        write_lock(path, Lock(environments={"default": default, **environments}))
        return path

    def install(self, **options: Any) -> Installed:
        """Install the project's lock."""
        return install(self.lock, **options)

    def downloads(self) -> int:
        """Count the artifacts that were asked for."""
        return self.index.count("/files/*")


def pin_of(file: File, *needs: Edge, **fields: Any) -> Pin:
    """Pin a file of the index."""
    name, version = file.name.split("-")[:2]
    artifact = Artifact(name=file.name, sha256=file.sha256, size=len(file.data))
    version = version.removesuffix(".tar.gz")
    return Pin(name=name, version=version, files=(artifact,), dependencies=needs, **{"roots": ("",), **fields})


@pytest.fixture(name="shop")
def _shop(tmp_path: Path, index: LoopbackIndex, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("ENVKNIT_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return Shop(index, tmp_path)


def test_install_places_entries_and_writes_a_plan(shop: Shop) -> None:
    lib = pin_of(shop.index.publish("lib", "2.0"), roots=())
    app = shop.index.publish("app", "1.0", requires=["lib"], entry_points={"console_scripts": {"app": "app:main"}})
    shop.write(pin_of(app, Edge(name="lib", version="2.0")), lib)
    done = shop.install()

    plan = Plan.read(done.views["default"] + "/plan")
    assert (2, 2) == (done.pins, done.placed)
    assert len(app.data) < done.downloaded
    assert (("lib", "2.0"),) == plan.pins["app", "1.0"].dependencies
    assert ["app", "lib"] == sorted(plan.imports)
    assert shop.lock.read_bytes() == Path(done.views["default"]).parents[1].joinpath("lock").read_bytes()
    assert (Path(done.views["default"]) / "bin/app").exists()
    assert () == shop.store.verify().findings


def test_installing_again_does_nothing_and_asks_nobody(shop: Shop) -> None:
    shop.write(pin_of(shop.index.publish("app", "1.0")))
    first = shop.install()
    shop.index.forget()
    again = shop.install()

    assert find_installed(shop.lock)
    assert (first.views, first.pins) == (again.views, again.pins)
    assert (0, 0) == (again.placed, again.downloaded)
    assert 0 == shop.index.count()


def test_a_warm_install_loads_nothing_heavy(shop: Shop) -> None:
    shop.write(pin_of(shop.index.publish("app", "1.0")))
    shop.install()
    program = (
        "import sys; before = set(sys.modules)\nfrom envknit.install.installed import find_installed\n"
        "assert find_installed(sys.argv[1]); print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, shop.lock], capture_output=True, text=True, check=True,
        env={k: v for k, v in os.environ.items() if k not in UNMEASURED} | {"ENVKNIT": "0"},
    )  # fmt: skip

    assert {"__future__", "errno"} == {
        name for name in done.stdout.split() if not name.startswith(("envknit.", "_envknit_")) and name != "envknit"
    }


@pytest.mark.parametrize("lost", ["entry", "plan", "view", "link", "root"])
def test_what_was_lost_is_put_back(shop: Shop, lost: str) -> None:
    shop.write(pin_of(shop.index.publish("app", "1.0")))
    done = shop.install()
    plan = Plan.read(done.views["default"] + "/plan")
    if lost == "entry":
        shop.store.remove(plan.pins["app", "1.0"].folder)
    elif lost == "plan":
        Path(done.views["default"], "plan").chmod(0o644)
        Path(done.views["default"], "plan").write_text("half a pl")
    elif lost == "view":
        shop.store.remove(os.path.relpath(done.views["default"], shop.store.root))
    elif lost == "link":
        Path(view_link(str(shop.store.root), str(shop.lock), "default")).unlink()
    else:
        shutil.rmtree(shop.store.root / "roots")
    assert not find_installed(shop.lock)
    shop.install()

    assert find_installed(shop.lock)
    assert plan.render() == Plan.read(done.views["default"] + "/plan").render()


def test_a_second_project_with_the_same_pins_costs_no_download(shop: Shop) -> None:
    pin = pin_of(shop.index.publish("app", "1.0"))
    shop.write(pin)
    shop.install()
    other = shop.write(pin, lock=shop.root / "other" / "envknit.lock.yaml")
    shop.index.forget()
    entries = list(shop.store.entries())

    assert not find_installed(other)
    assert 0 == install(other).placed
    assert entries == list(shop.store.entries())
    assert 0 == shop.index.count()


def test_bytes_that_the_lock_does_not_name_are_refused(shop: Shop) -> None:
    file = shop.index.publish("app", "1.0")
    shop.write(pin_of(file))
    file.data = make_wheel("app", "1.0", {"app.py": "evil = True\n"})

    with pytest.raises(PackageIndexError):
        shop.install()
    assert [] == list(shop.store.entries())
    assert not find_installed(shop.lock)


def test_an_index_that_says_another_hash_is_told_before_a_download(shop: Shop) -> None:
    file = shop.index.publish("app", "1.0")
    shop.write(pin_of(file))
    file.sha256 = "0" * 64

    with pytest.raises(InstallError, match="other bytes than the lock names"):
        shop.install()
    assert 0 == shop.downloads()


def test_a_file_that_the_index_lost_is_named(shop: Shop) -> None:
    shop.write(pin_of(shop.index.publish("app", "1.0")))
    shop.index.files.clear()

    with pytest.raises(PackageIndexError, match=r"does not offer app-1\.0-py3-none-any\.whl"):
        shop.install()


def test_an_unsafe_wheel_leaves_nothing(shop: Shop) -> None:
    good = shop.index.publish("good", "1.0")
    bad = shop.index.publish("bad", "1.0", overrides={"../planted.py": "evil = True\n"})
    shop.write(pin_of(good), pin_of(bad))

    with pytest.raises(UnsafeWheelError, match="does not stay inside"):
        shop.install()
    assert [] == list(shop.store.entries())
    assert [] == list((shop.store.root / "tmp").iterdir())


def test_a_wheel_with_a_careless_record_is_installed_with_a_warning_and_a_true_record(shop: Shop) -> None:
    careless = {"lib/unnamed.py": "x = 1\n", "lib/__init__.py": "changed = True\n"}
    shop.write(pin_of(shop.index.publish("lib", "1.0", overrides=careless)))

    told: list[str] = []

    class Told(Reporter):
        def warn(self, text: str) -> None:
            told.append(text)

    shop.install(reporter=Told())

    assert "lib 1.0: its RECORD does not fit 2 files, such as lib/__init__.py" in told[0]
    assert () == shop.store.verify().findings


def test_what_was_downloaded_before_a_failure_is_not_downloaded_again(shop: Shop) -> None:
    good, bad = shop.index.publish("good", "1.0"), shop.index.publish("bad", "1.0")
    shop.write(pin_of(good), pin_of(bad))
    whole, bad.data = bad.data, b"not this"
    shop.index.fail("slow", "/files/bad*", seconds=0.3)
    with pytest.raises(PackageIndexError):
        shop.install()
    bad.data = whole
    shop.index.forget()
    shop.install()

    assert 0 == shop.index.count("/files/good*")
    assert [] == list((shop.store.root / "cache/artifacts").iterdir())


def test_an_interrupted_download_is_tried_again(shop: Shop) -> None:
    shop.write(pin_of(shop.index.publish("app", "1.0")))
    shop.index.fail("truncated", "/files/*")

    assert 1 == shop.install().placed


def test_offline_names_all_that_is_missing(shop: Shop) -> None:
    here = pin_of(shop.index.publish("here", "1.0"))
    shop.write(here)
    shop.install()
    shop.write(here, *(pin_of(shop.index.publish(name, "1.0")) for name in ("one", "two")))
    shop.index.forget()

    with pytest.raises(InstallError, match="2 of the packages are neither") as caught:
        shop.install(offline=True)
    assert {"one 1.0", "two 1.0"} == set(str(caught.value.missing).split(", "))
    assert 0 == shop.index.count()


def test_offline_takes_what_the_store_and_the_cache_hold(shop: Shop) -> None:
    one, two = shop.index.publish("one", "1.0"), shop.index.publish("two", "1.0")
    shop.write(pin_of(one))
    shop.install()
    shop.write(pin_of(one), pin_of(two))
    cache = shop.store.root / "cache/artifacts"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / two.sha256).write_bytes(two.data)
    shop.index.forget()

    assert 1 == shop.install(offline=True).placed
    assert 0 == shop.index.count()


def test_a_cached_file_with_other_bytes_is_downloaded_anew(shop: Shop) -> None:
    file = shop.index.publish("app", "1.0")
    shop.write(pin_of(file))
    cache = shop.store.open().root / "cache/artifacts"
    cache.mkdir(parents=True)
    (cache / file.sha256).write_bytes(b"torn")

    assert 1 == shop.install().placed


def test_an_sdist_is_built_once_and_found_again(shop: Shop) -> None:
    shop.write(pin_of(shop.index.publish_sdist("src", "1.0")))
    first = shop.install()
    other = shop.write(pin_of(shop.index.files["src"][0]), lock=shop.root / "other" / "envknit.lock.yaml")
    shop.index.forget()

    assert (1, 0) == (first.placed, install(other).placed)
    assert 0 == shop.index.count()
    assert ["src"] == list(Plan.read(first.views["default"] + "/plan").imports)


def test_an_sdist_that_builds_another_package_is_refused(shop: Shop) -> None:
    file = shop.index.publish_sdist("src", "1.0")
    data = shop.index.publish_sdist("evil", "1.0").data
    file.data, file.sha256 = data, shop.index.files["evil"][0].sha256
    shop.write(pin_of(file))

    with pytest.raises(UnsafeWheelError, match=r"of evil 1\.0, and the lock says src 1\.0"):
        shop.install()


def test_dev_packages_come_and_go_with_the_option(shop: Shop) -> None:
    app, tool = shop.index.publish("app", "1.0"), shop.index.publish("tool", "1.0")
    shop.write(pin_of(app), pin_of(tool, dev=True))

    assert 1 == shop.install(selection=Selection(without=("dev",))).pins
    assert find_installed(shop.lock, selection=Selection(without=("dev",)))
    assert not find_installed(shop.lock)
    assert 2 == shop.install().pins


def test_an_environment_for_another_python_is_left_out_unless_named(shop: Shop) -> None:
    app = pin_of(shop.index.publish("app", "1.0"))
    old = Environment(name="old", python_version="==2.7.*", pins=(app,))
    shop.write(app, old=old)
    done = shop.install()

    assert ["default"] == list(done.views)
    assert {"old": "==2.7.*"} == done.skipped
    assert find_installed(shop.lock)
    with pytest.raises(LockError, match="not for this one"):
        shop.install(environments=["old"])
    with pytest.raises(LockError, match="no environment 'new'"):
        shop.install(environments=["new"])


def test_one_environment_alone_is_not_all(shop: Shop) -> None:
    app = pin_of(shop.index.publish("app", "1.0"))
    shop.write(app, ml=Environment(name="ml", pins=(app,)))
    shop.install(environments=["ml"])

    assert find_installed(shop.lock, ["ml"])
    assert not find_installed(shop.lock)
    assert ["default", "ml"] == list(shop.install().views)


def test_a_changed_lock_is_another_plan_and_gc_keeps_the_old_for_going_back(shop: Shop) -> None:
    first, second = (pin_of(shop.index.publish("app", version)) for version in ("1.0", "2.0"))
    shop.write(first)
    old = shop.install()
    shop.write(second)
    assert not find_installed(shop.lock)
    new = shop.install()

    assert old.views != new.views
    collect(shop.store, grace=0)
    assert find_installed(shop.lock)
    shop.write(first)
    back = shop.install(offline=True)
    assert (old.views, 0) == (back.views, back.placed)
    assert find_installed(shop.lock)
    assert Path(view_link(str(shop.store.root), str(shop.lock), "default")).samefile(old.views["default"])
    assert ["1.0", "2.0"] == [entry.version for entry in shop.store.entries()]


def test_a_lock_that_names_folders_is_installed_as_it_is(shop: Shop) -> None:
    folder = shop.root / "numpy-1.26.4"
    (folder / "numpy").mkdir(parents=True)
    (folder / "numpy/__init__.py").write_text("")
    shop.lock.write_text(
        'schema_version: "1.0"\nenvironments:\n  default:\n    - name: numpy\n      version: "1.26.4"\n'
        f"      install_path: {folder}\n      dependencies: []\n"
    )
    plan = Plan.read(shop.install().views["default"] + "/plan")

    assert {"numpy": (str(folder),)} == plan.imports
    assert "" == plan.pins["numpy", "1.26.4"].dist_info
    assert find_installed(shop.lock)
    shutil.rmtree(folder)
    with pytest.raises(LockError, match="not where the lock says"):
        shop.install()


def test_what_is_placed_is_compiled_where_the_loader_looks(shop: Shop) -> None:
    files = {"app/__init__.py": "x = 1\n", "app/broken.py": "def\n", "app/sub/a.py": "y = 2\n"}
    shop.write(pin_of(shop.index.publish("app", "1.0", files)))
    plan = Plan.read(shop.install().views["default"] + "/plan")

    root = shop.store.path(plan.pins["app", "1.0"].folder)
    made = {path for path in files if Path(bytecode_path(str(shop.store.root), str(root / path))).exists()}
    assert {"app/__init__.py", "app/sub/a.py"} == made


@pytest.mark.parametrize("option", ["no bytecode", "PYTHONDONTWRITEBYTECODE"])
def test_only_no_compile_leaves_modules_to_their_first_import(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    shop.write(pin_of(shop.index.publish("app", "1.0", {"app.py": "x = 1\n"})))
    done = shop.install(compile_bytecode=option != "no bytecode")

    plan = Plan.read(done.views["default"] + "/plan")
    source = shop.store.path(plan.pins["app", "1.0"].folder) / "app.py"
    assert (option != "no bytecode") == Path(bytecode_path(str(shop.store.root), str(source))).exists()


def test_what_was_placed_without_bytecode_is_compiled_by_the_next_install_that_needs_it(shop: Shop) -> None:
    files = {"one": {"shared/__init__.py": "x = 1\n"}, "two": {"shared/more.py": "y = 2\n"}}
    pins = [pin_of(shop.index.publish(name, "1.0", content)) for name, content in files.items()]
    shop.write(*pins)
    shop.install(compile_bytecode=False)
    more = pin_of(shop.index.publish("more", "1.0"))
    other = install(shop.write(*pins, more, lock=shop.root / "other" / "envknit.lock.yaml"))

    assert 1 == other.placed
    folder = Plan.read(other.views["default"] + "/plan").pins["one", "1.0"].folder
    assert folder.startswith("packages/site-packages/bundle=")
    for module in ("__init__.py", "more.py"):
        made = Path(bytecode_path(str(shop.store.root), str(shop.store.path(folder) / "shared" / module)))
        assert 2 == made.stat().st_nlink  # that of the entry, linked


def test_progress_is_told_and_adds_up(shop: Shop) -> None:
    told: dict[str, int] = {}

    class Told(Reporter):
        def advance(self, label: str, amount: int) -> None:
            told[label] = told.get(label, 0) + amount

    files = [shop.index.publish(name, "1.0") for name in "abc"]
    shop.write(*(pin_of(file) for file in files))
    done = shop.install(reporter=Told())

    assert {file.name: len(file.data) for file in files} == told
    assert sum(told.values()) == done.downloaded


def test_warnings_are_told_and_returned(shop: Shop) -> None:
    told = []

    class Told(Reporter):
        def warn(self, text: str) -> None:
            told.append(text)

    shop.write(pin_of(shop.index.publish("app", "1.0", {"app.py": "", "app.pth": "import app\n"})))
    done = shop.install(reporter=Told())

    assert told == list(done.warnings)
    assert "wants to run when Python starts" in told[0]


def test_a_missing_lock_is_one_error(shop: Shop) -> None:
    with pytest.raises(LockError, match="no lock to install"):
        shop.install()


def test_a_store_of_others_is_refused_before_anything_is_asked(shop: Shop) -> None:
    shop.write(pin_of(shop.index.publish("app", "1.0")))
    shop.store.open().root.chmod(0o777)

    with pytest.raises(StoreError, match="written by others"):
        shop.install()
    assert 0 == shop.index.count()
