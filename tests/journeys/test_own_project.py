"""The project itself under its lock, as `pip install -e .` would have it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from kit.backend import builds, write_backend
from kit.machine import Project

if TYPE_CHECKING:
    from kit import LoopbackIndex, Machine

pytestmark = pytest.mark.ends


@pytest.fixture(name="shop")
def _shop(machine: Machine, index: LoopbackIndex) -> Project:
    """A package in `src`, with a dependency, an extra, groups, a script and an entry point."""
    for name in ("alpha", "fast", "tester", "docs"):
        index.publish(name, "1.0")
    shop = Project(machine, machine.root / "shop")
    write_shop(shop, "0.1")
    shop.write("src/shop/__init__.py", "import alpha\ndef main(): print('sold', alpha.__name__)\n")
    return shop


def write_shop(shop: Project, version: str, more: str = "") -> None:
    shop.write(
        "pyproject.toml",
        f"""
[project]
name = "shop"
version = "{version}"
requires-python = ">=3.10"
dependencies = ["alpha"]
[project.optional-dependencies]
speed = ["fast"]
[project.scripts]
shop = "shop:main"
[project.entry-points."shop.plugins"]
one = "shop:main"
[dependency-groups]
dev = ["tester", "shop[speed]"]
docs = ["docs"]
{write_backend(shop.root)}
{more}
""",
    )


def names(shop: Project) -> list[str]:
    code = "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))"
    return shop.run("-c", code).out.split()


def test_code_metadata_scripts_and_entry_points_are_there(shop: Project) -> None:
    shop.ready()

    def code():
        import importlib.metadata as m

        import shop

        shop.main()
        print(m.version("shop"), *[point.name for point in m.entry_points(group="shop.plugins")], shop.__file__)

    said = shop.run("-c", code).out.splitlines()
    assert said == ["sold alpha", f"0.1 one {shop.root / 'src/shop/__init__.py'}"]
    assert shop.envknit("run", "--", "shop").out == "sold alpha\n"
    assert names(shop) == ["alpha", "fast", "shop", "tester"]
    origin = "import importlib.metadata as m; print(m.distribution('shop').read_text('direct_url.json'))"
    told = json.loads(shop.run("-c", origin).out)
    assert told == {"url": shop.root.as_uri(), "dir_info": {"editable": True}}


def test_an_edit_of_code_needs_nothing_and_one_of_the_project_file_needs_an_install(shop: Project) -> None:
    shop.ready()
    shop.write("src/shop/__init__.py", "def main(): print('edited')\n")

    assert shop.run("-c", "import shop; shop.main()").out == "edited\n"
    assert "everything is installed" in shop.install().out
    assert builds(shop.root) == 1
    write_shop(shop, "0.2")
    status = shop.envknit("status", status=1)
    assert "next      envknit install" in status.out, status.out
    shop.install()
    assert builds(shop.root) == 2
    assert shop.run("-c", "import importlib.metadata as m; print(m.version('shop'))").out == "0.2\n"
    assert shop.envknit("lock", "--check", status=1).out, "the lock states the version"


def test_a_package_that_is_found_by_a_finder_of_its_own_is_found(shop: Project) -> None:
    write_shop(shop, "0.1", "[tool.backend]\nfinder = true\n")
    shutil.rmtree(shop.root / "src")
    shop.write("code/__init__.py", "def main(): print('found')\n")
    shop.write("code/deep.py", "VALUE = 1\n")
    shop.ready()

    assert shop.run("-c", "import shop, shop.deep; shop.main()").out == "found\n"
    assert shop.envknit("run", "--", "shop").out == "found\n"


def test_what_a_package_needs_of_the_projects_name_is_the_project(shop: Project, index: LoopbackIndex) -> None:
    index.publish("shop", "9.0", {"shop/__init__.py": "raise SystemExit('a stranger')\n"})
    index.publish("plugin", "1.0", requires=["shop>=0.1"])
    write_shop(shop, "0.1", '[tool.envknit]\npackages = ["plugin"]\n')
    shop.ready()

    assert shop.run("-c", "import plugin, shop; shop.main()").out == "sold alpha\n"
    assert "9.0" not in shop.lock_file.read_text(encoding="utf-8")


def test_package_false_leaves_the_project_out(shop: Project) -> None:
    write_shop(shop, "0.1", "[tool.envknit]\npackage = false\n")
    shop.ready()

    assert names(shop) == ["alpha", "fast", "tester"]
    assert builds(shop.root) == 0


def test_two_checkouts_with_one_lock_have_each_their_own_code(shop: Project) -> None:
    shop.ready()
    other = Project(shop.machine, shop.machine.root / "other")
    shutil.copytree(shop.root, other.root)
    other.write("src/shop/__init__.py", "def main(): print('the other')\n")

    assert "was not installed here" in other.run("-c", "import shop", status=1).err
    other.install()
    assert other.run("-c", "import shop; shop.main()").out == "the other\n"
    assert shop.run("-c", "import shop; shop.main()").out == "sold alpha\n"


def test_what_only_the_backend_knows_is_asked_of_it(shop: Project) -> None:
    text = (shop.root / "pyproject.toml").read_text(encoding="utf-8")
    text = text.replace('version = "0.1"', 'dynamic = ["version", "dependencies"]').replace(
        'dependencies = ["alpha"]', ""
    )
    shop.write("pyproject.toml", text)
    shop.write("version.txt", "1.5\n")
    shop.write("dependencies.txt", "alpha\n")
    shop.ready()

    assert shop.run("-c", "import importlib.metadata as m; print(m.version('shop'))").out == "1.5\n"
    assert names(shop) == ["alpha", "fast", "shop", "tester"]
    shop.write("version.txt", "1.6\n")
    assert "up to date" in shop.lock("--check").out, "a version that only a build knows changes no lock"
    refused = shop.envknit("add", "docs", status=2)
    assert "dependencies of this project are dynamic" in refused.err
    shop.envknit("add", "--dev", "docs")


def test_what_only_the_backend_knows_is_compared_with_the_lock_once_it_is_built(shop: Project) -> None:
    text = (shop.root / "pyproject.toml").read_text(encoding="utf-8")
    shop.write(
        "pyproject.toml", text.replace('dependencies = ["alpha"]', 'dynamic = ["dependencies"]  # dependencies.txt')
    )
    shop.write("dependencies.txt", "alpha\n")
    shop.ready()
    assert "ready" in shop.envknit("status").out

    shop.write("dependencies.txt", "alpha\ndocs\n")
    assert "changed since it was built: shop" in shop.envknit("status", status=1).out
    told = shop.envknit("install").err
    assert "shop has changed: it requires docs, and nothing of that name was locked; run: envknit lock" in told
    assert "next      envknit lock" in shop.envknit("status", status=1).out
    shop.ready()
    assert "ready" in shop.envknit("status").out


def test_a_backend_that_fails_is_one_error_and_changes_nothing(shop: Project) -> None:
    shop.ready()
    before = shop.run("-c", "import shop; shop.main()").out
    (shop.root / "backend.py").write_text("raise SystemExit('no compiler today')\n", encoding="utf-8")
    write = (shop.root / "pyproject.toml").read_text(encoding="utf-8")
    shop.write("pyproject.toml", write + "# touched\n")

    failed = shop.envknit("install", status=4)
    assert "error: shop could not be built" in failed.err
    assert "no compiler today" in failed.err
    assert "Traceback (most recent" not in failed.err.partition("hint:")[2]
    assert shop.run("-c", "import shop; shop.main()").out == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "alpha fast shop tester"),
        (["--no-dev"], "alpha shop"),
        (["--no-dev", "--extra", "speed"], "alpha fast shop"),
        (["--group", "docs"], "alpha docs fast shop tester"),
        (["--all-groups", "--no-group", "dev"], "alpha docs shop"),
        (["--only-group", "docs"], "docs"),
        (["--all-extras", "--no-dev"], "alpha fast shop"),
    ],
)
def test_groups_and_extras_are_those_that_install_was_told(shop: Project, options: list[str], expected: str) -> None:
    shop.lock()
    shop.install(*options)

    assert names(shop) == expected.split()
    assert "everything is installed" in shop.install(*options).out


def test_a_group_that_is_not_there_is_named(shop: Project) -> None:
    shop.lock()

    said = shop.envknit("install", "--group", "tests", status=2).err
    assert "the lock has no group 'tests'" in said
    assert "groups: dev, docs" in said


def test_a_member_of_a_workspace_works_with_the_lock_of_the_root(machine: Machine, index: LoopbackIndex) -> None:
    index.publish("alpha", "1.0")
    root = Project(machine, machine.root / "space")
    for name, needs in (("one", '["two"]'), ("two", '["alpha"]')):
        folder = root.root / "packages" / name
        table = write_backend(folder)
        root.write(
            f"packages/{name}/pyproject.toml",
            f'[project]\nname = "{name}"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = {needs}\n{table}'
            "[tool.uv.sources]\ntwo = { workspace = true }\n",
        )
        root.write(f"packages/{name}/src/{name}/__init__.py", f"NAME = '{name}'\n")
    root.write(
        "pyproject.toml",
        '[project]\nname = "root"\nversion = "1"\nrequires-python = ">=3.10"\n'
        '[tool.uv.workspace]\nmembers = ["packages/*"]\n',
    )
    inside = root.root / "packages" / "one"
    machine.envknit("lock", cwd=inside)
    machine.envknit("install", cwd=inside)

    assert root.lock_file.exists()
    assert machine.run("-c", "import one, two, alpha; print(one.NAME, two.NAME)", cwd=inside).out == "one two\n"
    machine.envknit("add", "beta", cwd=inside, status=3)
    index.publish("beta", "1.0")
    machine.envknit("add", "beta", cwd=inside)
    assert '"beta"' in (inside / "pyproject.toml").read_text(encoding="utf-8")
    assert machine.run("-c", "import beta", cwd=root.root).status == 0


def test_init_takes_a_project_file_of_another_kind_as_it_is(shop: Project) -> None:
    said = shop.envknit("init").out
    assert "pyproject.toml is the project file of this folder already" in said
    assert "next: envknit lock && envknit install" in said
    assert not shop.file.exists()
