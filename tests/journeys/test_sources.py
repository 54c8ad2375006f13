"""Requirements that come from a place that a person names: folders, repositories, URLs."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from kit import LoopbackIndex
from kit.backend import write_backend
from kit.machine import Project

if TYPE_CHECKING:
    from kit import Machine

pytestmark = pytest.mark.ends


@pytest.fixture(name="shop")
def _shop(machine: Machine, index: LoopbackIndex) -> Project:
    """A package without requirements."""
    index.publish("docs", "1.0")
    shop = Project(machine, machine.root / "shop")
    table = write_backend(shop.root)
    shop.write("pyproject.toml", f'[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.10"\n{table}')
    return shop


def test_a_folder_beside_the_project_is_locked_and_used_in_place(machine: Machine, index: LoopbackIndex) -> None:
    index.publish("alpha", "1.0")
    index.publish("lib", "9.0", {"lib/__init__.py": "raise SystemExit('a stranger')\n"})
    folder = machine.root / "lib"
    table = write_backend(folder)
    for path, text in {
        "pyproject.toml": f'[project]\nname = "lib"\nversion = "1"\ndependencies = ["alpha", "deep"]\n{table}'
        '[tool.uv.sources]\ndeep = { path = "../deep" }\n',
        "src/lib/__init__.py": "import alpha, deep\nNAME = 'mine'\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    deep = machine.root / "deep"
    table = write_backend(deep)
    (deep / "pyproject.toml").write_text(f'[project]\nname = "deep"\nversion = "2"\n{table}', encoding="utf-8")
    (deep / "deep.py").write_text("HERE = __file__\n", encoding="utf-8")
    project = machine.project(more="")
    project.write(
        "envknit.yaml", "environments:\n  default:\n    packages:\n      - {name: lib, path: ../lib, editable: true}\n"
    )
    project.ready()

    lock = project.lock_file.read_text(encoding="utf-8")
    assert 'source: "file:../lib#editable"' in lock
    assert 'source: "file:../deep"' in lock
    assert os.fspath(machine.root) not in lock
    said = project.run("-c", "import lib, deep; print(lib.NAME, lib.__file__, deep.HERE)").out.split()
    assert said[:2] == ["mine", str(folder / "src/lib/__init__.py")]
    assert "site-packages" in said[2], "it is a copy"


def test_a_source_that_is_not_there_is_one_error(machine: Machine) -> None:
    project = machine.project()
    project.write("envknit.yaml", "environments:\n  default:\n    packages: ['lib @ file:../nowhere']\n")

    assert "the source of lib is not there" in project.envknit("lock", status=2).err


def test_a_path_is_added_by_what_is_there(shop: Project, machine: Machine) -> None:
    lib = machine.root / "lib"
    table = write_backend(lib)
    extra = '[project.optional-dependencies]\nx = ["docs"]\n'
    text = f'[project]\nname = "the-lib"\nversion = "1"\n{extra}{table}'
    (lib / "pyproject.toml").write_text(text, encoding="utf-8")
    (lib / "the_lib.py").write_text("NAME = __file__\n", encoding="utf-8")

    shop.envknit("add", "../lib[x]", "--editable")
    assert shop.run("-c", "import the_lib, docs; print(the_lib.NAME)").out.strip() == str(lib / "the_lib.py")
    text = (shop.root / "pyproject.toml").read_text(encoding="utf-8")
    assert '"the-lib[x]"' in text
    assert 'the-lib = {path = "../lib", editable = true}' in text
    shop.envknit("remove", "the-lib")
    text = (shop.root / "pyproject.toml").read_text(encoding="utf-8")
    assert "the-lib" not in text
    assert "is the project itself" in shop.envknit("add", ".").out
    assert "there is nothing at that path" in shop.envknit("add", "../nowhere", status=2).err
    assert "only git is understood" in shop.envknit("add", "hg+https://h.example/x", status=2).err


def test_a_repository_is_locked_to_a_commit_and_stays_there(machine: Machine, index: LoopbackIndex) -> None:
    index.publish("deep", "1.0")
    repository = machine.root / "repository"
    table = write_backend(repository / "python")

    def commit(version: str) -> None:
        (repository / "python/pyproject.toml").write_text(
            f'[project]\nname = "lib"\nversion = "{version}"\ndependencies = ["deep"]\n{table}', encoding="utf-8"
        )
        (repository / "python/lib.py").write_text(f"VERSION = '{version}'\n", encoding="utf-8")
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", version]):
            machine.run(git, "-C", repository, "-c", "user.name=x", "-c", "user.email=x@x.example", *words)

    git = shutil.which("git") or pytest.skip("there is no git")
    commit("1.0")
    project = machine.project()
    project.envknit("add", f"git+file://{repository}@main#subdirectory=python")
    assert project.run("-c", "import lib, deep; print(lib.VERSION)").out == "1.0\n"
    lock = project.lock_file.read_text(encoding="utf-8")
    commit("2.0")
    project.lock()
    assert project.lock_file.read_text(encoding="utf-8") == lock
    project.lock("--update", "lib")
    project.install()
    assert project.run("-c", "import lib; print(lib.VERSION)").out == "2.0\n"


def test_a_url_is_locked_with_its_hash(machine: Machine, index: LoopbackIndex) -> None:
    index.publish("deep", "1.0")
    index.publish("lib", "3.0", {"lib.py": "VERSION = 3\n"}, requires=["deep"])
    link = index.url.rstrip("/").removesuffix("/simple") + "/files/lib-3.0-py3-none-any.whl"
    project = machine.project([f"lib @ {link}"])
    project.ready()

    assert project.run("-c", "import lib, deep; print(lib.VERSION)").out == "3\n"
    assert f'source: "{link}#sha256=' in project.lock_file.read_text(encoding="utf-8")


@pytest.mark.once
def test_a_name_has_another_index_on_each_platform(machine: Machine, index: LoopbackIndex) -> None:
    index.publish("torch", "2.0")
    index.publish("vision", "1.0", requires=["torch"])
    with LoopbackIndex() as cpu, LoopbackIndex() as mac:
        cpu.publish("torch", "2.0+cpu", {"torch/__init__.py": "FROM = 'cpu'\n"})
        mac.publish("torch", "1.9")
        project = Project(machine, machine.root / "app")
        project.write(
            "pyproject.toml",
            f"""
            [project]
            name = "app"
            requires-python = ">=3.10"
            dependencies = ["torch", "vision"]
            [tool.uv.sources]
            torch = [
              {{ index = "cpu", marker = "sys_platform == 'linux'" }},
              {{ index = "mac", marker = "sys_platform == 'darwin'" }},
            ]
            [[tool.uv.index]]
            name = "cpu"
            url = "{cpu.url}"
            explicit = true
            [[tool.uv.index]]
            name = "mac"
            url = "{mac.url}"
            explicit = true
            """,
        )
        project.ready()

        assert "cpu" == project.run("-c", "import torch; print(torch.FROM)").out.strip()
        requirements = project.envknit("export", "--no-hashes").out
        pylock = project.envknit("export", "--format", "pylock").out
        assert f"--extra-index-url {cpu.url}" in requirements
        assert cpu.host in pylock
        assert mac.host in pylock
    assert [
        'torch==1.9 ; sys_platform == "darwin"',
        'torch==2.0 ; sys_platform != "darwin" and sys_platform != "linux"',
        'torch==2.0+cpu ; sys_platform == "linux"',
    ] == [line for line in requirements.splitlines() if line.startswith("torch")]


@pytest.mark.once
def test_two_places_of_one_name_that_both_count_are_one_error(machine: Machine, index: LoopbackIndex) -> None:
    with LoopbackIndex() as other:
        other.publish("torch", "2.0")
        index.publish("torch", "1.0")
        project = machine.project()
        project.write(
            "envknit.yaml",
            f"environments:\n  default:\n    packages:\n      - {{name: torch, index: {other.url}}}\n"
            f"      - {{name: torch, index: {index.url}}}\n",
        )
        told = project.envknit("lock", status=3).err

    assert "no version of torch satisfies all that is asked of it" in told
    assert f"you ask for torch from {other.url}" in told
    assert not project.lock_file.exists()


def test_a_fork_has_a_folder_on_one_platform_and_an_index_elsewhere(machine: Machine, index: LoopbackIndex) -> None:
    index.publish("lib", "9.0")
    folder = machine.root / "lib"
    folder.mkdir()
    table = write_backend(folder)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "lib"\nversion = "1"\n{table}', encoding="utf-8")
    (folder / "lib.py").write_text("HERE = 'folder'\n", encoding="utf-8")
    project = Project(machine, machine.root / "app")
    project.write(
        "pyproject.toml",
        '[project]\nname = "app"\nrequires-python = ">=3.10"\ndependencies = ["lib"]\n'
        '[tool.envknit.sources]\nlib = { path = "../lib", marker = "sys_platform == \'linux\'" }\n',
    )
    project.ready()

    assert "folder" == project.run("-c", "import lib; print(lib.HERE)").out.strip()
    assert 'lib==9.0 ; sys_platform != "linux"' in project.envknit("export").out
