"""Metadata and wheels out of source folders and sdists."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envknit.errors import InstallError
from envknit.http.settings import PipSettings
from envknit.http.threads import Threads
from envknit.index.build import Builder
from kit import make_sdist
from kit.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.ends

BACKEND = """
import os, pathlib, zipfile

def _wheel(folder, kind):
    name = "x-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        archive.writestr("x-1.dist-info/METADATA", f"Name: x\\nVersion: 1\\nSummary: {kind}\\n")
    return name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return _wheel(folder, "wheel")
"""
EDITABLE = """
def build_editable(folder, config_settings=None, metadata_directory=None):
    return _wheel(folder, "editable")
"""
PREPARE = """
def prepare_metadata_for_build_editable(folder, config_settings=None):
    os.mkdir(os.path.join(folder, "x-1.dist-info"))
    pathlib.Path(folder, "x-1.dist-info", "METADATA").write_text("Name: x\\nVersion: 1\\nSummary: prepared\\n")
    return "x-1.dist-info"
"""
TELLS = """
import json, os
def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise SystemExit(json.dumps(dict(os.environ)))
"""


def folder(tmp_path: Path, backend: str, requires: str = "[]") -> Path:
    source = tmp_path / "project"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        f'[build-system]\nrequires = {requires}\nbuild-backend = "backend"\nbackend-path = ["."]\n', encoding="utf-8"
    )
    (source / "backend.py").write_text(backend, encoding="utf-8")
    return source


@pytest.fixture(name="builder")
def _builder() -> Iterator[Builder]:
    with closing(Builder(PipSettings())) as builder:
        yield builder


def test_a_wheel_of_an_sdist_is_built(tmp_path: Path, builder: Builder) -> None:
    (tmp_path / "sdist").write_bytes(make_sdist("x", "1"))

    assert builder.wheel_of_sdist(tmp_path / "sdist", "x-1.tar.gz", tmp_path) == tmp_path / "x-1-py3-none-any.whl"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sdist", "x-1-py3-none-any.whl"]


def test_metadata_and_wheels_of_a_folder_are_built_as_packages_and_in_place(tmp_path: Path, builder: Builder) -> None:
    source = folder(tmp_path, BACKEND + EDITABLE)
    (tmp_path / "out").mkdir()

    assert b"Summary: wheel" in builder.metadata(source)
    assert builder.wheel(source, tmp_path / "out") == tmp_path / "out/x-1-py3-none-any.whl"
    assert builder.wheel(source, tmp_path / "out", editable=True).is_file()


def test_metadata_of_a_folder_in_place_comes_from_the_hook_for_it(tmp_path: Path, builder: Builder) -> None:
    assert b"Summary: prepared" in builder.metadata(folder(tmp_path, BACKEND + EDITABLE + PREPARE), editable=True)


def test_a_backend_that_cannot_install_in_place_is_told(tmp_path: Path, builder: Builder) -> None:
    with pytest.raises(InstallError, match="could not be built"):
        builder.wheel(folder(tmp_path, BACKEND), tmp_path, editable=True)


def test_a_folder_that_is_no_project_is_told(tmp_path: Path, builder: Builder) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InstallError, match="empty could not be built") as caught:
        builder.wheel(tmp_path / "empty", tmp_path)
    assert "pyproject.toml" in str(caught.value)


def test_a_subdirectory_of_an_archive_is_built_and_must_lie_in_it(tmp_path: Path, builder: Builder) -> None:
    (tmp_path / "sdist").write_bytes(make_sdist("x", "1"))

    for inside in ("missing", ".."):
        with pytest.raises(InstallError, match="has no folder"):
            builder.metadata_of_sdist(tmp_path / "sdist", "x-1.tar.gz", subdirectory=inside)


def test_build_requirements_come_from_the_folders_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/needed-1-py3-none-any.whl").write_bytes(make_wheel("needed", "1"))
    source = folder(tmp_path, "import needed\n" + BACKEND, requires='["needed"]')

    with closing(Builder(PipSettings(find_links=(str(tmp_path / "wheels"),)))) as builder:
        found = builder.metadata(source)

    assert b"Name: x" in found


DIRTIES = """
import json, os, needed, pathlib, sys
pathlib.Path(needed.__file__).write_text("DIRTY = 1")
def get_requires_for_build_wheel(config_settings=None):
    return ["more"]
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    import more
    told = f"{hasattr(needed, 'DIRTY')} {sys.prefix} {open(os.path.join(sys.prefix, 'bin/tool')).readline()}"
    os.mkdir(os.path.join(folder, "x-1.dist-info"))
    pathlib.Path(folder, "x-1.dist-info", "METADATA").write_text(f"Name: x\\nVersion: 1\\nSummary: {told}\\n")
    return "x-1.dist-info"
