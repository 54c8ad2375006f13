"""What `pyproject.toml` says, in the words of the standards, of uv, Poetry and pdm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.errors import ProjectError
from envknit.projects.load import find_project, load_project
from envknit.projects.settings import moment

if TYPE_CHECKING:
    from pathlib import Path

    from envknit.files.project import Project, RequestedEnvironment


def read(folder: Path, text: str) -> Project:
    path = folder / "pyproject.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_project(path)


def default(folder: Path, text: str) -> RequestedEnvironment:
    return read(folder, text).environments["default"]


def test_groups_and_extras_come_on_top_of_the_project(tmp_path: Path) -> None:
    asked = default(
        tmp_path,
        """
        [project]
        name = "app"
        dependencies = ["six"]
        [project.optional-dependencies]
        Fancy_CLI = ["rich"]
        [dependency-groups]
        tests = ["pytest", {include-group = "Lint"}]
        lint = ["ruff"]
        """,
    )

    assert asked.requirements == ("six",)
    assert asked.extras == {"fancy-cli": ("rich",)}
    assert asked.groups == {"tests": ("pytest", "ruff"), "lint": ("ruff",)}


def test_the_projects_own_name_means_its_own_extras(tmp_path: Path) -> None:
    asked = default(
        tmp_path,
        """
        [project]
        name = "Requests"
        dependencies = ["idna"]
        [project.optional-dependencies]
        socks = ["pysocks; os_name == 'posix'"]
        all = ["requests[socks, http2]"]
        http2 = ["h2"]
        [dependency-groups]
        dev = ["requests[all]; python_version >= '3.11'", "requests"]
        """,
    )

    assert asked.extras["all"] == ("h2", 'pysocks; os_name == "posix"')
    assert asked.groups["dev"] == (
        'h2; python_version >= "3.11"',
        'pysocks; python_version >= "3.11" and os_name == "posix"',
    )


def test_environments_may_include_one_another(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        """
        [project]
        name = "app"
        requires-python = ">=3.10"
        dependencies = ["six"]
        [tool.envknit.environments.old]
        include = "default"
        packages = ["django<4"]
        [tool.envknit.environments.newest]
        include = ["old"]
        python_version = "3.13"
        """,
    )

    assert project.environments["old"].requirements == ("django<4", "six")
    assert project.environments["old"].python_version == ">=3.10"
    assert project.environments["newest"].requirements == ("django<4", "six")
    assert project.environments["newest"].python_version == "==3.13.*"


SOURCES = """
[project]
name = "app"
dependencies = ["lib[x]>=1", "tool", "torch>=2", "wheel", "own"]
[tool.uv.workspace]
members = ["packages/*"]
[tool.uv.sources]
lib = { path = "../my lib", editable = true }
tool = { git = "https://h.example/tool", tag = "v1", subdirectory = "py" }
wheel = { url = "https://h.example/wheel-1-py3-none-any.whl" }
own = { workspace = true }
torch = [
  { index = "cpu", marker = "sys_platform == 'darwin'" },
  { index = "cuda", marker = "sys_platform != 'darwin'" },
]
[[tool.uv.index]]
name = "cpu"
url = "https://cpu.example/simple"
explicit = true
[[tool.uv.index]]
name = "cuda"
url = "https://cuda.example/simple"
explicit = true
[[tool.uv.index]]
name = "corp"
url = "https://corp.example/simple"
"""


def test_sources_of_uv_are_obeyed_as_they_stand(tmp_path: Path) -> None:
    read(tmp_path / "packages/own", '[project]\nname = "own"\nversion = "1"\n[build-system]\nrequires = []\n')
    project = read(tmp_path, SOURCES)

    assert set(project.environments["default"].requirements) >= {
        "lib[x] @ file:../my%20lib#editable",
        "own @ file:packages/own#editable",
        "tool @ git+https://h.example/tool@v1#subdirectory=py",
        'torch @ index+https://cpu.example/simple#>=2 ; sys_platform == "darwin"',
        'torch @ index+https://cuda.example/simple#>=2 ; sys_platform != "darwin"',
        "wheel @ https://h.example/wheel-1-py3-none-any.whl",
    }
    assert project.indexes == ("https://corp.example/simple", "pip")


def test_a_source_for_one_group_is_for_that_group_alone(tmp_path: Path) -> None:
    asked = default(
        tmp_path,
        """
        [project]
        name = "app"
        dependencies = ["lib"]
        [dependency-groups]
        dev = ["lib"]
        [tool.envknit.sources]
        lib = { path = "lib", group = "dev" }
        """,
    )

    assert asked.requirements == ("lib",)
    assert asked.groups == {"dev": ("lib @ file:lib",)}


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("{ svn = 'https://h.example/lib' }", "`svn` is not a setting"),
        ("{ workspace = true }", "the workspace has no package `lib`"),
        ("{ index = 'nowhere' }", "there is no index named `nowhere`"),
        ("{ git = 'https://h.example/lib', path = '../lib' }", "one of `path`, `git`, `url` and `index`"),
        ("{ url = 'https://h.example/lib.whl', rev = 'v1' }", "`rev` does not go with `url`"),
        ("{ path = 'hg+https://h.example/lib' }", "only git is understood"),
        ("{ path = '../lib', marker = 'os == 1' }", "is not a marker"),
        ("{ url = 'https://[::1' }", "is not a URL"),
    ],
)
def test_a_source_that_is_not_understood_is_an_error(tmp_path: Path, row: str, complaint: str) -> None:
    with pytest.raises(ProjectError, match=complaint):
        read(tmp_path, f"[project]\nname = 'app'\ndependencies = ['lib']\n[tool.uv.sources]\nlib = {row}\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[dependency-groups]\ndev = [{}]", "include-group"),
        ('[tool.uv.workspace]\nmembers = ["\\u0000"]', "null character"),
        ('[tool.poetry.dependencies]\na = "1 or 2"', "`1 or 2` is not a constraint"),
        ('[tool.poetry.dependencies]\npython = "a @ b"', "is not a constraint"),
    ],
)
def test_what_is_not_as_its_format_says_is_one_error(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ProjectError, match=complaint):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("six @ file:nowhere/six", "six @ file:nowhere/six"),
        ("six @ ./six", "six @ file:six"),
        ("six @ six", "six @ file:six"),
        ("six @ ../six", "six @ file:../six"),
        ("six @ file:///opt/six", "six @ file:/opt/six"),
        ("six @ file:///${PROJECT_ROOT}/six", "six @ file:six"),
        ("six @ {root:uri}/../six", "six @ file:../six"),
        ("six @ git+ssh://git@h.example/six.git@v1", "six @ git+ssh://git@h.example/six.git@v1"),
        ("six @ https://h.example/six.zip#sha256=ab", "six @ https://h.example/six.zip#sha256=ab"),
    ],
)
def test_a_name_with_a_location_means_that_location(tmp_path: Path, text: str, expected: str) -> None:
    asked = default(tmp_path, f"[project]\nname = 'app'\ndependencies = ['{text}']\n")

    assert asked.requirements == (expected,)


@pytest.mark.parametrize(
    "text",
    [
        "six @ git+git@host.example:a/six.git@v1",
        "six @ git@host.example:a/six.git@v1",
        "git@host.example:a/six.git@v1",
        "six @ git+ssh://git@host.example:a/six.git@v1",
        "six @ ssh://git@host.example/a/six.git@v1",
    ],
)
def test_a_repository_as_scp_writes_it_is_told_as_a_url(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProjectError) as caught:
        read(tmp_path, f'[project]\nname = "app"\ndependencies = ["{text}"]\n')
    assert caught.value.hint == "write it as in: git+ssh://git@host.example/a/six.git@v1"
    for fine in ("git+ssh://git@host.example:22/a/six.git", "file:six", "git+https://me@host.example/six.git"):
        read(tmp_path, f'[project]\nname = "app"\ndependencies = ["six@{fine}"]\n')


@pytest.mark.parametrize(
    "text", ["six @ hg+https://h.example/six", "six @ ftp://h.example/six.zip", "six @ file://host/six"]
)
def test_a_location_that_is_not_understood_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProjectError):
        default(tmp_path, f"[project]\nname = 'app'\ndependencies = ['{text}']\n")


def test_settings_of_uv_decide_what_is_chosen(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        """
        [project]
        name = "app"
        [tool.uv]
        dev-dependencies = ["pytest"]
        constraint-dependencies = ["urllib3<3"]
        override-dependencies = ["idna==3.4"]
        default-groups = ["dev", "docs"]
        exclude-newer = "2025-03-01"
        resolution = "lowest-direct"
        prerelease = "allow"
        index-url = "https://corp.example/simple"
        """,
    )

    asked = project.environments["default"]
    assert asked.groups == {"dev": ("pytest",)}
    assert (asked.constraints, asked.overrides) == (("urllib3<3",), ("idna==3.4",))
    assert project.default_groups == ("dev", "docs")
    assert project.exclude_newer == "2025-03-01T23:59:59+00:00"
    assert (project.resolution, project.prerelease) == ("lowest-direct", "allow")
    assert project.indexes == ("https://corp.example/simple",)


def test_a_project_of_poetry_is_read_in_its_words(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        """
        [tool.poetry]
        name = "app"
        version = "1"
        [tool.poetry.dependencies]
        python = "^3.8"
        click = "^8.1"
        rich = "~13.2.1"
        attrs = "*"
        six = "1.16.0"
        lib = { path = "../lib", develop = true }
        socks = { version = "^0.2.3", optional = true }
        tomli = { version = ">=1,<3", python = "<3.11", extras = ["x"] }
        corp = { version = "^0.0.3", source = "corp" }
        [tool.poetry.extras]
        proxy = ["socks"]
        [tool.poetry.group.docs]
        optional = true
        [tool.poetry.group.docs.dependencies]
        sphinx = "*"
        [tool.poetry.group.test.dependencies]
        pytest = ">= 7"
        [[tool.poetry.source]]
        name = "corp"
        url = "https://corp.example/simple"
        priority = "explicit"
        [build-system]
        requires = ["poetry-core"]
        build-backend = "poetry.core.masonry.api"
        """,
    )

    asked = project.environments["default"]
    assert asked.python_version == "<4,>=3.8"
    assert asked.requirements == (
        "app @ file:.#editable",
        "attrs",
        "click<9,>=8.1",
        "corp @ index+https://corp.example/simple#<0.0.4,>=0.0.3",
        "lib @ file:../lib#editable",
        "rich<13.3,>=13.2.1",
        "six==1.16.0",
        'tomli[x]<3,>=1; python_version < "3.11"',
    )
    assert asked.extras == {"proxy": ("socks<0.3,>=0.2.3",)}
    assert asked.groups == {"docs": ("sphinx",), "test": ("pytest>=7",)}
    assert project.default_groups == ("dev", "test")
    assert [(one.name, one.folder, one.version, one.dynamic) for one in project.packages] == [("app", ".", "1", set())]


@pytest.mark.parametrize("row", ["{ git = 'https://h.example/x', wrong = 1 }", "{ source = 'nowhere' }", "'^1 || ^2'"])
def test_what_poetry_says_and_is_not_understood_is_an_error(tmp_path: Path, row: str) -> None:
    with pytest.raises(ProjectError):
        read(tmp_path, f"[tool.poetry]\nname = 'app'\n[tool.poetry.dependencies]\nlib = {row}\n")


def test_groups_and_indexes_of_pdm_are_read(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        """
        [project]
        name = "app"
        [tool.pdm.dev-dependencies]
        test = ["pytest", "-e file:///${PROJECT_ROOT}/lib#egg=lib"]
        [tool.pdm.resolution.overrides]
        idna = "3.4"
        [[tool.pdm.source]]
        name = "corp"
        url = "https://corp.example/simple"
        """,
    )

    asked = project.environments["default"]
    assert asked.groups == {"test": ("lib @ file:lib#editable", "pytest")}
    assert asked.overrides == ("idna==3.4",)
    assert project.indexes == ("pip", "https://corp.example/simple")


def test_what_only_the_backend_knows_is_said_to_be_so(tmp_path: Path) -> None:
    build = "[build-system]\nrequires = ['setuptools']\n"

    assert read(tmp_path, build).dynamic == {"requirements", "extras", "python_version"}
    partly = read(tmp_path, f"[project]\nname = 'x'\ndynamic = ['version', 'dependencies']\n{build}")
    assert partly.dynamic == {"requirements"}
    assert [(one.name, one.version) for one in partly.packages] == [("x", "")]


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("[project]\nname = 'x'\n", {}),
        ("[project]\nname = 'x'\n[build-system]\nrequires = []\n", {"x": "."}),
        ("[project]\nname = 'x'\n[build-system]\nrequires = []\n[tool.envknit]\npackage = false\n", {}),
        ("[project]\nname = 'x'\n[build-system]\nrequires = []\n[tool.uv]\npackage = false\n", {}),
        ("[project]\nname = 'x'\n[tool.uv]\npackage = true\n", {"x": "."}),
    ],
)
def test_what_has_a_build_is_a_package(tmp_path: Path, text: str, packages: dict[str, str]) -> None:
    assert {one.name: one.folder for one in read(tmp_path, text).packages} == packages


def test_members_of_a_workspace_find_its_root_and_share_its_lock(tmp_path: Path) -> None:
    build = "[build-system]\nrequires = []\n"
    for name, needs in (("a", "['b', 'six']"), ("b", "[]")):
        read(
            tmp_path / "packages" / name,
            f"[project]\nname = '{name}'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = {needs}\n"
            f"[dependency-groups]\ndev = ['pytest-{name}']\n{build}",
        )
    read(tmp_path / "packages" / "old", "[project]\nname = 'old'\n")
    root = read(
        tmp_path,
        "[project]\nname = 'root'\nrequires-python = '>=3.10'\n[dependency-groups]\ndev = ['pytest']\n"
        "[tool.uv.sources]\nb = { workspace = true }\n"
        "[tool.uv.workspace]\nmembers = ['packages/*']\nexclude = ['packages/old']\n",
    )

    assert find_project(tmp_path / "packages/a") == tmp_path / "pyproject.toml"
    assert find_project(tmp_path / "packages/old") == tmp_path / "packages/old/pyproject.toml"
    asked = root.environments["default"]
    assert set(asked.requirements) == {"a @ file:packages/a#editable", "b @ file:packages/b#editable", "six"}
    assert asked.groups == {"dev": ("pytest", "pytest-a", "pytest-b")}
    assert asked.python_version == ">=3.10,>=3.11"
    assert {one.name: one.folder for one in root.packages} == {"a": "packages/a", "b": "packages/b"}
    assert root.packages[0].requirements == ("b @ file:packages/b#editable", "six")


def test_a_folder_that_setuptools_alone_describes_is_a_project(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = old\n", encoding="utf-8")

    project = load_project(find_project(tmp_path))
    assert [(one.name, one.folder) for one in project.packages] == [("", ".")]
    assert project.dynamic == {"requirements", "extras", "python_version"}


def test_a_file_of_settings_alone_is_named_where_no_project_is_found(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n", encoding="utf-8")

    with pytest.raises(ProjectError) as caught:
        find_project(tmp_path)

    assert f"{tmp_path / 'pyproject.toml'} names no packages" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-03-01", "2025-03-01T23:59:59+00:00"),
        ("2025-03-01T12:00:00Z", "2025-03-01T12:00:00+00:00"),
        ("1 week", "P7D"),
        ("36 hours", "PT36H"),
        ("48 hours", "P2D"),
        ("P3W", "P21D"),
        ("PT24H", "P1D"),
    ],
)
def test_a_time_after_which_nothing_counts_may_be_said_in_many_ways(tmp_path: Path, text: str, expected: str) -> None:
    found = read(tmp_path, f"[project]\nname = 'x'\n[tool.uv]\nexclude-newer = '{text}'\n").exclude_newer

    assert found == expected
    assert moment(found).tzinfo is not None


@pytest.mark.parametrize("text", ["soon", "7", "2025-03-01T12:00:00", "1 month"])
def test_a_time_that_is_none_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProjectError):
        read(tmp_path, f"[project]\nname = 'x'\n[tool.envknit]\nexclude_newer = '{text}'\n")
