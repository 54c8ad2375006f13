"""Reading project files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.errors import ProjectError
from envknit.files.project import RequestedEnvironment
from envknit.projects.load import find_project, load_project

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, text: str, name: str = "envknit.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_a_yaml_project_may_say_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        environments:
          default:
            python_version: ">=3.11"
            packages:
              - Flask[Async] >=2, <4
              - {name: requests, version: 2.31.0, extras: [socks]}
              - {name: attrs, version: "*"}
              - {name: pywin32, version: ">=300", markers: sys_platform == "win32"}
            dev_packages: [pytest]
            constraints: [urllib3<3]
          ml:
            python_version: "3.12"
            packages: [numpy]
        system_site_packages: true
        indexes: [https://index.example/simple, wheels]
        targets: [linux-x86_64]
        startup: [Coverage]
        """,
    )

    project = load_project(path)

    assert project.environments == {
        "default": RequestedEnvironment(
            name="default",
            python_version=">=3.11",
            requirements=(
                "attrs", "flask[async]<4,>=2", 'pywin32>=300; sys_platform == "win32"', "requests[socks]==2.31.0",
            ),
            groups={"dev": ("pytest",)},
            constraints=("urllib3<3",),
        ),
        "ml": RequestedEnvironment(name="ml", python_version="==3.12.*", requirements=("numpy",)),
    }  # fmt: skip
    assert project.system_site_packages
    assert project.indexes == ("https://index.example/simple", "wheels")
    assert project.targets == ("linux-x86_64",)
    assert project.startup == ("coverage",)
    assert project.lock_path == tmp_path / "envknit.lock.yaml"


def test_an_empty_project_has_an_empty_default_environment(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, ""))

    assert project.environments == {"default": RequestedEnvironment(name="default")}


def test_a_key_without_a_value_is_empty(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, "environments:\n  default:\n    packages:\n  other:\n"))

    assert sorted(project.environments) == ["default", "other"]


@pytest.mark.parametrize(
    ("text", "at", "complaint"),
    [
        ("enviroments: {}", "enviroments", "did you mean `environments`"),
        ("environments: {default: {package: []}}", "environments.default.package", "did you mean `packages`"),
        ("environments: {default: {packages: [a, 'b c']}}", "environments.default.packages[1]", "not a requirement"),
        ("environments: {default: {packages: [{version: '1'}]}}", "environments.default.packages[0]", "`name` is miss"),
        (
            "environments: {default: {packages: [{name: a, vers: '1'}]}}",
            "environments.default.packages[0].vers",
            "mean",
        ),
        ("environments: {default: {packages: a}}", "environments.default.packages", "a list was expected"),
        ("environments: [a]", "environments", "a mapping was expected"),
        ("environments: {default: {python_version: new}}", "environments.default.python_version", "no Python version"),
        ("environments: {../x: {}}", "environments.../x", "no name for an environment"),
        ("system_site_packages: yes", "system_site_packages", "`true` or `false`"),
        ("targets: [beos]", "targets[0]", "not a target"),
        ("environments: {default: {packages: [\"a; extra == 'x'\"]}}", "environments.default.packages[0]", "an extra"),
    ],
)
def test_an_error_names_the_file_and_the_path_to_the_value(tmp_path: Path, text: str, at: str, complaint: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(ProjectError, match=complaint) as caught:
        load_project(path)

    assert caught.value.facts == {"project": str(path), "at": at}


@pytest.mark.parametrize("requirement", ["https://x.example/a.zip", "./a", "-e .", "git+ssh://x/a", "../a.whl"])
def test_a_location_needs_the_name_of_what_is_there(tmp_path: Path, requirement: str) -> None:
    path = write(tmp_path, f"environments: {{default: {{packages: ['{requirement}']}}}}")

    with pytest.raises(ProjectError, match="a URL or path without a name"):
        load_project(path)


def test_a_pyproject_gives_dependencies_and_groups(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [project]
        name = "app"
        requires-python = ">=3.11"
        dependencies = ["flask>=2"]

        [dependency-groups]
        dev = ["pytest", {include-group = "lint"}]
        lint = ["ruff"]

        [tool.envknit]
        system_site_packages = true
        packages = ["gunicorn"]

        [tool.envknit.environments.ml]
        python_version = "3.12"
        packages = ["numpy"]

        [tool.envknit.environments.lint]
        packages = ["mypy"]
        """,
        "pyproject.toml",
    )

    project = load_project(path)

    assert project.environments == {
        "default": RequestedEnvironment(
            name="default",
            python_version=">=3.11",
            requirements=("flask>=2", "gunicorn"),
            groups={"dev": ("pytest", "ruff"), "lint": ("ruff",)},
        ),
        "lint": RequestedEnvironment(name="lint", python_version=">=3.11", requirements=("mypy",)),
        "ml": RequestedEnvironment(name="ml", python_version="==3.12.*", requirements=("numpy",)),
    }
    assert project.system_site_packages


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[dependency-groups]\na = [{include-group = 'b'}]\nb = [{include-group = 'a'}]\n", "include each other"),
        ("[dependency-groups]\na = [{include-group = 'b'}]\n", "no group `b`"),
        ("[tool.envknit]\nindices = []\n", "did you mean `indexes`"),
        ("[project\n", "not TOML"),
        ("[project]\ndependencies = [1]\n", "a text was expected"),
    ],
)
def test_a_wrong_pyproject_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ProjectError, match=complaint):
        load_project(write(tmp_path, text, "pyproject.toml"))


def test_the_nearest_project_file_is_found_and_yaml_comes_first(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    pyproject = write(tmp_path, "[project]\nname = 'x'\n", "pyproject.toml")
    write(tmp_path / "a", "[tool.ruff]\n", "pyproject.toml")

    assert find_project(inner) == pyproject
    assert find_project(inner) != write(tmp_path, "", "envknit.yaml").parent
    assert find_project(inner) == tmp_path / "envknit.yaml"


def test_no_project_file_is_an_error_with_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="envknit init"):
        find_project(tmp_path)


def test_a_missing_project_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be read"):
        load_project(tmp_path / "envknit.yaml")