"""


def test_builds_of_the_same_requirements_start_pip_once_and_see_nothing_of_each_other(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    scripts = {"console_scripts": {"tool": "needed:main"}}
    (wheels / "needed-1-py3-none-any.whl").write_bytes(make_wheel("needed", "1", entry_points=scripts))
    (wheels / "more-1-py3-none-any.whl").write_bytes(make_wheel("more", "1"))
    source = folder(tmp_path, DIRTIES, requires='["needed"]')

    with closing(Builder(PipSettings(find_links=(str(wheels),)))) as builder:
        found = [builder.metadata(source).decode().split("Summary: ")[1].split()]
        shutil.rmtree(wheels)  # pip would fail now
        found.append(builder.metadata(source).decode().split("Summary: ")[1].split())

    assert [dirty for dirty, _, _ in found] == ["False", "False"]
    assert found[0][1] != found[1][1]
    assert all(script == f"#!{prefix}/bin/python" for _, prefix, script in found)


def test_a_requirement_that_nobody_has_is_told_in_the_words_of_pip(tmp_path: Path, builder: Builder) -> None:
    with pytest.raises(InstallError, match="No matching distribution found for nowhere"):
        builder.metadata(folder(tmp_path, BACKEND, requires='["nowhere"]'))


def test_a_build_sees_no_lock_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "ENVKNIT_HOME": "s3cr3t",
        "PIP_INDEX_URL": "https://user:s3cr3t@index.example/simple",
        "MY_TOKEN": "s3cr3t",
        "DB_PASSWORD": "s3cr3t",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t",
        "https_proxy": "http://user:s3cr3t@proxy.example",
        "ANYTHING": "postgres://user:s3cr3t@db.example/x",
    }
    for name, value in {**secrets, "CFLAGS": "-O2"}.items():
        monkeypatch.setenv(name, value)
    settings = PipSettings(indexes=("https://user:s3cr3t@index.example/simple",))

    with closing(Builder(settings)) as builder, pytest.raises(InstallError) as caught:
        builder.wheel(folder(tmp_path, TELLS), tmp_path)

    line = next(line for line in str(caught.value).splitlines() if line.strip().startswith("{"))
    seen = json.loads(line)
    assert "s3cr3t" not in line
    assert (seen["ENVKNIT"], seen["CFLAGS"]) == ("0", "-O2")


def test_pip_is_told_in_a_file_where_to_look_and_nowhere_else() -> None:
    told = {"target": "/elsewhere", "user": "true", "timeout": "5", "index-url": "https://old.example"}
    settings = PipSettings(indexes=("https://a.example", "https://b.example"), find_links=("/w",), told=told)
    nowhere = PipSettings()

    written = settings.configuration()

    assert "index-url = https://a.example\n" in written
    assert "extra-index-url = https://b.example\n" in written
    assert "find-links = /w\n" in written
    assert "timeout = 5\n" in written
    assert "no-index = false\n" in written
    assert "elsewhere" not in written
    assert "old.example" not in written
    assert "no-index = true\n" in nowhere.configuration()


def test_closing_ends_a_build_under_way_with_all_that_it_started(tmp_path: Path, builder: Builder) -> None:
    backend = f"""
import os, pathlib, subprocess, sys
def build_wheel(folder, config_settings=None, metadata_directory=None):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
    child.wait()
"""
    building = Threads(1, "test")
    built = building.submit(builder.wheel, folder(tmp_path, backend), tmp_path)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text(encoding="utf-8"):
        time.sleep(0.05)
    builder.close()

    with pytest.raises(InstallError, match="could not be built"):
        built.result(timeout=30)
    child = Path("/proc", (tmp_path / "pid").read_text(encoding="utf-8"), "stat")
    assert not child.exists() or child.read_text(encoding="utf-8").split()[2] == "Z"
    building.close()


def test_what_builds_again_at_every_import_needs_a_ninja_that_stays(
    tmp_path: Path, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "project"
    source.mkdir()
    text = '[build-system]\nrequires = ["meson-python"]\nbuild-backend = "mesonpy"\n'
    (source / "pyproject.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(InstallError, match="every import"):
        builder.wheel(source, tmp_path, editable=True)
