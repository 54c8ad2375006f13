"""Files of other tools, read: what is asked for, what is pinned, what cannot be kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from envknit.errors import ProjectError
from envknit.exchange.detect import READERS, find_files, reader_of

if TYPE_CHECKING:
    from pathlib import Path

    from envknit.exchange.foreign import Foreign

pytestmark = pytest.mark.once
ONE, TWO = "1" * 64, "2" * 64


def read(folder: Path, name: str, text: str) -> Foreign:
    path = folder / name
    path.write_text(text)
    return reader_of(path)(path)


@pytest.mark.parametrize(
    ("lock", "name"),
    [
        (f'[[package]]\nname="A.b"\nversion="1"\nfiles=[{{file="x.whl", hash="sha256:{ONE}"}}]\n', "poetry.lock"),
        (
            f'[[package]]\nname="A.b"\nversion="1"\n[metadata.files]\n"A.b"=[{{file="x.whl", hash="sha256:{ONE}"}}]\n',
            "poetry.lock",
        ),
        (f'[[package]]\nname="a-b"\nversion="1"\nfiles=[{{file="x.whl", hash="sha256:{ONE}"}}]\n', "pdm.lock"),
        (
            f'[[package]]\nname="a-b"\nversion="1"\n[metadata.files]\n"a-b 1"=[{{hash="sha256:{ONE}"}}]\n',
            "pdm.lock",
        ),
        (
            (
                '[[package]]\nname="me"\nversion="0"\nsource={editable="."}\n[[package]]\nname="a-b"\nversion="1"\n'
                f'source={{registry="x"}}\nwheels=[{{url="x", hash="sha256:{ONE}"}}]\n'
            ),
            "uv.lock",
        ),
        (
            json.dumps({"_meta": {}, "default": {"a.b": {"version": "==1", "hashes": [f"sha256:{ONE}"]}}}),
            "Pipfile.lock",
        ),
        (f"a_b==1 --hash=sha256:{ONE}\n", "requirements.txt"),
        (
            (
                'lock-version="1.0"\ncreated-by="x"\n[[packages]]\nname="a-b"\nversion="1"\n'
                f'[[packages.wheels]]\nname="a_b-1-py3-none-any.whl"\nurl="https://x/a_b-1-py3-none-any.whl"\n'
                f'hashes={{sha256="{ONE}"}}\n'
            ),
            "pylock.toml",
        ),
    ],
)
def test_every_lock_gives_pins_and_hashes(tmp_path: Path, lock: str, name: str) -> None:
    found = read(tmp_path, name, lock)
    assert found.pins == {"a-b": {"1"}}
    assert found.hashes == {("a-b", "1"): {ONE}}


def test_a_requirements_file_follows_its_others_and_keeps_options_but_no_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INDEX_TOKEN", "s3cret")
    monkeypatch.setenv("BASE", "base")
    (tmp_path / "base.txt").write_text("flask>=3  # the web\nlib[x]==1.0 ; sys_platform == 'linux'\n")
    (tmp_path / "limits.txt").write_text("jinja2<4\n")
    found = read(
        tmp_path,
        "requirements.txt",
        "-r ${BASE}.txt\n-climits.txt\n--index-url=https://${INDEX_TOKEN}@index.example/simple\n-f ./wheels\n--pre\n"
        f"long==2 \\\n    --hash=sha256:{ONE} \\\n    --hash=sha256:{TWO}\n-e ./here\n./there/x-1-py3-none-any.whl\n",
    )
    assert found.requirements[""] == [
        "flask>=3",
        'lib[x]==1.0; sys_platform == "linux"',
        "long==2",
        "-e ./here",
        "./there/x-1-py3-none-any.whl",
    ]
    assert found.constraints == ["jinja2<4"]
    assert found.indexes == ["https://${INDEX_TOKEN}@index.example/simple", "wheels"]
    assert found.hashes["long", "2"] == {ONE, TWO}
    assert len(found.notes) == 1
    assert "--pre" in found.notes[0]


def test_what_pip_compile_added_is_pinned_and_not_asked_for(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "requirements.txt",
        "flask==3.0\n    # via -r requirements.in\njinja2==3.1\n    # via flask\nmarkupsafe==2.1\n    # via\n"
        "    #   jinja2\n    #   werkzeug\nclick==8 # via shop (pyproject.toml)\n",
    )
    assert found.requirements == {"": ["flask==3.0", "click==8"]}
    assert set(found.pins) == {"flask", "jinja2", "markupsafe", "click"}


def test_a_pipfile_gives_packages_of_each_category(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "Pipfile",
        '[[source]]\nurl="https://index.example/simple"\nname="x"\n[packages]\nflask="*"\n'
        'lib={version="~=1.2", extras=["a"], sys_platform="== \'linux\'"}\n[dev-packages]\npytest=">=8"\n'
        '[docs]\nsphinx="*"\n[requires]\npython_version="3.11"\n',
    )
    assert found.requirements == {
        "": ["flask", "lib[a]~=1.2 ; sys_platform == 'linux'"],
        "dev": ["pytest>=8"],
        "docs": ["sphinx"],
    }
    assert (found.python, found.indexes) == ("==3.11.*", ["https://index.example/simple"])


def test_of_conda_the_pip_part_is_kept_and_the_rest_is_named(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "environment.yml",
        "name: x\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - gdal=3\n  - pip\n  - pip:\n"
        "      - flask==3.0\n",
    )
    assert (found.requirements, found.python) == ({"": ["flask==3.0"]}, "==3.11.*")
    assert "gdal=3" in found.notes[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("poetry.lock", "[[package]]\nversion = 1\n"),
        ("poetry.lock", "not toml"),
        ("uv.lock", "package = 3"),
        ("pdm.lock", "package = [1]"),
        ("Pipfile.lock", "{"),
        ("Pipfile.lock", "[1]"),
        ("Pipfile", "packages = 1"),
        ("pylock.toml", "packages = 1"),
        ("requirements.txt", "flask flask"),
        ("requirements.txt", "-r requirements.txt"),
        ("requirements.txt", "-r"),
        ("requirements.txt", "-r 'x"),
        ("environment.yml", "- a: &x 1"),
        ("environment.yml", "dependencies:\n  - pip: [one two]"),
    ],
)
def test_a_damaged_file_gets_one_error_that_names_it(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ProjectError) as told:
        read(tmp_path, name, text)
    assert name in str(told.value)


def test_files_of_a_folder_are_found_and_unknown_ones_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="nothing here"):
        find_files(tmp_path)
    for name in READERS:
        (tmp_path / name).touch()
    assert set(READERS) == {path.name for path in find_files(tmp_path)}
    with pytest.raises(ProjectError, match="can be imported"):
        reader_of(tmp_path / "setup.py")
