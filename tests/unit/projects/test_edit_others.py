"""Editing what other tools keep in files of their own: it stays where they read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.cli.main import main
from envknit.errors import ProjectError
from envknit.files.sources import Source
from envknit.projects.edit import add_requirement, file_to_edit, remove_requirement
from envknit.projects.where import Where

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ends
DEV = Where(group="dev")

POETRY = """\
[tool.poetry]
name = "x"
version = "1"

[tool.poetry.dependencies]
python = "^3.10"
# the web
Flask = "^2.0"  # until May
rich = { version = "^13", optional = true }

[tool.poetry.extras]
colour = ["rich"]

[tool.poetry.group.test.dependencies]
pytest = "*"

[tool.ruff]
line-length = 100
"""


def poetry(folder: Path, text: str = POETRY) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_poetry_keeps_stays_in_its_tables_with_comments_and_order(tmp_path: Path) -> None:
    path = poetry(tmp_path)
    add_requirement(path, "flask>=3,<4")
    add_requirement(path, "rich>=14")
    add_requirement(path, "httpx[http2]>=0.27; sys_platform == 'linux'")
    add_requirement(path, "lib", source=Source(kind="path", location="../lib", editable=True))
    add_requirement(path, "pytest-mock", Where(group="test"))
    add_requirement(path, "mypy", DEV)
    add_requirement(path, "tqdm", Where(extra="colour"))

    assert path.read_text(encoding="utf-8") == (
        POETRY.replace(
            'Flask = "^2.0"  # until May\nrich = { version = "^13", optional = true }\n',
            'Flask = "<4,>=3"  # until May\nrich = { version = ">=14", optional = true }\n'
            'httpx = {version = ">=0.27", extras = ["http2"], markers = "sys_platform == \\"linux\\""}\n'
            'lib = {path = "../lib", develop = true}\n'
            'tqdm = {version = "*", optional = true}\n',
        )
        .replace('["rich"]', '["rich", "tqdm"]')
        .replace(
            'pytest = "*"\n\n', 'pytest = "*"\npytest-mock = "*"\n\n[tool.poetry.group.dev.dependencies]\nmypy = "*"\n'
        )
    )

    remove_requirement(path, "httpx", Where(), DEV)
    remove_requirement(path, "lib", Where(), DEV)
    remove_requirement(path, "tqdm", Where(extra="colour"))
    remove_requirement(path, "RICH", Where())
    remove_requirement(path, "pytest-mock", Where(group="test"))
    assert "rich" not in path.read_text(encoding="utf-8")
    assert "tqdm" not in path.read_text(encoding="utf-8")
    with pytest.raises(ProjectError, match="not asked for"):
        remove_requirement(path, "httpx", Where())


def test_a_name_alone_changes_nothing_that_poetry_has(tmp_path: Path) -> None:
    path = poetry(tmp_path)
    add_requirement(path, "flask")
    add_requirement(path, "rich")

    assert POETRY == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("tool", "group"), [("pdm", "test"), ("uv", "dev")])
def test_groups_of_before_the_standard_are_edited_where_they_are(tmp_path: Path, tool: str, group: str) -> None:
    table = '[tool.pdm.dev-dependencies]\ntest = ["pytest", "-e file:///${PROJECT_ROOT}/lib#egg=lib"]\n'
    text = table if tool == "pdm" else '[tool.uv]\ndev-dependencies = ["pytest", "lib"]\n'
    path = poetry(tmp_path, f'[project]\nname = "x"\nversion = "1"\n{text}')
    add_requirement(path, "pytest>=8", Where(group=group))
    remove_requirement(path, "lib", Where(group=group))

    assert path.read_text(encoding="utf-8").endswith('= ["pytest>=8"]\n')


CFG = """\
[metadata]
name = x

[options]
packages = find:
install_requires =
    six  # for old ones
    # the web
    flask>=2

[options.extras_require]
colour = rich; tqdm

[flake8]
max-line-length = 100
"""


def test_a_setup_cfg_is_edited_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "setup.cfg"
    path.write_text(CFG, encoding="utf-8")
    add_requirement(path, "flask>=3")
    add_requirement(path, "attrs")
    add_requirement(path, "attrs")
    add_requirement(path, "lib", source=Source(kind="git", location="https://h.example/lib", rev="v1"))
    add_requirement(path, "blessed>=1", Where(extra="colour"))
    add_requirement(path, "pytest", Where(extra="test"))
    remove_requirement(path, "TQDM", Where(extra="colour"))

    assert path.read_text(encoding="utf-8") == CFG.replace(
        "flask>=2\n", "flask>=3\n    attrs\n    lib @ git+https://h.example/lib@v1\n"
    ).replace("colour = rich; tqdm\n", "test =\n    pytest\ncolour =\n    rich\n    blessed>=1\n")


def test_what_a_setup_cfg_has_no_place_for_is_one_error_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "setup.cfg"
    for text, where, source, told in (
        (CFG, DEV, None, "no group `dev`"),
        (CFG, Where(), Source(kind="path", location="../lib"), "no place for a path"),
        (CFG.replace("=\n    six  # for old ones", "= file: r.txt"), Where(), None, "another file"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ProjectError, match=told):
            add_requirement(path, "lib", where, source=source)
        assert text == path.read_text(encoding="utf-8")
    with pytest.raises(ProjectError, match="is a program"):
        add_requirement(tmp_path / "setup.py", "lib")


def test_init_names_what_can_be_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Pipfile").write_text("[packages]\n", encoding="utf-8")

    assert main(["-C", str(tmp_path), "init"]) == 0
    assert "next: envknit import Pipfile" in capsys.readouterr().out


def test_a_pyproject_that_leaves_it_to_setup_cfg_is_edited_there(tmp_path: Path) -> None:
    path = poetry(tmp_path, '[build-system]\nrequires = ["setuptools"]\n')
    assert path == file_to_edit(path, Where())
    (tmp_path / "setup.cfg").write_text(CFG, encoding="utf-8")

    assert tmp_path / "setup.cfg" == file_to_edit(path, Where())
    assert path == file_to_edit(path, DEV)
    poetry(tmp_path, '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "x"\ndynamic = ["version"]\n')
    assert path == file_to_edit(path, Where())
