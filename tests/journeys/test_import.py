"""What another tool wrote down becomes a project, with the same pins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from kit import LoopbackIndex, Machine

pytestmark = pytest.mark.ends


@pytest.fixture(name="index")
def _index(index: LoopbackIndex) -> LoopbackIndex:
    for version in ("1.0", "2.0", "3.0"):
        index.publish("alpha", version, requires=["beta"])
        index.publish("beta", version)
    return index


@pytest.fixture(name="folder")
def _folder(machine: Machine, index: LoopbackIndex) -> Path:
    folder = machine.root / "old"
    folder.mkdir()
    return folder


def _pins(folder: Path) -> dict[str, str]:
    lock = yaml.safe_load((folder / "envknit.lock.yaml").read_text())
    return {pin["name"]: pin["version"] for pin in lock["environments"]["default"]["packages"]}


def test_a_requirements_file_becomes_a_project_with_its_pins_and_runs(
    machine: Machine, folder: Path, index: LoopbackIndex
) -> None:
    digests = {file.name: file.sha256 for file in map(index.file, ["beta-2.0-py3-none-any.whl"]) if file}
    (folder / "requirements.txt").write_text(
        f"alpha==2.0\nbeta==2.0 --hash=sha256:{digests['beta-2.0-py3-none-any.whl']}\n    # via alpha\n"
    )
    (folder / "dev.txt").write_text("-r requirements.txt\n")

    said = machine.run("-m", "envknit", "import", cwd=folder).out

    assert "  + alpha 2.0\n  + beta 2.0\n" in said
    assert {"alpha": "2.0", "beta": "2.0"} == _pins(folder)
    assert "2.0\n" == machine.run("-c", "import beta; print(beta.__version__)", cwd=folder).out
    machine.run("-m", "envknit", "lock", "--check", cwd=folder)


def test_what_only_the_lock_of_another_tool_holds_is_kept_though_nothing_asks_for_that_version(
    machine: Machine, folder: Path
) -> None:
    (folder / "pyproject.toml").write_text("[tool.poetry]\nname = 'shop'\npackage-mode = false\n"
                                           "[tool.poetry.dependencies]\nalpha = '*'\n")  # fmt: skip
    (folder / "poetry.lock").write_text(
        '[[package]]\nname = "alpha"\nversion = "1.0"\nfiles = []\n[[package]]\nname = "beta"\nversion = "2.0"\n'
        'files = []\n[[package]]\nname = "gone"\nversion = "1"\nfiles = []\n'
    )

    warned = machine.run("-m", "envknit", "import", "--no-install", cwd=folder).err

    assert {"alpha": "1.0", "beta": "2.0"} == _pins(folder)
    assert "warning: gone 1 is not in the lock: nothing that is asked for needs it" in warned
    assert not (folder / "envknit.yaml").exists()


def test_a_pipfile_becomes_a_project_with_its_dev_packages(machine: Machine, folder: Path) -> None:
    (folder / "Pipfile").write_text('[packages]\nalpha = "<3"\n[dev-packages]\nbeta = "==1.0"\n')

    machine.run("-m", "envknit", "import", "--no-install", cwd=folder)

    made = yaml.safe_load((folder / "envknit.yaml").read_text())["environments"]["default"]
    assert (["alpha<3"], ["beta==1.0"]) == (made["packages"], made["dev_packages"])
    assert {"alpha": "2.0", "beta": "1.0"} == _pins(folder)


def test_requirements_are_added_to_a_project_that_is_there(machine: Machine, folder: Path) -> None:
    (folder / "envknit.yaml").write_text("environments:\n  default:\n    packages: [alpha==1.0]  # mine\n")
    (folder / "docs.txt").write_text("beta<3\n-c limits.txt\n./lib\n")
    (folder / "limits.txt").write_text("beta!=2.5\n")

    warned = machine.run("-m", "envknit", "import", "docs.txt", "--group", "docs", "--no-install", cwd=folder).err

    assert "# mine" in (folder / "envknit.yaml").read_text()
    assert ["beta<3"] == yaml.safe_load((folder / "envknit.yaml").read_text())["environments"]["default"]["groups"][
        "docs"
    ]
    assert "beta!=2.5 is not taken over" in warned
    assert "`./lib` is a place, not a name" in warned


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("requirements.txt", f"alpha==1.0 --hash=sha256:{'0' * 64}\n", "none of the files that the index has of alpha"),
        ("requirements.txt", "alpha==9.0\n", "no version of alpha"),
        (
            "uv.lock",
            '[[package]]\nname = "alpha"\nversion = "1.0"\nsource = {registry = "x"}\n',
            "a lock says what was",
        ),
    ],
)
def test_what_cannot_be_imported_changes_nothing(
    machine: Machine, folder: Path, name: str, text: str, told: str
) -> None:
    (folder / name).write_text(text)

    ran = machine.run("-m", "envknit", "import", cwd=folder, status=None)

    assert ran.status in {2, 3, 4}
    assert told in ran.err
    assert [name] == [path.name for path in folder.iterdir()]
