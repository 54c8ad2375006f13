"""Editing project files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.errors import ProjectError
from envknit.projects.edit import add_requirement, create_project, remove_requirement
from envknit.projects.load import load_project
from envknit.projects.where import Where

if TYPE_CHECKING:
    from pathlib import Path

DEV = Where(group="dev")
YAML = """\
# what we need
environments:
    default:
        python_version: "3.12"  # until May
        # the web
        packages:
        - flask>=2   # because
        - {name: requests, version: "2.31"}

        # tests
        dev_packages: [pytest, "black"]
indexes: [wheels]
"""

TOML = """\
[project]
name = "x"  # the name
dependencies = [
    "flask>=2", # why
    "attrs",
]

[tool.ruff]
line-length = 100
"""


def yaml_project(folder: Path, text: str = YAML) -> Path:
    path = folder / "envknit.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def toml_project(folder: Path, text: str = TOML) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_new_project_takes_its_first_packages(tmp_path: Path) -> None:
    path = create_project(tmp_path, ">=3.11")
    add_requirement(path, "flask>=3")
    add_requirement(path, "pytest", DEV)

    assert path.read_text(encoding="utf-8") == (
        "# What this project needs. After an edit run: envknit lock && envknit install\n"
        "environments:\n"
        "  default:\n"
        '    python_version: ">=3.11"\n'
        "    packages:\n"
        "      - flask>=3\n"
        "    dev_packages:\n"
        "      - pytest\n"
    )


def test_a_project_file_is_not_overwritten(tmp_path: Path) -> None:
    create_project(tmp_path, ">=3.11")

    with pytest.raises(ProjectError, match="already"):
        create_project(tmp_path, ">=3.11")


def test_adding_keeps_comments_order_and_style(tmp_path: Path) -> None:
    path = yaml_project(tmp_path)
    add_requirement(path, "zope.interface")
    add_requirement(path, "pytest>=8", DEV)

    assert path.read_text(encoding="utf-8") == YAML.replace('"2.31"}\n', '"2.31"}\n        - zope.interface\n').replace(
        "[pytest,", "[pytest>=8,"
    )


def test_adding_a_name_that_is_there_replaces_its_requirement(tmp_path: Path) -> None:
    path = yaml_project(tmp_path)
    add_requirement(path, "Flask[async]>=3")
    add_requirement(path, "requests>=2.32")

    assert load_project(path).environments["default"].requirements == ("flask[async]>=3", "requests>=2.32")


def test_removing_keeps_the_rest(tmp_path: Path) -> None:
    path = yaml_project(tmp_path)
    remove_requirement(path, "Requests", Where())
    remove_requirement(path, "black", DEV)

    text = path.read_text(encoding="utf-8")
    assert "requests" not in text
    assert "# the web\n        packages:\n        - flask>=2   # because\n" in text
    assert "dev_packages: [pytest]" in text


def test_removing_what_is_not_there_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    path = yaml_project(tmp_path)

    with pytest.raises(ProjectError, match="numpy is not asked for in the environment `default`"):
        remove_requirement(path, "numpy", Where())
    with pytest.raises(ProjectError, match="flask is not asked for"):
        remove_requirement(path, "flask", DEV)
    with pytest.raises(ProjectError, match="flask is not asked for in the environment `other`"):
        remove_requirement(path, "flask", Where("other"))

    assert path.read_text(encoding="utf-8") == YAML


def test_an_environment_is_made_on_demand_for_the_same_pythons(tmp_path: Path) -> None:
    path = yaml_project(tmp_path)
    add_requirement(path, "numpy", Where("ml"))

    made = load_project(path).environments["ml"]
    assert (made.requirements, made.python_version) == (("numpy",), "==3.12.*")


@pytest.mark.parametrize("requirement", ["flask >>2", "./flask", ""])
def test_what_is_no_requirement_is_not_written(tmp_path: Path, requirement: str) -> None:
    path = yaml_project(tmp_path)

    with pytest.raises(ProjectError):
        add_requirement(path, requirement)

    assert path.read_text(encoding="utf-8") == YAML


@pytest.mark.parametrize(
    "text", ["a text\n", "- a list\n", "environments: x\n", "environments: {default: x}\n", "environments: [default]\n"]
)
def test_a_file_of_another_shape_is_told_as_it_is_when_it_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "envknit.yaml"
    path.write_text(text)

    for edit in (lambda: remove_requirement(path, "x", Where()), lambda: add_requirement(path, "x")):
        with pytest.raises(ProjectError, match="expected"):
            edit()
    assert text == path.read_text()


def test_a_file_that_is_more_than_plain_data_is_not_edited(tmp_path: Path) -> None:
    path = yaml_project(tmp_path, "environments: &x {default: {}}\n")

    with pytest.raises(ProjectError, match="an anchor"):
        add_requirement(path, "flask")


def test_windows_line_ends_stay(tmp_path: Path) -> None:
    path = tmp_path / "envknit.yaml"
    path.write_bytes(YAML.replace("\n", "\r\n").encode())
    add_requirement(path, "attrs")

    data = path.read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")


def test_a_marker_survives_the_way_through_yaml(tmp_path: Path) -> None:
    path = yaml_project(tmp_path)
    add_requirement(path, 'pywin32; sys_platform == "win32"')

    assert 'pywin32; sys_platform == "win32"' in load_project(path).environments["default"].requirements


def test_a_pyproject_keeps_its_comments_and_order(tmp_path: Path) -> None:
    path = toml_project(tmp_path)
    add_requirement(path, "requests")
    remove_requirement(path, "attrs", Where())

    text = path.read_text(encoding="utf-8")
    assert '[project]\nname = "x"  # the name\ndependencies = [\n    "flask>=2", # why\n' in text
    assert "[tool.ruff]\nline-length = 100\n" in text
    assert load_project(path).environments["default"].requirements == ("flask>=2", "requests")


def test_a_pyproject_holds_dev_packages_and_environments_as_groups(tmp_path: Path) -> None:
    path = toml_project(tmp_path)
    add_requirement(path, "pytest", DEV)
    add_requirement(path, "sphinx", Where("docs"))
    add_requirement(path, "furo", Where("docs", group="dev"))
    add_requirement(path, "pytest>=8", DEV)

    environments = load_project(path).environments
    assert environments["default"].groups["dev"] == ("pytest>=8",)
    assert environments["docs"].requirements == ("sphinx",)
    assert environments["docs"].groups["dev"] == ("furo",)
    remove_requirement(path, "sphinx", Where("docs"))
    assert load_project(path).environments["docs"].requirements == ()


def test_a_pyproject_without_a_project_table_is_edited_in_its_tool_table(tmp_path: Path) -> None:
    path = toml_project(tmp_path, "[tool.envknit]\npackages = []\n")
    add_requirement(path, "flask")

    assert load_project(path).environments["default"].requirements == ("flask",)
    assert "[project]" not in path.read_text(encoding="utf-8")
